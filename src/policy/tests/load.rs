//! Sets of rules that are refused, and how a set is read.

use super::*;

#[test]
fn a_set_is_refused_with_file_line_and_what_is_wrong() {
    let forbid = |condition: &str| {
        format!("\n\n@id(\"f\")\nforbid(principal, action, resource)\nwhen {{\n  {condition}\n}};\n")
    };
    for (text, expected) in [
        ("permit(principal, action, resource)".to_owned(), "a.cedar:1: unexpected end of input"),
        ("\npermit(principal, action);".to_owned(), "a.cedar:2: "),
        ("\n\npermit(principal, action, resource);".to_owned(), "a.cedar:3: the policy has no `@id"),
        (format!("{PERMIT}\n{PERMIT}"), "a.cedar:3: `@id(\"p\")` is already in a.cedar"),
        (forbid("context.hops > 0"), "a.cedar:6: "),
        (forbid("context.hop > \"0\""), "a.cedar:6: "),
        (forbid("context.purpose == \"x\""), "a.cedar:6: "),
        (forbid("principal in Deputy::Klass::\"x\""), "a.cedar:6: "),
        (forbid("context.scopes.contains(1)"), "a.cedar:6: "),
        (forbid("principal is Deputy::Target"), "a.cedar:3: "),
        (
            "@id(\"f\") forbid(principal, action == Deputy::Action::\"introspect\", resource);".to_owned(),
            "a.cedar:1: ",
        ),
        ("@id(\"f\") forbid(principal is Deputy::Client, action, resource);".to_owned(), "a.cedar:1: "),
        ("@id(\"f\") forbid(principal == ?principal, action, resource);".to_owned(), "a.cedar: templates"),
        ("@id(\"a b\") permit(principal, action, resource);".to_owned(), "a.cedar:1: `@id(\"a b\")`"),
        ("@id(\"\") permit(principal, action, resource);".to_owned(), "a.cedar:1: `@id(\"\")`"),
        ("@id permit(principal, action, resource);".to_owned(), "a.cedar:1: `@id(\"\")`"),
        ("@id(\"no-permit\") permit(principal, action, resource);".to_owned(), "a.cedar:1: "),
        ("@id(\"f\") @obligation(\"x\") forbid(principal, action, resource);".to_owned(), "a.cedar:1: "),
        ("// nothing\n".to_owned(), "policies: there is no policy"),
    ] {
        let refusal = refusal(&text);
        assert!(refusal.starts_with(expected), "{text}\n-> {refusal}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let error = PolicySet::from_sources(
        "dir/",
        [("b.cedar", "permit("), ("a.cedar", "permit(principal, action, resource);\n@id(\"x\") forbid(principal, action == Deputy::Action::\"exchange\", resource) when { context.nope };")],
    )
    .unwrap_err();
    let places: Vec<_> = error.problems.iter().map(|problem| (problem.file.as_str(), problem.line)).collect();
    assert_eq!(
        places,
        [("dir/a.cedar", Some(1)), ("dir/a.cedar", Some(2)), ("dir/b.cedar", Some(1))],
        "{error}"
    );
}

#[test]
fn two_files_with_one_id_are_refused() {
    let error = PolicySet::from_sources("", [("a.cedar", PERMIT), ("b.cedar", PERMIT)]).unwrap_err();
    assert_eq!(error.to_string(), "b.cedar:1: `@id(\"p\")` is already in a.cedar");
}

#[test]
fn a_directory_is_read_as_the_same_files_in_the_build_would_be() {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in BUILTIN_FILES {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    std::fs::write(directory.path().join("README.md"), "not a policy").unwrap();
    std::fs::write(directory.path().join(".hidden.cedar"), "not a policy").unwrap();
    let loaded = PolicySet::load(directory.path()).unwrap();
    assert_eq!(loaded.hash(), PolicySet::builtin().unwrap().hash());
    assert!(run_cases(&loaded, BUILTIN_CASES).unwrap().is_passed());

    std::fs::write(directory.path().join("zz.cedar"), PERMIT).unwrap();
    assert_ne!(PolicySet::load(directory.path()).unwrap().hash(), loaded.hash());
}

#[test]
fn the_hash_tells_names_from_contents() {
    let hash = |files: &[(&'static str, &'static str)]| {
        PolicySet::from_sources("", files.iter().copied()).unwrap().hash().to_owned()
    };
    let other = "@id(\"q\") permit(principal, action, resource);\n";
    let both = hash(&[("a.cedar", PERMIT), ("b.cedar", other)]);
    assert_eq!(both, hash(&[("b.cedar", other), ("a.cedar", PERMIT)]));
    assert_ne!(both, hash(&[("a.cedar", other), ("b.cedar", PERMIT)]));
    assert_ne!(both, hash(&[("a.cedar", PERMIT)]));
    assert_eq!(both.len(), 64);
}

#[test]
fn a_directory_without_policies_or_with_one_that_cannot_be_read_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    assert!(PolicySet::load(directory.path()).unwrap_err().to_string().contains("no `*.cedar` file"));
    assert!(
        PolicySet::load(&directory.path().join("gone")).unwrap_err().to_string().contains("cannot be read")
    );
    std::fs::write(directory.path().join("a.cedar"), [0xff, 0xfe]).unwrap();
    assert!(PolicySet::load(directory.path()).unwrap_err().to_string().contains("a.cedar: cannot be read"));
    std::fs::write(directory.path().join("a.cedar"), PERMIT).unwrap();
    std::fs::create_dir(directory.path().join("b.cedar")).unwrap();
    assert!(PolicySet::load(directory.path()).unwrap_err().to_string().contains("b.cedar: cannot be read"));
}
