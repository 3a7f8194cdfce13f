//! An authenticated client of one server.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::answer::accepted;
use super::assertion::{append_assertion, append_credential, sign_assertion};
use super::{Error, Exchange, Introspection, Issued, Response, Transport};
use crate::base::digest::sha256;
use crate::base::entropy::{Entropy, SystemEntropy, handle};
use crate::base::time::{Clock, SystemClock};
use crate::jose::SigningKey;
use crate::oauth::exchange::token_type::JWT;

/// The header of a proof (RFC 9449 §4.1).
const PROOF: &str = "dpop";
/// The header in which a server demands a nonce, and the error with which it does (RFC 9449 §8).
const NONCE: &str = "dpop-nonce";
const USE_NONCE: &str = "use_dpop_nonce";

/// A client's private key. Opaque, because users of the SDK outside this library have no use for what signs.
#[derive(Clone)]
pub struct ClientKey(Arc<SigningKey>);

impl From<SigningKey> for ClientKey {
    fn from(key: SigningKey) -> Self {
        Self(Arc::new(key))
    }
}

/// How a client authenticates.
#[derive(Clone)]
pub enum Credential {
    /// `private_key_jwt`: each request gets a fresh assertion by this key (RFC 7523 §2.2).
    Key(ClientKey),
    /// `private_key_jwt` with this assertion, which the caller has signed.
    Assertion(SecretString),
    /// `client_secret_basic`
    Basic(SecretString),
    /// `client_secret_post`
    Post(SecretString),
    /// The credential of the agent's platform (a pod's projected token, a CI job's token, an SVID) as the client assertion. It
    /// names the agent too. The identifier of the client may be empty where the server finds it by the credential.
    Platform(SecretString),
    /// The same as the actor token, without client authentication.
    PlatformAsActor(SecretString),
    /// The same as the assertion of the jwt-bearer grant, which knows no client (RFC 7523 §2.1). At the other endpoints it
    /// is the client assertion.
    PlatformAsGrant(SecretString),
}

/// An endpoint that a client calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// RFC 6749 §3.2
    Token,
    /// RFC 7662 §2
    Introspection,
    /// RFC 7009 §2
    Revocation,
}

impl Endpoint {
    /// Its member in the server's metadata (RFC 8414 §2).
    const fn member(self) -> &'static str {
        match self {
            Self::Token => "token_endpoint",
            Self::Introspection => "introspection_endpoint",
            Self::Revocation => "revocation_endpoint",
        }
    }
}

/// Where the endpoints of one server are.
#[derive(Clone, Debug)]
pub struct Endpoints(Value);

impl Endpoints {
    /// The endpoints of a Deputy whose public listener is at `base`, without asking it.
    pub fn of_deputy(base: &str) -> Self {
        let at = |path: &str| format!("{}/{path}", base.trim_end_matches('/'));
        Self(json!({
            Endpoint::Token.member(): at("token"),
            Endpoint::Introspection.member(): at("introspect"),
            Endpoint::Revocation.member(): at("revoke"),
        }))
    }

    /// Reads the metadata of `issuer`, which has to name that same issuer (RFC 8414 §3.3).
    ///
    /// # Errors
    /// [`Error::Issuer`], [`Error::Unreachable`] or [`Error::Metadata`].
    pub async fn discover(http: &impl Transport, issuer: &str) -> Result<Self, Error> {
        let mut url = Url::parse(issuer).ok().filter(Url::has_host).ok_or(Error::Issuer)?;
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("/.well-known/oauth-authorization-server{path}"));
        let response = http.send(Request::new(Method::GET, url)).await?;
        let metadata = response.json();
        if response.status != StatusCode::OK || metadata.get("issuer").and_then(Value::as_str) != Some(issuer)
        {
            return Err(Error::Metadata);
        }
        Ok(Self(metadata))
    }

    fn url(&self, endpoint: Endpoint) -> Result<Url, Error> {
        let member = endpoint.member();
        let url = self.0.get(member).and_then(Value::as_str).and_then(|text| Url::parse(text).ok());
        url.ok_or(Error::NoEndpoint(member))
    }
}

/// A client of one server.
#[derive(Clone)]
pub struct Client {
    issuer: String,
    endpoints: Endpoints,
    id: String,
    credential: Credential,
    /// What it gets is bound to this key.
    proof_key: Option<ClientKey>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("id", &self.id).field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl Client {
    /// The client `id` at the server that calls itself `issuer`. Clock and entropy are for its assertions.
    pub(crate) fn new(
        issuer: &str,
        endpoints: Endpoints,
        id: &str,
        credential: Credential,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let (issuer, id) = (issuer.to_owned(), id.to_owned());
        Self { issuer, endpoints, id, credential, proof_key: None, clock, entropy }
    }

    /// The same with the clock and the entropy of this machine.
    pub fn of_system(issuer: &str, endpoints: Endpoints, id: &str, credential: Credential) -> Self {
        Self::new(
            issuer,
            endpoints,
            id,
            credential,
            Arc::new(SystemClock),
            Arc::new(SystemEntropy::default()),
        )
    }

    /// The same client, which proves that it holds `key` with each request for a token and each revocation (DPoP, RFC 9449).
    #[must_use]
    pub fn proving(mut self, key: impl Into<ClientKey>) -> Self {
        self.proof_key = Some(key.into());
        self
    }

    /// The server's issuer identifier.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Exchanges a token. Where the server demands a nonce in the proof of a key, the request is repeated once with it
    /// (RFC 9449 §8).
    ///
    /// # Errors
    /// [`Error::Refused`] with what the server said, or why no such answer came.
    pub async fn exchange(&self, http: &impl Transport, exchange: &Exchange<'_>) -> Result<Issued, Error> {
        let response = self.post_with_nonce(http, Endpoint::Token, exchange.params()).await?;
        Issued::read(accepted(&response)?)
    }

    async fn post_with_nonce(
        &self,
        http: &impl Transport,
        endpoint: Endpoint,
        params: &[(&str, &str)],
    ) -> Result<Response, Error> {
        let response = self.post(http, endpoint, params).await?;
        if self.proof_key.is_some()
            && response.json()["error"] == USE_NONCE
            && let Some(nonce) = response.headers.get(NONCE).and_then(|nonce| nonce.to_str().ok())
        {
            return Ok(http.send(self.request_with(endpoint, params, Some(nonce))?).await?);
        }
        Ok(response)
    }

    /// Asks whether a token is active.
    ///
    /// # Errors
    /// As [`Client::exchange`]. A token that is not active is no error.
    pub async fn introspect(&self, http: &impl Transport, token: &str) -> Result<Introspection, Error> {
        let response = self.post(http, Endpoint::Introspection, &[("token", token)]).await?;
        Introspection::read(accepted(&response)?)
    }

    /// Revokes a token, and all that was exchanged from it.
    ///
    /// # Errors
    /// As [`Client::exchange`]. A token that is not the client's is left alone, and is no error.
    pub async fn revoke(&self, http: &impl Transport, token: &str) -> Result<(), Error> {
        let response = self.post_with_nonce(http, Endpoint::Revocation, &[("token", token)]).await?;
        accepted(&response).map(drop)
    }

    /// Posts any form, even a malformed one, and returns the response unchanged.
    ///
    /// # Errors
    /// No request could be built, or no whole response came.
    pub async fn post(
        &self,
        http: &impl Transport,
        endpoint: Endpoint,
        params: &[(&str, &str)],
    ) -> Result<Response, Error> {
        Ok(http.send(self.request(endpoint, params)?).await?)
    }

    /// The request that [`Client::post`] sends.
    ///
    /// # Errors
    /// The server has no such endpoint, or no assertion could be signed.
    pub fn request(&self, endpoint: Endpoint, params: &[(&str, &str)]) -> Result<Request, Error> {
        self.request_with(endpoint, params, None)
    }

    fn request_with(
        &self,
        endpoint: Endpoint,
        params: &[(&str, &str)],
        nonce: Option<&str>,
    ) -> Result<Request, Error> {
        let mut request = Request::new(Method::POST, self.endpoints.url(endpoint)?);
        let mut form = Serializer::new(String::new());
        form.extend_pairs(params);
        match &self.credential {
            Credential::Key(key) => {
                let now = self.clock.now();
                let assertion = sign_assertion(&key.0, &self.issuer, &self.id, now, &*self.entropy)?;
                append_assertion(&mut form, &assertion);
            }
            Credential::Assertion(assertion) => append_assertion(&mut form, assertion.expose_secret()),
            Credential::PlatformAsGrant(token) if endpoint == Endpoint::Token => {
                self.append_id(&mut form);
                form.append_pair("assertion", token.expose_secret());
            }
            Credential::Platform(token) | Credential::PlatformAsGrant(token) => {
                self.append_id(&mut form);
                append_credential(&mut form, token.expose_secret());
            }
            Credential::PlatformAsActor(token) => {
                self.append_id(&mut form);
                form.append_pair("actor_token_type", JWT);
                form.append_pair("actor_token", token.expose_secret());
            }
            Credential::Basic(secret) => {
                // Both parts are form-encoded before they are joined (RFC 6749 §2.3.1).
                let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", encode(&self.id), encode(secret.expose_secret()));
                let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair)))
                    .map_err(|_| Error::Assertion)?;
                value.set_sensitive(true);
                request.headers_mut().insert(AUTHORIZATION, value);
            }
            Credential::Post(secret) => {
                form.append_pair("client_id", &self.id).append_pair("client_secret", secret.expose_secret());
            }
        }
        let proof = match (endpoint, &self.proof_key) {
            (Endpoint::Token | Endpoint::Revocation, Some(key)) => {
                let extra = nonce.map(|nonce| ("nonce", nonce.to_owned()));
                Some(self.proof(&key.0, &Method::POST, request.url(), extra)?)
            }
            _ => None,
        };
        let headers = request.headers_mut();
        if let Some(proof) = proof {
            headers.insert(PROOF, HeaderValue::from_str(&proof).map_err(|_| Error::Proof)?);
        }
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        *request.body_mut() = Some(form.finish().into());
        Ok(request)
    }

    fn append_id(&self, form: &mut Serializer<'_, String>) {
        if !self.id.is_empty() {
            form.append_pair("client_id", &self.id);
        }
    }

    /// A proof for the use of an access token in one request to a resource server (RFC 9449 §7.1): the value of the
    /// header `DPoP`. `None` for a client that proves no key.
    ///
    /// # Errors
    /// [`Error::Proof`]
    pub fn proof_of_use(&self, method: &Method, url: &Url, token: &str) -> Result<Option<String>, Error> {
        let ath = || URL_SAFE_NO_PAD.encode(sha256([token.as_bytes()]));
        let key = self.proof_key.as_ref();
        key.map(|key| self.proof(&key.0, method, url, Some(("ath", ath())))).transpose()
    }

    /// A new proof of a key for one request to this URL (RFC 9449 §4.2), with one more claim.
    fn proof(
        &self,
        key: &SigningKey,
        method: &Method,
        url: &Url,
        extra: Option<(&str, String)>,
    ) -> Result<String, Error> {
        let jti = handle::<16>(&*self.entropy).map_err(|_| Error::Proof)?;
        let mut htu = url.clone();
        htu.set_query(None);
        htu.set_fragment(None);
        let mut claims = json!({
            "jti": jti, "htm": method.as_str(), "htu": htu.as_str(), "iat": self.clock.now().seconds(),
        });
        if let Some((name, value)) = extra {
            claims[name] = value.into();
        }
        key.sign_proof("dpop+jwt", &claims).map_err(|_| Error::Proof)
    }
}
