//! Client secrets: keyed SHA-256, compared in constant time (6749-2.3.1-B05, B07).

use oxide_auth::primitives::registrar::{PasswordPolicy, RegistrarError};
use secrecy::ExposeSecret as _;
use subtle::ConstantTimeEq as _;

use super::is_registered;
use super::presented::Method;
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::keys::NodeSecrets;
use crate::oauth::Plain;
use crate::registry::{ClientAuthentication, ClientSecret};

/// What is compared for clients that have no secret: the same work, never equal (CA-ALL-04).
const DUMMY: [u8; 32] = [0; 32];

/// oxide-auth's rule for passphrases, as Deputy has it: client secrets are high-entropy, so a keyed
/// SHA-256 takes the place of a slow password hash.
pub struct KeyedSecret<'a>(pub &'a NodeSecrets);

impl PasswordPolicy for KeyedSecret<'_> {
    fn store(&self, _client_id: &str, passphrase: &[u8]) -> Vec<u8> {
        self.0.secret_hash(passphrase).to_vec()
    }

    fn check(&self, _client_id: &str, passphrase: &[u8], stored: &[u8]) -> Result<(), RegistrarError> {
        let is_equal: bool = self.0.secret_hash(passphrase).ct_eq(stored).into();
        // INVARIANT: no secret may be empty; the empty passphrase is compared like any other and refused.
        if is_equal && !passphrase.is_empty() { Ok(()) } else { Err(RegistrarError::Unspecified) }
    }
}

/// The configured clients that have secrets, at one time.
pub struct Secrets<'a> {
    pub config: &'a Config,
    pub secrets: &'a NodeSecrets,
    /// The request's time: secrets expire.
    pub now: Timestamp,
}

impl Secrets<'_> {
    /// Whether `secret`, sent by `method`, proves `client_id`.
    ///
    /// # Errors
    /// [`Plain::ClientUnknown`], [`Plain::MethodNotRegistered`], [`Plain::SecretExpired`],
    /// [`Plain::SecretWrong`]; the same number of comparisons are made for each.
    pub fn prove(&self, method: Method, client_id: &str, secret: &[u8]) -> Result<(), Plain> {
        let client = self.config.registry.clients.get(client_id);
        let registered = client.map(|client| &client.authentication);
        let own: &[ClientSecret] = match registered {
            Some(
                ClientAuthentication::ClientSecretBasic(own) | ClientAuthentication::ClientSecretPost(own),
            ) => own,
            _ => &[],
        };
        let (mut is_proven, mut is_expired) = (false, false);
        // Two live secrets at most; where there are fewer, the dummy makes up the number.
        for slot in 0..own.len().max(2) {
            let matches = self.matches(client_id, secret, own.get(slot));
            let is_over = own.get(slot).and_then(|s| s.expires_at).is_some_and(|at| self.now >= at);
            is_proven |= matches && !is_over;
            is_expired |= matches && is_over;
        }
        match registered {
            None => Err(Plain::ClientUnknown),
            Some(registered) if !is_registered(registered, method) => Err(Plain::MethodNotRegistered),
            Some(_) if is_proven => Ok(()),
            Some(_) if is_expired => Err(Plain::SecretExpired),
            Some(_) => Err(Plain::SecretWrong),
        }
    }

    fn matches(&self, client_id: &str, sent: &[u8], own: Option<&ClientSecret>) -> bool {
        let policy = KeyedSecret(self.secrets);
        let stored = match own {
            Some(own) => policy.store(client_id, own.value.expose_secret().as_bytes()),
            None => DUMMY.to_vec(),
        };
        policy.check(client_id, sent, &stored).is_ok() && own.is_some()
    }
}
