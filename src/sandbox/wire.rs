//! How the parties of the sandbox speak: HTTP over loopback, and a tape that remembers what was said.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use reqwest::header::LOCATION;
use serde_json::Value;

/// One request and its answer, as the tape keeps them. Tokens are whole in here: what shows a call
/// shortens them.
#[derive(Clone)]
pub struct Call {
    /// Who asked.
    pub from: &'static str,
    /// Who answered.
    pub to: &'static str,
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The path, without the query.
    pub path: String,
    /// Query or form, in order.
    pub params: Vec<(String, String)>,
    /// The bearer token, if one was sent.
    pub bearer: Option<String>,
    /// HTTP status.
    pub status: u16,
    /// Where it redirects to.
    pub location: Option<String>,
    /// The body: JSON, or a string where it is not.
    pub body: Value,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}{} {}", self.from, self.method, self.to, self.path, self.status)
    }
}

impl Call {
    /// A member of the answer that is a string; empty if it is not there.
    pub fn text(&self, member: &str) -> &str {
        self.body.get(member).and_then(Value::as_str).unwrap_or_default()
    }

    /// The token of a token endpoint's answer.
    pub fn token(&self) -> Option<&str> {
        self.body.get("access_token").and_then(Value::as_str)
    }
}

/// What every party has said so far.
#[derive(Clone, Default)]
pub struct Tape(Arc<Mutex<Vec<Call>>>);

impl Tape {
    /// Takes everything said since the last time, in the order of the answers.
    pub fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *lock(&self.0))
    }
}

/// One party's way to speak.
#[derive(Clone)]
pub struct Wire {
    http: reqwest::Client,
    tape: Option<Tape>,
    from: &'static str,
}

/// What goes with a request to say who asks.
pub enum Credential<'a> {
    /// Nothing.
    None,
    /// RFC 6750 §2.1.
    Bearer(&'a str),
    /// RFC 6749 §2.3.1.
    Basic(&'a str, &'a str),
}

impl Wire {
    /// The wire of the party of this name, on this tape.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(from: &'static str, tape: &Tape) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(20))
            .build()
            .context("build an HTTP client")?;
        Ok(Self { http, tape: Some(tape.clone()), from })
    }

    /// The same client under another name, for another party.
    pub fn of(&self, from: &'static str) -> Self {
        Self { from, ..self.clone() }
    }

    /// The same wire, off the record.
    pub fn off_tape(&self) -> Self {
        Self { tape: None, ..self.clone() }
    }

    /// Fetches a URL. A query in it is shown as parameters.
    ///
    /// # Errors
    /// Nobody answers.
    pub async fn get(&self, to: &'static str, url: &str, credential: Credential<'_>) -> anyhow::Result<Call> {
        let parsed = url::Url::parse(url).with_context(|| format!("`{url}` is no URL"))?;
        let params = parsed.query_pairs().into_owned().collect();
        self.send(to, "GET", &parsed, self.http.get(parsed.clone()), params, credential).await
    }

    /// Posts a form.
    ///
    /// # Errors
    /// Nobody answers.
    pub async fn post(
        &self,
        to: &'static str,
        url: &str,
        params: Vec<(String, String)>,
        credential: Credential<'_>,
    ) -> anyhow::Result<Call> {
        let parsed = url::Url::parse(url).with_context(|| format!("`{url}` is no URL"))?;
        let request = self.http.post(parsed.clone()).form(&params);
        self.send(to, "POST", &parsed, request, params, credential).await
    }

    async fn send(
        &self,
        to: &'static str,
        method: &'static str,
        url: &url::Url,
        request: reqwest::RequestBuilder,
        params: Vec<(String, String)>,
        credential: Credential<'_>,
    ) -> anyhow::Result<Call> {
        let (request, bearer) = match credential {
            Credential::None => (request, None),
            Credential::Bearer(token) => (request.bearer_auth(token), Some(token.to_owned())),
            Credential::Basic(id, secret) => (request.basic_auth(id, Some(secret)), None),
        };
        // reqwest's error names the URL, which may hold a code: only its kind is passed on.
        let answer = request
            .send()
            .await
            .map_err(reqwest::Error::without_url)
            .with_context(|| format!("{} asks {to} at {}", self.from, url.path()))?;
        let status = answer.status().as_u16();
        let location = answer.headers().get(LOCATION).and_then(|l| l.to_str().ok()).map(str::to_owned);
        let text = answer.text().await.map_err(reqwest::Error::without_url).context("read the answer")?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        let call = Call {
            from: self.from,
            to,
            method,
            path: url.path().to_owned(),
            params,
            bearer,
            status,
            location,
            body,
        };
        if let Some(tape) = &self.tape {
            lock(&tape.0).push(call.clone());
        }
        Ok(call)
    }
}

/// A form from pairs.
pub fn form<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Locks, also after a panic elsewhere: the sandbox keeps nothing that could be half written.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
