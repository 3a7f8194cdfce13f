//! A client assertion (RFC 7523 §2.2) signed with a key from a PEM file.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::json;
use zeroize::Zeroizing;

use super::CliError;
use crate::base::entropy::{SystemEntropy, uuid_v7};
use crate::base::time::{Clock as _, SystemClock};
use crate::jose;
use crate::jose::Algorithm;

/// How long an assertion is good, in seconds.
const LIFETIME_SECONDS: i64 = 60;

/// Algorithms of client assertions, in the order they are tried on a key.
const ALGORITHMS: [Algorithm; 4] = [Algorithm::ES256, Algorithm::EdDSA, Algorithm::PS256, Algorithm::RS256];

/// A client's private key, bound to one algorithm.
pub(super) struct SigningKey {
    key: jose::SigningKey,
    kid: String,
}

impl SigningKey {
    /// Reads PKCS#8 PEM. Without `algorithm` the first that fits the key, without `kid` its thumbprint.
    pub(super) fn read(pem: &str, algorithm: Option<&str>, kid: Option<String>) -> Result<Self, CliError> {
        let algorithms = match algorithm {
            None => ALGORITHMS.to_vec(),
            Some(name) => match Algorithm::parse(name).filter(|algorithm| ALGORITHMS.contains(algorithm)) {
                Some(algorithm) => vec![algorithm],
                None => {
                    let text = format!(
                        "`{name}` is no algorithm of client assertions: ES256, EdDSA, PS256 or RS256"
                    );
                    return Err(CliError::Usage(text));
                }
            },
        };
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())
            .map(|der| Zeroizing::new(der.secret_pkcs8_der().to_vec()));
        let key = der.ok().and_then(|der| {
            algorithms
                .into_iter()
                .find_map(|algorithm| jose::SigningKey::from_pkcs8(algorithm, der.clone()).ok())
        });
        let Some(key) = key else {
            let text = "the client key is no PKCS#8 PEM of a P-256, Ed25519 or RSA (2048 bits or more) key, or \
                        does not fit the algorithm; `openssl pkcs8 -topk8 -nocrypt` converts other forms";
            return Err(CliError::Failed(text.to_owned()));
        };
        let kid = kid.unwrap_or_else(|| key.kid().to_owned());
        Ok(Self { key, kid })
    }

    /// A new assertion of `client` for `issuer` alone.
    pub(super) fn assertion(&self, client: &str, issuer: &str) -> Result<String, CliError> {
        let failed = || CliError::Failed("the client assertion could not be signed".to_owned());
        let now = SystemClock.now();
        let jti = uuid_v7(&SystemEntropy::default(), now).map_err(|_| failed())?;
        let header = json!({
            "alg": self.key.algorithm().as_str(),
            "kid": self.kid,
            "typ": "client-authentication+jwt",
        });
        let claims = json!({
            "iss": client,
            "sub": client,
            "aud": issuer,
            "jti": jti,
            "iat": now.seconds(),
            "exp": now.seconds() + LIFETIME_SECONDS,
        });
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        self.key.sign_compact(&header, claims.to_string().as_bytes()).map_err(|_| failed())
    }
}
