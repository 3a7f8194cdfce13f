//! `deputy clock …`

use clap::Subcommand;
use reqwest::Method;
use serde_json::json;

use super::admin::call;
use super::{CliError, ConfigArg, Output};
use crate::server::{Surroundings, clock};

/// The verbs about time.
#[derive(Debug, Subcommand)]
pub enum Clock {
    /// Forget the highest time recorded, after a clock that ran ahead was set right; audited
    #[command(after_help = "Example: deputy clock reset --config deputy.toml")]
    Reset(ConfigArg),
}

impl Clock {
    /// Calls the server; without one, which would not start, does it in the database.
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        let Self::Reset(config) = self;
        let config = config.load()?;
        match call(&config, Method::POST, "/clock/reset", None).await {
            Ok(answer) => output.object(&answer, &[]),
            Err(CliError::Unreachable(_)) => {
                clock::reset_offline(&config, &Surroundings::system())
                    .await
                    .map_err(|error| CliError::Failed(error.to_string()))?;
                output.object(&json!({"changed": true}), &[]);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
