//! Composition root: a configuration becomes a running Deputy. The only file that names every concrete part.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::audit::{
    ClockResetEvent, ConfigurationEvent, Event, KeyAct, KeyEvent, Outcome, Phase, PolicyLoadEvent, Told,
};
use crate::base::entropy::{Entropy, EntropyUnavailable, SystemEntropy};
use crate::base::time::{Clock, Lifetime, Timestamp, process_clock};
use crate::config::Config;
use crate::http::throttle::Throttle;
use crate::keys::{self, KeyError, KeyRing, NodeSecrets};
use crate::metrics::Metrics;
use crate::oauth::{Cause, Plain, RequestId};
use crate::policy::{ActivePolicy, PolicyError, PolicySet};
use crate::store::{Change, Control, Entry, Opening, Recorded, Store, StoreError};
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
    pub throttle: Throttle,
    /// Counters.
    pub metrics: Metrics,
    /// Introspections not yet written.
    pub introspections: crate::endpoint::introspect::Counted,
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
    /// A rule could not be evaluated: that denies. The audit row names it.
    #[error("a policy rule could not be evaluated")]
    Policy,
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
    pub fn not_verified(error: NotVerified, which: fn(crate::oauth::TokenFault) -> Cause) -> Self {
        match error {
            NotVerified::Fault(fault) => Self::Refused(which(fault)),
            NotVerified::Unavailable(what) => Self::Failed(Failure::IssuerKeys(what)),
        }
    }
}

/// What a start is given from outside.
pub struct Surroundings {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The random generator.
    pub entropy: Arc<dyn Entropy>,
}

impl Surroundings {
    /// The system's own.
    pub fn system() -> Self {
        Self { clock: process_clock(), entropy: Arc::new(SystemEntropy::default()) }
    }
}

/// Why Deputy does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Keys, store or random generator.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// The policy set.
    #[error("policy: {0}")]
    Policy(#[from] PolicyError),
    /// The clock is behind the highest time recorded (design.md 8).
    #[error(
        "the system clock shows {now}, but the database has seen {highest}: starting would bring what expired back to \
         life; mend the clock, or if the recorded time is wrong run `deputy clock reset`"
    )]
    ClockBehind {
        /// The clock.
        now: Timestamp,
        /// The record.
        highest: Timestamp,
    },
    /// Metrics: a fault of ours.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        Self::Failure(error.into())
    }
}

impl From<KeyError> for StartError {
    fn from(error: KeyError) -> Self {
        Self::Failure(error.into())
    }
}

impl App {
    /// Opens everything that `config` names. The first start makes the first signing key; parties that
    /// left the configuration have their tokens revoked before this returns.
    ///
    /// # Errors
    /// [`StartError`]: nothing is served with less than everything.
    pub async fn start(config: Config, surroundings: Surroundings) -> Result<Arc<Self>, StartError> {
        crate::jose::install_provider();
        let Surroundings { clock, entropy } = surroundings;
        let secrets = NodeSecrets::load(&config.keys.master_key_file)?;
        let now = clock.now();
        let store =
            Store::open(Opening { config: &config, now, sealing: &secrets, entropy: entropy.as_ref() })
                .await?;
        let highest = store.highest_time().await?.unwrap_or(now);
        if now.plus(CLOCK_TOLERANCE) < highest {
            store.close().await?;
            return Err(StartError::ClockBehind { now, highest });
        }
        let policy = ActivePolicy::open(&config.policy)?;
        let app = Arc::new(Self {
            ring: ArcSwap::from_pointee(KeyRing::from_rows(&[], &secrets)?),
            verifier: Verifier::default(),
            policy,
            throttle: Throttle::new(&config.limits, &clock),
            metrics: Metrics::new()?,
            introspections: crate::endpoint::introspect::Counted::default(),
            highest: AtomicI64::new(highest.max(now).millis()),
            keys_refreshed: AtomicI64::new(now.millis()),
            config: ArcSwap::from_pointee(config),
            store,
            secrets,
            clock,
            entropy,
        });
        app.make_first_key(now).await?;
        app.reconcile(&app.config.load_full(), true, now).await?;
        app.note_policy(now, Outcome::Granted).await?;
        Ok(app)
    }

    /// The very first signing key may sign at once: nobody has an older key set to go by.
    async fn make_first_key(&self, now: Timestamp) -> Result<(), Failure> {
        // Two nodes may start at once on one database: the one that loses finds the other's key.
        if self.store.list_keys().await?.iter().all(|row| row.revoked_at.is_some()) {
            let algorithm = self.config.load().keys.signing_algorithm;
            let first = keys::new_key(algorithm, now, now, &self.secrets, self.entropy.as_ref())?;
            let event = Event::Key(KeyEvent { act: KeyAct::First, kid: Some(first.kid.clone()) });
            let told = Told::of_server(now, Outcome::Granted, event);
            self.record_control(Control::PutKeys(vec![first]), told).await?;
        }
        self.refresh_keys().await
    }

    /// Revokes what depended on parties that left the configuration, before it takes effect; and, where the
    /// one before was still worked by, once more (`is_last`) when nobody does any longer.
    async fn reconcile(&self, config: &Config, is_last: bool, now: Timestamp) -> Result<(), Failure> {
        let phase = if is_last { Phase::InForce } else { Phase::ComesIntoForce };
        let event = Event::Configuration(ConfigurationEvent { phase, died: None });
        let told = Told::of_server(now, Outcome::Granted, event);
        let control = Control::Reconcile {
            keeps_those_that_left: !is_last,
            clients: config.clients.keys().cloned().collect(),
            targets: config.targets.keys().cloned().collect(),
            providers: config.identity_providers.keys().cloned().collect(),
            workload_issuers: config.workload_issuers.keys().cloned().collect(),
        };
        self.record_control(control, told).await.map(drop)
    }

    /// Records which policy set is in force.
    ///
    /// # Errors
    /// The store.
    pub async fn note_policy(&self, now: Timestamp, outcome: Outcome) -> Result<(), Failure> {
        let set = self.policy.current().short_hash().to_owned();
        let event = Event::PolicyLoad(PolicyLoadEvent { set });
        self.record_note(Told::of_server(now, outcome, event)).await
    }

    /// Writes a row that goes with no change.
    ///
    /// # Errors
    /// The store.
    pub async fn record_note(&self, told: Told) -> Result<(), Failure> {
        self.store.record(Entry::note(told)).await?;
        Ok(())
    }

    /// Puts another configuration in force: all or nothing. Listeners, database and keys stay as they were.
    /// Returns when no request is under way by the one before, and what such requests were given for parties
    /// that left is revoked as well.
    ///
    /// # Errors
    /// [`StartError`]; the old configuration and policy stay in force. If only the last revocation fails, the
    /// new ones are in force, and the next reload or start makes up for it.
    pub async fn reload(&self, config: Config) -> Result<(), StartError> {
        let now = self.now()?;
        let set = PolicySet::configured(&config.policy)?;
        self.reconcile(&config, false, now).await?;
        self.policy.install(&config.policy, set);
        self.metrics.policy_stale.set(0);
        let config = Arc::new(config);
        let before = self.config.swap(Arc::clone(&config));
        until_left(before).await;
        self.reconcile(&config, true, now).await?;
        self.note_policy(now, Outcome::Granted).await?;
        Ok(())
    }

    /// Writes one control with its row.
    ///
    /// # Errors
    /// The store.
    pub async fn record_control(&self, control: Control, told: Told) -> Result<Recorded, Failure> {
        Ok(self.store.record(Entry::control(control, told)).await?)
    }

    /// Makes the clock's time the highest seen; what ended stays ended. Audited.
    ///
    /// # Errors
    /// The store.
    pub async fn reset_clock(&self) -> Result<(), Failure> {
        let now = self.clock.now();
        set_clock_back(&self.store, now).await?;
        self.highest.store(now.millis(), Ordering::SeqCst);
        self.refresh_keys().await
    }

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
        let id = crate::base::entropy::uuid_v7(self.entropy.as_ref(), self.clock.now());
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

    /// What has to be done now and then: counted rows, keys of other nodes, what ran out.
    ///
    /// # Errors
    /// The first part that failed; the others are done at the next call.
    pub async fn tidy(&self) -> Result<(), Failure> {
        let now = self.now()?;
        crate::endpoint::phases::record_counted(self, now).await?;
        crate::endpoint::introspect::record_counted(self, now).await?;
        self.refresh_keys().await?;
        self.throttle.tidy();
        Ok(())
    }

    /// Ends tasks whose time is up and removes rows past their use. Nothing depends on it.
    ///
    /// # Errors
    /// The store.
    pub async fn sweep(&self) -> Result<(), Failure> {
        let now = self.now()?;
        loop {
            // One is a small batch, so that requests come between; there may be more to do than one does.
            let entry =
                Entry { one_time: Vec::new(), change: Change::Control(Control::Sweep), told: None, now };
            if !matches!(self.store.record(entry).await?, Recorded::Done { changed: true, .. }) {
                return Ok(());
            }
        }
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

/// How long requests under way are waited for: reading a body and waiting for a commit, each 10 s at most.
const UNDER_WAY: Duration = Duration::from_secs(25);

/// Waits until no request works by this configuration any more.
async fn until_left(config: Arc<Config>) {
    let is_left = async {
        while Arc::strong_count(&config) > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    if tokio::time::timeout(UNDER_WAY, is_left).await.is_err() {
        tracing::warn!("a request is still under way by the configuration before");
    }
}

/// Ends for good what has expired, and makes `now` the highest time seen. The keys' times move with the
/// clock first: should the second entry fail, they are only older than they need to be.
async fn set_clock_back(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    let highest = store.highest_time().await?.unwrap_or(now);
    let told = |event| Told::of_operator(now, event);
    let keys = keys::set_back(&store.list_keys().await?, highest, now);
    if !keys.is_empty() {
        let event = Event::Key(KeyEvent { act: KeyAct::SetBack, kid: None });
        store.record(Entry::control(Control::PutKeys(keys), told(event))).await?;
    }
    let event = Event::ClockReset(ClockResetEvent { from: highest, to: now });
    store.record(Entry::control(Control::ResetClock, told(event))).await?;
    Ok(())
}

/// [`App::reset_clock`] where no server runs, because the clock keeps it from starting.
///
/// # Errors
/// [`StartError`]: the store or its keys; also when a server holds the data directory.
pub async fn reset_clock_offline(config: &Config, surroundings: &Surroundings) -> Result<(), StartError> {
    let secrets = NodeSecrets::load(&config.keys.master_key_file)?;
    let now = surroundings.clock.now();
    let opening = Opening { config, now, sealing: &secrets, entropy: surroundings.entropy.as_ref() };
    let store = Store::open(opening).await?;
    set_clock_back(&store, now).await?;
    store.close().await?;
    Ok(())
}
