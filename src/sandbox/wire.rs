//! How the parties of the sandbox speak: HTTP over loopback, and a tape that records what was said.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, Request};
use serde_json::Value;
use url::Url;
use url::form_urlencoded::{Serializer, parse};

use crate::jose::UnverifiedToken;
use crate::sdk::{Error, Http, HttpOptions, Response, Transport, Unreachable};

/// The header of a proof (RFC 9449 §4.1).
pub const PROOF: &str = "dpop";

/// One request and its answer, as the tape records them. It holds whole tokens; the narrator shortens them before it
/// shows a call.
#[derive(Clone)]
pub struct Call {
    pub from: &'static str,
    pub to: &'static str,
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// Query or form, in order.
    pub params: Vec<(String, String)>,
    /// The token that it was authorized by, if one was sent.
    pub bearer: Option<String>,
    /// The thumbprint of the key that it proved (RFC 9449), if it proved one.
    pub proof_by: Option<String>,
    pub status: u16,
    /// Where it redirects to.
    pub location: Option<String>,
    /// After how many seconds it is worth asking again (`Retry-After`), if the answer says so.
    pub retry_after: Option<String>,
    /// The body: JSON, or a string where it is not.
    pub body: Value,
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

/// What a request to an API is authorized by.
#[derive(Clone, Copy)]
pub enum Access<'a> {
    Nothing,
    Bearer(&'a str),
    /// A token that is bound to a key, with a proof of that key for this very request (RFC 9449 §7.1).
    Bound {
        token: &'a str,
        proof: &'a str,
    },
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

/// The means by which one party speaks.
#[derive(Clone)]
pub struct Wire {
    http: Http,
    tape: Option<Tape>,
    from: &'static str,
}

impl Wire {
    /// The wire of the party of this name, on this tape.
    pub fn new(from: &'static str, tape: &Tape) -> anyhow::Result<Self> {
        let http = Http::new(&HttpOptions { without_proxy: true, ..HttpOptions::default() })?;
        Ok(Self { http, tape: Some(tape.clone()), from })
    }

    /// The same for another party.
    pub fn of(&self, from: &'static str) -> Self {
        Self { from, ..self.clone() }
    }

    /// The same wire without a tape: what it sends is not shown.
    pub fn off_tape(&self) -> Self {
        Self { tape: None, ..self.clone() }
    }

    /// A transport for one conversation with the party of this name.
    pub fn to(&self, to: &'static str) -> Line<'_> {
        Line { wire: self, to, heard: Mutex::default() }
    }

    /// Fetches a URL. A query in it is shown as parameters.
    pub async fn get(&self, to: &'static str, url: &str, bearer: Option<&str>) -> anyhow::Result<Call> {
        self.send(to, Method::GET, url, bearer.map_or(Access::Nothing, Access::Bearer), None).await
    }

    pub async fn post(
        &self,
        to: &'static str,
        url: &str,
        form: &[(&str, &str)],
        bearer: Option<&str>,
    ) -> anyhow::Result<Call> {
        self.send(to, Method::POST, url, bearer.map_or(Access::Nothing, Access::Bearer), Some(form)).await
    }

    /// Sends any request, with a form where there is one.
    pub async fn send(
        &self,
        to: &'static str,
        method: Method,
        url: &str,
        access: Access<'_>,
        form: Option<&[(&str, &str)]>,
    ) -> anyhow::Result<Call> {
        let mut request =
            Request::new(method, Url::parse(url).with_context(|| format!("`{url}` is no URL"))?);
        let headers = request.headers_mut();
        match access {
            Access::Nothing => (),
            Access::Bearer(token) => {
                headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}"))?);
            }
            Access::Bound { token, proof } => {
                headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("DPoP {token}"))?);
                headers.insert(PROOF, HeaderValue::from_str(proof)?);
            }
        }
        if let Some(form) = form {
            let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
            request.headers_mut().insert(CONTENT_TYPE, form_type);
            *request.body_mut() = Some(Serializer::new(String::new()).extend_pairs(form).finish().into());
        }
        let line = self.to(to);
        let sent = line.send(request).await.map(drop);
        line.call(sent.map_err(Error::from))
    }
}

/// A transport from one party to another, which records each request with its answer.
pub struct Line<'a> {
    wire: &'a Wire,
    to: &'static str,
    heard: Mutex<Option<Call>>,
}

impl Line<'_> {
    /// The last call on this line. A refusal is an answer too: only where no answer came, `outcome` says why.
    pub fn call<T>(self, outcome: Result<T, Error>) -> anyhow::Result<Call> {
        match (self.heard.into_inner().unwrap_or_else(PoisonError::into_inner), outcome) {
            (Some(call), _) => Ok(call),
            (None, Err(error)) => Err(error).with_context(|| format!("{} asks {}", self.wire.from, self.to)),
            (None, Ok(_)) => anyhow::bail!("{} was not asked", self.to),
        }
    }
}

impl Transport for Line<'_> {
    async fn send(&self, request: Request) -> Result<Response, Unreachable> {
        let text = |headers: &HeaderMap, name: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let form = request.body().and_then(reqwest::Body::as_bytes).map(|body| parse(body).into_owned());
        let params = match form {
            Some(form) => form.collect(),
            None => request.url().query_pairs().into_owned().collect(),
        };
        let mut call = Call {
            from: self.wire.from,
            to: self.to,
            method: request.method().to_string(),
            path: request.url().path().to_owned(),
            params,
            bearer: text(request.headers(), AUTHORIZATION.as_str()).and_then(|value| {
                ["Bearer ", "DPoP "].iter().find_map(|scheme| value.strip_prefix(scheme)).map(str::to_owned)
            }),
            proof_by: text(request.headers(), PROOF).and_then(|proof| thumbprint_in(&proof)),
            status: 0,
            location: None,
            retry_after: None,
            body: Value::Null,
        };
        let response = self.wire.http.send(request).await?;
        call.status = response.status.as_u16();
        call.location = text(&response.headers, LOCATION.as_str());
        call.retry_after = text(&response.headers, RETRY_AFTER.as_str());
        call.body = serde_json::from_slice(&response.body)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&response.body)));
        if let Some(tape) = &self.wire.tape {
            lock(&tape.0).push(call.clone());
        }
        *lock(&self.heard) = Some(call);
        Ok(response)
    }
}

/// The thumbprint of the key in the header of a proof (RFC 7638).
fn thumbprint_in(proof: &str) -> Option<String> {
    let (_, key) = UnverifiedToken::scan_with_own_key(proof).ok()?;
    key.thumbprint().ok().map(|thumbprint| URL_SAFE_NO_PAD.encode(thumbprint))
}

/// Locks, also after a panic elsewhere: the sandbox keeps nothing that could be half written.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
