//! `docs/configuration.md`, generated from the reference and checked.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use super::super::environment::variable;
use super::super::reference::{KEYS, Key, Kind, find, properties, section, toml_of, without_null};

/// What is said before the sections.
const HEAD: &str = "\
# Configuration

This page is generated from the doc comments and defaults of the structs in `src/config` that are read from the file
(`UPDATE_DOCS=1 cargo test --lib config`).

One TOML file, `deputy.toml`, read by `deputy serve --config FILE`. `deputy init` writes a commented one and
`deputy check` says what is wrong with yours. An unknown key is refused, with its line and the nearest key.

* **Relative paths** count from the directory of the file, `sqlite://` URLs included.
* **Variables** override scalars outside lists: their names are given below. An unknown `DEPUTY_…` variable is
  refused, except `DEPUTY_TEST_…` and those of the command line: `DEPUTY_CONFIG`, `DEPUTY_LOG`,
  `DEPUTY_LOG_FORMAT`, `DEPUTY_CLIENT_ID`, `DEPUTY_CLIENT_SECRET`, `DEPUTY_CLIENT_SECRET_FILE`.
* **Secrets** are kept in files of their own: `client.secret_file`, `client.secret_files`, `database.url_file`.
* **SIGHUP** reloads the file, all or nothing. Removing a client, target, provider or workload issuer
  revokes its tokens before the reload succeeds.
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    let mut sections: Vec<&str> = Vec::new();
    for key in KEYS.iter() {
        if !sections.contains(&key.parent()) {
            sections.push(key.parent());
        }
    }
    let properties: BTreeMap<String, Value> = properties().into_iter().collect();
    for parent in sections {
        let title = if parent.is_empty() { "Top of the file".to_owned() } else { title(parent) };
        let _ = writeln!(page, "\n## {title}\n");
        if let Some(own) = find(bare(parent)) {
            let property = &properties[&own.path];
            let _ = writeln!(page, "{} Default: {}.\n", meaning(property), default(own, property));
        }
        page.push_str("| key | type | default | meaning | example |\n|---|---|---|---|---|\n");
        for key in KEYS.iter().filter(|key| key.parent() == parent) {
            row(&mut page, key, &properties[&key.path]);
        }
    }
    page
}

/// The path of a section, as the table has it.
fn bare(parent: &str) -> &str {
    parent.trim_end_matches("[]").trim_end_matches("{}")
}

fn title(parent: &str) -> String {
    let written = section(parent);
    match parent.strip_suffix("{}") {
        Some(_) => written.replace(".<name>", ".\"…\""),
        None => written,
    }
}

/// A doc comment in one line.
fn text(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The meaning of a key, or of the table that it holds.
fn meaning(property: &Value) -> String {
    let described = [property, &property["items"], &property["additionalProperties"]];
    described.into_iter().map(text).find(|meaning| !meaning.is_empty()).unwrap_or_default()
}

/// The words that the key may have, each with its meaning.
fn words(property: &Value) -> Vec<(&str, String)> {
    let words = without_null(property).0["oneOf"].as_array().into_iter().flatten();
    words.map(|word| (word["const"].as_str().unwrap(), text(word))).collect()
}

/// What holds without the key.
fn default(key: &Key, property: &Value) -> String {
    match (&property["x-default"], &property["default"]) {
        (Value::String(stated), _) => stated.clone(),
        _ if key.is_required => "required".to_owned(),
        (_, Value::String(word)) => format!("`{word}`"),
        (_, Value::Null) if key.kind == Kind::Table => "the defaults of its keys".to_owned(),
        (_, Value::Null) => "none".to_owned(),
        (_, value) => format!("`{}`", toml_of(key.kind, value)),
    }
}

fn row(page: &mut String, key: &Key, property: &Value) {
    let escaped = |text: &str| text.replace('|', "\\|");
    let example = match key.kind {
        Kind::Table | Kind::Tables => "see below".to_owned(),
        _ => format!("`{}`", escaped(&key.example)),
    };
    let kind = match key.kind {
        Kind::Number => format!("integer, {} to {}", key.range.start(), key.range.end()),
        kind => kind.as_str().to_owned(),
    };
    let words: String =
        words(property).iter().map(|(word, meaning)| format!("<br>`{word}`: {}", escaped(meaning))).collect();
    let variable = variable(key).map_or_else(String::new, |name| format!("<br>`{name}`"));
    let _ = writeln!(
        page,
        "| `{}` | {kind} | {} | {}{words}{variable} | {example} |",
        key.name(),
        escaped(&default(key, property)),
        escaped(&meaning(property)),
    );
}

#[test]
fn the_page_of_the_configuration_is_generated_from_the_reference() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, page()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), page(), "run with UPDATE_DOCS=1");
}

#[test]
fn every_key_and_every_word_is_explained() {
    for (path, property) in properties() {
        assert!(meaning(&property).ends_with('.'), "`{path}`");
        assert!(words(&property).iter().all(|(_, meaning)| meaning.ends_with('.')), "`{path}`");
    }
}

#[test]
fn every_example_of_the_reference_is_toml_of_its_type() {
    for key in KEYS.iter() {
        let wanted = match key.kind {
            Kind::Table | Kind::Tables => continue,
            Kind::Text => "string",
            Kind::Number => "integer",
            Kind::Flag => "boolean",
            Kind::Texts | Kind::Scalars => "array",
            Kind::Moment => "datetime",
            Kind::Map | Kind::Lists => "table",
            Kind::Scalar | Kind::TextOrTexts => "",
        };
        let table: toml::Table = toml::from_str(&format!("x = {}", key.example)).expect(&key.path);
        let found = table["x"].type_str();
        assert!(wanted.is_empty() || found == wanted, "`{}` has an example of type {found}", key.path);
    }
}
