//! The text of a configuration, parsed, with the line of every key.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::Problem;
use super::reference::join;

/// The place of each key in the file, by its path with list positions, such as `client[0].scopes`.
#[derive(Debug, Default)]
pub(super) struct Places {
    lines: BTreeMap<String, usize>,
    variables: BTreeMap<String, String>,
}

impl Places {
    /// The line of `path`, or of the nearest thing around it that is in the file.
    fn line(&self, path: &str) -> Option<usize> {
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

    /// Whether the file or a variable has a value for `path`.
    pub(super) fn has(&self, path: &str) -> bool {
        self.lines.contains_key(path) || self.variables.contains_key(path)
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

    fn table(&mut self, text: &str, table: &DeTable<'_>, parent: &str) {
        for (name, value) in table {
            let path = join(parent, name.get_ref());
            self.lines.insert(path.clone(), line_of(text, name.span().start));
            self.value(text, value, &path);
        }
    }

    fn value(&mut self, text: &str, value: &Spanned<DeValue<'_>>, path: &str) {
        match value.get_ref() {
            DeValue::Table(table) => self.table(text, table, path),
            DeValue::Array(items) => {
                for (position, item) in items.iter().enumerate() {
                    let path = format!("{path}[{position}]");
                    self.lines.insert(path.clone(), line_of(text, item.span().start));
                    self.value(text, item, &path);
                }
            }
            _ => {}
        }
    }
}

/// `client[0].scopes` → `client.scopes`.
fn without_positions(path: &str) -> String {
    let parts = path.split('[').enumerate();
    parts
        .map(|(n, part)| if n == 0 { part } else { part.split_once(']').map_or("", |(_, rest)| rest) })
        .collect()
}

/// Parses `text`, and finds every error of its syntax.
pub(super) fn read(text: &str) -> Result<(toml::Table, Places), Vec<Problem>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors.iter().map(|error| syntax(text, error)).collect());
    }
    let mut places = Places::default();
    places.table(text, document.get_ref(), "");
    let table = toml::from_str(text).map_err(|error| vec![syntax(text, &error)])?;
    Ok((table, places))
}

fn syntax(text: &str, error: &toml::de::Error) -> Problem {
    Problem {
        line: error.span().map(|span| line_of(text, span.start)),
        key: "TOML".to_owned(),
        what: format!("does not parse: {}", error.message().lines().next().unwrap_or("syntax error")),
        fix: "see https://toml.io for the form".to_owned(),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}
