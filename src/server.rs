//! A running server: its parts, its listeners and its background work, from the start to the stop.

pub mod background;
pub mod census;
pub mod clock;
mod gate;
pub mod listeners;
mod mutual_tls;
mod readiness;
pub mod record;
pub mod reload;
pub mod socket;
mod start;
mod tcp;

use std::path::Path;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::app::App;
use crate::audit::ProcessAct;
use crate::config::Config;
use listeners::{Running, ServeError};
pub use start::{StartError, Surroundings};

/// Why serving did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Listen(#[from] ServeError),
    /// A part that runs until the stop has ended before it: the process ends, rather than go on without it.
    #[error("{0} has ended; without it nothing can be relied on")]
    Ended(&'static str),
    /// Signals cannot be heard.
    #[error("signals: {0}")]
    Signals(std::io::Error),
}

/// A running Deputy.
pub struct Server {
    pub app: Arc<App>,
    pub running: Running,
    stopping: watch::Sender<bool>,
    side: Vec<background::Part>,
}

impl Server {
    /// Starts everything.
    pub async fn start(config: Config, surroundings: Surroundings) -> Result<Self, ServerError> {
        // Before anything is opened or recorded.
        socket::check(&config.admin_socket()).map_err(ServeError::from)?;
        let app = start::start(config, surroundings).await?;
        record::process(&app, ProcessAct::Start, None).await.map_err(StartError::from)?;
        // Quotas are judged by this count, so it is there before the first request is.
        census::count_live(&app).await.map_err(StartError::from)?;
        let running = listeners::start(&app, &app.config.load())?;
        let (stopping, stopped) = watch::channel(false);
        let side = background::start(&app, &stopped);
        Ok(Self { app, running, stopping, side })
    }

    /// The name of a part that has ended. While all run, this waits.
    async fn ended(&mut self) -> &'static str {
        let side = futures_util::future::select_all(self.side.iter_mut().map(|(name, task)| {
            Box::pin(async move {
                // A panic ends it as much as a return does.
                let _ = task.await;
                *name
            })
        }));
        tokio::select! {
            (name, _, _) = side => name,
            () = self.running.ended() => "a listener",
            () = self.app.store.ended() => "the writer",
        }
    }

    /// Stops listening, answers what is under way, writes what waits.
    ///
    /// # Errors
    /// The store could not be closed in order; everything acknowledged is durable all the same.
    pub async fn stop(self) -> Result<(), ServerError> {
        self.running.stop().await;
        // Nobody listening is no fault.
        let _ = self.stopping.send(true);
        for (_, task) in self.side {
            let _ = task.await;
        }
        if let Err(failure) = background::tidy(&self.app).await {
            tracing::warn!(error = %failure, "what was counted could not be written before the stop");
        }
        if let Err(failure) = record::process(&self.app, ProcessAct::Stop, None).await {
            tracing::warn!(error = %failure, "the stop could not be recorded");
        }
        self.app.store.close().await.map_err(StartError::from)?;
        Ok(())
    }
}

/// Says in the log and in the audit what became of another configuration.
async fn tell_reload(app: &App, reloaded: Result<(), String>) {
    app.metrics.configuration_stale.set(reloaded.is_err().into());
    match &reloaded {
        Ok(()) => tracing::info!("configuration reloaded"),
        Err(error) => tracing::error!(%error, "configuration refused; the old one stays in force"),
    }
    let fault = reloaded.err();
    if let Err(failure) = record::process(app, ProcessAct::Reload, fault.as_deref()).await {
        tracing::warn!(error = %failure, "what became of the configuration could not be recorded");
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
        tracing::warn!("serving plain HTTP: issuer and listener are on loopback; never do so elsewhere");
    }
    let mut server = Server::start(config, Surroundings::system()).await?;
    tracing::info!(
        issuer = %server.app.config.load().issuer,
        listen.public = %server.running.public,
        listen.management = %server.running.management,
        listen.mtls = server.running.mtls.map(tracing::field::display),
        "deputy serves"
    );
    loop {
        tokio::select! {
            _ = term.recv() => break,
            _ = interrupt.recv() => break,
            ended = server.ended() => return Err(ServerError::Ended(ended)),
            _ = hangup.recv() => {
                let reloaded = match load(path) {
                    Ok(config) => reload::reload(&server.app, config).await.map_err(|error| error.to_string()),
                    Err(error) => Err(error),
                };
                tell_reload(&server.app, reloaded).await;
            }
        }
    }
    tracing::info!("stopping");
    server.stop().await
}
