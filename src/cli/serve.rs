//! `deputy serve`

mod log;
mod settings;

use std::path::Path;

use clap::Args;
use tracing_subscriber::EnvFilter;

use super::{CliError, ConfigArg};
use crate::server::ServerError;
use log::Log;
use settings::Settings;

/// Runs the server with a configuration.
#[derive(Debug, Args)]
#[command(after_help = "\
SIGHUP reloads the configuration, all or nothing; SIGTERM stops in order.

The log goes to standard error. DEPUTY_LOG sets what is logged: off, error, warn, info (the default), debug or trace, \
and target=level for a part, separated by commas. DEPUTY_LOG_FORMAT is text (the default) or json, as with --json.

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

/// Logs to standard error, as the variables and `--json` say.
fn start_log(is_json: bool) -> Result<Log, CliError> {
    let Settings { filter, is_json } = Settings::read(is_json).map_err(CliError::Usage)?;
    let failed = |error: String| CliError::Failed(format!("logging: {error}"));
    let filter = EnvFilter::try_new(filter).map_err(|error| failed(error.to_string()))?;
    Log::start(filter, is_json).map_err(failed)
}
