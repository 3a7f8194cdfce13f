//! The server that a verb calls, and the client that calls it.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use secrecy::SecretString;
use url::Url;

use super::super::output::printable;
use super::CliError;
use super::key::KeyFile;
use crate::base::loopback::is_loopback;
use crate::base::text::why_unread;
use crate::sdk::{Client, Credential, Endpoints, Error, Http, HttpOptions, Refusal, Unreachable};

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
    #[command(flatten)]
    key: KeyFile,
    /// File that holds the client's secret; else the variable DEPUTY_CLIENT_SECRET is read
    #[arg(long, value_name = "FILE", env = "DEPUTY_CLIENT_SECRET_FILE")]
    client_secret_file: Option<PathBuf>,
    /// Send the secret in the body (`client_secret_post`), not in the header
    #[arg(long)]
    secret_in_body: bool,
}

impl Caller {
    /// Whether no client is named, so that the credential of the platform is all there is.
    pub(super) const fn is_unnamed(&self) -> bool {
        self.client_id.is_none()
    }

    /// The same for an agent that asks for itself: where no client is named, its credential is the grant.
    pub(super) async fn connect_for_itself(&self) -> Result<(Http, Client), CliError> {
        let credential = match self.credential()? {
            Credential::Platform(token) if self.is_unnamed() => Credential::PlatformAsGrant(token),
            other => other,
        };
        self.connect_by(credential).await
    }

    /// A connection to the server, and the client that asks over it.
    pub(super) async fn connect(&self) -> Result<(Http, Client), CliError> {
        let credential = self.credential()?;
        self.connect_by(credential).await
    }

    async fn connect_by(&self, credential: Credential) -> Result<(Http, Client), CliError> {
        let roots = self
            .ca_file
            .as_deref()
            .map(|file| std::fs::read(file).map_err(|error| self.unusable_ca(&why_unread(&error))));
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
        if let Some(key) = self.key.read()? {
            return Ok(Credential::Key(key.into()));
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
    let mut body = refusal.body.clone();
    if let (Some(members), Some(seconds)) = (body.as_object_mut(), refusal.retry_after) {
        members.insert("retry_after".to_owned(), seconds.into());
    }
    for name in ["acr_values", "max_age", "retry_after", "request_id"] {
        if let Some(value) = body.get(name).filter(|value| value.is_string() || value.is_number()) {
            text.push_str(&format!("; {name} {}", printable(value.to_string().trim_matches('"'))));
        }
    }
    let error = match refusal.reason.as_deref() {
        Some("policy_denied") => CliError::Refused(text),
        _ => CliError::Failed(text),
    };
    error.answered(&body)
}

/// A secret, or a key: the content of a file without the line ends after it.
pub(super) fn read_secret_file(file: &Path) -> Result<SecretString, CliError> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(SecretString::from(text.trim_end_matches(['\r', '\n']))),
        Err(error) => {
            Err(CliError::Failed(format!("cannot read `{}`: {}", file.display(), why_unread(&error))))
        }
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
        let text = format!("cannot read a token from `{}`: {}", file.display(), why_unread(&error));
        return Err(CliError::Failed(text));
    }
    let token = text.trim();
    if token.is_empty() {
        return Err(CliError::Usage(format!("there is no token in `{}`", file.display())));
    }
    Ok(SecretString::from(token))
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use serde_json::{Value, json};

    use super::*;

    fn refusal(status: StatusCode, body: Value, retry_after: Option<i64>) -> Refusal {
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        Refusal {
            status,
            error: text("error"),
            description: text("error_description"),
            reason: text("reason"),
            request_id: text("request_id"),
            retry_after,
            body,
        }
    }

    #[test]
    fn what_the_server_says_are_members_of_their_own() {
        let body = json!({
            "error": "invalid_request", "error_description": "sign the user in again",
            "reason": "assurance_insufficient", "request_id": "r-1", "acr_values": "phr phrh", "max_age": 900,
        });

        let error = refused(&refusal(StatusCode::BAD_REQUEST, body.clone(), None));

        assert_eq!((error.exit_code(), error.to_json()), (1, body));
        let text = error.to_string();
        for words in ["sign the user in again", "acr_values phr phrh", "max_age 900", "request_id r-1"] {
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn policy_has_its_own_exit_code_and_a_header_says_when_to_try_again() {
        let denied = json!({"error": "invalid_request", "reason": "policy_denied"});
        assert_eq!(refused(&refusal(StatusCode::BAD_REQUEST, denied, None)).exit_code(), 4);
        let slow = refused(&refusal(StatusCode::TOO_MANY_REQUESTS, json!({"error": "slow_down"}), Some(10)));
        assert_eq!(
            (&slow.to_json()["error"], &slow.to_json()["retry_after"]),
            (&json!("slow_down"), &json!(10))
        );
        let told = slow.to_json()["error_description"].as_str().map(str::to_owned);
        assert_eq!(told.as_deref(), Some("slow_down; retry_after 10"));
    }

    #[test]
    fn an_answer_that_is_no_json_is_told_by_its_status() {
        let error = refused(&refusal(StatusCode::BAD_GATEWAY, Value::Null, None));
        let expected = json!({"error": "failed", "error_description": "the server answered 502 Bad Gateway"});
        assert_eq!(error.to_json(), expected);
    }
}
