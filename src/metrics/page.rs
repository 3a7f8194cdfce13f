//! `docs/metrics.md`, generated from the table of the families and checked.

use std::fmt::Write as _;

use super::families::Families;

const HEAD: &str = "\
# Metrics

This page is generated from the table in `src/metrics/families.rs` (`UPDATE_DOCS=1 cargo test --lib metrics`).

`GET /metrics` on the management listener has these families in the Prometheus text format. [operating.md](operating.md)
says which of them call for an alert. No label names a user, an agent, a task or a token: the values are fixed words, or
issuers and classes of the configuration.

Every endpoint and outcome is there with 0 from the start. A family with another label appears with its first value.

| family | type | labels | meaning |
|---|---|---|---|
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    for family in Families::ALL {
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = if labels.is_empty() { "–".to_owned() } else { labels.join(", ") };
        let _ = writeln!(page, "| `{}` | {} | {labels} | {} |", family.name, family.kind, family.meaning);
    }
    page
}

#[test]
fn the_page_of_the_metrics_is_generated_from_the_table_of_the_families() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, page()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), page(), "run with UPDATE_DOCS=1");
}
