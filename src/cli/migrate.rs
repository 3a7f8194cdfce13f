//! `deputy migrate`

use clap::Args;
use serde_json::json;

use super::{CliError, ConfigArg, Output};
use crate::base::entropy::SystemEntropy;
use crate::keys::NodeSecrets;
use crate::store::{Opening, Store};

/// Of which configuration.
#[derive(Debug, Args)]
#[command(after_help = "\
`deputy serve` does this too; run it first where several nodes start at once.

Example: deputy migrate --config deputy.toml")]
pub struct Migrate {
    #[command(flatten)]
    config: ConfigArg,
}

impl Migrate {
    /// Opens the database as the server does, and closes it.
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        let config = self.config.load()?;
        let failed = |error: &dyn std::fmt::Display| CliError::Failed(error.to_string());
        let secrets = NodeSecrets::load(&config.keys.master_key_file).map_err(|error| failed(&error))?;
        let opening = Opening { config: &config, secrets: &secrets, entropy: &SystemEntropy::default() };
        let store = Store::open(opening).await.map_err(|error| failed(&error))?;
        store.close().await.map_err(|error| failed(&error))?;
        if output.is_json() {
            output.json(&json!({"migrated": true}));
        } else {
            output.line("the database's schema is up to date");
        }
        Ok(())
    }
}
