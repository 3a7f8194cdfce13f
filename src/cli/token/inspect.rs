//! `deputy token inspect`

use std::path::PathBuf;

use clap::Args;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::super::environment;
use super::super::output::printable;
use super::kind::Taken;
use super::{CliError, Output, TokenFile};
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::sdk::Decoded;

/// Which token.
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is verified: neither signature nor time nor whether it was revoked. Ask `deputy token introspect`. \
It also says which kind of subject token it would be taken for, and which word or claim decides that. With \
--config, it says which provider and which entry of that file it would match; nothing is fetched.

Example: deputy token inspect --token-file token.jwt --config deputy.toml")]
pub struct Inspect {
    #[command(flatten)]
    token: TokenFile,
    /// Configuration whose entries are compared with the token
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

const NOT_VERIFIED: &str = "decoded, not verified: anybody could have written this";

impl Inspect {
    pub(super) fn run(&self, output: &mut Output) -> Result<(), CliError> {
        let token = self.token.read()?;
        let Decoded { header, claims } = Decoded::read(token.expose_secret())
            .ok_or_else(|| CliError::Failed("that is no signed JWT in compact form (RFC 7519)".to_owned()))?;
        let config = self.config.as_deref().map(|file| Config::load(file, environment())).transpose();
        let config = config.map_err(|error| CliError::Failed(error.to_string()))?;
        let taken = Taken::read(token.expose_secret().trim(), config.as_ref());
        if output.is_json() {
            let taken = taken.to_json();
            output.json(&json!({"verified": false, "header": header, "claims": claims, "taken": taken}));
            return Ok(());
        }
        output.note(NOT_VERIFIED);
        members(output, "header", &header);
        members(output, "claims", &claims);
        output.line("taken for");
        output.line(format!("  {:10} {}", "kind", taken.kind.unwrap_or("no subject token")));
        output.line(format!("  {:10} {}", "because", printable(&taken.because)));
        if let Some(matches) = &taken.matches {
            output.line(format!("  {:10} {}", "matches", printable(matches)));
        }
        Ok(())
    }
}

fn members(output: &mut Output, title: &str, object: &Value) {
    output.line(title);
    for (name, value) in object.as_object().into_iter().flatten() {
        let text = match (name.as_str(), value) {
            ("act", _) => actors(value),
            ("iat" | "exp" | "nbf" | "auth_time", Value::Number(at)) => match at.as_i64() {
                Some(seconds) => format!("{at}  {}", Timestamp::from_seconds(seconds)),
                None => at.to_string(),
            },
            (_, Value::String(text)) => text.clone(),
            (_, other) => other.to_string(),
        };
        output.line(format!("  {:10} {}", printable(name), printable(&text)));
    }
}

/// The chain of actors, the newest first (RFC 8693 §4.1).
fn actors(act: &Value) -> String {
    let mut names = Vec::new();
    let mut level = Some(act);
    while let Some(actor) = level {
        names.push(actor.get("sub").and_then(Value::as_str).unwrap_or("?").to_owned());
        level = actor.get("act");
    }
    names.join(" for ")
}
