//! `deputy token …`: a client of any RFC 8693 server, Deputy first of all. Speaks plain HTTP, needs no
//! configuration file. Tokens and secrets come from files, standard input or variables, and are in no
//! message about a failure.

mod assertion;
mod endpoint;
mod exchange;
mod inspect;
mod introspect;
mod revoke;

use std::io::Read as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use secrecy::{ExposeSecret as _, SecretString};

use super::{CliError, Output};

/// The verbs about tokens.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Exchange a token for a narrower one (RFC 8693)
    Exchange(exchange::Exchange),
    /// Decode a JWT on this machine, without verifying it
    Inspect(inspect::Inspect),
    /// Ask the server whether a token is active (RFC 7662)
    Introspect(introspect::Introspect),
    /// Revoke a token and all that was exchanged from it (RFC 7009)
    Revoke(revoke::Revoke),
}

impl Token {
    /// Does it.
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        match self {
            Self::Exchange(verb) => verb.run(output).await,
            Self::Inspect(verb) => verb.run(output),
            Self::Introspect(verb) => verb.run(output).await,
            Self::Revoke(verb) => verb.run(output).await,
        }
    }
}

/// Which server, and who asks.
#[derive(Debug, Args)]
pub struct Caller {
    /// The server's issuer; its endpoints are read from its metadata (RFC 8414)
    #[arg(long, value_name = "URL", env = "DEPUTY_ISSUER")]
    issuer: String,
    /// A private CA for the server's TLS, PEM
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// The client
    #[arg(long, value_name = "ID", env = "DEPUTY_CLIENT_ID")]
    client_id: String,
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

/// What a client proves itself with.
enum Credential {
    Key(assertion::SigningKey),
    Basic(SecretString),
    Post(SecretString),
}

impl Caller {
    fn credential(&self) -> Result<Credential, CliError> {
        if let Some(file) = &self.client_key_file {
            let pem = read_secret_file(file)?;
            let algorithm = self.client_key_algorithm.as_deref();
            let kid = self.client_key_id.clone();
            return assertion::SigningKey::read(pem.expose_secret(), algorithm, kid).map(Credential::Key);
        }
        let secret = match &self.client_secret_file {
            Some(file) => read_secret_file(file)?,
            None => match std::env::var("DEPUTY_CLIENT_SECRET") {
                Ok(secret) => SecretString::from(secret),
                Err(_) => {
                    let text = "how does the client authenticate? give `--client-key-file`, \
                                `--client-secret-file` or the variable DEPUTY_CLIENT_SECRET";
                    return Err(CliError::Usage(text.to_owned()));
                }
            },
        };
        Ok(if self.secret_in_body { Credential::Post(secret) } else { Credential::Basic(secret) })
    }
}

fn read_secret_file(file: &std::path::Path) -> Result<SecretString, CliError> {
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
    fn read(&self) -> Result<SecretString, CliError> {
        read_token(&self.file)
    }
}

/// A token: a file's content, or standard input's, without the white space around it.
fn read_token(file: &std::path::Path) -> Result<SecretString, CliError> {
    let mut text = String::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).map(|_| ())
    } else {
        std::fs::read_to_string(file).map(|read| text = read)
    };
    if let Err(error) = read {
        return Err(CliError::Failed(format!(
            "cannot read a token from `{}`: {}",
            file.display(),
            error.kind()
        )));
    }
    let token = text.trim();
    if token.is_empty() {
        return Err(CliError::Usage(format!("there is no token in `{}`", file.display())));
    }
    Ok(SecretString::from(token))
}
