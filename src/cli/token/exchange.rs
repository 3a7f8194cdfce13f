//! `deputy token exchange`

use std::path::PathBuf;

use clap::Args;
use secrecy::ExposeSecret as _;

use super::super::output::printable;
use super::{Caller, CliError, Output, ProofKey, Wanted, read_token};
use crate::sdk;

/// What is exchanged, and for what.
#[derive(Debug, Args)]
#[command(after_help = "\
Prints the new token alone on standard output, without a line end unless that is a terminal, and \
what it is on standard error; all of it with --json.

Example: deputy token exchange --issuer https://deputy.example --client-id assistant \\
             --client-key-file assistant.pem --subject-token-file id-token.jwt \\
             --audience https://deputy.example --scope 'tickets:search tickets:book'")]
pub struct Exchange {
    #[command(flatten)]
    caller: Caller,
    /// File that holds the subject token; `-` is standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    subject_token_file: PathBuf,
    /// What the subject token is: `id_token`, `access_token`, `jwt`, or a URN
    #[arg(long, value_name = "TYPE", default_value = "id_token")]
    subject_token_type: String,
    /// File that holds the actor token, a JWT of a workload issuer
    #[arg(long, value_name = "FILE")]
    actor_token_file: Option<PathBuf>,
    #[command(flatten)]
    proof_key: ProofKey,
    #[command(flatten)]
    wanted: Wanted,
    /// The task to join, with a token of the identity provider only
    #[arg(long, value_name = "ID")]
    task: Option<String>,
}

const TYPES: &str = "urn:ietf:params:oauth:token-type:";

impl Exchange {
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        let kind = match self.subject_token_type.as_str() {
            short @ ("id_token" | "access_token" | "jwt") => format!("{TYPES}{short}"),
            other => other.to_owned(),
        };
        let subject_token = read_token(&self.subject_token_file)?;
        let actor_token = self.actor_token_file.as_deref().map(read_token).transpose()?;
        let mut request = self.wanted.in_request(sdk::Exchange::of(subject_token.expose_secret(), &kind));
        if let Some(token) = &actor_token {
            request = request.actor(token.expose_secret());
        }
        if let Some(task) = &self.task {
            request = request.with("task", task);
        }
        let (http, client) = self.caller.connect().await?;
        let client = self.proof_key.prove(client)?;
        let answer = client.exchange(&http, &request).await;
        let answer = answer.map_err(|error| self.caller.failed(&error))?;
        show(&answer, output);
        Ok(())
    }
}

/// Prints what was issued: the token alone on standard output, and what it is on standard error.
pub(super) fn show(issued: &sdk::Issued, output: &mut Output) {
    if output.is_json() {
        output.json(&issued.body);
        return;
    }
    output.token(&issued.access_token);
    for name in ["token_type", "issued_token_type", "scope", "expires_in", "task", "act"] {
        if let Some(value) = issued.body.get(name) {
            output.note(format!("{name}: {}", printable(value.to_string().trim_matches('"'))));
        }
    }
}
