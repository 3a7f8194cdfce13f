//! `deputy subject …`

use clap::{Args, Subcommand};
use reqwest::Method;

use super::admin::{call, segment};
use super::{CliError, ConfigArg, Output};

/// The verbs about users. All need the running server.
#[derive(Debug, Subcommand)]
pub enum Subject {
    /// Say who a user of the audit rows is at the provider, or which reference a user has; with live tasks and stops
    #[command(after_help = "\
Examples: deputy subject show 019f5b1e-7a10-7c3e-8a52-0d6a4f2b9c11
          deputy subject show 'https://login.example|ada'")]
    Show(Show),
}

/// Which user.
#[derive(Debug, Args)]
pub struct Show {
    /// The reference, `subject` in the audit rows, or `ISSUER|ID` by `sub` at the identity provider
    #[arg(value_name = "REFERENCE|ISSUER|ID")]
    user: String,
    #[command(flatten)]
    config: ConfigArg,
}

impl Subject {
    /// Calls the server and prints what it says.
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        let Self::Show(show) = self;
        let path = format!("/subjects?name={}", segment(&show.user));
        let answer = call(&show.config.load()?, Method::GET, &path, None).await?;
        output.object(&answer, &["subject", "issuer", "id", "live_tasks", "is_stopped", "logins_after"]);
        Ok(())
    }
}
