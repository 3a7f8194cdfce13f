//! What a new token is to be for.

use clap::Args;

use crate::sdk;

/// What is asked for, with whatever subject.
#[derive(Debug, Args)]
pub struct Wanted {
    /// The target by name; the issuer itself asks for a task token
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

impl Wanted {
    /// The request with what is asked for.
    pub(super) fn in_request<'a>(&'a self, request: sdk::Exchange<'a>) -> sdk::Exchange<'a> {
        let named = self.audience.iter().map(|value| ("audience", value));
        let named = named.chain(self.resource.iter().map(|value| ("resource", value)));
        let named = named.chain(self.scope.iter().map(|value| ("scope", value)));
        let named = named.chain(self.purpose.iter().map(|value| ("purpose", value)));
        named.fold(request, |request, (name, value)| request.with(name, value))
    }
}
