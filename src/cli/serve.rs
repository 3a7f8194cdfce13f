//! `deputy serve`

mod log;

use std::path::Path;

use clap::Args;
use tracing_subscriber::EnvFilter;

use super::{CliError, ConfigArg};
use crate::server::ServerError;
use log::Log;

/// With which configuration.
#[derive(Debug, Args)]
#[command(after_help = "\
SIGHUP reloads the configuration, all or nothing; SIGTERM stops in order. DEPUTY_LOG sets what is logged.

Example: deputy serve --config /etc/deputy/deputy.toml")]
pub struct Serve {
    #[command(flatten)]
    config: ConfigArg,
}

impl Serve {
    /// Serves until a signal.
    pub(super) async fn run(self, is_json: bool) -> Result<(), CliError> {
        let config = self.config.load()?;
        let log = start_log(is_json)?;
        let reload = |path: &Path| super::load(path).map_err(|error| error.to_string());
        let served = crate::server::serve(config, reload, &self.config.config).await;
        let served = served.map_err(|error| {
            if matches!(error, ServerError::Ended(_)) {
                // Standard error may be a pipe that nobody reads; the end does not wait for it.
                tracing::error!(%error, "deputy ends");
                return CliError::Reported;
            }
            CliError::Failed(error.to_string())
        });
        log.flush();
        served
    }
}

/// Logs to standard error: `info` and above of Deputy, unless DEPUTY_LOG says otherwise.
fn start_log(is_json: bool) -> Result<Log, CliError> {
    let filter = match std::env::var("DEPUTY_LOG") {
        Ok(filter) => EnvFilter::try_new(&filter)
            .map_err(|error| CliError::Usage(format!("DEPUTY_LOG: {error}; write for example `info`")))?,
        Err(_) => EnvFilter::new("warn,deputy=info"),
    };
    Log::start(filter, is_json).map_err(|error| CliError::Failed(format!("logging: {error}")))
}
