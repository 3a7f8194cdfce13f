//! Every key of the file, derived from the structs that are read. The list answers for unknown keys, wrong types and
//! ranges, for environment variables and for `docs/configuration.md`.

use std::ops::RangeInclusive;
use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::raw::RawConfig;
use crate::base::nearest::{likeness, nearest};

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    Flag,
    Texts,
    /// A string, or a list of strings.
    TextOrTexts,
    /// A list of strings, whole numbers and booleans.
    Scalars,
    /// An offset date-time (RFC 3339), unquoted.
    Moment,
    /// A string, whole number or boolean.
    Scalar,
    /// A table from names of the operator's choice to lists of strings.
    Lists,
    /// `[section]` or `{ … }`.
    Table,
    /// `[[section]]`.
    Tables,
    /// A table from names of the operator's choice to tables.
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
            Self::TextOrTexts => "string or list of strings",
            Self::Scalars => "list of strings, integers and booleans",
            Self::Moment => "date-time",
            Self::Scalar => "string, integer or boolean",
            Self::Lists => "table of lists of strings",
            Self::Table => "table",
            Self::Tables => "list of tables",
            Self::Map => "table of tables",
        }
    }

    /// For sentences.
    pub(super) fn with_article(self) -> String {
        let article = if self == Self::Number { "an" } else { "a" };
        format!("{article} {}", self.as_str())
    }

    /// The kind of a key with this schema.
    fn of(schema: &Value) -> Self {
        let is_object = |schema: &Value| schema["properties"].is_object();
        match types(schema).as_slice() {
            ["integer"] => Self::Number,
            ["boolean"] => Self::Flag,
            ["array"] if is_object(&schema["items"]) => Self::Tables,
            ["array"] if types(&schema["items"]).len() > 1 => Self::Scalars,
            ["array"] => Self::Texts,
            ["object"] if is_object(schema) => Self::Table,
            ["object"] if types(&schema["additionalProperties"]) == ["array"] => Self::Lists,
            ["object"] => Self::Map,
            ["string", "array"] => Self::TextOrTexts,
            ["string", _, ..] => Self::Scalar,
            _ if schema["format"] == "date-time" => Self::Moment,
            _ => Self::Text,
        }
    }
}

/// One key of the configuration.
#[derive(Clone, Debug)]
pub struct Key {
    /// Dotted path; `[]` after a list of tables, `{}` after a table of tables.
    pub path: String,
    pub kind: Kind,
    /// Whether the key has no legal default and so must be there.
    pub is_required: bool,
    /// A value as written in the file.
    pub example: String,
    /// The words that a string may be; empty where any string is allowed.
    pub words: Vec<String>,
    /// What a number may be.
    pub range: RangeInclusive<i64>,
}

impl Key {
    /// The path of the section that the key is in; empty at the top of the file.
    pub fn parent(&self) -> &str {
        self.path.rsplit_once('.').map_or("", |(parent, _)| parent)
    }

    pub fn name(&self) -> &str {
        self.path.rsplit_once('.').map_or(&self.path, |(_, name)| name)
    }

    fn new(path: &str, property: &Value) -> Self {
        let (schema, may_be_null) = without_null(property);
        let kind = Kind::of(schema);
        let default = property.get("default");
        let words =
            schema["oneOf"].as_array().into_iter().flatten().filter_map(|word| word["const"].as_str());
        Self {
            path: path.to_owned(),
            kind,
            is_required: default.is_some_and(|value| value == "" || (value.is_null() && !may_be_null)),
            example: toml_of(kind, property["examples"].get(0).or(default).unwrap_or(&Value::Null)),
            words: words.map(str::to_owned).collect(),
            range: schema["minimum"].as_i64().unwrap_or(0)
                ..=schema["maximum"].as_i64().unwrap_or(i64::from(u32::MAX)),
        }
    }
}

/// Every key, in the order of the structs. Made once, at the first use.
pub static KEYS: LazyLock<Vec<Key>> =
    LazyLock::new(|| properties().iter().map(|(path, property)| Key::new(path, property)).collect());

/// The path and schema of every key.
pub(super) fn properties() -> Vec<(String, Value)> {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<RawConfig>();
    let mut properties = Vec::new();
    collect(schema.as_value(), "", &mut properties);
    properties
}

fn collect(table: &Value, parent: &str, properties: &mut Vec<(String, Value)>) {
    for name in table["x-keys"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let name = name.trim_start_matches("r#");
        let property = &table["properties"][name];
        let path = join(parent, name);
        properties.push((path.clone(), property.clone()));
        match Kind::of(property) {
            Kind::Table => collect(property, &path, properties),
            Kind::Tables => collect(&property["items"], &format!("{path}[]"), properties),
            Kind::Map => collect(&property["additionalProperties"], &format!("{path}{{}}"), properties),
            _ => {}
        }
    }
}

/// The schema of a key that is there, and whether null is allowed beside it: an optional enum is `anyOf` itself and
/// null, and any other optional type is a list of two.
pub(super) fn without_null(property: &Value) -> (&Value, bool) {
    match property.get("anyOf") {
        Some(variants) => (&variants[0], true),
        None => {
            let types = property["type"].as_array();
            (property, types.is_some_and(|types| types.iter().any(|name| name == "null")))
        }
    }
}

/// The types that a schema allows, without null.
fn types(schema: &Value) -> Vec<&str> {
    let several = schema["type"].as_array().into_iter().flatten();
    several.chain([&schema["type"]]).filter_map(Value::as_str).filter(|name| *name != "null").collect()
}

/// A value as written in the file.
pub(super) fn toml_of(kind: Kind, value: &Value) -> String {
    match (kind, value) {
        (_, Value::Null) => String::new(),
        (Kind::Moment, Value::String(moment)) => moment.clone(),
        _ => toml::Value::try_from(value).map_or_else(|_| String::new(), |value| value.to_string()),
    }
}

/// `parent.name`; `name` at the top.
pub(super) fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// Words that point from an unknown `name` in `parent` to the nearest key there is.
pub(super) fn nearest_key(parent: &str, name: &str) -> String {
    let here = || KEYS.iter().filter(|key| key.parent() == parent).map(Key::name);
    let is_close = here().any(|candidate| likeness(name, candidate) > 0.8);
    if !is_close && let Some(key) = KEYS.iter().find(|key| key.name() == name) {
        return format!("that key belongs in {}", section(key.parent()));
    }
    nearest(name, here()).map_or_else(String::new, |near| format!("the nearest key here is `{near}`"))
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
