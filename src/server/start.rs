//! The start: a configuration becomes the parts of a running server. The only file that names every concrete part.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};

use arc_swap::ArcSwap;
use tokio::sync::RwLock;

use super::record;
use crate::app::{App, Failure, Reference};
use crate::audit::counted::Counted;
use crate::audit::{ConfigurationEvent, Event, KeyAct, KeyEvent, Outcome, Told};
use crate::base::entropy::{Entropy, SystemEntropy};
use crate::base::time::{CLOCK_TOLERANCE, Clock, Timestamp, process_clock};
use crate::config::Config;
use crate::delegation::stops;
use crate::http::certificate::{Certificate, CertificateError};
use crate::http::throttle::Throttle;
use crate::keys::{self, KeyError, KeyRing, NodeSecrets};
use crate::metrics::Metrics;
use crate::policy::{ActivePolicy, PolicyError};
use crate::store::{Control, Opening, Store, StoreError};
use crate::verification::{Authorities, FetchError, Verifier};

/// What a start is given from outside.
pub struct Surroundings {
    pub clock: Arc<dyn Clock>,
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
    /// The certificate, its key, or the authorities of client certificates.
    #[error("tls: {0}")]
    Certificate(#[from] CertificateError),
    /// A key file of a registered party.
    #[error("key file {0}")]
    KeyFile(FetchError),
    /// Keys of the configuration that take effect only at a start.
    #[error("{0} cannot be changed while Deputy runs: restart it")]
    NeedsRestart(String),
    /// The clock is behind the highest time recorded.
    #[error(
        "the system clock shows {now}, but the database has seen {highest}: starting would bring what expired back to \
         life; mend the clock, or if the recorded time is wrong run `deputy clock reset`"
    )]
    ClockBehind { now: Timestamp, highest: Timestamp },
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

/// Opens everything that `config` names. The first start makes the first signing key; whatever names a party that left
/// the configuration is dead before this returns.
///
/// # Errors
/// [`StartError`]: nothing is served with less than everything.
pub async fn start(config: Config, surroundings: Surroundings) -> Result<Arc<App>, StartError> {
    let Surroundings { clock, entropy } = surroundings;
    let secrets = NodeSecrets::load(&config.keys.master_key_file)?;
    let now = clock.now();
    let store =
        Store::open(Opening { config: &config, secrets: &secrets, entropy: entropy.as_ref() }).await?;
    let recorded = store.highest_time().await?;
    let highest = recorded.unwrap_or(now);
    let database = store.database_time().await?;
    // Where the clock of the database server vouches for both, another node is ahead of it and this one behind.
    let is_vouched =
        database.is_some_and(|shown| now.agrees_with(shown) && highest <= shown.plus(CLOCK_TOLERANCE));
    if now.plus(CLOCK_TOLERANCE) < highest && !is_vouched {
        store.close().await?;
        return Err(StartError::ClockBehind { now, highest });
    }
    let metrics = Metrics::new()?;
    store.count_commits(metrics.commit_seconds.clone());
    let reference = Reference::default();
    if let Some(shown) = database {
        reference.note(shown);
    }
    let policy = ActivePolicy::open(&config.policy)?;
    let verifier = Verifier::default();
    verifier.trust(Authorities::read(&config)?);
    let certificate = config.tls.as_ref().map(Certificate::read).transpose()?;
    let certificate = certificate.map(|pair| Arc::new(Certificate::new(pair)));
    let app = Arc::new(App {
        ring: ArcSwap::from_pointee(KeyRing::from_rows(&[], &secrets)?),
        key_readings: AtomicU64::new(0),
        verifier,
        policy,
        throttle: ArcSwap::from_pointee(Throttle::new(&config.limits, &clock)),
        certificate,
        metrics,
        introspections: Counted::default(),
        highest: AtomicI64::new(recorded.unwrap_or_default().millis()),
        reference,
        keys_refreshed: AtomicI64::new(now.millis()),
        config: ArcSwap::from_pointee(config),
        changing: RwLock::default(),
        store,
        secrets,
        clock,
        entropy,
    });
    let now = app.latest();
    make_first_key(&app, now).await?;
    take_effect(&app, &app.config.load_full(), now).await?;
    record::policy(&app, now, Outcome::Granted).await?;
    Ok(app)
}

/// The very first signing key may sign at once, because no client has cached an older key set.
async fn make_first_key(app: &App, now: Timestamp) -> Result<(), Failure> {
    // Two nodes may start at once on one database: the one that loses finds the other's key.
    if app.store.list_keys().await?.iter().all(|row| row.revoked_at.is_some()) {
        let algorithm = app.config.load().keys.signing_algorithm;
        let first = keys::new_key(algorithm, now, now, &app.secrets, app.entropy.as_ref())?;
        let event = Event::Key(KeyEvent { act: KeyAct::First, kid: Some(first.kid.clone()), changed: None });
        let told = Told::of_server(now, Outcome::Granted, event);
        record::control(app, Control::AddFirstKey(Box::new(first)), told).await?;
    }
    app.refresh_keys().await
}

/// Has a configuration take effect in the records: whatever names a party that it lacks is dead from now on, and what
/// an earlier configuration of this process still decides is decided again.
pub(super) async fn take_effect(app: &App, config: &Config, now: Timestamp) -> Result<(), Failure> {
    let event = Event::Configuration(ConfigurationEvent::default());
    let told = Told::of_server(now, Outcome::Granted, event);
    let control =
        Control::TakeEffect { generation: config.generation, parties: stops::configured(&config.registry) };
    record::control(app, control, told).await.map(drop)
}
