//! `deputy token agent`

use clap::Args;

use super::super::output::Output;
use super::exchange::show;
use super::{Caller, CliError, ProofKey};
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
    /// The target by name; the issuer itself begins a task
    #[arg(long, value_name = "NAME", required_unless_present = "resource")]
    audience: Vec<String>,
    /// The target by URI
    #[arg(long, value_name = "URI")]
    resource: Vec<String>,
    /// Scopes, separated by spaces; may be left out for a target that has default scopes
    #[arg(long)]
    scope: Option<String>,
    /// Why, when a task begins; for policy and the audit log
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
}

impl Agent {
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        let mut request = match self.caller.is_unnamed() {
            true => sdk::Exchange::of_agent(),
            false => sdk::Exchange::of_client(),
        };
        let named = self.audience.iter().map(|value| ("audience", value));
        let named = named.chain(self.resource.iter().map(|value| ("resource", value)));
        let named = named.chain(self.scope.iter().map(|value| ("scope", value)));
        let named = named.chain(self.purpose.iter().map(|value| ("purpose", value)));
        request = named.fold(request, |request, (name, value)| request.with(name, value));
        let (http, client) = self.caller.connect_for_itself().await?;
        let client = self.proof_key.prove(client)?;
        let answer = client.exchange(&http, &request).await.map_err(|error| self.caller.failed(&error))?;
        show(&answer, output);
        Ok(())
    }
}
