//! The text of a configuration: parsed, every key and type compared with the reference, every line kept.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::Problem;
use super::reference::{self, Key, Kind};

/// The place of each key in the file, by its path with list positions, such as `client[0].scopes`.
#[derive(Debug, Default)]
pub(super) struct Places {
    lines: BTreeMap<String, usize>,
    variables: BTreeMap<String, String>,
}

impl Places {
    /// The line of `path`, or of the nearest thing around it that is in the file.
    pub(super) fn line(&self, path: &str) -> Option<usize> {
        let mut rest = path;
        loop {
            if let Some(line) = self.lines.get(rest) {
                return Some(*line);
            }
            let dot = rest.rfind(['.', '[']).unwrap_or(0);
            if dot == 0 {
                return None;
            }
            rest = &rest[..dot];
        }
    }

    /// Notes that `path` was set by an environment variable.
    pub(super) fn set_by_variable(&mut self, path: &str, variable: &str) {
        self.variables.insert(path.to_owned(), variable.to_owned());
    }

    /// The problem with `path`, at its place.
    pub(super) fn problem(&self, path: &str, what: String, fix: String) -> Problem {
        match self.variables.get(path) {
            Some(variable) => Problem { line: None, key: variable.clone(), what, fix },
            None => Problem { line: self.line(path), key: without_positions(path), what, fix },
        }
    }
}

/// `client[0].scopes` → `client.scopes`.
fn without_positions(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut in_position = false;
    for c in path.chars() {
        match c {
            '[' => in_position = true,
            ']' => in_position = false,
            other if !in_position => out.push(other),
            _ => {}
        }
    }
    out
}

/// A parsed text: its values, its places, and what is wrong with its form.
pub(super) struct Source {
    pub(super) table: toml::Table,
    pub(super) places: Places,
    pub(super) problems: Vec<Problem>,
}

/// Parses `text` and compares it with the reference. Problems of form are all collected.
pub(super) fn read(text: &str) -> Source {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut walk = Walk { text, places: Places::default(), problems: Vec::new() };
    for error in errors {
        let line = error.span().map(|span| line_of(text, &span));
        walk.problems.push(syntax(line, error.message()));
    }
    if !walk.problems.is_empty() {
        return Source { table: toml::Table::new(), places: walk.places, problems: walk.problems };
    }
    walk.table(document.get_ref(), "", "");
    let table = match toml::from_str(text) {
        Ok(table) => table,
        Err(error) => {
            let line = error.span().map(|span| line_of(text, &span));
            walk.problems.push(syntax(line, error.message()));
            toml::Table::new()
        }
    };
    Source { table, places: walk.places, problems: walk.problems }
}

fn syntax(line: Option<usize>, message: &str) -> Problem {
    Problem {
        line,
        key: "TOML".to_owned(),
        what: format!("does not parse: {}", message.lines().next().unwrap_or("syntax error")),
        fix: "see https://toml.io for the form".to_owned(),
    }
}

fn line_of(text: &str, span: &Range<usize>) -> usize {
    let end = span.start.min(text.len());
    text.as_bytes()[..end].iter().filter(|byte| **byte == b'\n').count() + 1
}

struct Walk<'a> {
    text: &'a str,
    places: Places,
    problems: Vec<Problem>,
}

impl Walk<'_> {
    /// `pattern` is the path in the reference (`client[]`), `path` the path in the file (`client[0]`).
    fn table(&mut self, table: &DeTable<'_>, pattern: &str, path: &str) {
        for (key, value) in table {
            let name: &str = key.get_ref();
            let (child_pattern, child_path) = (join(pattern, name), join(path, name));
            self.place(&child_path, &key.span());
            match reference::find(&child_pattern) {
                Some(known) => self.value(known, value, &child_path),
                None => {
                    let fix = reference::nearest(pattern, name);
                    let what = "is not a key".to_owned();
                    self.problems.push(self.places.problem(&child_path, what, fix));
                }
            }
        }
    }

    fn value(&mut self, key: &Key, value: &Spanned<DeValue<'_>>, path: &str) {
        match (key.kind, value.get_ref()) {
            (Kind::Text, DeValue::String(_))
            | (Kind::Number, DeValue::Integer(_))
            | (Kind::Flag, DeValue::Boolean(_))
            | (Kind::Moment, DeValue::Datetime(_))
            | (Kind::Value, DeValue::String(_) | DeValue::Integer(_) | DeValue::Boolean(_)) => {}
            (Kind::Table, DeValue::Table(table)) => self.table(table, key.path, path),
            (Kind::Texts, DeValue::Array(items)) => {
                for (position, item) in items.iter().enumerate() {
                    let path = format!("{path}[{position}]");
                    self.place(&path, &item.span());
                    if !item.get_ref().is_str() {
                        self.wrong_type(&path, Kind::Text, item.get_ref());
                    }
                }
            }
            (Kind::Tables, DeValue::Array(items)) => {
                for (position, item) in items.iter().enumerate() {
                    let path = format!("{path}[{position}]");
                    self.place(&path, &item.span());
                    match item.get_ref() {
                        DeValue::Table(table) => self.table(table, &format!("{}[]", key.path), &path),
                        other => self.wrong_type(&path, Kind::Table, other),
                    }
                }
            }
            (Kind::Map, DeValue::Table(table)) => {
                for (name, item) in table {
                    let path = format!("{path}.{}", name.get_ref());
                    self.place(&path, &name.span());
                    match item.get_ref() {
                        DeValue::Table(table) => self.table(table, &format!("{}{{}}", key.path), &path),
                        other => self.wrong_type(&path, Kind::Table, other),
                    }
                }
            }
            (kind, other) => self.wrong_type(path, kind, other),
        }
    }

    fn wrong_type(&mut self, path: &str, wanted: Kind, found: &DeValue<'_>) {
        let what = format!("must be {}, found {}", wanted.with_article(), found.type_str());
        let fix = match wanted {
            Kind::Tables => "write one `[[…]]` block for each".to_owned(),
            Kind::Map => "write `name = { … }` for each, `{}` for the defaults".to_owned(),
            Kind::Texts => "write a list: `[\"…\"]`".to_owned(),
            _ => String::new(),
        };
        self.problems.push(self.places.problem(path, what, fix));
    }

    fn place(&mut self, path: &str, span: &Range<usize>) {
        self.places.lines.insert(path.to_owned(), line_of(self.text, span));
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
