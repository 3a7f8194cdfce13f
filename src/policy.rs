//! Room 6, pure: a derived delegation becomes a permit, or a reason. Cedar decides; it can only tighten.
//!
//! The hard rules ran before; what they refused never comes here, so no permit widens anything.
//! `policies/README.md` is for those who write rules, `policy/schema.cedarschema` for what a rule may
//! speak of.

mod active;
pub mod check;
mod load;
mod request;
pub mod testing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cedar_policy::{AuthorizationError, Authorizer};
use serde_json::{Map, Value};

use crate::audit::PolicyRecord;
use crate::base::time::Timestamp;
use crate::oauth::{AgentId, ClientId, Issuer, Scope, TargetId};

pub use active::{ActivePolicy, ReloadOutcome, Watcher};
pub use load::{BUILTIN_FILES, PolicyError, Problem, SCHEMA};

/// The facts that policy sees of one exchange. Nothing in it is unverified.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The current actor: the principal.
    pub actor: &'a AgentId,
    /// Its class (`client` for a client's own agent).
    pub class: &'a str,
    /// The workload issuer that vouches for it; absent for a client's own agent.
    pub workload_issuer: Option<&'a Issuer>,
    /// The authenticated client.
    pub client: &'a ClientId,
    /// Agents before it, newest first. For information: no default rule grants by it (8693-4.1-05).
    pub prior_actors: &'a [AgentId],
    /// The target: the resource. Deputy's issuer for a task token.
    pub target: &'a TargetId,
    /// Whether a task token is asked for.
    pub is_task_token: bool,
    /// The target of the subject token, where the exchange goes onward from it.
    pub onward_from: Option<&'a TargetId>,
    /// Whether the new target is on that target's onward list (always true after the hard rules).
    pub is_listed_onward: bool,
    /// What would be granted.
    pub scope: &'a Scope,
    /// Yes/no scopes that would be answered in the token.
    pub answers: &'a BTreeSet<String>,
    /// Yes/no scopes that the actor's class (or the client, for its own agent) lists.
    pub class_answers: &'a BTreeSet<String>,
    /// Scopes of the grant that the configuration marks: `max_age` demanded.
    pub fresh_scopes: &'a BTreeSet<String>,
    /// Scopes of the grant that the configuration marks `sensitive`.
    pub sensitive_scopes: &'a BTreeSet<String>,
    /// Levels of `act` the token would have.
    pub depth: u8,
    /// 0 for an ID token, else 1 and up.
    pub hop: u8,
    /// Whether a purpose was given when the task began.
    pub has_purpose: bool,
    /// The purpose.
    pub purpose: Option<&'a str>,
    /// The provider.
    pub provider: &'a Issuer,
    /// Assurance levels met by the login.
    pub levels: &'a BTreeSet<String>,
    /// As received.
    pub acr: Option<&'a str>,
    /// As received.
    pub amr: &'a [String],
    /// Seconds since `auth_time`.
    pub login_age_seconds: i64,
    /// The greatest age the strictest marked scope allows, if any.
    pub max_age_seconds: Option<i64>,
    /// Claims of the ID token that the provider's `policy_claims` lists.
    pub claims: &'a Map<String, Value>,
    /// Life of the token to be, in seconds.
    pub lifetime_seconds: i64,
    /// The request's time.
    pub now: Timestamp,
}

/// The word that stands for a policy where nothing permitted and nothing forbade.
pub const NO_PERMIT: &str = "no-permit";

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
    pub fn decide(&self, facts: &Facts<'_>) -> Decision {
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

    fn ask(&self, part: &Part, facts: &Facts<'_>) -> Result<Said, String> {
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
