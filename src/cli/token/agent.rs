//! `deputy token agent`

use clap::Args;

use super::super::output::Output;
use super::exchange::show;
use super::{Caller, CliError, ProofKey, Wanted};
use crate::sdk;

/// What an agent asks for itself.
#[derive(Debug, Args)]
#[command(after_help = "\
No user is behind the token: its `sub` is the agent, and it has no `act`. With the server's issuer as \
--audience the answer is the task token of a task of the agent's own, which `deputy token exchange` \
continues. Without --client-id, the credential of the platform is the assertion of the jwt-bearer \
grant; otherwise the grant is client_credentials. Prints the new token alone on standard output.

Example: deputy token agent --issuer https://deputy.example \\
             --platform-credential-file /var/run/secrets/deputy/token \\
             --audience https://reports.example --scope reports:read")]
pub struct Agent {
    #[command(flatten)]
    caller: Caller,
    #[command(flatten)]
    proof_key: ProofKey,
    #[command(flatten)]
    wanted: Wanted,
}

impl Agent {
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        let request = self.wanted.in_request(match self.caller.is_unnamed() {
            true => sdk::Exchange::of_agent(),
            false => sdk::Exchange::of_client(),
        });
        let (http, client) = self.caller.connect_for_itself().await?;
        let client = self.proof_key.prove(client)?;
        let answer = client.exchange(&http, &request).await.map_err(|error| self.caller.failed(&error))?;
        show(&answer, output);
        Ok(())
    }
}
