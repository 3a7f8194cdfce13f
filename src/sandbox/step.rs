//! One step of the story as a value: what was said, what came of it, and what it should have been.

use serde_json::Value;

use super::narrator::shown::{is_jws, shorten};
use super::wire::Call;
use crate::sdk::Decoded;

/// Where a step belongs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    #[default]
    Story,
    /// How agents bring in other agents, and act for themselves.
    Agents,
    Drill,
    /// What Deputy does not enforce.
    Limits,
}

impl Part {
    pub const ALL: [Self; 4] = [Self::Story, Self::Agents, Self::Drill, Self::Limits];
}

/// A token that was granted, in words.
#[derive(Clone, Debug)]
pub struct Granted {
    /// The agent that acts.
    pub who: String,
    /// What the token is, where it is good, and what for.
    pub what: String,
}

/// A refusal told in full: who asked, for what, which rule refused, what would have passed.
#[derive(Clone, Debug)]
pub struct Denial {
    pub who: String,
    pub asked: String,
    pub rule: String,
    pub passes: String,
}

/// One thing that a step should show.
#[derive(Clone, Debug)]
pub struct Check {
    pub what: String,
    pub expected: String,
    pub actual: String,
    pub holds: bool,
}

#[derive(Clone, Default)]
pub struct Step {
    /// `2`, `4b`; the number of a drill.
    pub id: String,
    pub title: String,
    pub part: Part,
    /// What happens, for someone who has never read an RFC.
    pub words: Vec<String>,
    /// Requests on the way to the one that matters.
    pub before: Vec<Call>,
    /// The request that matters, and its answer.
    pub call: Option<Call>,
    /// The token that came of it, decoded.
    pub token: Option<Decoded>,
    /// The token in words.
    pub means: Option<String>,
    /// What was granted, if something was.
    pub granted: Option<Granted>,
    /// Why it was refused, if it was.
    pub denial: Option<Denial>,
    /// Deputy's audit row of it, with `chain` and `seq`.
    pub audit: Option<Value>,
    /// What else came of it: a text to show as it is.
    pub text: Vec<String>,
    /// What it should be, and is or is not.
    pub checks: Vec<Check>,
}

impl Step {
    pub fn new(part: Part, id: &str, title: &str) -> Self {
        Self { id: id.to_owned(), title: title.to_owned(), part, ..Self::default() }
    }

    /// Says in plain words what happens.
    #[must_use]
    pub fn saying(mut self, words: &str) -> Self {
        self.words.push(words.to_owned());
        self
    }

    /// With this request and answer, and the token in the answer decoded.
    #[must_use]
    pub fn with_call(mut self, call: &Call) -> Self {
        self.token = call.token().and_then(Decoded::read);
        self.call = Some(call.clone());
        self
    }

    /// With these requests before it.
    #[must_use]
    pub fn after(mut self, calls: Vec<Call>) -> Self {
        self.before.extend(calls);
        self
    }

    /// Told as a refusal.
    #[must_use]
    pub fn denied(mut self, who: &str, asked: &str, rule: &str, passes: &str) -> Self {
        self.denial = Some(Denial {
            who: who.to_owned(),
            asked: asked.to_owned(),
            rule: rule.to_owned(),
            passes: passes.to_owned(),
        });
        self
    }

    /// Expects two values to be equal.
    pub fn expect(&mut self, what: &str, expected: impl Into<Value>, actual: impl Into<Value>) {
        let (expected, actual) = (expected.into(), actual.into());
        self.checks.push(Check {
            what: what.to_owned(),
            holds: expected == actual,
            expected: plain(&expected),
            actual: plain(&actual),
        });
    }

    /// Expects something to hold; says what there was instead if it does not.
    pub fn expect_that(&mut self, what: &str, holds: bool, actual: impl std::fmt::Display) {
        self.checks.push(Check {
            what: what.to_owned(),
            expected: "yes".to_owned(),
            actual: if holds { "yes".to_owned() } else { actual.to_string() },
            holds,
        });
    }

    /// What is not as it should be.
    pub fn differences(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| !check.holds)
    }
}

/// A string without quotes, anything else as JSON; a token is never shown whole.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if is_jws(text) => shorten(text),
        Value::String(text) => text.clone(),
        Value::Null => "nothing".to_owned(),
        other => other.to_string(),
    }
}
