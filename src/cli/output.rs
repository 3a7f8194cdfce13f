//! What verbs print: lines for people, or JSON.

use std::io::{IsTerminal as _, Write};

use serde_json::Value;

use super::CliError;
use crate::base::text::is_shown;

/// Where a verb prints. A reader that went away (`| head`) is no fault of the verb.
pub struct Output {
    is_json: bool,
    is_unread: bool,
    is_terminal: bool,
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
}

impl Output {
    /// Standard output and standard error.
    pub fn standard(is_json: bool) -> Self {
        let out = std::io::stdout();
        let is_terminal = out.is_terminal();
        Self { is_json, is_unread: false, is_terminal, out: Box::new(out), err: Box::new(std::io::stderr()) }
    }

    /// Whether JSON was asked for.
    pub const fn is_json(&self) -> bool {
        self.is_json
    }

    /// Whether the reader went away, so that a verb that would print for long may end.
    pub const fn is_unread(&self) -> bool {
        self.is_unread
    }

    /// A line for people.
    pub fn line(&mut self, text: impl AsRef<str>) {
        self.is_unread |= writeln!(self.out, "{}", text.as_ref()).is_err();
    }

    /// A token or an assertion alone. It has no line end in a file or a pipe, where another program would send that with it.
    pub fn token(&mut self, token: &str) {
        let end = if self.is_terminal { "\n" } else { "" };
        let _ = write!(self.out, "{}{end}", printable(token));
        let _ = self.out.flush();
    }

    /// A line for people that is not the answer itself.
    pub fn note(&mut self, text: impl AsRef<str>) {
        let _ = writeln!(self.err, "{}", text.as_ref());
    }

    pub fn json(&mut self, value: &Value) {
        let _ = writeln!(self.out, "{value:#}");
    }

    /// Why the verb failed.
    pub fn error(&mut self, error: &CliError) {
        if matches!(error, CliError::Reported) {
            return;
        }
        if self.is_json {
            let _ = writeln!(self.err, "{}", error.to_json());
        } else {
            let _ = writeln!(self.err, "deputy: {error}");
        }
    }

    /// The rows of a list as columns, those named first; JSON as it came.
    pub fn rows(&mut self, value: &Value, first: &[&str]) {
        if self.is_json {
            return self.json(value);
        }
        let rows = rows_of(value);
        if rows.is_empty() {
            return self.line("none");
        }
        let columns = columns(rows, first);
        let mut cells = vec![columns.iter().map(|name| name.to_uppercase()).collect::<Vec<_>>()];
        cells.extend(rows.iter().map(|row| columns.iter().map(|name| cell(row.get(name))).collect()));
        let widths: Vec<usize> = (0..columns.len())
            .map(|at| cells.iter().map(|row| row[at].chars().count()).max().unwrap_or(0))
            .collect();
        for row in cells {
            let padded: Vec<String> =
                row.iter().zip(&widths).map(|(text, width)| format!("{text:width$}")).collect();
            self.line(padded.join("  ").trim_end());
        }
        self.left_out(value);
    }

    /// What a list says of that which it leaves out.
    pub fn left_out(&mut self, value: &Value) {
        if let Some(text) = value.get("left_out").and_then(Value::as_str) {
            self.line(printable(text));
        }
    }

    /// One object as `name  value` lines, those named first; JSON as it came.
    pub fn object(&mut self, value: &Value, first: &[&str]) {
        if self.is_json {
            return self.json(value);
        }
        let Some(object) = value.as_object() else { return self.line(cell(Some(value))) };
        let mut names: Vec<&String> = object.keys().collect();
        names
            .sort_by_key(|name| (first.iter().position(|other| other == name).unwrap_or(first.len()), *name));
        let width = names.iter().map(|name| name.len()).max().unwrap_or(0);
        for name in names {
            if let Some(rows) = object[name].as_array().filter(|rows| rows.iter().any(Value::is_object)) {
                self.line(format!("{name} ({})", rows.len()));
                for row in rows {
                    self.line(format!("  {}", one_line(row)));
                }
            } else {
                self.line(format!("{name:width$}  {}", cell(Some(&object[name]))));
            }
        }
    }
}

/// An array, or the one array in an object.
fn rows_of(value: &Value) -> &[Value] {
    let inner = value.as_array().or_else(|| value.as_object()?.values().find_map(Value::as_array));
    inner.map_or(&[], Vec::as_slice)
}

/// Names of members that are not objects and not empty everywhere.
fn columns(rows: &[Value], first: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = first.iter().map(|name| (*name).to_owned()).collect();
    for row in rows {
        for name in row.as_object().into_iter().flat_map(|object| object.keys()) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
    names.retain(|name| rows.iter().any(|row| !matches!(row.get(name), None | Some(Value::Null))));
    names
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => printable(text),
        Some(Value::Array(items)) => items.iter().map(|item| cell(Some(item))).collect::<Vec<_>>().join(" "),
        Some(Value::Object(_)) => one_line(value.unwrap_or(&Value::Null)),
        Some(other) => other.to_string(),
    }
}

fn one_line(value: &Value) -> String {
    match value.as_object() {
        Some(object) => {
            let members = object.iter().filter(|(_, value)| !value.is_null());
            members.map(|(name, value)| format!("{name}={}", cell(Some(value)))).collect::<Vec<_>>().join(" ")
        }
        None => cell(Some(value)),
    }
}

/// Control characters would let a recorded text steer the terminal, and format characters would let it deceive.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if is_shown(c) { c } else { '\u{fffd}' }).collect()
}
