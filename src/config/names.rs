//! The names that sections refer to each other by, collected before any section is converted, so that
//! one broken section does not make every mention of it look wrong.

use std::collections::BTreeSet;

use super::raw::RawConfig;
use super::validation::Validation;

/// What is named somewhere in the file.
pub(super) struct Names {
    /// Of clients.
    pub(super) clients: BTreeSet<String>,
    /// Of targets.
    pub(super) targets: BTreeSet<String>,
    /// Scopes that a target defines or has answered.
    pub(super) scopes: BTreeSet<String>,
    /// Scopes that a target has answered.
    pub(super) answers: BTreeSet<String>,
    /// Scopes of predicates.
    pub(super) predicates: BTreeSet<String>,
    /// Claims that predicates are over.
    pub(super) predicate_claims: BTreeSet<String>,
}

impl Names {
    pub(super) fn of(raw: &RawConfig) -> Self {
        let answers: BTreeSet<String> =
            raw.target.iter().flat_map(|target| target.answers.keys().cloned()).collect();
        let defined = raw.target.iter().flat_map(|target| target.scopes.keys().cloned());
        Self {
            clients: raw.client.iter().filter_map(|client| client.id.clone()).collect(),
            targets: raw.target.iter().filter_map(|target| target.identifier.clone()).collect(),
            scopes: defined.chain(answers.iter().cloned()).collect(),
            predicates: raw.predicate.iter().filter_map(|predicate| predicate.scope.clone()).collect(),
            predicate_claims: raw.predicate.iter().filter_map(|predicate| predicate.claim.clone()).collect(),
            answers,
        }
    }
}

/// Notes each name that is in a list of tables a second time, at its second place.
pub(super) fn doubles<'a>(
    validation: &Validation<'_>,
    list: &str,
    key: &str,
    values: impl Iterator<Item = Option<&'a String>>,
) {
    let mut seen = BTreeSet::new();
    for (position, value) in values.enumerate() {
        if let Some(value) = value
            && !seen.insert(value)
        {
            let what = format!("is `{value}` a second time");
            validation.refuse(&format!("{list}[{position}].{key}"), what, "use each name once");
        }
    }
}
