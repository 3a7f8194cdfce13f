//! `deputy token handover`

use std::path::PathBuf;

use clap::Args;
use secrecy::ExposeSecret as _;

use super::exchange::show;
use super::{Caller, CliError, Output, ProofKey, read_token};
use crate::sdk;

/// What is handed over, and to whom.
#[derive(Debug, Args)]
#[command(after_help = "\
Prints the handover alone on standard output, without a line end unless that is a terminal, and what it \
is on standard error; all of it with --json. The other agent accepts it by its own credential:

  deputy token exchange --subject-token-type jwt --subject-token-file handover.jwt …

Example: deputy token handover --issuer https://deputy.example --client-id assistant \\
             --client-key-file assistant.pem --task-token-file task.jwt \\
             --to class:age-verification --scope age_over_18")]
pub struct Handover {
    #[command(flatten)]
    caller: Caller,
    /// File that holds the task token; `-` is standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    task_token_file: PathBuf,
    /// File that holds the actor token, a JWT of a workload issuer
    #[arg(long, value_name = "FILE")]
    actor_token_file: Option<PathBuf>,
    #[command(flatten)]
    proof_key: ProofKey,
    /// Who may accept: one agent, as `agent_…`, or any agent of a class, as `class:NAME`
    #[arg(long, value_name = "AGENT")]
    to: String,
    /// Thumbprint (RFC 7638) of the key that who accepts has to prove
    #[arg(long, value_name = "THUMBPRINT", allow_hyphen_values = true)]
    dpop_jkt: Option<String>,
    /// Scopes, separated by spaces
    #[arg(long)]
    scope: String,
}

impl Handover {
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        let task_token = read_token(&self.task_token_file)?;
        let actor_token = self.actor_token_file.as_deref().map(read_token).transpose()?;
        let (http, client) = self.caller.connect().await?;
        let client = self.proof_key.prove(client)?;
        let issuer = client.issuer().to_owned();
        let mut request = sdk::Exchange::of_access_token(task_token.expose_secret())
            .audience(&issuer)
            .hand_over_to(&self.to)
            .scope(&self.scope);
        if let Some(thumbprint) = &self.dpop_jkt {
            request = request.to_key(thumbprint);
        }
        if let Some(token) = &actor_token {
            request = request.actor(token.expose_secret());
        }
        let answer = client.exchange(&http, &request).await;
        show(&answer.map_err(|error| self.caller.failed(&error))?, output);
        Ok(())
    }
}
