//! Calling an endpoint of the server as an authenticated client.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;

use super::super::output::printable;
use super::{Caller, CliError, Credential};

const TIMEOUT: Duration = Duration::from_secs(30);
/// No answer of the server is near this long.
const LONGEST_ANSWER: usize = 1024 * 1024;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Which endpoint, by its member of the metadata.
#[derive(Clone, Copy)]
pub(super) enum Endpoint {
    Token,
    Introspection,
    Revocation,
}

impl Endpoint {
    const fn member(self) -> &'static str {
        match self {
            Self::Token => "token_endpoint",
            Self::Introspection => "introspection_endpoint",
            Self::Revocation => "revocation_endpoint",
        }
    }
}

/// Form parameters; values may be tokens.
pub(super) type Form<'a> = Vec<(&'a str, SecretString)>;

/// Sends `form` to `endpoint` of the caller's issuer and gives the JSON of a 200; `Null` for an empty body.
pub(super) async fn post(caller: &Caller, endpoint: Endpoint, mut form: Form<'_>) -> Result<Value, CliError> {
    let credential = caller.credential()?;
    let http = client(caller)?;
    let url = discover(&http, &caller.issuer, endpoint).await?;
    let mut request = http.post(url).header("accept", "application/json");
    match &credential {
        Credential::Key(key) => {
            form.push(("client_assertion_type", SecretString::from(ASSERTION_TYPE)));
            let assertion = key.assertion(&caller.client_id, &caller.issuer)?;
            form.push(("client_assertion", SecretString::from(assertion)));
        }
        Credential::Basic(secret) => {
            // Both parts are form-encoded before they are joined (RFC 6749 §2.3.1).
            let pair = format!("{}:{}", encode(&caller.client_id), encode(secret.expose_secret()));
            request = request.header("authorization", format!("Basic {}", STANDARD.encode(pair)));
        }
        Credential::Post(secret) => {
            form.push(("client_id", SecretString::from(caller.client_id.as_str())));
            form.push(("client_secret", secret.clone()));
        }
    }
    let pairs: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.expose_secret())).collect();
    let response = request.form(&pairs).send().await.map_err(|error| unreachable(&caller.issuer, &error))?;
    let status = response.status();
    let body = body(response).await?;
    if status == StatusCode::OK { Ok(body) } else { Err(refused(status, &body)) }
}

fn encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn client(caller: &Caller) -> Result<reqwest::Client, CliError> {
    let mut builder = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none());
    // A proxy cannot reach this machine's own loopback.
    if Url::parse(&caller.issuer).is_ok_and(|url| crate::config::is_literal_loopback(&url)) {
        builder = builder.no_proxy();
    }
    if let Some(file) = &caller.ca_file {
        let unusable = |what: &str| CliError::Failed(format!("CA file `{}`: {what}", file.display()));
        let pem = std::fs::read(file).map_err(|error| unusable(&error.kind().to_string()))?;
        let roots =
            reqwest::Certificate::from_pem_bundle(&pem).map_err(|_| unusable("no PEM certificates"))?;
        builder = builder.tls_certs_only(roots);
    }
    builder.build().map_err(|error| CliError::Failed(format!("http client: {error}")))
}

/// The endpoint's URL from the metadata of `issuer`, which has to name that same issuer (RFC 8414 §3.3).
async fn discover(http: &reqwest::Client, issuer: &str, endpoint: Endpoint) -> Result<Url, CliError> {
    let mut url = Url::parse(issuer)
        .ok()
        .filter(|url| url.has_host())
        .ok_or_else(|| CliError::Usage(format!("`{issuer}` is no issuer URL")))?;
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("/.well-known/oauth-authorization-server{path}"));
    let response = http.get(url).send().await.map_err(|error| unreachable(issuer, &error))?;
    let status = response.status();
    let metadata = body(response).await?;
    if status != StatusCode::OK || metadata.get("issuer").and_then(Value::as_str) != Some(issuer) {
        let text = format!("`{issuer}` has no metadata of an authorization server of that name (RFC 8414)");
        return Err(CliError::Failed(text));
    }
    metadata
        .get(endpoint.member())
        .and_then(Value::as_str)
        .and_then(|text| Url::parse(text).ok())
        .ok_or_else(|| CliError::Failed(format!("the server's metadata has no `{}`", endpoint.member())))
}

async fn body(mut response: reqwest::Response) -> Result<Value, CliError> {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() <= LONGEST_ANSWER => bytes.extend_from_slice(&chunk),
            Ok(None) => return Ok(serde_json::from_slice(&bytes).unwrap_or(Value::Null)),
            _ => return Err(CliError::Failed("the server's answer broke off, or is too long".to_owned())),
        }
    }
}

/// No word of reqwest's: it may name a URL, and a proxy's with its password.
fn unreachable(issuer: &str, error: &reqwest::Error) -> CliError {
    let why = if error.is_timeout() {
        "it did not answer in time"
    } else if error.is_connect() {
        "no connection; is it running, and is its certificate trusted (`--ca-file`)?"
    } else {
        "the connection broke"
    };
    CliError::Unreachable(format!("`{issuer}`: {why}"))
}

/// The server's refusal: code, reason, description, and what it says to go on with.
fn refused(status: StatusCode, body: &Value) -> CliError {
    let member = |name: &str| body.get(name).and_then(Value::as_str).map(printable);
    let mut text = member("error").unwrap_or_else(|| format!("the server answered {status}"));
    if let Some(reason) = member("reason") {
        text.push_str(&format!(" ({reason})"));
    }
    if let Some(description) = member("error_description") {
        text.push_str(&format!(": {description}"));
    }
    for name in ["acr_values", "max_age", "request_id"] {
        if let Some(value) = body.get(name).filter(|value| value.is_string() || value.is_number()) {
            text.push_str(&format!("; {name} {}", printable(value.to_string().trim_matches('"'))));
        }
    }
    if member("reason").as_deref() == Some("policy_denied") {
        CliError::Refused(text)
    } else {
        CliError::Failed(text)
    }
}
