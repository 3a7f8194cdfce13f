//! Every key there is: the one table behind unknown-key answers, environment variables and
//! `docs/configuration.md`.

mod keys;

pub use keys::KEYS;

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Flag,
    /// An array of strings.
    Texts,
    /// An offset date-time (RFC 3339), unquoted.
    Moment,
    /// A string, whole number or boolean.
    Value,
    /// A table: `[section]` or `{ … }`.
    Table,
    /// A list of tables: `[[section]]`.
    Tables,
    /// A table from names of the operator's to tables.
    Map,
}

impl Kind {
    /// The word used in the reference.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Number => "integer",
            Self::Flag => "boolean",
            Self::Texts => "list of strings",
            Self::Moment => "date-time",
            Self::Value => "string, integer or boolean",
            Self::Table => "table",
            Self::Tables => "list of tables",
            Self::Map => "table of tables",
        }
    }

    /// For sentences.
    pub(super) fn with_article(self) -> String {
        let article = if matches!(self, Self::Number) { "an" } else { "a" };
        format!("{article} {}", self.as_str())
    }
}

/// One key of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Dotted path; `[]` after a list of tables, `{}` after a table of tables.
    pub path: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What holds without it; `required` where it must be there.
    pub default: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// A value as written in the file.
    pub example: &'static str,
}

impl Key {
    /// The path of the section that the key is in; empty at the top of the file.
    pub fn parent(&self) -> &'static str {
        self.path.rsplit_once('.').map_or("", |(parent, _)| parent)
    }

    /// Its own name.
    pub fn name(&self) -> &'static str {
        self.path.rsplit_once('.').map_or(self.path, |(_, name)| name)
    }
}

/// The key of this path.
pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// Words that point from an unknown `name` in `parent` to the nearest key there is.
pub(super) fn nearest(parent: &str, name: &str) -> String {
    let here = || KEYS.iter().filter(|key| key.parent() == parent).map(Key::name);
    let is_close = here().any(|candidate| likeness(name, candidate) > 0.8);
    if !is_close && let Some(key) = KEYS.iter().find(|key| key.name() == name) {
        return format!("that key belongs in {}", section(key.parent()));
    }
    nearest_of(name, here()).map_or_else(String::new, |near| format!("the nearest key here is `{near}`"))
}

/// The candidate most like `name`.
pub(super) fn nearest_of<T: AsRef<str>>(name: &str, candidates: impl IntoIterator<Item = T>) -> Option<T> {
    candidates.into_iter().max_by(|a, b| likeness(name, a.as_ref()).total_cmp(&likeness(name, b.as_ref())))
}

fn likeness(name: &str, candidate: &str) -> f64 {
    strsim::jaro_winkler(name, candidate).max(strsim::normalized_damerau_levenshtein(name, candidate))
}

/// A section as written in a file: `the top of the file`, `[tokens]`, `[[client]]`, `target.scopes`.
pub(super) fn section(path: &str) -> String {
    if path.is_empty() {
        return "the top of the file".to_owned();
    }
    let plain = path.replace("[]", "").replace("{}", ".<name>");
    match find(path.trim_end_matches("[]")) {
        Some(key) if key.kind == Kind::Tables => format!("`[[{plain}]]`"),
        _ => format!("`[{plain}]`"),
    }
}
