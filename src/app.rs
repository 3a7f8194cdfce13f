//! Composition root: a configuration becomes a running Deputy. The only file that names every concrete part.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;

use crate::config::Config;
use crate::doorstep::Doorstep;
use crate::entropy::{Entropy, EntropyUnavailable};
use crate::keys::{KeyError, KeyRing, NodeSecrets};
use crate::metrics::Metrics;
use crate::policy::ActivePolicy;
use crate::protocol::{Cause, Plain, RequestId};
use crate::store::{Store, StoreError};
use crate::time::{Clock, Lifetime, Timestamp};
use crate::verification::{NotVerified, Verifier};

/// The system clock may be this far behind the highest time recorded (design.md 8).
pub const CLOCK_TOLERANCE: Lifetime = Lifetime::from_seconds(60);

/// Everything a request needs.
pub struct App {
    /// The configuration in force.
    pub config: ArcSwap<Config>,
    /// The database.
    pub store: Store,
    /// The master key's derivatives.
    pub secrets: NodeSecrets,
    /// The signing keys as last read.
    pub ring: ArcSwap<KeyRing>,
    /// Remote keys and rules.
    pub verifier: Verifier,
    /// The policy set in force.
    pub policy: ActivePolicy,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The random generator.
    pub entropy: Arc<dyn Entropy>,
    /// Throttles.
    pub doorstep: Doorstep,
    /// Counters.
    pub metrics: Metrics,
    /// Introspections not yet written.
    pub introspections: crate::introspection::Counted,
    highest: AtomicI64,
    keys_refreshed: AtomicI64,
}

/// Something inside cannot answer: 503 `temporarily_unavailable`, nothing given. Logged once, where it is answered.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The random generator.
    #[error(transparent)]
    Entropy(#[from] EntropyUnavailable),
    /// An issuer's keys cannot be had, and none are known.
    #[error("keys cannot be had: {0}")]
    IssuerKeys(String),
    /// The clock is behind the highest time recorded.
    #[error("the clock is behind the highest time recorded")]
    ClockBehind,
    /// Others kept changing what this request was about.
    #[error("the records kept changing")]
    Contention,
}

/// Why a request is not answered as asked.
#[derive(Debug)]
pub enum Stop {
    /// Refused, with its true cause.
    Refused(Cause),
    /// Failed.
    Failed(Failure),
}

impl From<Cause> for Stop {
    fn from(cause: Cause) -> Self {
        Self::Refused(cause)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Plain> for Stop {
    fn from(plain: Plain) -> Self {
        Self::Refused(plain.into())
    }
}

macro_rules! failed {
    ($($error:ty),*) => { $(
        impl From<$error> for Stop {
            fn from(error: $error) -> Self {
                Self::Failed(error.into())
            }
        }
    )* };
}
failed!(StoreError, KeyError, EntropyUnavailable);

impl Stop {
    /// A token that was not verified, as the subject's or the actor's.
    pub fn not_verified(error: NotVerified, which: fn(crate::protocol::TokenFault) -> Cause) -> Self {
        match error {
            NotVerified::Fault(fault) => Self::Refused(which(fault)),
            NotVerified::Unavailable(what) => Self::Failed(Failure::IssuerKeys(what)),
        }
    }
}

impl App {
    /// The request's time.
    ///
    /// # Errors
    /// [`Failure::ClockBehind`]: what expired would come alive again.
    pub fn now(&self) -> Result<Timestamp, Failure> {
        let now = self.clock.now();
        let highest = self.highest.fetch_max(now.millis(), Ordering::SeqCst).max(now.millis());
        if now.plus(CLOCK_TOLERANCE).millis() < highest {
            self.metrics.clock_behind.set(1);
            return Err(Failure::ClockBehind);
        }
        self.metrics.clock_behind.set(0);
        Ok(now)
    }

    /// A new request's id.
    pub fn request_id(&self) -> RequestId {
        let id = crate::entropy::uuid_v7(self.entropy.as_ref(), self.clock.now());
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

    /// Reads the signing keys again.
    ///
    /// # Errors
    /// [`Failure`]: store or keys.
    pub async fn refresh_keys(&self) -> Result<(), Failure> {
        let rows = self.store.list_keys().await?;
        self.ring.store(Arc::new(KeyRing::from_rows(&rows, &self.secrets)?));
        Ok(())
    }
}
