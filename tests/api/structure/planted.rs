//! Planted sources: what each check has to find, and what it must not mistake for it.

use std::path::Path;

use super::{absent_paths, against_order, circle, files, imports, modules, too_long};

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

#[test]
fn a_document_that_names_an_absent_file_is_found() {
    let root = plant(&[("src/here.rs", "")]);
    let text =
        "See `src/here.rs`, `src/here.rs::tests`, [there](docs/there.md), src/gone.rs, `src/<module>.rs`.";
    assert_eq!(absent_paths(text, root.path()), ["docs/there.md", "src/gone.rs"]);
}

#[test]
fn the_checks_read_the_whole_source() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let read = files(&source, "rs").len();
    assert!(read > 150, "only {read} files");
    let pairs = imports(&source);
    for module in super::ORDER.iter().filter(|module| !["base", "metrics"].contains(module)) {
        assert!(pairs.keys().any(|(from, _)| from == module), "{module} imports nothing");
    }
}
