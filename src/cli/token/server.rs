//! The server that a verb calls, and the client that calls it.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;
use zeroize::Zeroizing;

use super::super::output::printable;
use super::CliError;
use crate::base::loopback::is_loopback;
use crate::jose::{Algorithm, SigningKey};
use crate::sdk::{Client, Credential, Endpoints, Error, Http, HttpOptions, Refusal, Unreachable};

/// The algorithms of client assertions, in the order in which they are tried on a key.
const ALGORITHMS: [Algorithm; 4] = [Algorithm::ES256, Algorithm::EdDSA, Algorithm::PS256, Algorithm::RS256];

/// Which server, and who asks.
#[derive(Debug, Args)]
pub struct Caller {
    /// The server's issuer; its endpoints are read from its metadata (RFC 8414)
    #[arg(long, value_name = "URL", env = "DEPUTY_ISSUER")]
    issuer: String,
    /// A private CA for the server's TLS, PEM
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// May be left out with a platform's credential whose class lists one client
    #[arg(
        long,
        value_name = "ID",
        env = "DEPUTY_CLIENT_ID",
        required_unless_present = "platform_credential_file"
    )]
    client_id: Option<String>,
    /// File that holds the credential of the agent's platform, such as a pod's projected token: it authenticates the
    /// request and names the agent
    #[arg(long, value_name = "FILE", conflicts_with_all = ["client_key_file", "client_secret_file"])]
    platform_credential_file: Option<PathBuf>,
    /// Private key for `private_key_jwt`: PKCS#8 PEM, P-256, Ed25519 or RSA
    #[arg(long, value_name = "FILE")]
    client_key_file: Option<PathBuf>,
    /// `kid` of that key in the client's key set
    #[arg(long, value_name = "KID", requires = "client_key_file")]
    client_key_id: Option<String>,
    /// Algorithm of that key: ES256, EdDSA, PS256 or RS256; by default the first that fits the key
    #[arg(long, value_name = "ALG", requires = "client_key_file")]
    client_key_algorithm: Option<String>,
    /// File that holds the client's secret; else the variable DEPUTY_CLIENT_SECRET is read
    #[arg(long, value_name = "FILE", env = "DEPUTY_CLIENT_SECRET_FILE")]
    client_secret_file: Option<PathBuf>,
    /// Send the secret in the body (`client_secret_post`), not in the header
    #[arg(long)]
    secret_in_body: bool,
}

impl Caller {
    /// A connection to the server, and the client that asks over it.
    pub(super) async fn connect(&self) -> Result<(Http, Client), CliError> {
        let credential = self.credential()?;
        let roots = self
            .ca_file
            .as_deref()
            .map(|file| std::fs::read(file).map_err(|error| self.unusable_ca(&error.kind().to_string())));
        let without_proxy = Url::parse(&self.issuer).is_ok_and(|url| is_loopback(&url));
        let options = HttpOptions { roots: roots.transpose()?, without_proxy };
        let http = Http::new(&options).map_err(|error| self.failed(&error))?;
        let endpoints =
            Endpoints::discover(&http, &self.issuer).await.map_err(|error| self.failed(&error))?;
        Ok((
            http,
            Client::of_system(
                &self.issuer,
                endpoints,
                self.client_id.as_deref().unwrap_or_default(),
                credential,
            ),
        ))
    }

    fn credential(&self) -> Result<Credential, CliError> {
        if let Some(file) = &self.platform_credential_file {
            return read_secret_file(file).map(Credential::Platform);
        }
        if let Some(file) = &self.client_key_file {
            let pem = read_secret_file(file)?;
            return self.read_client_key(pem.expose_secret()).map(|key| Credential::Key(key.into()));
        }
        let secret = match &self.client_secret_file {
            Some(file) => read_secret_file(file)?,
            None => match std::env::var("DEPUTY_CLIENT_SECRET") {
                Ok(secret) => SecretString::from(secret),
                Err(_) => {
                    let text = "how does the client authenticate? give `--client-key-file`, \
                                `--client-secret-file`, `--platform-credential-file` or the variable DEPUTY_CLIENT_SECRET";
                    return Err(CliError::Usage(text.to_owned()));
                }
            },
        };
        Ok(if self.secret_in_body { Credential::Post(secret) } else { Credential::Basic(secret) })
    }

    /// Reads the client's key from PKCS#8 PEM.
    fn read_client_key(&self, pem: &str) -> Result<SigningKey, CliError> {
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
        let key = parse_key(pem, &algorithms, "client key")?;
        Ok(match &self.client_key_id {
            Some(kid) => key.named(kid),
            None => key,
        })
    }

    fn unusable_ca(&self, why: &str) -> CliError {
        let file = self.ca_file.as_deref().unwrap_or(Path::new("")).display();
        CliError::Failed(format!("CA file `{file}`: {why}"))
    }

    /// What went wrong, with the exit code that it ends with.
    pub(super) fn failed(&self, error: &Error) -> CliError {
        let issuer = &self.issuer;
        match error {
            Error::Issuer => CliError::Usage(format!("`{issuer}` is no issuer URL")),
            Error::Roots => self.unusable_ca(&error.to_string()),
            Error::Metadata => CliError::Failed(format!(
                "`{issuer}` has no metadata of an authorization server of that name (RFC 8414)"
            )),
            Error::Unreachable(Unreachable::Truncated) => CliError::Failed(error.to_string()),
            Error::Unreachable(Unreachable::Connect) => CliError::Unreachable(format!(
                "`{issuer}`: no connection; is it running, and is its certificate trusted (`--ca-file`)?"
            )),
            Error::Unreachable(_) => CliError::Unreachable(format!("`{issuer}`: {error}")),
            Error::Refused(refusal) => refused(refusal),
            _ => CliError::Failed(error.to_string()),
        }
    }
}

/// The server's refusal: code, reason, description, and what the server says a next attempt needs.
fn refused(refusal: &Refusal) -> CliError {
    let mut text = match &refusal.error {
        Some(error) => printable(error),
        None => format!("the server answered {}", refusal.status),
    };
    if let Some(reason) = &refusal.reason {
        text.push_str(&format!(" ({})", printable(reason)));
    }
    if let Some(description) = &refusal.description {
        text.push_str(&format!(": {}", printable(description)));
    }
    for name in ["acr_values", "max_age", "request_id"] {
        if let Some(value) = refusal.body.get(name).filter(|value| value.is_string() || value.is_number()) {
            text.push_str(&format!("; {name} {}", printable(value.to_string().trim_matches('"'))));
        }
    }
    match refusal.reason.as_deref() {
        Some("policy_denied") => CliError::Refused(text),
        _ => CliError::Failed(text),
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

/// Reads the key that a token is to be bound to, as `deputy key make` writes it.
pub(super) fn read_proof_key(file: &Path) -> Result<SigningKey, CliError> {
    let pem = read_secret_file(file)?;
    parse_key(pem.expose_secret(), &ALGORITHMS, "DPoP key")
}

fn read_secret_file(file: &Path) -> Result<SecretString, CliError> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(SecretString::from(text.trim_end_matches(['\r', '\n']))),
        Err(error) => Err(CliError::Failed(format!("cannot read `{}`: {}", file.display(), error.kind()))),
    }
}

/// Where a token is read from.
#[derive(Debug, Args)]
pub struct TokenFile {
    /// File that holds the token; `-` is standard input
    #[arg(long = "token-file", value_name = "FILE", default_value = "-")]
    file: PathBuf,
}

impl TokenFile {
    pub(super) fn read(&self) -> Result<SecretString, CliError> {
        read_token(&self.file)
    }
}

/// A token: the content of a file, or of standard input, without the white space around it.
pub(in crate::cli) fn read_token(file: &Path) -> Result<SecretString, CliError> {
    let mut text = String::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).map(|_| ())
    } else {
        std::fs::read_to_string(file).map(|read| text = read)
    };
    if let Err(error) = read {
        let text = format!("cannot read a token from `{}`: {}", file.display(), error.kind());
        return Err(CliError::Failed(text));
    }
    let token = text.trim();
    if token.is_empty() {
        return Err(CliError::Usage(format!("there is no token in `{}`", file.display())));
    }
    Ok(SecretString::from(token))
}
