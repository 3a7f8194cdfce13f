//! `deputy key …`

mod make;

use clap::{Args, Subcommand};
use reqwest::Method;

use super::admin::{call, segment};
use super::{CliError, ConfigArg, Output};

/// The verbs about keys. Those about Deputy's own need the running server.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// List signing keys and their states
    #[command(after_help = "Example: deputy key list")]
    List(ConfigArg),
    /// Publish a new key now, which signs once every cache knows it
    #[command(after_help = "Example: deputy key rotate")]
    Rotate(ConfigArg),
    /// Distrust a key at once, with every token it signed
    #[command(after_help = "Example: deputy key revoke kX3pQ9vB7mN2")]
    Revoke(Revoke),
    /// Forget the keys that were fetched from identity providers, workload issuers and clients
    #[command(
        after_help = "Example: deputy key refresh\n\nNo key is trusted until its source has been asked again."
    )]
    Refresh(ConfigArg),
    /// Make a key pair or a secret for a client; needs no server
    Make(make::Make),
}

/// Which key.
#[derive(Debug, Args)]
pub struct Revoke {
    /// Its `kid`
    // One in 64 begins with a hyphen.
    #[arg(allow_hyphen_values = true)]
    kid: String,
    #[command(flatten)]
    config: ConfigArg,
}

impl Key {
    /// Calls the server and prints what it says.
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        const FIRST: [&str; 4] = ["kid", "algorithm", "state", "active_from"];
        match self {
            Self::List(config) => {
                output.rows(&call(&config.load()?, Method::GET, "/keys", None).await?, &FIRST);
            }
            Self::Rotate(config) => {
                output.rows(&call(&config.load()?, Method::POST, "/keys/rotate", None).await?, &FIRST);
            }
            Self::Revoke(revoke) => {
                let path = format!("/keys/{}/revoke", segment(&revoke.kid));
                output.rows(&call(&revoke.config.load()?, Method::POST, &path, None).await?, &FIRST);
            }
            Self::Refresh(config) => {
                let answer = call(&config.load()?, Method::POST, "/keys/refresh", None).await?;
                output.object(&answer, &["refreshed"]);
            }
            Self::Make(make) => make.run(output)?,
        }
        Ok(())
    }
}
