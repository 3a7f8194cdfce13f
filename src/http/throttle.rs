//! What strangers may cost: throttles by source, and audit rows for refusals nobody authenticated.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use super::caller::network;
use super::guesses::Guesses;
use crate::base::time::{Clock, Lifetime, Timestamp};
use crate::config::Limits;
use crate::oauth::ClientId;

/// Our clock as governor wants it.
#[derive(Clone)]
struct Ticks(Arc<dyn Clock>);

impl governor::clock::Clock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(Duration::from_millis(u64::try_from(self.0.now().millis()).unwrap_or(0)))
    }
}

type Keyed<K> = RateLimiter<K, DashMapStateStore<K>, Ticks, governor::middleware::NoOpMiddleware<Nanos>>;

/// How long a caller that was shut out stays out.
const SHUT_OUT: Lifetime = Lifetime::from_seconds(10);

/// A source may fail this many times as often as one (source, client): many clients share an address.
const CLIENTS_PER_SOURCE: u32 = 10;

/// All sources together get this many times as many rows as one of them: addresses are cheap, and each row is a write
/// to the disk that others wait for.
const SOURCES_WITH_ROWS: u32 = 20;

/// The throttles of one process. Sources are counted by [`network`].
pub struct Throttle {
    failures_of_source: Keyed<IpAddr>,
    failures_of_client: Keyed<(IpAddr, ClientId)>,
    guesses: Guesses,
    verifications: Keyed<ClientId>,
    rows: Keyed<IpAddr>,
    rows_of_all: RateLimiter<NotKeyed, InMemoryState, Ticks, governor::middleware::NoOpMiddleware<Nanos>>,
    shut_out: moka::sync::Cache<IpAddr, Timestamp>,
    counted: Mutex<Counted>,
}

/// Refusals that got no row of their own since the last counted row.
#[derive(Debug, Default)]
struct Counted {
    count: u64,
    since: Option<Timestamp>,
}

impl Throttle {
    /// Throttles as configured.
    pub fn new(limits: &Limits, clock: &Arc<dyn Clock>) -> Self {
        fn per_minute(count: u32) -> Quota {
            Quota::per_minute(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN))
        }
        fn keyed<K: std::hash::Hash + Eq + Clone>(count: u32, clock: &Arc<dyn Clock>) -> Keyed<K> {
            RateLimiter::new(per_minute(count), DashMapStateStore::default(), Ticks(clock.clone()))
        }
        Self {
            failures_of_source: keyed(limits.failures_per_minute.saturating_mul(CLIENTS_PER_SOURCE), clock),
            failures_of_client: keyed(limits.failures_per_minute, clock),
            guesses: Guesses::new(limits.unknown_tokens_per_minute),
            verifications: keyed(limits.unknown_tokens_per_minute, clock),
            rows: keyed(limits.unauthenticated_rows_per_minute, clock),
            rows_of_all: RateLimiter::direct_with_clock(
                per_minute(limits.unauthenticated_rows_per_minute.saturating_mul(SOURCES_WITH_ROWS)),
                Ticks(clock.clone()),
            ),
            shut_out: moka::sync::Cache::new(100_000),
            counted: Mutex::new(Counted::default()),
        }
    }

    /// Whether this source failed too often. Its failures are then answered with 429; a credential that verifies is
    /// taken all the same, because others may stand behind the same address (7009-5-01).
    pub fn is_shut_out(&self, source: IpAddr, now: Timestamp) -> bool {
        self.shut_out.get(&network(source)).is_some_and(|until| now < until)
    }

    /// Notes a failed client authentication. `true`: answer with 429 instead (CA-ALL-09).
    pub fn note_failure(&self, source: IpAddr, claimed: Option<&ClientId>, now: Timestamp) -> bool {
        let source = network(source);
        let is_source_over = self.failures_of_source.check_key(&source).is_err();
        if is_source_over {
            self.shut_out.insert(source, now.plus(SHUT_OUT));
        }
        let is_client_over = claimed
            .is_some_and(|client| self.failures_of_client.check_key(&(source, client.clone())).is_err());
        is_source_over || is_client_over
    }

    /// Counts an introspection before its record is read, as if the token were not the caller's to see. `false`: the
    /// caller has seen too many such tokens (7662-4-02).
    pub fn takes_guess(&self, client: &ClientId, now: Timestamp) -> bool {
        self.guesses.take(client, now)
    }

    /// Does not count the last introspection after all.
    pub fn give_guess_back(&self, client: &ClientId) {
        self.guesses.give_back(client);
    }

    /// Whether the signature of a token that no record fits is verified. There is a limit for each client, so that
    /// nobody can occupy Deputy with signatures.
    pub fn takes_verification(&self, client: &ClientId) -> bool {
        self.verifications.check_key(client).is_ok()
    }

    /// Whether a refusal of this source, which nobody authenticated, gets an audit row of its own; if not, it was counted.
    pub fn takes_row(&self, source: IpAddr, now: Timestamp) -> bool {
        if self.rows.check_key(&network(source)).is_ok() && self.rows_of_all.check().is_ok() {
            return true;
        }
        let mut counted = self.counted.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        counted.count += 1;
        counted.since.get_or_insert(now);
        false
    }

    /// How many refusals were counted and not yet written; starts counting anew.
    pub fn take_counted(&self) -> Option<u64> {
        let mut counted = self.counted.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let taken = std::mem::take(&mut *counted);
        (taken.count > 0).then_some(taken.count)
    }

    /// Forgets keys that have been quiet, so that memory stays bounded.
    pub fn tidy(&self) {
        self.failures_of_source.retain_recent();
        self.failures_of_client.retain_recent();
        self.verifications.retain_recent();
        self.rows.retain_recent();
    }

    /// What `Retry-After` says, in seconds.
    pub const fn retry_after() -> u32 {
        SHUT_OUT.seconds()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::doubles::ManualClock;

    const START: Timestamp = Timestamp::from_seconds(1_800_000_000);
    fn throttle() -> (Throttle, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::starting_at(START));
        let shared: Arc<dyn Clock> = clock.clone();
        let limits = Limits {
            failures_per_minute: 2,
            unknown_tokens_per_minute: 3,
            unauthenticated_rows_per_minute: 1,
            ..Limits::default()
        };
        (Throttle::new(&limits, &shared), clock)
    }

    fn source() -> IpAddr {
        IpAddr::from([192, 0, 2, 1])
    }

    #[test]
    fn failures_as_one_client_are_throttled_before_those_of_the_whole_source() {
        let (throttle, clock) = throttle();
        let (one, other) = (ClientId::new("one"), ClientId::new("other"));
        let fails = |client| throttle.note_failure(source(), Some(client), clock.now());
        assert_eq!([fails(&one), fails(&one), fails(&one)], [false, false, true]);
        assert!(!fails(&other), "another client at the same address goes on");
        assert!(!throttle.is_shut_out(source(), clock.now()));
    }

    #[test]
    fn a_source_that_fails_too_often_is_refused_for_ten_seconds() {
        let (throttle, clock) = throttle();
        let fails = |_| throttle.note_failure(source(), None, clock.now());
        let most = usize::try_from(2 * CLIENTS_PER_SOURCE).unwrap();
        assert_eq!((0..=most).map(fails).position(|is_over| is_over), Some(most));
        assert!(throttle.is_shut_out(source(), clock.now()));
        clock.advance(Lifetime::from_seconds(Throttle::retry_after()));
        assert!(!throttle.is_shut_out(source(), clock.now()));
    }

    #[test]
    fn a_refusal_without_a_row_of_its_own_is_counted_once() {
        let (throttle, clock) = throttle();
        let takes = || throttle.takes_row(source(), clock.now());
        assert_eq!([takes(), takes(), takes()], [true, false, false]);
        assert_eq!([throttle.take_counted(), throttle.take_counted()], [Some(2), None]);
        clock.advance(Lifetime::from_seconds(60));
        assert!(takes());
    }

    #[test]
    fn a_64_of_ipv6_is_one_source_and_all_sources_share_a_limit_of_rows() {
        let (throttle, clock) = throttle();
        let address = |text: String| text.parse::<IpAddr>().unwrap();
        let of_one = (0..3000).map(|host| address(format!("2001:db8::{host:x}")));
        let rows = |sources: &mut dyn Iterator<Item = IpAddr>| {
            sources.filter(|source| throttle.takes_row(*source, clock.now())).count()
        };
        assert_eq!(rows(&mut of_one.clone()), 1);
        let over = |source: &IpAddr| throttle.note_failure(*source, None, clock.now());
        assert_eq!(of_one.clone().filter(|source| !over(source)).count(), 20);
        assert!(throttle.is_shut_out(address("2001:db8::ffff:ffff".to_owned()), clock.now()));
        assert!(!throttle.is_shut_out(address("2001:db8:0:1::".to_owned()), clock.now()));
        let of_many = (1..=3000).map(|net| address(format!("2001:db8:{net:x}::1")));
        assert_eq!(rows(&mut of_many.clone()), usize::try_from(SOURCES_WITH_ROWS).unwrap() - 1);
    }

    #[test]
    fn each_client_may_have_so_many_signatures_verified() {
        let (throttle, _clock) = throttle();
        let takes = |id| throttle.takes_verification(&ClientId::new(id));
        assert_eq!([takes("a"), takes("a"), takes("a"), takes("a")], [true, true, true, false]);
        assert!(takes("b"));
    }
}
