//! Planted sources: what each check has to find, and what it must not mistake for it.

use std::path::Path;

use super::references::{Repository, requirements_in};
use super::{against_order, circle, files, imports, modules, root, too_long};

/// A source tree of these files.
fn plant(planted: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in planted {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    directory
}

/// What is wrong with the imports of a source of `upper`, `middle` and `lower` in which `lower` has this text.
fn wrong_in_lower(text: &str) -> Vec<String> {
    let source = plant(&[
        ("lib.rs", "pub mod upper;\npub mod middle;\npub mod lower;\n"),
        ("upper.rs", "use crate::lower::A;\n"),
        ("middle.rs", "use crate::lower;\n"),
        ("lower.rs", "#[cfg(test)]\nmod fixtures;\nmod part;\n"),
        ("lower/fixtures.rs", "use crate::upper::Testing;\n"),
        ("lower/part.rs", text),
    ]);
    let source = source.path();
    against_order(&modules(source), &imports(source), &["upper", "middle", "lower"])
}

#[test]
fn an_import_upwards_is_found_in_every_form() {
    for text in [
        "use crate::upper::A;\n",
        "use crate::{lower::B, upper::A};\n",
        "use crate::{\n    lower::{B, C},\n    upper,\n};\n",
        "fn a() -> crate::upper::A {}\n",
        "pub(in crate::upper) struct A;\n",
        "#[cfg(test)]\nfn only_in_tests() { let a = [1; 2]; }\n\nuse crate::upper::A;\n",
        "#[cfg(test)]\nmod tests;\nuse crate::upper::A;\n",
        "const A: &str = \"//\"; use crate::upper::A;\n",
        "const A: char = '\"'; use crate::upper::A; const B: char = '\"';\n",
    ] {
        assert_eq!(wrong_in_lower(text), ["lower imports upper in {\"lower/part.rs\"}"], "{text}");
    }
}

#[test]
fn comments_strings_and_tests_import_nothing() {
    for text in [
        "// use crate::upper::A;\n",
        "//! See [`crate::upper`].\n",
        "/* use crate::upper::A; /* */ use crate::upper::B; */\n",
        "const A: &str = \"crate::upper\";\n",
        "const A: &str = r#\"\"crate::upper\"#;\n",
        "#[cfg(test)]\nmod tests {\n    use crate::upper::A;\n    fn a() {}\n}\n",
        "#[cfg(test)]\npub(crate) fn for_tests(a: crate::upper::A) {}\n",
        "use crate::lower::fixtures;\n",
    ] {
        assert_eq!(wrong_in_lower(text), [""; 0], "{text}");
    }
}

#[test]
fn a_module_without_a_place_in_the_order_is_found() {
    let source = plant(&[("upper.rs", "use crate::extra::A;\n"), ("extra/mod.rs", "")]);
    let wrong = against_order(&modules(source.path()), &imports(source.path()), &["upper", "lower"]);
    assert_eq!(
        wrong,
        [
            "extra has no place in the order",
            "lower is in the order but not in the source",
            "upper imports extra, which has no place, in {\"upper.rs\"}",
        ]
    );
}

#[test]
fn a_circle_is_found_without_an_order() {
    let line =
        [("a.rs", "use crate::b::B;\n"), ("b.rs", "use crate::{c::C, d};\n"), ("c.rs", "use crate::d;\n")];
    let closing = ("d/deep.rs", "fn a() { crate::b::b() }\n");
    assert_eq!(circle(&imports(plant(&line).path())), None);
    let closed = plant(&[&line[..], &[closing]].concat());
    assert_eq!(circle(&imports(closed.path())).unwrap(), ["b", "c", "d", "b"]);
}

#[test]
fn a_long_file_and_a_long_function_are_found() {
    let function = |lines: usize| {
        format!("impl A {{\n    fn long(a: [u8; 2]) {{\n{}    }}\n}}\n", "\n".repeat(lines - 2))
    };
    let in_a_string = format!("fn short() {{\n    a(\"}}{}\");\n}}\n", "\n".repeat(79));
    let source = plant(&[
        ("a.rs", &"\n".repeat(400)),
        ("b.rs", &"\n".repeat(401)),
        ("c.rs", &function(80)),
        ("d/e.rs", &function(81)),
        ("f.rs", &in_a_string),
    ]);
    let wrong = too_long(source.path(), &[]);
    assert_eq!(wrong, ["b.rs has 401 lines", "d/e.rs::long has 81 lines", "f.rs::short has 82 lines"]);
    let allowed =
        [("b.rs", "a table"), ("d/e.rs::long", "a table"), ("f.rs::short", "text"), ("a.rs", "a table")];
    assert_eq!(too_long(source.path(), &allowed), ["a.rs may be long but is not: take it off the list"]);
}

/// A repository with a few files, a decision and a requirement, in which `name` has this text.
fn absent_in(name: &str, text: &str) -> Vec<String> {
    let row = "| 8693-2.1-05 | MUST | RFC 8693 §2.1 | A request says its type. |\n";
    let planted = plant(&[
        ("src/here.rs", ""),
        ("src/part/deep.rs", ""),
        ("policies/chain.cedar", ""),
        ("docs/adr/0007-cost.md", ""),
        ("docs/design/exchange.md", ""),
        ("docs/design/guarantees.md", ""),
        ("conformance/requirements.md", row),
        (name, text),
    ]);
    Repository::read(planted.path()).absent()
}

#[test]
fn a_reference_to_an_absent_file_is_found_in_every_kind_of_file() {
    for (name, text) in [
        ("docs/page.md", "See `src/gone.rs`."),
        ("docs/page.md", "See [there](src/gone.rs#part)."),
        ("docs/page.md", "See src/gone.rs::tests, and so on."),
        ("src/other.rs", "/// See `src/gone.rs`.\nfn a() {}\n"),
        ("src/other.rs", "fn a() {} // src/gone.rs: why\n"),
        ("tests/a.rs", "/* src/gone.rs */\n"),
        ("a.toml", "a = 1 # src/gone.rs\n"),
        ("policies/a.cedar", "// src/gone.rs\n"),
        ("migrations/up.sql", "-- src/gone.rs\n"),
        ("a.js", "const a = 1; // src/gone.rs\n"),
        ("a.sh", "# src/gone.rs\n"),
        ("test", "# src/gone.rs\n"),
        (".ci/run", "# src/gone.rs\n"),
    ] {
        assert_eq!(absent_in(name, text), [format!("{name}: src/gone.rs")], "{text}");
    }
    assert_eq!(absent_in("docs/page.md", "The module is in src/gone."), ["docs/page.md: src/gone"]);
    assert_eq!(absent_in("src/other.rs", "// As in gone.rs.\n"), ["src/other.rs: gone.rs"]);
    assert_eq!(absent_in("docs/page.md", "See ADR 8."), ["docs/page.md: ADR 8"]);
}

#[test]
fn a_reference_to_what_is_there_is_no_fault() {
    for (name, text) in [
        (
            "docs/page.md",
            "See `src/here.rs`, src/part, `here.rs`, [there](design/exchange.md#the-order), ADR 7.",
        ),
        (
            "src/other.rs",
            "// See here.rs and part/deep.rs.\nconst A: &str = \"src/gone.rs\"; // `src/<module>.rs`\n",
        ),
        ("docs/page.md", "https://example.com/src/gone.rs, /etc/gone.toml, `policies/*.cedar`, Node.js"),
        ("a.toml", "path = \"src/gone.rs\"\n"),
    ] {
        assert_eq!(absent_in(name, text), [""; 0], "{text}");
    }
}

#[test]
fn a_reference_to_an_absent_document_is_found() {
    for (text, reference) in [
        ("as in design.md 8", "design.md"),
        ("as in `design.md`", "design.md"),
        ("as Design 3 says", "design 3"),
        ("overrides the sheet's form", "the sheet"),
        ("see security-bcp I", "security-bcp"),
        ("see workload-identity 1", "workload-identity 1"),
        ("see yes-no-claims 2", "yes-no-claims 2"),
        ("token-lifecycle: K", "token-lifecycle"),
        ("client-authentication A.", "client-authentication a"),
        ("the house-style says", "house-style"),
        ("as the spike showed", "the spike"),
        ("comes with a later issue", "later issue"),
        ("as in issue 7", "issue 7"),
        ("a key signs (I8)", "I8"),
    ] {
        assert_eq!(
            absent_in("src/other.rs", &format!("// {text}\n")),
            [format!("src/other.rs: {reference}")]
        );
    }
    let strings = "const A: &str = \"design.md 12\";\n";
    assert_eq!(absent_in("src/other.rs", strings), ["src/other.rs: design.md"]);
    for text in [
        "the design of the record, and an issue with 7 tokens",
        "this issuer, client-authentication attempts, by client-authentication at all",
        "yes-no-claims at all",
        "guarantees.md, I8",
        "RFC 8693 §2.1, IPv4, I18n, AI8",
    ] {
        assert_eq!(absent_in("src/other.rs", &format!("// {text}\n")), [""; 0], "{text}");
    }
    assert_eq!(absent_in("docs/design/guarantees.md", "## I8: No key signs early\n"), [""; 0]);
}

#[test]
fn a_requirement_without_a_sentence_is_found() {
    let text = "// 8693-2.1-05 is there; ATK-62, 8693-2.1-06 and 8725bis-3.3-01 are not.\n";
    assert_eq!(
        absent_in("src/other.rs", text),
        ["src/other.rs: 8693-2.1-06", "src/other.rs: 8725bis-3.3-01", "src/other.rs: ATK-62"]
    );
    assert_eq!(absent_in("tests/a.rs", "case(\"YNC-13\", a)\n"), ["tests/a.rs: YNC-13"]);
    let without_a_sentence = "| 8693-2.1-05 | MUST | RFC 8693 §2.1 | |\n";
    assert_eq!(
        absent_in("conformance/requirements.md", without_a_sentence),
        ["conformance/requirements.md: 8693-2.1-05"]
    );
    assert_eq!(requirements_in("(OIDC-3.1.3.7-07, -09)"), ["OIDC-3.1.3.7-07", "OIDC-3.1.3.7-09"]);
    let others = "2026-11-27 SHA-256 AES-256-GCM UTC-12 P-256 UTF-16 RUSTSEC-2023-0071 019a0000-0000-7000 1990-06 a-05";
    assert_eq!(requirements_in(others), [""; 0]);
}

#[test]
fn the_checks_read_the_whole_source() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let read = files(&source, "rs").len();
    assert!(read > 150, "only {read} files");
    let read = Repository::read(root()).files().count();
    assert!(read > 300, "only {read} files");
    let pairs = imports(&source);
    for module in super::ORDER.iter().filter(|module| !["base", "metrics"].contains(module)) {
        assert!(pairs.keys().any(|(from, _)| from == module), "{module} imports nothing");
    }
}
