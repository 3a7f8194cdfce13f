//! Policy: Cedar decides on the facts of an exchange. The fixed rules are checked before, and an exchange that they
//! refuse is never put to policy, so a policy set can only tighten.
//!
//! `policies/README.md` is for authors of rules, and `src/policy/schema.cedarschema` lists what a rule may use.

mod active;
pub mod check;
mod facts;
mod load;
mod memory;
mod request;
pub mod testing;
mod words;

use std::collections::BTreeMap;

use cedar_policy::{AuthorizationError, Authorizer};
use serde::{Deserialize, Serialize};

use memory::Memory;
use request::Vocabulary;

pub use active::{ActivePolicy, ReloadOutcome};
pub use facts::{BroughtIn, Delegator, Facts};
pub use load::{BUILTIN_FILES, PolicyError, Problem};
pub use words::UnknownWord;

/// The word that is recorded in place of a policy where none permitted and none forbade.
pub const NO_PERMIT: &str = "no-permit";

/// What policy said, as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRecord {
    /// `permit`, `deny` or `error`.
    pub decision: String,
    /// The `@id`s of the policies that determined it, sorted.
    pub policies: Vec<String>,
    /// The set that decided, by the first 16 digits of its SHA-256 in hex.
    pub set: String,
    /// Of a denial, what would have passed: the `@reason`s of the policies above, by `@id`, as they read when it was
    /// decided. At most [`PolicyRecord::REASONS`], each cut to [`PolicyRecord::REASON_LENGTH`]. They are for operators
    /// and never on the wire.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reasons: BTreeMap<String, String>,
}

impl PolicyRecord {
    /// How many reasons are recorded at most.
    pub const REASONS: usize = 8;
    /// The longest reason that is recorded, in characters.
    pub const REASON_LENGTH: usize = 300;

    /// The policies that determined it, each with its reason if it has one.
    pub fn in_words(&self) -> String {
        let policies = self.policies.iter().map(|policy| match self.reasons.get(policy) {
            Some(reason) => format!("{policy}: {reason}"),
            None => policy.clone(),
        });
        policies.collect::<Vec<_>>().join(", ")
    }
}

/// What policy decided, with its record for the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it permits. An error is a deny.
    pub is_permit: bool,
    pub is_error: bool,
    pub record: PolicyRecord,
    /// The rules that caused a denial, sorted; empty for a permit. They are for operators and never on the wire.
    pub objections: Vec<Objection>,
}

/// A rule that caused a denial.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Objection {
    /// Its `@id`, or [`NO_PERMIT`].
    pub policy: String,
    /// Its `@reason`: what would have passed.
    pub reason: Option<String>,
}

/// A validated policy set. It is immutable; a new one replaces it as a whole.
pub struct PolicySet {
    whole: Part,
    memory: Option<Memory>,
    rules: BTreeMap<String, Rule>,
    hash: String,
    warnings: Vec<Problem>,
}

/// One rule of a set, as its author wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `permit` or `forbid`.
    pub effect: &'static str,
    /// What would have passed.
    pub reason: Option<String>,
    /// The file that has it.
    pub file: String,
}

/// Rules, with the facts that are put to them.
struct Part {
    cedar: cedar_policy::PolicySet,
    vocabulary: Vocabulary,
}

/// What rules say of an exchange: which of them apply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Said {
    /// Those that permit; not asked for where one forbids.
    permits: Vec<String>,
    /// Those that forbid.
    forbids: Vec<String>,
    /// Those that could not be evaluated.
    errors: Vec<String>,
}

impl Said {
    /// What two parts of a set say together.
    fn and(mut self, other: &Self) -> Self {
        self.permits.extend_from_slice(&other.permits);
        self.forbids.extend_from_slice(&other.forbids);
        self.errors.extend_from_slice(&other.errors);
        self
    }
}

impl Part {
    /// Evaluates the rules.
    ///
    /// # Errors
    /// In words, if Cedar refuses the facts.
    fn ask(&self, facts: &Facts) -> Result<Said, String> {
        if self.cedar.is_empty() {
            return Ok(Said::default());
        }
        let (request, entities) = self.vocabulary.request(facts)?;
        let response = Authorizer::new().is_authorized(&request, &self.cedar, &entities);
        let determining: Vec<String> = response.diagnostics().reason().map(ToString::to_string).collect();
        let (permits, forbids) = match response.decision() {
            cedar_policy::Decision::Allow => (determining, Vec::new()),
            cedar_policy::Decision::Deny => (Vec::new(), determining),
        };
        let errors = response
            .diagnostics()
            .errors()
            .map(|AuthorizationError::PolicyEvaluationError(error)| error.policy_id().to_string())
            .collect();
        Ok(Said { permits, forbids, errors })
    }
}

impl PolicySet {
    /// This set with a memory of what its rules said. It decides as before.
    ///
    /// # Errors
    /// In words; none in a build whose tests passed.
    fn remembering(mut self) -> Result<Self, String> {
        self.memory = Some(Memory::of(&self.whole.cedar)?);
        Ok(self)
    }

    /// Decides one exchange: a permit needs a rule that permits and none that forbids. A rule that cannot be
    /// evaluated denies, whatever the others say: Cedar alone would skip it, and a `forbid` that fails would have no
    /// effect.
    pub fn decide(&self, facts: &Facts) -> Decision {
        let said = match &self.memory {
            // Handing over is rare, and what is remembered is remembered by the target.
            Some(memory) if facts.brings_in.is_none() => memory.ask(facts),
            Some(_) | None => self.whole.ask(facts),
        };
        let Ok(said) = said else {
            return self.decision("error", [Objection { policy: "facts".to_owned(), reason: None }]);
        };
        if !said.errors.is_empty() {
            let reason = Some("the rule could not be evaluated".to_owned());
            let errored =
                said.errors.iter().map(|id| Objection { policy: id.clone(), reason: reason.clone() });
            return self.decision("error", errored);
        }
        let named = |id: &String| Objection {
            policy: id.clone(),
            reason: self.rules.get(id).and_then(|rule| rule.reason.clone()),
        };
        if said.forbids.is_empty() && !said.permits.is_empty() {
            self.decision("permit", said.permits.iter().map(named))
        } else {
            self.decision("deny", said.forbids.iter().map(named))
        }
    }

    fn decision(&self, word: &str, determining: impl IntoIterator<Item = Objection>) -> Decision {
        let mut determining: Vec<Objection> = determining.into_iter().collect();
        determining.sort_unstable();
        let is_permit = word == "permit";
        if determining.is_empty() && !is_permit {
            let reason = Some("no rule permits such an exchange".to_owned());
            determining.push(Objection { policy: NO_PERMIT.to_owned(), reason });
        }
        let policies = determining.iter().map(|objection| objection.policy.clone()).collect();
        let reasons = determining.iter().filter(|_| !is_permit).filter_map(|objection| {
            let reason = objection.reason.as_deref()?.chars().take(PolicyRecord::REASON_LENGTH).collect();
            Some((objection.policy.clone(), reason))
        });
        let reasons = reasons.take(PolicyRecord::REASONS).collect();
        let set = self.short_hash().to_owned();
        Decision {
            is_permit,
            is_error: word == "error",
            record: PolicyRecord { decision: word.to_owned(), policies, set, reasons },
            objections: if is_permit { Vec::new() } else { determining },
        }
    }

    /// SHA-256 over names and contents of its files, hex.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The first 16 digits of [`PolicySet::hash`], as the audit has it.
    pub fn short_hash(&self) -> &str {
        self.hash.get(..16).unwrap_or(&self.hash)
    }

    /// Its rules, by `@id`.
    pub const fn rules(&self) -> &BTreeMap<String, Rule> {
        &self.rules
    }

    /// What the validator finds odd but not wrong.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }
}

impl std::fmt::Debug for PolicySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PolicySet")
            .field("hash", &self.short_hash())
            .field("rules", &self.rules.len())
            .finish()
    }
}

#[cfg(test)]
mod tests;
