//! Files of cases, as `deputy policy test` reads them.

use super::*;

#[test]
fn a_case_that_fails_says_what_came_instead_and_what_would_have_passed() {
    let cases = "[[case]]\nname = \"a case\"\nexpect = \"permit\"\nfacts = { depth = 9 }\n";
    let report = run_cases(&PolicySet::builtin().unwrap(), cases).unwrap();
    assert!(!report.is_passed());
    let printed = report.to_string();
    assert!(printed.starts_with("FAILED  a case  deny by chain-of-eight-at-most\n        expected: permit\n        chain-of-eight-at-most: a chain of eight"), "{printed}");
    assert!(printed.contains("0 of 1 cases passed"), "{printed}");
    assert_eq!(report.to_json()["passed"], false);
}

#[test]
fn a_case_with_the_right_word_by_the_wrong_rule_fails() {
    let cases =
        "[[case]]\nname = \"a\"\nexpect = \"deny\"\nby = [\"no-agent-twice\"]\nfacts = { depth = 9 }\n";
    assert!(!run_cases(&PolicySet::builtin().unwrap(), cases).unwrap().is_passed());
}

#[test]
fn a_file_of_cases_with_a_slip_is_refused_rather_than_passed() {
    let set = PolicySet::builtin().unwrap();
    for (text, expected) in [
        ("[[case]]\nname = \"a\"\nexpect = \"allow\"\n", "allow"),
        ("[[case]]\nname = \"a\"\n", "expect"),
        (
            "[[case]]\nname = \"a\"\nexpect = \"deny\"\nfacts = { dept = 9 }\n",
            "case `a`: unknown field `dept`",
        ),
        ("[facts]\nhop = \"x\"\n[[case]]\nname = \"a\"\nexpect = \"deny\"\n", "case `a`"),
        ("[[case]]\nname = \"a\"\nexpect = \"deny\"\nfacts = { scope = \"a  b\" }\n", "`scope`"),
        ("[[case]]\nname = \"a\"\nexpect = \"deny\"\nfacts = { now = \"noon\" }\n", "`now`"),
        ("[[cases]]\nname = \"a\"\nexpect = \"deny\"\n", "cases"),
    ] {
        let error = run_cases(&set, text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}\n-> {error}");
    }
    assert!(!run_cases(&set, "").unwrap().is_passed());
}
