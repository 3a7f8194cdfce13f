//! `deputy token introspect`

use clap::Args;
use secrecy::ExposeSecret as _;

use super::{Caller, CliError, Output, TokenFile};

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
        let token = self.token.read()?;
        let (http, client) = self.caller.connect().await?;
        let answer = client.introspect(&http, token.expose_secret()).await;
        let answer = answer.map_err(|error| self.caller.failed(&error))?;
        output.object(&answer.body, &["active", "sub", "act", "scope", "aud", "client_id", "exp"]);
        Ok(())
    }
}
