//! `deputy token revoke`

use clap::Args;
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::{Caller, CliError, Output, ProofKey, TokenFile};

/// Which token.
#[derive(Debug, Args)]
#[command(after_help = "\
A task token revoked by the agent that began the task ends the task; by an agent that another brought in, \
it ends what that agent had. A handover is revoked by its giver. A token that is not the client's \
is left alone, and the server does not say so (RFC 7009 §2.2).

Example: deputy token revoke --issuer https://deputy.example --client-id assistant \\
             --client-key-file assistant.pem --token-file token.jwt")]
pub struct Revoke {
    #[command(flatten)]
    caller: Caller,
    #[command(flatten)]
    proof_key: ProofKey,
    #[command(flatten)]
    token: TokenFile,
}

impl Revoke {
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        let token = self.token.read()?;
        let (http, client) = self.caller.connect().await?;
        let client = self.proof_key.prove(client)?;
        let answer = client.revoke(&http, token.expose_secret()).await;
        answer.map_err(|error| self.caller.failed(&error))?;
        if output.is_json() {
            output.json(&json!({"revoked": true}));
        } else {
            output.line("revoked: neither it nor anything exchanged from it is good any more, if it was this client's");
        }
        Ok(())
    }
}
