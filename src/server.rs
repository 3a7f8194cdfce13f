//! `deputy serve`: the app behind its listeners, what it does on the side, and how it stops.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::app::{App, StartError, Surroundings};
use crate::audit::Outcome;
use crate::config::Config;
pub mod listeners;

use self::listeners::{Running, ServeError};
use crate::policy::{PolicyError, ReloadOutcome};

/// How often what was counted is written and other nodes' keys are read: within the 10 s of design.md 8.
const TIDY_EVERY: Duration = Duration::from_secs(1);
/// How often tasks whose time is up are ended on record.
const SWEEP_EVERY: Duration = Duration::from_secs(15);

/// Why serving did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The app.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The listeners.
    #[error(transparent)]
    Listen(#[from] ServeError),
    /// Signals cannot be heard.
    #[error("signals: {0}")]
    Signals(std::io::Error),
}

/// A running Deputy.
pub struct Server {
    /// The app.
    pub app: Arc<App>,
    /// Its listeners.
    pub running: Running,
    stopping: watch::Sender<bool>,
    side: Vec<tokio::task::JoinHandle<()>>,
}

impl Server {
    /// Starts everything.
    ///
    /// # Errors
    /// [`ServerError`].
    pub async fn start(config: Config, surroundings: Surroundings) -> Result<Self, ServerError> {
        let app = App::start(config, surroundings).await?;
        let running = listeners::start(&app, &app.config.load())?;
        let (stopping, stopped) = watch::channel(false);
        let side =
            vec![
                tokio::spawn(every(TIDY_EVERY, app.clone(), stopped.clone(), |app| async move {
                    app.tidy().await
                })),
                tokio::spawn(every(SWEEP_EVERY, app.clone(), stopped.clone(), |app| async move {
                    app.sweep().await
                })),
                tokio::spawn(watch_policy(app.clone(), stopped)),
            ];
        Ok(Self { app, running, stopping, side })
    }

    /// Stops listening, answers what is under way, writes what waits.
    ///
    /// # Errors
    /// The store could not be closed in order; everything acknowledged is durable all the same.
    pub async fn stop(self) -> Result<(), ServerError> {
        self.running.stop().await;
        // Nobody listening is no fault.
        let _ = self.stopping.send(true);
        for task in self.side {
            let _ = task.await;
        }
        if let Err(failure) = self.app.tidy().await {
            tracing::warn!(error = %failure, "what was counted could not be written before the stop");
        }
        self.app.store.close().await.map_err(StartError::from)?;
        Ok(())
    }
}

async fn every<F, W>(period: Duration, app: Arc<App>, mut stopped: watch::Receiver<bool>, work: W)
where
    W: Fn(Arc<App>) -> F,
    F: Future<Output = Result<(), crate::app::Failure>>,
{
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                if let Err(failure) = work(app.clone()).await {
                    tracing::warn!(error = %failure, "side work failed; it is tried again");
                }
            }
            _ = stopped.changed() => return,
        }
    }
}

/// Reloads the policy set when its files change; one that is refused leaves the old one in force and says so.
async fn watch_policy(app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    let policy = app.policy.clone();
    let shutdown = async move {
        // A sender that is gone stops the watch too.
        let _ = stopped.changed().await;
    };
    policy.watch(shutdown, move |outcome| tell_policy(app.clone(), outcome)).await;
}

async fn tell_policy(app: Arc<App>, outcome: Result<ReloadOutcome, PolicyError>) {
    let outcome = match outcome {
        Ok(_) => {
            app.metrics.policy_stale.set(0);
            let set = app.policy.current();
            tracing::info!(policy.set = %set.short_hash(), "policy files changed; the new set is in force");
            Outcome::Granted
        }
        Err(error) => {
            app.metrics.policy_stale.set(1);
            tracing::error!(%error, "policy files refused; the old set stays in force");
            Outcome::Refused { cause: "policy_refused".into(), reason: "policy_refused".into() }
        }
    };
    if let Err(failure) = app.note_policy(app.clock.now(), outcome).await {
        tracing::warn!(error = %failure, "what became of the policy files could not be recorded");
    }
}

/// Serves until SIGTERM or SIGINT; SIGHUP reloads the configuration file by `load`, all or nothing.
///
/// # Errors
/// [`ServerError`]: it did not start, or did not stop in order.
pub async fn serve<L>(config: Config, load: L, path: &Path) -> Result<(), ServerError>
where
    L: Fn(&Path) -> Result<Config, String>,
{
    let mut term = signal(SignalKind::terminate()).map_err(ServerError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServerError::Signals)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(ServerError::Signals)?;
    if config.tls.is_none() {
        tracing::warn!("serving plain HTTP: issuer and listener are literal loopback; never do so elsewhere");
    }
    let server = Server::start(config, Surroundings::system()).await?;
    tracing::info!(
        issuer = %server.app.config.load().issuer,
        listen.public = %server.running.public,
        listen.management = %server.running.management,
        "deputy serves"
    );
    loop {
        tokio::select! {
            _ = term.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => {
                let reloaded = match load(path) {
                    Ok(config) => server.app.reload(config).await.map_err(|error| error.to_string()),
                    Err(error) => Err(error),
                };
                match reloaded {
                    Ok(()) => tracing::info!("configuration reloaded"),
                    Err(error) => tracing::error!(%error, "configuration refused; the old one stays in force"),
                }
            }
        }
    }
    tracing::info!("stopping");
    server.stop().await
}
