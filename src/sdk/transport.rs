//! How a request reaches a server, and how its response comes back.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Certificate, Request, StatusCode};
use serde_json::Value;

use super::Error;

/// The time for one request with its response.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest body that is read: no response of an authorization server comes near it.
const MAX_BODY: usize = 1024 * 1024;

/// A response that was read to its end.
#[derive(Clone)]
pub struct Response {
    /// The HTTP status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body, which may hold a token.
    pub body: Vec<u8>,
}

impl Response {
    /// The body as JSON; null where it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Why no response came. It never names a URL, because a URL may hold a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// The time for one request passed.
    #[error("it did not answer in time")]
    Timeout,
    /// No connection, or no trusted certificate.
    #[error("no connection; is it running, and is its certificate trusted?")]
    Connect,
    /// The connection ended before the response began.
    #[error("the connection broke")]
    Broken,
    /// The response ended too early, or is longer than any response should be.
    #[error("the server's answer broke off, or is too long")]
    Truncated,
}

/// Sends requests. A test or a recorder implements this around [`Http`].
pub trait Transport: Sync {
    /// Sends one request, and reads the whole response. Redirects are not followed.
    ///
    /// # Errors
    /// No whole response came.
    fn send(&self, request: Request) -> impl Future<Output = Result<Response, Unreachable>> + Send;
}

/// How [`Http`] connects.
#[derive(Clone, Debug, Default)]
pub struct HttpOptions {
    /// The only certificate authorities that are trusted, as PEM; without it, those of the system are.
    pub roots: Option<Vec<u8>>,
    /// Connect directly, whatever the environment says: no proxy reaches the loopback of this machine.
    pub without_proxy: bool,
}

/// HTTP and HTTPS by reqwest. Cheap to clone; the clones share their connections.
#[derive(Clone, Debug)]
pub struct Http(reqwest::Client);

impl Http {
    /// Makes a transport without a connection yet.
    ///
    /// # Errors
    /// [`Error::Roots`] where the certificate authorities cannot be read, [`Error::Http`] where TLS cannot be set up.
    pub fn new(options: &HttpOptions) -> Result<Self, Error> {
        let mut builder =
            reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none());
        if options.without_proxy {
            builder = builder.no_proxy();
        }
        if let Some(pem) = &options.roots {
            let roots = Certificate::from_pem_bundle(pem).map_err(|_| Error::Roots)?;
            builder = builder.tls_certs_only(roots);
        }
        builder.build().map(Self).map_err(|error| Error::Http(error.without_url().to_string()))
    }
}

impl Transport for Http {
    async fn send(&self, request: Request) -> Result<Response, Unreachable> {
        let mut response = self.0.execute(request).await.map_err(|error| match error {
            error if error.is_timeout() => Unreachable::Timeout,
            error if error.is_connect() => Unreachable::Connect,
            _ => Unreachable::Broken,
        })?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|_| Unreachable::Truncated)? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(Unreachable::Truncated);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response { status: response.status(), headers: response.headers().clone(), body })
    }
}
