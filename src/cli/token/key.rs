//! The private keys that the verbs sign with.

use std::path::PathBuf;

use clap::Args;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use super::CliError;
use super::server::read_secret_file;
use crate::jose::{Algorithm, SigningKey};
use crate::sdk::Client;

/// The algorithms of client assertions, in the order in which they are tried on a key.
const ALGORITHMS: [Algorithm; 4] = [Algorithm::ES256, Algorithm::EdDSA, Algorithm::PS256, Algorithm::RS256];

/// The key of a client.
#[derive(Debug, Args)]
pub struct KeyFile {
    /// Private key for `private_key_jwt`: PKCS#8 PEM, P-256, Ed25519 or RSA
    #[arg(long, visible_alias = "key", value_name = "FILE")]
    client_key_file: Option<PathBuf>,
    /// `kid` of that key in the client's key set
    #[arg(long, value_name = "KID", requires = "client_key_file", allow_hyphen_values = true)]
    client_key_id: Option<String>,
    /// Algorithm of that key: ES256, EdDSA, PS256 or RS256; by default the first that fits the key
    #[arg(long, value_name = "ALG", requires = "client_key_file")]
    client_key_algorithm: Option<String>,
}

impl KeyFile {
    /// The key, if a file is named.
    pub(super) fn read(&self) -> Result<Option<SigningKey>, CliError> {
        let Some(file) = &self.client_key_file else { return Ok(None) };
        let algorithms = match &self.client_key_algorithm {
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
        let key = parse_key(read_secret_file(file)?.expose_secret(), &algorithms, "client key")?;
        Ok(Some(match &self.client_key_id {
            Some(kid) => key.named(kid),
            None => key,
        }))
    }
}

/// The key that a request proves.
#[derive(Debug, Args)]
pub struct ProofKey {
    /// Private key that the request proves (DPoP, RFC 9449): a token is bound to it, and at some platforms it names the agent.
    /// PKCS#8 PEM, as `deputy key make` writes it
    #[arg(long, value_name = "FILE")]
    dpop_key: Option<PathBuf>,
}

impl ProofKey {
    /// The client, which proves the key if there is one.
    pub(super) fn prove(&self, client: Client) -> Result<Client, CliError> {
        let Some(file) = &self.dpop_key else { return Ok(client) };
        let pem = read_secret_file(file)?;
        Ok(client.proving(parse_key(pem.expose_secret(), &ALGORITHMS, "DPoP key")?))
    }
}

/// Reads a private key from PKCS#8 PEM for the first of these algorithms that it fits.
fn parse_key(pem: &str, algorithms: &[Algorithm], what: &str) -> Result<SigningKey, CliError> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())
        .map(|der| Zeroizing::new(der.secret_pkcs8_der().to_vec()));
    let key = der.ok().and_then(|der| {
        algorithms.iter().find_map(|algorithm| SigningKey::from_pkcs8(*algorithm, der.clone()).ok())
    });
    key.ok_or_else(|| {
        CliError::Failed(format!(
            "the {what} is no PKCS#8 PEM of a P-256, Ed25519 or RSA (2048 bits or more) key, or does not fit the \
             algorithm; `openssl pkcs8 -topk8 -nocrypt` converts other forms"
        ))
    })
}
