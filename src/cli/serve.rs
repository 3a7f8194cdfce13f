//! `deputy serve`

use std::io::IsTerminal as _;
use std::path::Path;

use clap::Args;
use tracing_subscriber::EnvFilter;

use super::{CliError, ConfigArg};

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
        log(is_json)?;
        let reload = |path: &Path| super::load(path).map_err(|error| error.to_string());
        crate::server::serve(config, reload, &self.config.config)
            .await
            .map_err(|error| CliError::Failed(error.to_string()))
    }
}

/// Logs to standard error: `info` and above of Deputy, unless DEPUTY_LOG says otherwise.
fn log(is_json: bool) -> Result<(), CliError> {
    let filter = match std::env::var("DEPUTY_LOG") {
        Ok(filter) => EnvFilter::try_new(&filter)
            .map_err(|error| CliError::Usage(format!("DEPUTY_LOG: {error}; write for example `info`")))?,
        Err(_) => EnvFilter::new("warn,deputy=info"),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let set = if is_json { builder.json().try_init() } else { builder.try_init() };
    set.map_err(|error| CliError::Failed(format!("logging: {error}")))
}
