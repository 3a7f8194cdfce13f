//! The proof that a client authenticated. Its fields are private: only this module and the functions of
//! [`super`] that check credentials can make one.

use std::sync::Arc;

use super::SpentAssertion;
use crate::config::Client;

/// A client that proved who it is (RFC 6749 §2.3).
#[derive(Clone, Debug)]
pub struct AuthenticatedClient {
    client: Arc<Client>,
    spend: Option<SpentAssertion>,
}

impl AuthenticatedClient {
    /// The caller has checked the client's credential.
    pub(super) const fn new(client: Arc<Client>, spend: Option<SpentAssertion>) -> Self {
        Self { client, spend }
    }

    /// A client for tests of what comes after authentication.
    #[cfg(test)]
    pub(crate) const fn for_tests(client: Arc<Client>, spend: Option<SpentAssertion>) -> Self {
        Self::new(client, spend)
    }

    /// The registered client.
    pub const fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// The `jti` of its assertion, to be spent in the transaction of the answer; absent for secrets.
    pub const fn spend(&self) -> Option<&SpentAssertion> {
        self.spend.as_ref()
    }
}
