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
fn a_level_without_acr_values_is_described_by_what_it_looks_for() {
    let refused = |looked_for: Option<&str>| {
        let looked_for = looked_for.map(str::to_owned);
        Cause::Assurance { acr_values: Vec::new(), max_age: None, looked_for }.description().into_owned()
    };
    assert_eq!(
        refused(Some("`mfa` in `amr`")),
        "the login is too weak for a requested scope, which needs `mfa` in `amr`; sign the user in again so that the \
         token says so"
    );
    let odd = refused(Some("`a\"b\\c\n\u{e9}` in `x`"));
    assert!(odd.contains("which needs `abc` in `x`;"), "only what RFC 6749 allows: {odd}");
    assert_eq!(
        refused(None),
        Cause::Assurance { acr_values: Vec::new(), max_age: None, looked_for: None }.wire().description
    );
}

#[test]
fn all_faults_of_one_token_look_the_same() {
    for &fault in TokenFault::ALL {
        assert_eq!(Cause::subject(fault).wire(), Cause::subject(TokenFault::Expired).wire());
        assert_eq!(Cause::actor(fault).wire(), Cause::actor(TokenFault::Expired).wire());
    }
}

#[test]
fn a_word_stands_for_one_cause_only() {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for cause in Cause::all() {
        assert_eq!(*seen.entry(cause.word()).or_insert(cause.meaning()), cause.meaning(), "{cause:?}");
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
    let mut answers: BTreeMap<(u16, &str, &str), Wire> = BTreeMap::new();
    let mut causes: Vec<(&str, &str, Vec<&str>)> = Vec::new();
    for cause in Cause::all() {
        let wire = cause.wire();
        answers.insert((wire.status, wire.code.as_str(), wire.reason), wire);
        match causes.iter_mut().find(|(word, ..)| *word == cause.word()) {
            Some((.., reasons)) => reasons.push(wire.reason),
            None => causes.push((cause.word(), cause.meaning(), vec![wire.reason])),
        }
    }
    let mut page = String::from(
        "# Errors\n\n\
         This page lists every refusal of `/token`, `/introspect` and `/revoke`. It is generated from the tables in \
         `src/oauth/refusal/` by `UPDATE_DOCS=1 cargo test --lib refusal`.\n\n\
         A refusal is a JSON object. `error` is the error code of the RFC, `error_description` says what to change, \
         `reason` is a stable word for programs, and `request_id` identifies the refusal for the operator. The answer with the \
         reason `assurance_insufficient` also has `acr_values` and `max_age`, which the client asks its provider for \
         when the user signs in again; where the level has no `acr_values`, `error_description` says which claim was \
         looked for. The answer with the reason `auth_time_missing` has the `max_age` to ask with. An answer with status \
         401 has a challenge in the header `WWW-Authenticate`.\n\n\
         If Deputy itself fails, it answers with status 503, the error `temporarily_unavailable` and a `Retry-After` \
         header. No token was given out then. `error_description` says whether something may have been recorded all the \
         same, which Deputy does not know if the database did not confirm a commit.\n\n\
         ## Answers\n\n\
         The last column names the sections that ask for the answer. Identifiers such as `8693-F-01` are requirements \
         of the conformance tests (`conformance/requirements.md`).\n\n\
         | status | `error` | `reason` | `error_description` | from |\n|---|---|---|---|---|\n",
    );
    // Writing to a String cannot fail.
    for ((status, code, reason), wire) in answers {
        let (description, section) = (wire.description, wire.section);
        let _ = writeln!(page, "| {status} | `{code}` | `{reason}` | {description} | {section} |");
    }
    page.push_str(
        "\n## Causes\n\n\
         The audit log records the true cause of each refusal under its `request_id`. Where several causes share an \
         answer, the client cannot distinguish them.\n\n\
         | `cause` in the audit | meaning | `reason` of the answer |\n|---|---|---|\n",
    );
    for (word, meaning, reasons) in causes {
        let reasons = reasons.iter().map(|reason| format!("`{reason}`")).collect::<Vec<_>>().join(", ");
        let _ = writeln!(page, "| `{word}` | {meaning} | {reasons} |");
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
