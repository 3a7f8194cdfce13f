//! A running server: its parts, its listeners and its background work, from the start to the stop.

pub mod background;
pub mod clock;
pub mod listeners;
pub mod record;
pub mod reload;
mod start;

use std::path::Path;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::app::App;
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
    /// Signals cannot be heard.
    #[error("signals: {0}")]
    Signals(std::io::Error),
}

/// A running Deputy.
pub struct Server {
    pub app: Arc<App>,
    pub running: Running,
    stopping: watch::Sender<bool>,
    side: Vec<tokio::task::JoinHandle<()>>,
}

impl Server {
    /// Starts everything.
    pub async fn start(config: Config, surroundings: Surroundings) -> Result<Self, ServerError> {
        let app = start::start(config, surroundings).await?;
        let running = listeners::start(&app, &app.config.load())?;
        let (stopping, stopped) = watch::channel(false);
        let side = background::start(&app, &stopped);
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
        if let Err(failure) = background::tidy(&self.app).await {
            tracing::warn!(error = %failure, "what was counted could not be written before the stop");
        }
        self.app.store.close().await.map_err(StartError::from)?;
        Ok(())
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
                    Ok(config) => reload::reload(&server.app, config).await.map_err(|error| error.to_string()),
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
