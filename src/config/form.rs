//! The form of a configuration: every key of the file is compared with the reference, before serde reads it.

use std::collections::BTreeSet;

use toml::Value;

use super::error::Problem;
use super::reference::{KEYS, Key, Kind, find, join, nearest_key};
use super::source::Places;

/// What the comparison found.
pub(super) struct Form<'a> {
    places: &'a Places,
    /// Unknown keys and wrong types, with which the structs cannot be read.
    pub(super) unreadable: Vec<Problem>,
    /// Keys that are not there, and values that are not legal. The latter are taken out of the table, so that the
    /// rest of the file is still checked.
    pub(super) illegal: Vec<Problem>,
    /// The paths of the values that were taken out.
    pub(super) removed: BTreeSet<String>,
}

/// Compares `table` with the reference.
pub(super) fn check<'a>(table: &mut toml::Table, places: &'a Places) -> Form<'a> {
    let mut form = Form { places, unreadable: Vec::new(), illegal: Vec::new(), removed: BTreeSet::new() };
    form.table(table, "", "");
    form
}

impl Form<'_> {
    /// `pattern` is the path in the reference (`client[]`), `path` the path in the file (`client[0]`).
    fn table(&mut self, table: &mut toml::Table, pattern: &str, path: &str) {
        for key in KEYS.iter().filter(|key| key.is_required && key.parent() == pattern) {
            if !table.contains_key(key.name()) {
                self.illegal(&join(path, key.name()), "is missing".to_owned(), for_example(key));
            }
        }
        table.retain(|name, value| {
            let path = join(path, name);
            let Some(key) = find(&join(pattern, name)) else {
                let fix = nearest_key(pattern, name);
                self.unreadable.push(self.places.problem(&path, "is not a key".to_owned(), fix));
                return true;
            };
            self.value(key, value, &path);
            match illegal(key, value) {
                Some((what, fix)) => {
                    self.illegal(&path, what, fix);
                    self.removed.insert(path);
                    false
                }
                None => true,
            }
        });
    }

    fn value(&mut self, key: &Key, value: &mut Value, path: &str) {
        match (key.kind, value) {
            (Kind::Text, Value::String(_))
            | (Kind::Number, Value::Integer(_))
            | (Kind::Flag, Value::Boolean(_))
            | (Kind::Moment, Value::Datetime(_))
            | (Kind::Scalar, Value::String(_) | Value::Integer(_) | Value::Boolean(_)) => {}
            (Kind::TextOrTexts, Value::String(_)) => {}
            (Kind::Scalars, Value::Array(items)) => {
                let is_scalar = |item: &Value| item.is_str() || item.is_integer() || item.is_bool();
                for (position, item) in items.iter().enumerate().filter(|(_, item)| !is_scalar(item)) {
                    self.wrong_type(&format!("{path}[{position}]"), Kind::Scalar, item);
                }
            }
            (Kind::Lists, Value::Table(table)) => {
                for (name, item) in table {
                    let path = join(path, name);
                    match item {
                        Value::Array(items) => self.texts(items, &path),
                        other => self.wrong_type(&path, Kind::Texts, other),
                    }
                }
            }
            (Kind::Table, Value::Table(table)) => self.table(table, &key.path, path),
            (Kind::Texts | Kind::TextOrTexts, Value::Array(items)) => self.texts(items, path),
            (Kind::Tables, Value::Array(items)) => {
                for (position, item) in items.iter_mut().enumerate() {
                    self.inner(item, &format!("{}[]", key.path), &format!("{path}[{position}]"));
                }
            }
            (Kind::Map, Value::Table(table)) => {
                for (name, item) in table {
                    self.inner(item, &format!("{}{{}}", key.path), &join(path, name));
                }
            }
            (kind, other) => self.wrong_type(path, kind, other),
        }
    }

    fn texts(&mut self, items: &[Value], path: &str) {
        for (position, item) in items.iter().enumerate().filter(|(_, item)| !item.is_str()) {
            self.wrong_type(&format!("{path}[{position}]"), Kind::Text, item);
        }
    }

    fn inner(&mut self, item: &mut Value, pattern: &str, path: &str) {
        match item {
            Value::Table(table) => self.table(table, pattern, path),
            other => self.wrong_type(path, Kind::Table, other),
        }
    }

    fn wrong_type(&mut self, path: &str, wanted: Kind, found: &Value) {
        let what = format!("must be {}, found {}", wanted.with_article(), found.type_str());
        let fix = match wanted {
            Kind::Tables => "write one `[[…]]` block for each",
            Kind::Map => "write `name = { … }` for each, `{}` for the defaults",
            Kind::Texts | Kind::Scalars => "write a list: `[\"…\"]`",
            Kind::Lists => "write `name = [\"…\"]` for each",
            _ => "",
        };
        self.unreadable.push(self.places.problem(path, what, fix.to_owned()));
    }

    fn illegal(&mut self, path: &str, what: String, fix: String) {
        self.illegal.push(self.places.problem(path, what, fix));
    }
}

/// What is wrong with a value of the right type, and what to write instead.
fn illegal(key: &Key, value: &Value) -> Option<(String, String)> {
    match value {
        Value::Integer(number) if key.kind == Kind::Number && !key.range.contains(number) => {
            Some((format!("is {number}"), format!("write {} to {}", key.range.start(), key.range.end())))
        }
        Value::String(text) if key.kind == Kind::Text && text.trim().is_empty() => {
            let fix = if key.is_required {
                for_example(key)
            } else {
                format!("remove it, or {}", for_example(key))
            };
            Some(("is empty".to_owned(), fix))
        }
        Value::String(text) if !key.words.is_empty() && !key.words.contains(text) => {
            let known: Vec<String> = key.words.iter().map(|word| format!("`{word}`")).collect();
            Some((format!("is `{text}`"), format!("write {}", known.join(" or "))))
        }
        _ => None,
    }
}

fn for_example(key: &Key) -> String {
    format!("write for example `{} = {}`", key.name(), key.example)
}
