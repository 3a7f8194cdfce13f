//! Cases in a file: facts, and what a set has to say of them (`deputy policy test`).
//!
//! `policies/README.md` shows the format; `policies/tests.toml` is one.

mod case;

use std::collections::BTreeSet;
use std::fmt;

use super::{Decision, PolicySet};

pub use case::{CaseError, parse};

/// The cases of the set that ships with Deputy.
pub const BUILTIN_CASES: &str = include_str!("../../policies/tests.toml");

/// How one case came out.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub name: String,
    /// The decision and the policies expected, as `deny by a, b`.
    pub expected: String,
    /// The decision and the policies that determined it.
    pub actual: String,
    pub is_passed: bool,
    /// What would have passed, for each rule in the way.
    pub decision: Decision,
}

/// How all cases of a file came out.
#[derive(Clone, Debug)]
pub struct Report {
    /// The set they were put to: the first 16 digits of its hash.
    pub set: String,
    /// In the order of the file.
    pub outcomes: Vec<Outcome>,
    /// Rules that no case saw determine a decision.
    pub untested: Vec<String>,
}

impl Report {
    /// Whether every case came out as expected, and there was one.
    pub fn is_passed(&self) -> bool {
        !self.outcomes.is_empty() && self.outcomes.iter().all(|outcome| outcome.is_passed)
    }

    /// As one JSON value, for `--json`.
    pub fn to_json(&self) -> serde_json::Value {
        let cases: Vec<_> = self
            .outcomes
            .iter()
            .map(|outcome| {
                serde_json::json!({
                    "name": outcome.name,
                    "passed": outcome.is_passed,
                    "expected": outcome.expected,
                    "actual": outcome.actual,
                })
            })
            .collect();
        serde_json::json!({
            "set": self.set,
            "passed": self.is_passed(),
            "cases": cases,
            "untested": self.untested,
        })
    }
}

impl fmt::Display for Report {
    /// A table, one line a case, and under each that failed what was expected.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.outcomes.iter().map(|outcome| outcome.name.chars().count()).max().unwrap_or(0);
        for outcome in &self.outcomes {
            let word = if outcome.is_passed { "ok    " } else { "FAILED" };
            writeln!(f, "{word}  {:width$}  {}", outcome.name, outcome.actual)?;
            if !outcome.is_passed {
                writeln!(f, "        expected: {}", outcome.expected)?;
                for objection in &outcome.decision.objections {
                    if let Some(reason) = &objection.reason {
                        writeln!(f, "        {}: {reason}", objection.policy)?;
                    }
                }
            }
        }
        for rule in &self.untested {
            writeln!(f, "note    no case saw `{rule}` decide")?;
        }
        let passed = self.outcomes.iter().filter(|outcome| outcome.is_passed).count();
        write!(f, "{passed} of {} cases passed, set {}", self.outcomes.len(), self.set)
    }
}

/// Puts every case of `text` to `set`.
///
/// # Errors
/// [`CaseError`] when the text is no file of cases; nothing is run then.
pub fn run_cases(set: &PolicySet, text: &str) -> Result<Report, CaseError> {
    let cases = parse(text)?;
    let mut decided = BTreeSet::new();
    let mut outcomes = Vec::with_capacity(cases.len());
    for case in cases {
        let decision = set.decide(&case.facts());
        decided.extend(decision.record.policies.iter().cloned());
        let actual = worded(&decision.record.decision, &decision.record.policies);
        let mut by = case.by.clone();
        by.sort_unstable();
        let is_passed =
            decision.record.decision == case.expect && (by.is_empty() || by == decision.record.policies);
        outcomes.push(Outcome {
            name: case.name,
            expected: worded(&case.expect, &by),
            actual,
            is_passed,
            decision,
        });
    }
    let untested = set.rules().keys().filter(|rule| !decided.contains(*rule)).cloned().collect();
    Ok(Report { set: set.short_hash().to_owned(), outcomes, untested })
}

fn worded(decision: &str, policies: &[String]) -> String {
    if policies.is_empty() { decision.to_owned() } else { format!("{decision} by {}", policies.join(", ")) }
}
