//! What is known of one source of keys, and when it is asked again.

use std::collections::HashMap;
use std::sync::Arc;

use super::sought::Sought;
use super::{FOR_EVER, KeyFault, KeysUnknown};
use crate::base::time::{Lifetime, Timestamp};
use crate::jose::{Header, KeySet, PublicKey};

/// One unknown `kid` causes at most one fetch in this time (7515-4.1.4-01).
pub(super) const UNKNOWN_KID_PAUSE: Lifetime = Lifetime::from_seconds(60);
/// Unknown `kid`s cause at most one fetch in this time per source, whichever they are. Each of those fetches would find
/// any new key.
pub(super) const SOURCE_PAUSE: Lifetime = Lifetime::from_seconds(5);
/// As many unknown `kid`s are remembered per source. Beyond that all are forgotten, and [`SOURCE_PAUSE`] alone counts.
pub(super) const MAX_MISSED: usize = 256;
/// After a failed fetch none is tried for this time.
pub(super) const FAILURE_PAUSE: Lifetime = Lifetime::from_seconds(10);

/// One source of keys, as far as it is known.
#[derive(Clone, Default)]
pub(super) struct Known {
    /// The last good set, with when it was had and until when it needs no new look.
    pub(super) good: Option<Good>,
    /// When it was last asked, and what went wrong if it did.
    pub(super) asked: Option<(Timestamp, Option<String>)>,
    /// The `kid`s that a look did not find, and when that was.
    pub(super) missed: HashMap<Option<String>, Timestamp>,
}

#[derive(Clone)]
pub(super) struct Good {
    pub(super) keys: Arc<KeySet>,
    pub(super) had_at: Timestamp,
    pub(super) fresh_until: Timestamp,
}

impl Known {
    /// What is sought.
    pub(super) fn get<S: Sought>(
        &self,
        stale: Lifetime,
        sought: &S,
        now: Timestamp,
    ) -> Result<S::Found, KeyFault> {
        let fault = || {
            let fault = self.asked.as_ref().and_then(|(_, fault)| fault.clone());
            let fault = fault.unwrap_or_else(|| "never fetched".to_owned());
            KeyFault::Unavailable(KeysUnknown::NotHad(fault))
        };
        let good = self.usable(stale, now).ok_or_else(fault)?;
        match sought.find(&good.keys) {
            Some(found) => Ok(found),
            // Nobody knows whether it is a new one.
            None if self.has_failed() => Err(fault()),
            None if good.is_fetched() && !self.has_answered(sought, now) => {
                Err(KeyFault::Unavailable(KeysUnknown::NotAskedAgain))
            }
            None => Err(KeyFault::Unknown),
        }
    }

    /// The key that fits `header`, if it is another one than `key`.
    pub(super) fn key_instead_of(
        &self,
        key: &PublicKey,
        stale: Lifetime,
        header: &Header,
        now: Timestamp,
    ) -> Option<PublicKey> {
        self.usable(stale, now)?.keys.choose(header).filter(|found| !found.is_same(key)).cloned()
    }

    /// Whether the source should be asked now, by somebody who needs this key.
    pub(super) fn wants_look(&self, stale: Lifetime, sought: &impl Sought, now: Timestamp) -> bool {
        self.wants_renewal(stale, now)
            || self.usable(stale, now).is_some_and(|good| sought.find(&good.keys).is_none())
                && self.may_look_for(sought, now)
    }

    /// Whether the source should be asked now, also where nobody needs a key that is not known.
    pub(super) fn wants_renewal(&self, stale: Lifetime, now: Timestamp) -> bool {
        let is_fresh = |good: &Good| (good.had_at..good.fresh_until).contains(&now);
        !self.usable(stale, now).is_some_and(is_fresh) && !self.is_down(now)
    }

    /// Whether the source may be asked for a key that is not known: it can be asked, and was not just now, and not for
    /// this key a short time ago.
    pub(super) fn may_look_for(&self, sought: &impl Sought, now: Timestamp) -> bool {
        self.good.as_ref().is_none_or(Good::is_fetched)
            && !self.is_down(now)
            && !self.was_asked_within(SOURCE_PAUSE, now)
            && !self.has_missed(sought, now)
    }

    /// Notes that a look did not find the key.
    pub(super) fn miss(&mut self, sought: &impl Sought, now: Timestamp) {
        self.missed.retain(|_, at| (0..UNKNOWN_KID_PAUSE.millis()).contains(&now.millis_since(*at)));
        if self.missed.len() >= MAX_MISSED {
            self.missed.clear();
        }
        self.missed.insert(sought.name(), now);
    }

    /// The set, where it is not older than `stale` allows.
    fn usable(&self, stale: Lifetime, now: Timestamp) -> Option<&Good> {
        self.good.as_ref().filter(|good| now < good.had_at.plus(stale).max(good.fresh_until))
    }

    /// Whether it is known.
    pub(super) fn has(&self, stale: Lifetime, sought: &impl Sought, now: Timestamp) -> bool {
        self.usable(stale, now).is_some_and(|good| sought.find(&good.keys).is_some())
    }

    /// Whether the source was asked less than `pause` ago. A clock set back counts as long ago.
    fn was_asked_within(&self, pause: Lifetime, now: Timestamp) -> bool {
        self.asked.as_ref().is_some_and(|(at, _)| (0..pause.millis()).contains(&now.millis_since(*at)))
    }

    /// Whether a look for this key found, less than its pause ago, that there is none.
    fn has_missed(&self, sought: &impl Sought, now: Timestamp) -> bool {
        let within = 0..UNKNOWN_KID_PAUSE.millis();
        self.missed.get(&sought.name()).is_some_and(|at| within.contains(&now.millis_since(*at)))
    }

    /// Whether the source has said that it has no such key: a look for it was made, or any look since `now`.
    fn has_answered(&self, sought: &impl Sought, now: Timestamp) -> bool {
        self.has_missed(sought, now) || self.asked.as_ref().is_some_and(|(at, _)| *at >= now)
    }

    pub(super) fn has_failed(&self) -> bool {
        matches!(&self.asked, Some((_, Some(_))))
    }

    /// Whether the source did not answer a moment ago.
    fn is_down(&self, now: Timestamp) -> bool {
        self.has_failed() && self.was_asked_within(FAILURE_PAUSE, now)
    }
}

impl Good {
    /// Whether it came from a URL, which can be asked again, and not from a file.
    fn is_fetched(&self) -> bool {
        self.fresh_until != FOR_EVER
    }
}
