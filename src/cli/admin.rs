//! Speaking to the running server over its Unix socket: plain HTTP, JSON.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::CliError;
use crate::config::Config;

const TIMEOUT: Duration = Duration::from_secs(30);

/// Calls the server that runs with `config`. `path` begins with `/` and is encoded already.
///
/// # Errors
/// [`CliError::Unreachable`] where no server listens, [`CliError::NotFound`] for 404, [`CliError::Usage`] for 400, else
/// [`CliError::Failed`], each with what the server says.
pub async fn call(
    config: &Config,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, CliError> {
    let socket = config.admin_socket();
    let client = reqwest::Client::builder()
        .unix_socket(socket.clone())
        .timeout(TIMEOUT)
        .build()
        .map_err(|error| CliError::Failed(format!("http client: {error}")))?;
    let mut request = client.request(method, format!("http://deputy{path}"));
    if let Some(body) = body {
        request = request.json(body);
    }
    let unreachable = |error: &reqwest::Error| {
        CliError::Unreachable(format!(
            "no server answers on `{}` ({}); start it with `deputy serve --config …`, as the same user",
            socket.display(),
            if error.is_timeout() { "timeout" } else { "not connected" },
        ))
    };
    let response = request.send().await.map_err(|error| unreachable(&error))?;
    let status = response.status();
    let answer: Value = response.json().await.unwrap_or(Value::Null);
    if status.is_success() {
        return Ok(answer);
    }
    let told = answer.get("error_description").and_then(Value::as_str);
    let told = told.map_or_else(|| format!("the server answered {status}"), super::output::printable);
    let error = match status {
        reqwest::StatusCode::NOT_FOUND => CliError::NotFound(told),
        reqwest::StatusCode::BAD_REQUEST => CliError::Usage(told),
        _ => CliError::Failed(told),
    };
    Err(error.answered(&answer))
}

/// One segment of a path: everything but unreserved characters percent-encoded (RFC 3986 §2.3).
pub fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
