//! Room 3: presented credentials and a registered client become an authenticated client.

use std::sync::Arc;

use crate::config::{Client, Config};
use crate::keys::NodeSecrets;
use crate::protocol::{Cause, Params};
use crate::store::SpentAssertion;
use crate::time::Timestamp;
use crate::verification::Verifier;

/// Proof that a client authenticated. Only this room makes one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AuthenticatedClient {
    /// The registered client.
    pub client: Arc<Client>,
    /// The assertion's `jti`, to be spent with the answer; absent for secrets.
    pub spend: Option<SpentAssertion>,
}

/// Why a client is not authenticated.
#[derive(Debug)]
pub enum NotAuthenticated {
    /// Refused. `challenge` asks for `WWW-Authenticate: Basic` (the header was used).
    Refused {
        /// The true cause.
        cause: Cause,
        /// The Authorization header was used.
        challenge: bool,
        /// The client it claimed to be, if that is a registered one (for throttling and audit).
        claimed: Option<crate::protocol::ClientId>,
    },
    /// The client's keys cannot be had: 503.
    Unavailable(String),
}

/// Authenticates the client of one request (RFC 6749 §2.3, RFC 7521 §4.2, RFC 7523 §2.2).
///
/// `authorization` holds every `Authorization` header of the request, as bytes.
#[expect(clippy::unimplemented, clippy::unused_async, unused_variables, reason = "filled in next")]
pub async fn authenticate(
    config: &Config,
    verifier: &Verifier,
    secrets: &NodeSecrets,
    authorization: &[&[u8]],
    params: &Params,
    now: Timestamp,
) -> Result<AuthenticatedClient, NotAuthenticated> {
    unimplemented!()
}
