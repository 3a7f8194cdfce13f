//! `deputy clock …`

use clap::Subcommand;
use reqwest::Method;

use super::admin::call;
use super::{CliError, ConfigArg, Output};

/// The verbs about time.
#[derive(Debug, Subcommand)]
pub enum Clock {
    /// Forget the highest time recorded, after a clock that ran ahead was set right; audited
    #[command(after_help = "Example: deputy clock reset --config deputy.toml")]
    Reset(ConfigArg),
}

impl Clock {
    /// Calls the server and prints what it says.
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        let Self::Reset(config) = self;
        output.object(&call(&config.load()?, Method::POST, "/clock/reset", None).await?, &[]);
        Ok(())
    }
}
