//! `DEPUTY_…` variables: scalars of the configuration, set from outside the file.

use toml::Value;

use super::error::Problem;
use super::reference::{self, Key, Kind};
use super::source::Places;
use crate::base::nearest::nearest;

/// Variables that are not settings: read by the command line itself, and allowed beside a configuration.
pub const OF_THE_COMMAND_LINE: [&str; 6] = [
    "DEPUTY_CONFIG",
    "DEPUTY_LOG",
    "DEPUTY_LOG_FORMAT",
    "DEPUTY_CLIENT_ID",
    "DEPUTY_CLIENT_SECRET",
    "DEPUTY_CLIENT_SECRET_FILE",
];

/// Tests of Deputy itself use these for themselves.
const TEST_PREFIX: &str = "DEPUTY_TEST_";
const PREFIX: &str = "DEPUTY_";

/// The variable that sets `key`, if it is a scalar outside lists: `tokens.lifetime_seconds` is
/// `DEPUTY_TOKENS_LIFETIME_SECONDS`.
pub fn variable(key: &Key) -> Option<String> {
    let is_scalar = matches!(key.kind, Kind::Text | Kind::Number | Kind::Flag);
    let is_listed = key.path.contains(['[', '{']);
    (is_scalar && !is_listed).then(|| format!("{PREFIX}{}", key.path.replace('.', "_").to_ascii_uppercase()))
}

/// Whether Kubernetes makes a variable of this name in every pod beside a Service called `deputy`: `DEPUTY_PORT`,
/// `DEPUTY_SERVICE_…` and `DEPUTY_PORT_…`. They are nobody's settings.
fn is_of_a_service(name: &str) -> bool {
    let name = name.strip_prefix(PREFIX).unwrap_or_default();
    name == "PORT" || name.starts_with("PORT_") || name.starts_with("SERVICE_")
}

/// Sets in `table` what the variables say. Others than `DEPUTY_…` are passed over.
pub(super) fn apply(
    table: &mut toml::Table,
    places: &mut Places,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, value) in variables {
        if !name.starts_with(PREFIX)
            || name.starts_with(TEST_PREFIX)
            || OF_THE_COMMAND_LINE.contains(&name.as_str())
            || is_of_a_service(&name)
        {
            continue;
        }
        let refuse =
            |what: &str, fix: String| Problem { line: None, key: name.clone(), what: what.to_owned(), fix };
        let Some(key) = reference::KEYS.iter().find(|key| variable(key).as_deref() == Some(&name)) else {
            let known = reference::KEYS.iter().filter_map(variable);
            let fix = nearest(&name, known)
                .map_or_else(String::new, |near| format!("the nearest that exists is `{near}`"));
            problems.push(refuse("is not a variable that sets anything", fix));
            continue;
        };
        let parsed = match key.kind {
            Kind::Number => value.parse().ok().map(Value::Integer),
            Kind::Flag => value.parse().ok().map(Value::Boolean),
            _ => Some(Value::String(value)),
        };
        match parsed {
            Some(parsed) => {
                set(table, &key.path, parsed);
                places.set_by_variable(&key.path, &name);
            }
            None => {
                let what = format!("must be {}", key.kind.with_article());
                problems.push(refuse(&what, format!("write for example `{name}={}`", key.example)));
            }
        }
    }
    problems
}

/// Sets a dotted path. A wrong type on the way was reported by the reader of the file already.
fn set(table: &mut toml::Table, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            table.insert(path.to_owned(), value);
        }
        Some((section, rest)) => {
            let section = table.entry(section.to_owned()).or_insert_with(|| Value::Table(toml::Table::new()));
            if let Value::Table(inner) = section {
                set(inner, rest, value);
            }
        }
    }
}
