//! `deputy serve`

use clap::Args;

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
    pub(super) async fn run(self) -> Result<(), CliError> {
        let _ = self.config.load()?;
        Err(CliError::Failed("not composed yet".to_owned()))
    }
}
