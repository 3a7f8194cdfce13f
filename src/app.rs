//! The parts of a running server. What it does with them is in `endpoint` and `server`.

mod failure;
#[cfg(test)]
pub(crate) mod fixtures;
mod reference;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::RwLock;

use crate::audit::counted::Counted;
use crate::base::entropy::{Entropy, uuid_v7};
use crate::base::time::{CLOCK_TOLERANCE, Clock, Timestamp};
use crate::config::Config;
use crate::decision::World;
use crate::http::certificate::Certificate;
use crate::http::throttle::Throttle;
use crate::keys::{KeyError, KeyRing, KeyRow, NodeSecrets};
use crate::metrics::Metrics;
use crate::oauth::RequestId;
use crate::policy::ActivePolicy;
use crate::store::Store;
use crate::verification::Verifier;

pub use failure::{Failure, Stop};
pub use reference::Reference;

/// The parts of a running server: what a request needs. `server` puts them together.
pub struct App {
    pub config: ArcSwap<Config>,
    /// Held for writing while another configuration is put in force.
    pub changing: RwLock<()>,
    pub store: Store,
    /// The master key's derivatives.
    pub secrets: NodeSecrets,
    /// The signing keys as last read.
    pub ring: ArcSwap<KeyRing>,
    /// How many readings of the signing keys have begun.
    pub key_readings: AtomicU64,
    /// Remote keys and rules.
    pub verifier: Verifier,
    pub policy: ActivePolicy,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub throttle: ArcSwap<Throttle>,
    /// The certificate of the listeners, where they serve TLS.
    pub certificate: Option<Arc<Certificate>>,
    pub metrics: Metrics,
    /// Introspections not yet written.
    pub introspections: Counted,
    /// The highest time that this process or the database has seen, in milliseconds.
    pub highest: AtomicI64,
    /// The clock of the database server, where there is one.
    pub reference: Reference,
    /// When an unknown key last made this process read the keys again, in milliseconds.
    pub keys_refreshed: AtomicI64,
}

impl App {
    /// The time of a request: the latest that this process has seen, so that nothing of Deputy's own lives again when
    /// the clock is set back.
    ///
    /// # Errors
    /// [`Failure::ClockDisagrees`]: the clock is further from that of the database server than is tolerated.
    /// [`Failure::ClockBehind`]: the clock is further behind than can be waited for.
    pub fn now(&self) -> Result<Timestamp, Failure> {
        if !self.clock_agrees() {
            return Err(Failure::ClockDisagrees);
        }
        let latest = self.latest();
        // Other nodes may be ahead of the clock of the database by as much as this one is behind it.
        let now = self.clock.now();
        if self.reference.now().map_or(now, |reference| now.max(reference)).plus(CLOCK_TOLERANCE) < latest {
            self.metrics.clock_behind.set(1);
            return Err(Failure::ClockBehind);
        }
        self.metrics.clock_behind.set(0);
        Ok(latest)
    }

    /// The later of the clock and the highest time seen: the time for what has to be answered in any case. A clock that
    /// disagrees with that of the database server is not used, so that it leaves no time behind that others cannot have.
    pub fn latest(&self) -> Timestamp {
        let clock = self.clock.now();
        let now = self.reference.now().filter(|reference| !clock.agrees_with(*reference)).unwrap_or(clock);
        Timestamp::from_millis(self.highest.fetch_max(now.millis(), Ordering::SeqCst)).max(now)
    }

    /// Whether the clock of this machine and that of the database server are not further apart than the tolerance. A
    /// node whose clock disagrees is not ready, issues nothing and removes nothing. An SQLite database has no clock of
    /// its own.
    pub fn clock_agrees(&self) -> bool {
        self.reference.now().is_none_or(|reference| self.clock.now().agrees_with(reference))
    }

    /// Reads the clock of the database server.
    pub async fn read_reference(&self) -> Result<(), Failure> {
        if let Some(shown) = self.store.database_time().await? {
            self.reference.note(shown);
        }
        Ok(())
    }

    /// The configuration and the policy that one request is decided by from its beginning to its end.
    pub fn world(&self) -> World {
        World { config: self.config.load_full(), policy: self.policy.current() }
    }

    pub fn request_id(&self) -> RequestId {
        let id = uuid_v7(self.entropy.as_ref(), self.clock.now());
        // Without entropy every answer is a 503; the nil id marks it.
        RequestId::new(id.unwrap_or_default())
    }

    /// Whether an unknown key may make us read the keys again: at most once a second.
    pub fn may_refresh_keys(&self) -> bool {
        let now = self.clock.now().millis();
        let last = self.keys_refreshed.load(Ordering::SeqCst);
        (now - last).abs() >= 1000
            && self.keys_refreshed.compare_exchange(last, now, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Whether a token could be issued: the clock is not behind and agrees with that of the database, and the store
    /// writes and has space. It waits for nothing.
    ///
    /// # Errors
    /// [`Failure`]: the first reason why not.
    pub fn readiness(&self) -> Result<(), Failure> {
        self.now()?;
        self.store.writes()?;
        Ok(self.store.has_room()?)
    }

    /// Reads the signing keys. What was committed before this call is in force when it returns.
    ///
    /// # Errors
    /// The store, and a key that cannot be unsealed.
    pub async fn refresh_keys(&self) -> Result<(), Failure> {
        let reading = self.begin_key_reading();
        let rows = self.store.list_keys().await?;
        Ok(self.put_keys(reading, &rows)?)
    }

    fn begin_key_reading(&self) -> u64 {
        self.key_readings.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Puts keys in force, unless a reading that began later has ended earlier: a key that it found revoked stays so.
    fn put_keys(&self, reading: u64, rows: &[KeyRow]) -> Result<(), KeyError> {
        let read = Arc::new(self.ring.load().renewed(reading, rows, &self.secrets)?);
        self.ring.rcu(|known| Arc::clone(if read.is_newer_than(known) { &read } else { known }));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::fixtures::Parts;
    use super::*;
    use crate::base::time::Lifetime;
    use crate::jose::Algorithm;
    use crate::keys;
    use crate::verification::fixtures::NOW;

    #[actix_web::test]
    async fn a_clock_that_is_set_back_beyond_the_tolerance_answers_nothing() {
        let parts = Parts::new(|_| {}).await;
        parts.clock.advance(Lifetime::from_seconds(100));
        let highest = parts.now().unwrap();
        parts.clock.set(highest.minus(CLOCK_TOLERANCE));
        assert_eq!(parts.now().unwrap(), highest, "what has expired stays so");
        parts.clock.set(NOW);
        assert!(matches!(parts.now(), Err(Failure::ClockBehind)));
        assert_eq!(parts.metrics.clock_behind.get(), 1);
        parts.clock.set(highest);
        assert!(parts.now().is_ok());
        assert_eq!(parts.metrics.clock_behind.get(), 0);
    }

    #[actix_web::test]
    async fn a_server_whose_clock_disagrees_with_that_of_the_database_is_not_ready() {
        let parts = Parts::new(|_| {}).await;
        parts.reference.note(NOW);
        assert!(parts.readiness().is_ok());
        for wrong in [NOW.plus(Lifetime::from_seconds(172_800)), NOW.minus(Lifetime::from_seconds(172_800))] {
            parts.clock.set(wrong);
            assert!(matches!(parts.readiness(), Err(Failure::ClockDisagrees)));
            assert!(parts.latest().agrees_with(NOW), "its time is not used for anything");
        }
        parts.clock.set(NOW);
        assert!(parts.readiness().is_ok(), "it goes on when its clock is right again");
    }

    #[actix_web::test]
    async fn a_clock_behind_that_of_the_database_goes_on_beside_one_that_is_ahead() {
        let parts = Parts::new(|_| {}).await;
        let ahead = NOW.plus(Lifetime::from_seconds(59));
        parts.highest.store(ahead.millis(), Ordering::SeqCst);
        parts.clock.set(NOW.minus(Lifetime::from_seconds(59)));
        assert!(matches!(parts.now(), Err(Failure::ClockBehind)), "a file has no clock that vouches for it");
        parts.reference.note(NOW);
        assert_eq!(parts.now().unwrap(), ahead);
    }

    #[test]
    fn clocks_agree_up_to_the_tolerance_in_both_directions() {
        let beyond = Lifetime::from_seconds(CLOCK_TOLERANCE.seconds() + 1);
        assert!(NOW.agrees_with(NOW.plus(CLOCK_TOLERANCE)) && NOW.plus(CLOCK_TOLERANCE).agrees_with(NOW));
        assert!(!NOW.agrees_with(NOW.plus(beyond)) && !NOW.plus(beyond).agrees_with(NOW));
    }

    #[actix_web::test]
    async fn a_slow_reading_of_the_keys_brings_no_revoked_key_back() {
        let parts = Parts::new(|_| {}).await;
        let row = keys::new_key(Algorithm::ES256, NOW, NOW, &parts.secrets, parts.entropy.as_ref()).unwrap();
        let before = vec![row.clone()];
        let after = [KeyRow { revoked_at: Some(NOW), ..row.clone() }];
        parts.put_keys(parts.begin_key_reading(), &before).unwrap();
        assert!(parts.ring.load().verifying_key(&row.kid).is_some());

        let slow = parts.begin_key_reading();
        let later = parts.begin_key_reading();
        parts.put_keys(later, &after).unwrap();
        parts.put_keys(slow, &before).unwrap();

        let ring = parts.ring.load();
        assert!(ring.is_revoked(&row.kid) && ring.verifying_key(&row.kid).is_none());
    }

    #[actix_web::test]
    async fn an_unknown_key_makes_a_node_read_the_keys_at_most_once_a_second() {
        let parts = Parts::new(|_| {}).await;
        assert!(!parts.may_refresh_keys(), "they were read at the start");
        parts.clock.advance(Lifetime::from_seconds(1));
        assert_eq!([parts.may_refresh_keys(), parts.may_refresh_keys()], [true, false]);
    }
}
