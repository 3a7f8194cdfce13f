//! Policy: Cedar decides on the facts of an exchange, and can only tighten. The fixed rules ran before, and what
//! they refused never comes here, so no permit of a rule widens anything.
//!
//! `policies/README.md` is for those who write rules, `policy/schema.cedarschema` for what a rule may
//! speak of.

mod active;
pub mod check;
mod facts;
mod load;
mod request;
pub mod testing;

use std::collections::BTreeMap;
use std::sync::Arc;

use cedar_policy::{AuthorizationError, Authorizer};
use serde::{Deserialize, Serialize};

pub use active::{ActivePolicy, ReloadOutcome, Watcher};
pub use facts::Facts;
pub use load::{BUILTIN_FILES, PolicyError, Problem, SCHEMA};

/// The word that stands for a policy where nothing permitted and nothing forbade.
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
}

/// What policy decided, with its record for the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it permits. An error is a deny.
    pub is_permit: bool,
    /// Whether evaluation failed.
    pub is_error: bool,
    /// For the audit.
    pub record: PolicyRecord,
    /// Each rule that stood in the way, sorted; empty for a permit. For operators: never on the wire.
    pub objections: Vec<Objection>,
}

/// A rule that stood in the way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Objection {
    /// Its `@id`, or [`NO_PERMIT`].
    pub policy: String,
    /// Its `@reason`: what would have passed.
    pub reason: Option<String>,
}

/// A validated policy set, immutable; a new one replaces it as a whole.
pub struct PolicySet {
    /// Rules about what comes again and again; what they say of it is remembered.
    lasting: Part,
    /// Rules about who acts, and about facts that are others every time.
    passing: Part,
    said: moka::sync::Cache<Vec<u8>, Arc<Said>>,
    authorizer: Authorizer,
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
    /// The file it stands in.
    pub file: String,
}

/// What the rules of a part are remembered to have said, for so many combinations of facts.
const REMEMBERED: u64 = 4096;

/// Some rules of a set, with what they look at.
struct Part {
    cedar: cedar_policy::PolicySet,
    vocabulary: request::Vocabulary,
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

impl PolicySet {
    /// Decides one exchange: a permit needs a rule that permits and none that forbids. A rule that
    /// cannot be evaluated denies, whatever the others say: Cedar alone would skip it, and a forbid
    /// that errs would let pass (POL-03).
    ///
    /// Most rules look only at facts that are the same for thousands of exchanges (client, target, scope,
    /// levels). What these say is a function of those facts alone, so it is remembered by all of them; the
    /// others are asked every time. Which rules are which is read from the rules when the set is loaded.
    pub fn decide(&self, facts: &Facts) -> Decision {
        let key = self.lasting.vocabulary.key(facts);
        let lasting = match self.said.get(&key) {
            Some(said) => Ok(said),
            None => self.ask(&self.lasting, facts).map(|said| {
                let said = Arc::new(said);
                self.said.insert(key, Arc::clone(&said));
                said
            }),
        };
        let (Ok(lasting), Ok(passing)) = (lasting, self.ask(&self.passing, facts)) else {
            return self.decision("error", [Objection { policy: "facts".to_owned(), reason: None }]);
        };
        let all = |of: fn(&Said) -> &Vec<String>| of(&lasting).iter().chain(of(&passing)).peekable();
        let mut errors = all(|said| &said.errors);
        if errors.peek().is_some() {
            let reason = Some("the rule could not be evaluated".to_owned());
            let errored = errors.map(|id| Objection { policy: id.clone(), reason: reason.clone() });
            return self.decision("error", errored);
        }
        let named = |id: &String| Objection {
            policy: id.clone(),
            reason: self.rules.get(id).and_then(|rule| rule.reason.clone()),
        };
        let (mut forbids, mut permits) = (all(|said| &said.forbids), all(|said| &said.permits));
        if forbids.peek().is_none() && permits.peek().is_some() {
            self.decision("permit", permits.map(named))
        } else {
            self.decision("deny", forbids.map(named))
        }
    }

    fn ask(&self, part: &Part, facts: &Facts) -> Result<Said, String> {
        if part.cedar.is_empty() {
            return Ok(Said::default());
        }
        let (request, entities) = part.vocabulary.request(facts)?;
        let response = self.authorizer.is_authorized(&request, &part.cedar, &entities);
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

    fn decision(&self, word: &str, determining: impl IntoIterator<Item = Objection>) -> Decision {
        let mut determining: Vec<Objection> = determining.into_iter().collect();
        determining.sort_unstable();
        let is_permit = word == "permit";
        if determining.is_empty() && !is_permit {
            let reason = Some("no rule permits such an exchange".to_owned());
            determining.push(Objection { policy: NO_PERMIT.to_owned(), reason });
        }
        let policies = determining.iter().map(|objection| objection.policy.clone()).collect();
        Decision {
            is_permit,
            is_error: word == "error",
            record: PolicyRecord { decision: word.to_owned(), policies, set: self.short_hash().to_owned() },
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
