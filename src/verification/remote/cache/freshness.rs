//! How old the keys of a source are, for operators.

use std::sync::PoisonError;

use super::{KeyCache, KeySpec, place};
use crate::base::time::{Lifetime, Timestamp};
use crate::config::Config;
use crate::oauth::Issuer;
use crate::registry::{KeySource, Reach};
use crate::verification::Verifier;

/// An issuer whose keys are fetched.
#[derive(Clone, Copy, Debug)]
pub struct IssuerKeys<'a> {
    /// `identity_provider` or `workload_issuer`.
    pub kind: &'static str,
    pub issuer: &'a Issuer,
    /// Seconds since they were fetched; `None` before the first fetch that succeeded.
    pub age: Option<i64>,
    /// Whether the last fetch failed.
    pub has_failed: bool,
}

impl KeyCache {
    /// How many seconds old the keys of `spec` are, and whether the last fetch failed; `None` if they were never asked
    /// for.
    fn freshness(&self, spec: KeySpec<'_>, now: Timestamp) -> Option<(Option<i64>, bool)> {
        let name = Self::name(&place(spec)?, spec.reach);
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let known = sources.get(&name)?.known.load_full();
        drop(sources);
        let age = known.good.as_ref().map(|good| now.millis_since(good.had_at).max(0) / 1000);
        (age.is_some() || known.has_failed()).then(|| (age, known.has_failed()))
    }
}

impl Verifier {
    /// Every identity provider and workload issuer whose keys were asked for over the network.
    pub fn issuer_keys<'a>(&self, config: &'a Config, now: Timestamp) -> Vec<IssuerKeys<'a>> {
        let providers = config.registry.identity_providers.values();
        let providers =
            providers.map(|party| ("identity_provider", &party.issuer, &party.keys, &party.reach));
        let platforms = config.registry.workload_issuers.values();
        let platforms = platforms.map(|party| ("workload_issuer", &party.issuer, &party.keys, &party.reach));
        let remote = providers.chain(platforms).filter(|(.., keys, _)| keys.file().is_none());
        remote.filter_map(|party| self.keys_of(party, config, now)).collect()
    }

    fn keys_of<'a>(
        &self,
        (kind, issuer, source, reach): (&'static str, &'a Issuer, &KeySource, &Reach),
        config: &Config,
        now: Timestamp,
    ) -> Option<IssuerKeys<'a>> {
        let spec = KeySpec {
            issuer: Some(issuer),
            source,
            reach,
            stale: Lifetime::default(),
            is_local: config.is_local,
        };
        let (age, has_failed) = self.keys.freshness(spec, now)?;
        Some(IssuerKeys { kind, issuer, age, has_failed })
    }
}
