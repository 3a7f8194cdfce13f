//! `deputy token assertion`

use clap::Args;
use serde_json::json;

use super::key::KeyFile;
use super::{CliError, Output};
use crate::base::entropy::SystemEntropy;
use crate::base::time::{Clock as _, SystemClock};
use crate::oauth::AssertionType;
use crate::sdk::{ASSERTION_SECONDS, sign_assertion};

/// Who asserts, and to whom.
#[derive(Debug, Args)]
#[command(after_help = "\
Prints the assertion alone on standard output, without a line end unless that is a terminal. It is \
good for one request within 60 seconds, which carries it as `client_assertion`. No server is asked.

Example: deputy token assertion --issuer https://deputy.example --client-id assistant \\
             --key assistant.pem > assertion
         curl https://deputy.example/revoke --data-urlencode token@token.jwt \\
             -d client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer \\
             --data-urlencode client_assertion@assertion")]
pub struct Assertion {
    /// The server's issuer, which becomes `aud`
    #[arg(long, value_name = "URL", env = "DEPUTY_ISSUER")]
    issuer: String,
    /// The client that authenticates, which becomes `iss` and `sub`
    #[arg(long, value_name = "ID", env = "DEPUTY_CLIENT_ID")]
    client_id: String,
    #[command(flatten)]
    key: KeyFile,
}

impl Assertion {
    pub(super) fn run(&self, output: &mut Output) -> Result<(), CliError> {
        let key = self.key.read()?.ok_or_else(|| {
            CliError::Usage(
                "name the client's private key with `--key FILE`; `deputy key make` makes one".to_owned(),
            )
        })?;
        let now = SystemClock.now();
        let assertion = sign_assertion(&key, &self.issuer, &self.client_id, now, &SystemEntropy::default())
            .map_err(|error| CliError::Failed(error.to_string()))?;
        if output.is_json() {
            output.json(&json!({
                "client_assertion": assertion,
                "client_assertion_type": AssertionType::Jwt,
                "expires_in": ASSERTION_SECONDS,
            }));
        } else {
            output.token(&assertion);
        }
        Ok(())
    }
}
