//! `deputy token introspect`

use clap::Args;

use super::endpoint::{Endpoint, post};
use super::{Caller, CliError, Output, TokenFile};

/// Which token.
#[derive(Debug, Args)]
#[command(after_help = "\
Ends with 0 whether the token is active or not: the answer says which.

Example: deputy token introspect --issuer https://deputy.example --client-id tickets-api \\
             --client-key-file tickets-api.pem --token-file token.jwt")]
pub struct Introspect {
    #[command(flatten)]
    caller: Caller,
    #[command(flatten)]
    token: TokenFile,
}

impl Introspect {
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        let form = vec![("token", self.token.read()?)];
        let answer = post(&self.caller, Endpoint::Introspection, form).await?;
        if !answer.get("active").is_some_and(serde_json::Value::is_boolean) {
            return Err(CliError::Failed("the answer does not say whether the token is active".to_owned()));
        }
        output.object(&answer, &["active", "sub", "act", "scope", "aud", "client_id", "exp"]);
        Ok(())
    }
}
