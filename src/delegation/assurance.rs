//! The assurance gate: whether a login is strong and fresh enough for what is asked.
//!
//! Checked at every hop against the login that the token descends from, by the rules as configured now.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::time::Timestamp;
use crate::oauth::{Cause, Scope, ScopeToken};
use crate::registry::{AssuranceLevel, ClaimTest, MFA, ScopeRule, Target};
use crate::verification::LoginFacts;

/// Whole seconds since the user signed in; negative where the provider's clock is ahead of ours. A login that does not
/// say when that was counts as made at the epoch, which is older than any age that can be demanded.
pub fn login_age_seconds(login: &LoginFacts, now: Timestamp) -> i64 {
    now.seconds().saturating_sub(login.auth_time.unwrap_or(0))
}

/// What the targets in reach demand for a scope, taken together. Policy sees it too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// Levels demanded, in the order of scope and targets, each once.
    pub levels: Vec<String>,
    /// The strictest age of `auth_time` allowed, in seconds.
    pub max_age_seconds: Option<u32>,
    /// The words of the scope for which some target sets a greatest age.
    pub fresh_scopes: BTreeSet<String>,
    /// The words of the scope that some target marks `sensitive`.
    pub sensitive_scopes: BTreeSet<String>,
}

impl Demands {
    /// What `scope` demands at each target of `reach` that defines it. Of a word that none of them
    /// defines the level `mfa` is demanded: the unknown is not let through.
    pub fn of<'a>(scope: &Scope, reach: impl IntoIterator<Item = &'a Target>) -> Self {
        let reach: Vec<&Target> = reach.into_iter().collect();
        let mut demands = Self::default();
        for word in scope.tokens() {
            let mut is_defined = false;
            for rule in reach.iter().filter_map(|target| rule_of(&target.scopes, word)) {
                is_defined = true;
                demands.add(word, rule);
            }
            if !is_defined {
                demands.add_level(MFA);
            }
        }
        demands
    }

    fn add(&mut self, word: &str, rule: &ScopeRule) {
        if let Some(level) = &rule.assurance {
            self.add_level(level);
        }
        if let Some(max_age) = rule.max_age {
            let seconds = max_age.seconds();
            self.max_age_seconds = Some(self.max_age_seconds.map_or(seconds, |least| least.min(seconds)));
            self.fresh_scopes.insert(word.to_owned());
        }
        if rule.sensitive {
            self.sensitive_scopes.insert(word.to_owned());
        }
    }

    fn add_level(&mut self, level: &str) {
        if !self.levels.iter().any(|own| own == level) {
            self.levels.push(level.to_owned());
        }
    }

    /// What is demanded where nobody signed in: nothing of a login. The scopes say themselves that they are open to agents.
    #[must_use]
    pub fn without_login(self) -> Self {
        Self { levels: Vec::new(), ..self }
    }

    /// The gate: every level met, and the login no older than the strictest age. Our clock and the
    /// provider's are compared without leeway: an age is minutes, and the caller can have a new one.
    ///
    /// # Errors
    /// [`Cause::Assurance`] with what to ask the provider for: the `acr` values of a level not met (one
    /// that is not `mfa`, where there is one: it asks for more), and the strictest age demanded, so that
    /// the next login passes. Where the level has no `acr` values, what it looks for.
    pub fn check(
        &self,
        login: &LoginFacts,
        defined: &BTreeMap<String, AssuranceLevel>,
        now: Timestamp,
    ) -> Result<(), Cause> {
        let mut missing = self.levels.iter().filter(|level| !login.levels.contains(*level));
        let missing = match missing.next() {
            Some(first) if first == MFA => missing.next().or(Some(first)),
            other => other,
        };
        let is_too_old =
            self.max_age_seconds.is_some_and(|max| login_age_seconds(login, now) > i64::from(max));
        if missing.is_none() && !is_too_old {
            return Ok(());
        }
        let acr_values = missing.and_then(|name| defined.get(name)).map(acr_values).unwrap_or_default();
        let looked_for = missing.filter(|_| acr_values.is_empty()).map(|name| match defined.get(name) {
            Some(level) => level.any_of.iter().map(ToString::to_string).collect::<Vec<_>>().join(", or "),
            None => format!("the level `{name}`, which its provider does not define"),
        });
        Err(Cause::Assurance { acr_values, max_age: self.max_age_seconds, looked_for })
    }
}

fn rule_of<'a>(rules: &'a BTreeMap<ScopeToken, ScopeRule>, word: &str) -> Option<&'a ScopeRule> {
    rules.iter().find_map(|(name, rule)| (name.as_str() == word).then_some(rule))
}

/// The values of `acr` that meet the level, in the order configured, each once.
fn acr_values(level: &AssuranceLevel) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    for condition in level.any_of.iter().filter(|condition| condition.claim == "acr") {
        let ClaimTest::In(accepted) = &condition.test else { continue };
        for value in accepted {
            if !values.contains(value) {
                values.push(value.clone());
            }
        }
    }
    values
}

#[cfg(test)]
mod tests;
