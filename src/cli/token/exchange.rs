//! `deputy token exchange`

use std::path::PathBuf;

use clap::Args;
use secrecy::SecretString;
use serde_json::Value;

use super::super::output::printable;
use super::endpoint::{Endpoint, Form, post};
use super::{Caller, CliError, Output, read_token};
use crate::oauth::GrantType;

/// What is exchanged, and for what.
#[derive(Debug, Args)]
#[command(after_help = "\
Prints the new token alone on standard output, and what it is on standard error; all of it with --json.

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
    /// The target by name; the issuer itself asks for a task token
    #[arg(long, value_name = "NAME", required_unless_present = "resource")]
    audience: Vec<String>,
    /// The target by URI
    #[arg(long, value_name = "URI")]
    resource: Vec<String>,
    /// Scopes, separated by spaces
    #[arg(long)]
    scope: String,
    /// The task to join, with an ID token only
    #[arg(long, value_name = "ID")]
    task: Option<String>,
    /// Why, when a task begins; for policy and the audit log
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
}

const TYPES: &str = "urn:ietf:params:oauth:token-type:";

impl Exchange {
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        let kind = match self.subject_token_type.as_str() {
            short @ ("id_token" | "access_token" | "jwt") => format!("{TYPES}{short}"),
            other => other.to_owned(),
        };
        let mut form: Form<'_> = vec![
            ("grant_type", SecretString::from(GrantType::TokenExchange.word())),
            ("subject_token", read_token(&self.subject_token_file)?),
            ("subject_token_type", SecretString::from(kind)),
            ("scope", SecretString::from(self.scope.as_str())),
        ];
        if let Some(file) = &self.actor_token_file {
            form.push(("actor_token", read_token(file)?));
            form.push(("actor_token_type", SecretString::from(format!("{TYPES}jwt"))));
        }
        let named = self.audience.iter().map(|value| ("audience", value));
        let named = named.chain(self.resource.iter().map(|value| ("resource", value)));
        let named = named.chain(self.task.iter().map(|value| ("task", value)));
        let named = named.chain(self.purpose.iter().map(|value| ("purpose", value)));
        form.extend(named.map(|(name, value)| (name, SecretString::from(value.as_str()))));
        let answer = post(&self.caller, Endpoint::Token, form).await?;
        if output.is_json() {
            output.json(&answer);
            return Ok(());
        }
        let Some(token) = answer.get("access_token").and_then(Value::as_str) else {
            return Err(CliError::Failed("the answer holds no `access_token`".to_owned()));
        };
        output.line(printable(token));
        for name in ["token_type", "issued_token_type", "scope", "expires_in", "task"] {
            if let Some(value) = answer.get(name) {
                output.note(format!("{name}: {}", printable(value.to_string().trim_matches('"'))));
            }
        }
        Ok(())
    }
}
