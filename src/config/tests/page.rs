//! `docs/configuration.md`, generated from the reference and checked.

use std::fmt::Write as _;

use super::super::environment::variable;
use super::super::reference::{KEYS, Key, Kind, section};

/// What is said before the sections.
const HEAD: &str = "\
# Configuration

Generated from the table in `src/config/reference/keys.rs` (`UPDATE_DOCS=1 cargo test --lib config`).

One TOML file, `deputy.toml`, read by `deputy serve --config FILE`. `deputy init` writes a commented one and
`deputy check` says what is wrong with yours. An unknown key is refused, with its line and the nearest key.

* **Relative paths** count from the directory of the file, `sqlite://` URLs included.
* **Variables** override scalars outside lists: their names are given below. An unknown `DEPUTY_…` variable is
  refused, except `DEPUTY_TEST_…` and those of the command line: `DEPUTY_CONFIG`, `DEPUTY_LOG`,
  `DEPUTY_CLIENT_ID`, `DEPUTY_CLIENT_SECRET`, `DEPUTY_CLIENT_SECRET_FILE`.
* **Secrets** are kept in files of their own: `client.secret_file`, `client.secret_files`, `database.url_file`.
* **SIGHUP** reloads the file, all or nothing. Removing a client, target, provider or workload issuer
  revokes its tokens before the reload succeeds.
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    let mut sections: Vec<&str> = Vec::new();
    for key in KEYS {
        if !sections.contains(&key.parent()) {
            sections.push(key.parent());
        }
    }
    for parent in sections {
        let title = if parent.is_empty() { "Top of the file".to_owned() } else { title(parent) };
        let _ = writeln!(page, "\n## {title}\n");
        if let Some(own) = KEYS.iter().find(|key| !parent.is_empty() && key.path == bare(parent)) {
            let _ = writeln!(page, "{}. Without it: {}.\n", own.meaning, own.default);
        }
        page.push_str("| key | type | default | meaning | example |\n|---|---|---|---|---|\n");
        for key in KEYS.iter().filter(|key| key.parent() == parent) {
            row(&mut page, key);
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

fn row(page: &mut String, key: &Key) {
    let escaped = |text: &str| text.replace('|', "\\|");
    let example = match key.kind {
        Kind::Table | Kind::Tables => "see below".to_owned(),
        _ => format!("`{}`", escaped(key.example)),
    };
    let variable = variable(key).map_or_else(String::new, |name| format!("<br>`{name}`"));
    let _ = writeln!(
        page,
        "| `{}` | {} | {} | {}{variable} | {example} |",
        key.name(),
        key.kind.as_str(),
        escaped(key.default),
        escaped(key.meaning),
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
fn every_example_of_the_reference_is_toml_of_its_type() {
    for key in KEYS {
        let wanted = match key.kind {
            Kind::Table | Kind::Tables => continue,
            Kind::Text => "string",
            Kind::Number => "integer",
            Kind::Flag => "boolean",
            Kind::Texts => "array",
            Kind::Moment => "datetime",
            Kind::Map => "table",
            Kind::Value => "",
        };
        let table: toml::Table = toml::from_str(&format!("x = {}", key.example)).expect(key.path);
        let found = table["x"].type_str();
        assert!(wanted.is_empty() || found == wanted, "`{}` has an example of type {found}", key.path);
        assert!(!key.meaning.is_empty() && !key.meaning.ends_with('.'), "`{}`", key.path);
        assert!(!key.default.is_empty(), "`{}`", key.path);
    }
}
