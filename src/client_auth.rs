//! Client authentication: a presented credential and a registered client become an authenticated client.

mod assertion;
mod authenticated;
mod certificate;
mod platform;
mod presented;
mod secret;

use std::sync::Arc;

use secrecy::ExposeSecret as _;

use crate::base::time::Timestamp;
use crate::config::Config;
use crate::http::client_certificate::ClientCertificate;
use crate::keys::NodeSecrets;
use crate::oauth::{Cause, ClientId, Jkt, Params, Plain};
use crate::registry::ClientAuthentication;
use crate::verification::{KeysUnknown, Verifier};

pub use authenticated::AuthenticatedClient;
use platform::Platform;
pub use platform::PlatformWay;
pub use presented::RequestKind;
use presented::{Alone, Credential};
use secret::Secrets;

/// Why a client is not authenticated.
#[derive(Debug)]
pub enum NotAuthenticated {
    Refused {
        cause: Cause,
        /// The client it claimed to be, if that is a registered one (for throttling and audit).
        claimed: Option<ClientId>,
    },
    /// Nobody knows whether its key is one of the client's: 503.
    Unavailable(KeysUnknown),
}

/// Why a credential is no proof, before it is known how to answer that.
#[derive(Debug, PartialEq, Eq)]
enum Rejected {
    For(Cause),
    Unavailable(KeysUnknown),
}

impl From<Plain> for Rejected {
    fn from(cause: Plain) -> Self {
        Self::For(cause.into())
    }
}

/// What a request presents.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Every `Authorization` header, as bytes.
    pub authorization: &'a [&'a [u8]],
    pub params: &'a Params,
    pub kind: RequestKind,
    /// The key that the request proves, which names some agents. It is called only once the credential is verified.
    pub proven: &'a (dyn Fn() -> Result<Option<Jkt>, Cause> + Sync),
    /// The client certificate.
    pub certificate: Result<Option<&'a ClientCertificate>, Plain>,
}

/// Authenticates the client of one request (RFC 6749 §2.3, RFC 7521 §4.2, RFC 7523 §2.1, §2.2, RFC 8705 §2,
/// draft-ietf-oauth-spiffe-client-auth §3.1).
///
/// # Errors
/// [`NotAuthenticated`]. An unknown client, a method that is not the registered one and a wrong
/// credential cost the same checks (CA-ALL-04).
pub async fn authenticate(
    config: &Config,
    verifier: &Verifier,
    secrets: &NodeSecrets,
    request: Request<'_>,
    now: Timestamp,
) -> Result<AuthenticatedClient, NotAuthenticated> {
    let Request { authorization, params, kind, proven, certificate } = request;
    let refused =
        |cause: Plain, claimed: Option<ClientId>| NotAuthenticated::Refused { cause: cause.into(), claimed };
    let registered = |id: &str| config.registry.clients.get(id);
    let named = params.get("client_id");
    let named_client = named.and_then(registered);
    let refused_early = |cause: Plain| refused(cause, named_client.map(|client| client.id.clone()));
    let certificate = certificate::valid(certificate, now).map_err(refused_early)?;
    let alone = match (kind, named_client) {
        (RequestKind::JwtBearer, _) => Alone::Grant,
        (_, Some(client)) if client.authentication.is_certificate() => Alone::Certificate,
        (RequestKind::Token, _) => Alone::ActorToken,
        (RequestKind::Revocation | RequestKind::Introspection, _) => Alone::Nothing,
    };
    let presented = Credential::parse(authorization, params, alone).map_err(refused_early)?;
    let client = presented.client_id().or(named).and_then(registered);
    let claimed = client.map(|client| client.id.clone());
    let holding = certificate.map(ClientCertificate::hash);
    // A certificate is a method of its own only for a client that is registered for it (CA-ALL-01).
    let is_for_certificate = client.is_some_and(|client| client.authentication.is_certificate());
    if certificate.is_some() && is_for_certificate && !matches!(presented, Credential::Certificate) {
        return Err(refused(Plain::SeveralMethods, claimed));
    }
    let not_proven = |rejected| match rejected {
        Rejected::For(cause) => NotAuthenticated::Refused { cause, claimed: claimed.clone() },
        Rejected::Unavailable(why) => NotAuthenticated::Unavailable(why),
    };
    let by_platform = match &presented {
        Credential::Assertion(kind, token) if platform::is_from_platform(config, *kind, token) => {
            Some((token, PlatformWay::Assertion(*kind)))
        }
        Credential::ActorToken(token) => Some((token, PlatformWay::ActorToken)),
        Credential::Grant(token) => Some((token, PlatformWay::Grant)),
        Credential::Assertion(..) | Credential::Secret { .. } | Credential::Certificate => None,
    };
    if let Some((token, way)) = by_platform {
        let platform = Platform { config, verifier, secrets, kind, proven, now };
        let found = platform.prove(token, way, named).await;
        let (client, credential, kid) = found.map_err(not_proven)?;
        return Ok(AuthenticatedClient::by_platform(client, kid, credential).holding(holding));
    }
    let proven = match presented {
        Credential::Secret { client_id, secret, method } => Secrets { config, secrets, now }
            .prove(method, &client_id, secret.expose_secret().as_bytes())
            .map(|()| (None, Vec::new()))
            .map_err(Rejected::from),
        Credential::Assertion(_, scanned) => {
            let kid = scanned.as_ref().ok().and_then(|scanned| scanned.header().kid.clone());
            assertion::prove(config, verifier, client.map(Arc::as_ref), scanned, now)
                .await
                .map(|used| (kid, vec![used]))
        }
        Credential::Certificate => {
            certificate::prove(config, verifier, client.map(Arc::as_ref), certificate, now)
                .await
                .map(|()| (None, Vec::new()))
        }
        // It was taken above.
        Credential::ActorToken(_) | Credential::Grant(_) => Err(Plain::NoCredentials.into()),
    };
    let (kid, one_time) = proven.map_err(not_proven)?;
    // After the proof, so that a mismatch reveals nothing to a caller without a credential (CA-ALL-03).
    if named.is_some_and(|named| claimed.as_ref().is_none_or(|id| id.as_str() != named)) {
        return Err(refused(Plain::ClientIdMismatch, claimed));
    }
    match client {
        Some(client) => Ok(AuthenticatedClient::new(Arc::clone(client), kid, one_time).holding(holding)),
        None => Err(refused(Plain::ClientUnknown, None)),
    }
}

/// Whether this is how the client registered to authenticate (CA-ALL-02).
const fn is_registered(authentication: &ClientAuthentication, method: presented::Method) -> bool {
    matches!(
        (authentication, method),
        (ClientAuthentication::ClientSecretBasic(_), presented::Method::Basic)
            | (ClientAuthentication::ClientSecretPost(_), presented::Method::Post)
    )
}

#[cfg(test)]
mod tests;
