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
use crate::oauth::{Jti, OpaqueToken};
use crate::sdk::Decoded;

/// Which token.
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is verified: neither signature nor time nor whether it was revoked. Ask `deputy token introspect`. \
Of an opaque token only its `jti` is shown, by which `deputy audit trace --jti` finds its rows. \
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
const OPAQUE: &str = "not verified: an opaque token only refers to a record of Deputy; `deputy token introspect` asks for its claims";

/// What a token shows without the server.
enum Shown {
    Jwt(Decoded),
    Opaque(Jti),
}

impl Shown {
    fn read(token: &str) -> Option<Self> {
        let opaque = OpaqueToken::parse(token).map(|token| Self::Opaque(token.jti()));
        opaque.or_else(|| Decoded::read(token).map(Self::Jwt))
    }
}

impl Inspect {
    pub(super) fn run(&self, output: &mut Output) -> Result<(), CliError> {
        let token = self.token.read()?;
        let token = token.expose_secret().trim();
        let shown = Shown::read(token).ok_or_else(|| {
            let text = "that is no signed JWT in compact form (RFC 7519), and no opaque token of Deputy (`dpt_at_…`)";
            CliError::Failed(text.to_owned())
        })?;
        let config = self.config.as_deref().map(|file| Config::load(file, environment())).transpose();
        let config = config.map_err(|error| CliError::Failed(error.to_string()))?;
        let taken = Taken::read(token, config.as_ref());
        if output.is_json() {
            let mut object = json!({"verified": false, "taken": taken.to_json()});
            match shown {
                Shown::Jwt(Decoded { header, claims }) => {
                    object["header"] = header;
                    object["claims"] = claims;
                }
                Shown::Opaque(jti) => object["jti"] = json!(jti),
            }
            output.json(&object);
            return Ok(());
        }
        match shown {
            Shown::Jwt(Decoded { header, claims }) => {
                output.note(NOT_VERIFIED);
                members(output, "header", &header);
                members(output, "claims", &claims);
            }
            Shown::Opaque(jti) => {
                output.note(OPAQUE);
                output.line(format!("jti          {jti}"));
            }
        }
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
