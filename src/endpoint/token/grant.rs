//! Which grant a request asks for, whether the client may use it, and its parameters. It needs no server.

use crate::client_auth::{AuthenticatedClient, PlatformWay};
use crate::config::Config;
use crate::decision::Check;
use crate::oauth::exchange::Reading;
use crate::oauth::{Cause, GrantType, Params, Plain, TokenRequest};
use crate::verification::Presented;

/// Reads the request of an authenticated client (RFC 6749 §4.5, §5.2), which presents `subject`.
///
/// # Errors
/// The first check that fails, with its cause: the grant is not served, the client is not registered for it, or
/// a parameter is missing or malformed.
pub fn read(
    client: &AuthenticatedClient,
    params: &Params,
    subject: &Presented<'_>,
    config: &Config,
) -> Result<TokenRequest, (Check, Cause)> {
    let grant = GrantType::of(params).map_err(|cause| (Check::Grant, cause.into()))?;
    if !may_use(client, grant) {
        return Err((Check::GrantAllowed, Plain::GrantNotRegistered.into()));
    }
    let reading = Reading {
        issuer: &config.issuer,
        claimed_issuer: subject.claimed_issuer(),
        target_of: &|resource| config.registry.target_of_resource(resource).cloned(),
        default_scope: &|target| config.registry.default_scope(client.client(), target).cloned(),
    };
    TokenRequest::parse(grant, params, reading).map_err(|cause| (Check::Parameters, cause))
}

/// Whether the client may use this grant. In the jwt-bearer grant no client is asked for, and the class of the agent
/// decides.
fn may_use(client: &AuthenticatedClient, grant: GrantType) -> bool {
    match client.platform() {
        Some(credential) if credential.way() == PlatformWay::Grant => {
            let class = credential.credential().class();
            class.agent_tokens || class.begins_tasks
        }
        _ => client.client().may_use(grant),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::registry::ClientAuthentication;
    use crate::verification::fixtures;

    const GOOD: &str = "subject_token=a.b.c&subject_token_type=urn:ietf:params:oauth:token-type:id_token\
                        &audience=b&scope=a";

    fn read_as(grants: BTreeSet<GrantType>, form: &str) -> Result<TokenRequest, (Check, Plain)> {
        let mut client = fixtures::client("assistant", ClientAuthentication::ClientSecretBasic(Vec::new()));
        client.grants = grants;
        let params = Params::parse(form.as_bytes()).unwrap();
        let subject = Presented::read("a.b.c");
        let config = fixtures::config(Path::new("/nowhere"));
        let client = AuthenticatedClient::for_tests(Arc::new(client), Vec::new());
        read(&client, &params, &subject, &config).map_err(|(check, cause)| match cause {
            Cause::Plain(plain) => (check, plain),
            other => panic!("{other:?}"),
        })
    }

    fn all() -> BTreeSet<GrantType> {
        GrantType::ALL.iter().copied().collect()
    }

    fn exchange(rest: &str) -> String {
        format!("grant_type={}&{rest}", GrantType::TokenExchange.word())
    }

    #[test]
    fn a_request_of_a_registered_grant_is_parsed() {
        let request = read_as(all(), &exchange(GOOD)).unwrap();
        assert!(
            matches!(request, TokenRequest::Exchange(request) if request.scope.words().to_string() == "a")
        );
    }

    #[test]
    fn the_grant_comes_before_the_registration_and_the_registration_before_the_parameters() {
        let none = BTreeSet::new;
        let failed = |grants, form: &str| read_as(grants, form).unwrap_err();
        assert_eq!(failed(none(), ""), (Check::Grant, Plain::GrantTypeMissing));
        assert_eq!(failed(none(), "grant_type=password"), (Check::Grant, Plain::GrantTypeUnsupported));
        assert_eq!(failed(none(), &exchange("")), (Check::GrantAllowed, Plain::GrantNotRegistered));
        assert_eq!(failed(all(), &exchange("")), (Check::Parameters, Plain::SubjectTokenMissing));
    }

    #[test]
    fn a_client_may_use_only_the_grants_that_it_holds() {
        for grant in GrantType::ALL {
            let others = all().into_iter().filter(|other| other != grant).collect();
            let form = format!("grant_type={}&{GOOD}", grant.word());
            assert_eq!(read_as(others, &form).unwrap_err(), (Check::GrantAllowed, Plain::GrantNotRegistered));
        }
    }
}
