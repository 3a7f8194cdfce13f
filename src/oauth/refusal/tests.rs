use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::*;

#[test]
fn descriptions_keep_to_the_characters_of_rfc_6749() {
    for cause in Cause::all() {
        let legal = |b: u8| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        assert!(cause.wire().description.bytes().all(legal), "{cause:?}");
        assert!(cause.wire().reason.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{cause:?}");
    }
}

#[test]
fn all_faults_of_one_token_look_the_same() {
    for &fault in TokenFault::ALL {
        assert_eq!(Cause::subject(fault).wire(), Cause::subject(TokenFault::Expired).wire());
        assert_eq!(Cause::actor(fault).wire(), Cause::actor(TokenFault::Expired).wire());
    }
}

#[test]
fn a_reason_stands_for_one_answer_only() {
    let mut seen: BTreeMap<&str, Wire> = BTreeMap::new();
    for cause in Cause::all() {
        let wire = cause.wire();
        let known = seen.entry(wire.reason).or_insert(wire);
        assert_eq!(*known, wire, "{cause:?}");
    }
}

/// The page of errors, from the table itself.
fn page() -> String {
    let mut rows: BTreeMap<(u16, &str, &str), (Wire, Vec<&str>)> = BTreeMap::new();
    for cause in Cause::all() {
        let wire = cause.wire();
        let row = rows.entry((wire.status, wire.code.as_str(), wire.reason)).or_insert((wire, Vec::new()));
        row.1.push(cause.word());
    }
    let mut page = String::from(
        "# Errors\n\n\
         Every refusal of `/token`, `/introspect` and `/revoke`. Generated from `src/protocol/refusal.rs` \
         (`UPDATE_DOCS=1 cargo test --lib refusal`).\n\n\
         A refusal is JSON: `error` (the RFC's code), `error_description` (what to change), `reason` (a stable word \
         for programs), `request_id` (name it to the operator). `assurance_insufficient` adds `acr_values` and \
         `max_age`: what to ask the provider for at the next sign-in. The last column is what the operator finds under \
         that `request_id` in the audit; the wire does not tell these apart.\n\n\
         A failure inside is 503 `temporarily_unavailable` with `Retry-After`: nothing was issued or changed.\n\n\
         | status | `error` | `reason` | what to change | from | `cause` in the audit |\n|---|---|---|---|---|---|\n",
    );
    for ((status, code, reason), (wire, causes)) in rows {
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| {status} | `{code}` | `{reason}` | {} | {} | {} |",
            wire.description,
            wire.section,
            causes.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" ")
        );
    }
    page
}

#[test]
fn the_page_of_errors_is_what_the_table_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, page()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), page(), "run with UPDATE_DOCS=1");
}
