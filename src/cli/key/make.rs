//! `deputy key make`

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use pem::{EncodeConfig, LineEnding, Pem, encode_config};
use serde_json::json;
use zeroize::Zeroizing;

use super::super::{CliError, Output};
use crate::base::entropy::{SystemEntropy, handle};
use crate::jose::{Algorithm, SigningKey};

/// Whose key, and where it goes.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes ID.pem (the private key, mode 0600: move it to the client) and ID.jwks.json (the public key, for \
`jwks_file`). With --secret, writes ID.secret alone (256 random bits, mode 0600, for `secret_file`). Its \
characters are those that every library sends unchanged. Overwrites nothing.

Example: deputy key make assistant --dir clients
         deputy key make tickets-api --secret --dir secrets")]
pub struct Make {
    /// The client's id; names the files
    id: String,
    /// Directory to write to; made if it is not there
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// ES256, EdDSA or PS256
    #[arg(long, value_name = "ALG", default_value = "ES256")]
    algorithm: String,
    /// Make a shared secret, for a client that authenticates with `client_secret_basic` or `client_secret_post`
    #[arg(long, conflicts_with = "algorithm")]
    secret: bool,
}

/// The bytes of a secret: 256 bits.
const SECRET_BYTES: usize = 32;

impl Make {
    /// Makes it.
    pub(super) fn run(&self, output: &mut Output) -> Result<(), CliError> {
        if self.id.is_empty() || self.id.contains(['/', '\0']) || self.id.starts_with('.') {
            return Err(CliError::Usage(format!("`{}` names no file", self.id)));
        }
        if self.secret { self.make_secret(output) } else { self.make_pair(output) }
    }

    /// A secret in base64url: libraries disagree on the encoding of `+`, `%` and `/` in the header (RFC 6749 §2.3.1). The
    /// file has no line end, so that its content is the secret.
    fn make_secret(&self, output: &mut Output) -> Result<(), CliError> {
        let file = self.dir.join(format!("{}.secret", self.id));
        let secret = handle::<SECRET_BYTES>(&SystemEntropy::default());
        let secret = Zeroizing::new(secret.map_err(|error| CliError::Failed(error.to_string()))?);
        std::fs::create_dir_all(&self.dir).map_err(|error| failed(&self.dir, &error))?;
        write(&file, &secret, 0o600)?;
        if output.is_json() {
            output.json(&json!({"secret": file}));
        } else {
            output.line(format!(
                "made {} (for `secret_file` and for the client; the client needs `allow_secret = true`)",
                file.display()
            ));
        }
        Ok(())
    }

    fn make_pair(&self, output: &mut Output) -> Result<(), CliError> {
        let allowed = [Algorithm::ES256, Algorithm::EdDSA, Algorithm::PS256];
        let algorithm = Algorithm::parse(&self.algorithm).filter(|algorithm| allowed.contains(algorithm));
        let Some(algorithm) = algorithm else {
            return Err(CliError::Usage(format!("`{}`: write ES256, EdDSA or PS256", self.algorithm)));
        };
        let key = SigningKey::generate(algorithm)
            .map_err(|_| CliError::Failed("the crypto library made no key".to_owned()))?;
        let private = self.dir.join(format!("{}.pem", self.id));
        let public = self.dir.join(format!("{}.jwks.json", self.id));
        for path in [&private, &public] {
            if path.exists() {
                return Err(CliError::Failed(format!("`{}` is there already", path.display())));
            }
        }
        std::fs::create_dir_all(&self.dir).map_err(|error| failed(&self.dir, &error))?;
        let pem = Pem::new("PRIVATE KEY", key.pkcs8().as_slice());
        write(&private, &encode_config(&pem, EncodeConfig::new().set_line_ending(LineEnding::LF)), 0o600)?;
        write(&public, &format!("{:#}\n", json!({"keys": [key.jwk()]})), 0o644)?;
        if output.is_json() {
            output.json(&json!({"private": private, "public": public, "kid": key.kid()}));
        } else {
            output.line(format!("made {} (private, for the client alone)", private.display()));
            output.line(format!("made {} (public, for `jwks_file`)", public.display()));
        }
        Ok(())
    }
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), CliError> {
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &std::io::Error) -> CliError {
    CliError::Failed(format!("`{}`: {}", path.display(), error.kind()))
}
