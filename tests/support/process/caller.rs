//! A client of Deputy as seen from outside: the SDK, with assertions that the tests sign themselves.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use deputy::testing::{Client, Credential, Endpoint, Endpoints, Exchange, Http, HttpOptions};
use serde_json::{Value, json};

use crate::jose::{Key, fresh_id};

/// Every token that went over the wire in a world, and every refusal that came back.
#[derive(Default)]
pub struct Witness {
    /// Tokens and assertions, to be searched for afterwards.
    pub secrets: Mutex<Vec<String>>,
    /// Headers and bodies of answers that hold no token, to be searched in.
    pub answers: Mutex<String>,
    /// How far the world's clock is ahead of the system's, in seconds.
    pub clock_offset: AtomicI64,
}

impl Witness {
    /// The world's time, in whole seconds.
    pub fn now(&self) -> i64 {
        super::now() + self.clock_offset.load(Ordering::SeqCst)
    }

    /// Remembers a token and gives it back.
    pub fn saw(&self, token: String) -> String {
        self.secrets.lock().expect("the witness").push(token.clone());
        token
    }
}

/// One answer of Deputy.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, where it is told.
    pub retry_after: Option<String>,
    /// The body as received.
    pub text: String,
    /// The body as JSON; null if it is none.
    pub json: Value,
}

impl Answer {
    /// The issued token.
    #[track_caller]
    pub fn token(&self) -> String {
        assert_eq!(self.status, 200, "a refusal instead of a token: {}", self.text);
        self.json["access_token"].as_str().expect("access_token").to_owned()
    }

    /// The `task` member of a hop 0.
    #[track_caller]
    pub fn task(&self) -> String {
        self.json["task"].as_str().expect("task").to_owned()
    }

    /// Error code and reason.
    pub fn refusal(&self) -> (u16, &str, &str) {
        let member = |name: &str| self.json[name].as_str().unwrap_or_default();
        (self.status, member("error"), member("reason"))
    }

    /// `active` of an introspection.
    #[track_caller]
    pub fn is_active(&self) -> bool {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json["active"].as_bool().expect("active")
    }

    /// The body with the one member that differs from request to request made equal.
    pub fn text_but_request_id(&self) -> String {
        match self.json["request_id"].as_str() {
            Some(id) => self.text.replace(id, "…"),
            None => self.text.clone(),
        }
    }
}

/// One client of Deputy.
#[derive(Clone)]
pub struct Caller {
    id: String,
    issuer: String,
    key: Key,
    http: Http,
    /// For requests with a header of their own.
    plain: reqwest::Client,
    witness: Arc<Witness>,
}

impl Caller {
    /// The client `id`, whose registered key is `key`.
    pub fn new(id: &str, issuer: &str, key: Key, witness: Arc<Witness>) -> Self {
        let http = Http::new(&HttpOptions::default()).expect("a transport");
        let plain = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { id: id.to_owned(), issuer: issuer.to_owned(), key, http, plain, witness }
    }

    /// A fresh client assertion (RFC 7523 §2.2).
    pub fn assertion(&self) -> String {
        let at = self.witness.now();
        let claims = json!({
            "iss": self.id, "sub": self.id, "aud": self.issuer, "jti": fresh_id(), "iat": at, "exp": at + 60,
        });
        self.witness.saw(self.key.sign_typed("client-authentication+jwt", &claims))
    }

    /// Posts a form, which may be malformed, with this assertion; `None` if no whole answer came.
    pub async fn try_post_with(
        &self,
        base: &str,
        endpoint: Endpoint,
        assertion: &str,
        form: &[(&str, &str)],
    ) -> Option<Answer> {
        self.try_post_by(base, endpoint, Credential::Assertion(assertion.into()), form).await
    }

    async fn try_post_by(
        &self,
        base: &str,
        endpoint: Endpoint,
        credential: Credential,
        form: &[(&str, &str)],
    ) -> Option<Answer> {
        let client = Client::of_system(&self.issuer, Endpoints::of_deputy(base), &self.id, credential);
        let response = client.post(&self.http, endpoint, form).await.ok()?;
        let (json, text) = (response.json(), String::from_utf8_lossy(&response.body).into_owned());
        match json["access_token"].as_str() {
            Some(token) => _ = self.witness.saw(token.to_owned()),
            None => {
                let mut answers = self.witness.answers.lock().expect("the witness");
                answers.push_str(&format!("{:?}\n{text}\n", response.headers));
            }
        }
        let retry_after = response.headers.get("retry-after").and_then(|value| value.to_str().ok());
        let retry_after = retry_after.map(ToOwned::to_owned);
        Some(Answer { status: response.status.as_u16(), retry_after, text, json })
    }

    /// Posts a form by another credential than the client's key.
    pub async fn post_by(
        &self,
        base: &str,
        endpoint: Endpoint,
        credential: Credential,
        form: &[(&str, &str)],
    ) -> Answer {
        self.try_post_by(base, endpoint, credential, form).await.expect("an answer")
    }

    /// Posts a form with a fresh assertion.
    pub async fn post(&self, base: &str, endpoint: Endpoint, form: &[(&str, &str)]) -> Answer {
        self.try_post_with(base, endpoint, &self.assertion(), form).await.expect("an answer")
    }

    pub async fn try_token(&self, base: &str, exchange: &Exchange<'_>) -> Option<Answer> {
        self.try_post_with(base, Endpoint::Token, &self.assertion(), exchange.params()).await
    }

    /// A fresh proof that the sender of a request to the token endpoint holds `key` (RFC 9449 §4.2).
    pub fn proof(&self, key: &Key) -> String {
        self.proof_at("/token", key)
    }

    fn proof_at(&self, path: &str, key: &Key) -> String {
        let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": key.jwk()});
        let claims = json!({
            "jti": fresh_id(), "htm": "POST", "htu": format!("{}{path}", self.issuer), "iat": self.witness.now(),
        });
        self.witness.saw(key.sign_text(&header.to_string(), &claims.to_string()))
    }

    /// An exchange with this proof; `None` if no whole answer came.
    pub async fn try_exchange_proving(
        &self,
        base: &str,
        exchange: &Exchange<'_>,
        proof: &str,
    ) -> Option<Answer> {
        let credential = Credential::Assertion(self.assertion().into());
        self.try_ask_proving(base, credential, exchange.params(), proof).await
    }

    /// A token request by this credential with this proof; `None` if no whole answer came.
    pub async fn try_ask_proving(
        &self,
        base: &str,
        credential: Credential,
        form: &[(&str, &str)],
        proof: &str,
    ) -> Option<Answer> {
        self.try_prove(base, Endpoint::Token, credential, form, proof).await
    }

    /// Revokes a token by this credential, with a proof of this key.
    pub async fn revoke_proving(&self, base: &str, credential: Credential, token: &str, key: &Key) -> Answer {
        let proof = self.proof_at("/revoke", key);
        let form = [("token", token)];
        self.try_prove(base, Endpoint::Revocation, credential, &form, &proof).await.expect("an answer")
    }

    async fn try_prove(
        &self,
        base: &str,
        endpoint: Endpoint,
        credential: Credential,
        form: &[(&str, &str)],
        proof: &str,
    ) -> Option<Answer> {
        let client = Client::of_system(&self.issuer, Endpoints::of_deputy(base), &self.id, credential);
        let mut request = client.request(endpoint, form).expect("a request");
        request.headers_mut().insert("dpop", proof.parse().expect("a header"));
        let response = self.plain.execute(request).await.ok()?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let retry_after = retry_after.map(ToOwned::to_owned);
        let text = response.text().await.ok()?;
        let json: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        match json["access_token"].as_str() {
            Some(token) => _ = self.witness.saw(token.to_owned()),
            None => self.witness.answers.lock().expect("the witness").push_str(&format!("{text}\n")),
        }
        Some(Answer { status, retry_after, text, json })
    }

    /// The first hop: exchanges an ID token for a token for `audience`.
    pub async fn sign_in(&self, base: &str, id_token: &str, audience: &str, scope: &str) -> Answer {
        self.try_sign_in(base, id_token, audience, scope).await.expect("an answer")
    }

    /// As [`Caller::sign_in`]; `None` if no answer came.
    pub async fn try_sign_in(
        &self,
        base: &str,
        id_token: &str,
        audience: &str,
        scope: &str,
    ) -> Option<Answer> {
        let exchange = Exchange::of_id_token(id_token).audience(audience).scope(scope);
        self.try_token(base, &exchange.with("purpose", "book a seat for tonight")).await
    }

    /// A later hop: one of Deputy's tokens for a narrower one at `audience`.
    pub async fn exchange(&self, base: &str, token: &str, audience: &str, scope: &str) -> Answer {
        self.try_exchange(base, token, audience, scope).await.expect("an answer")
    }

    /// As [`Caller::exchange`]; `None` if no answer came.
    pub async fn try_exchange(&self, base: &str, token: &str, audience: &str, scope: &str) -> Option<Answer> {
        self.try_token(base, &Exchange::of_access_token(token).audience(audience).scope(scope)).await
    }

    /// As [`Caller::exchange`], by an agent that proves itself with `actor_token`.
    pub async fn exchange_as(
        &self,
        base: &str,
        token: &str,
        actor_token: &str,
        audience: &str,
        scope: &str,
    ) -> Answer {
        let exchange = Exchange::of_access_token(token).audience(audience).scope(scope).actor(actor_token);
        self.try_token(base, &exchange).await.expect("an answer")
    }

    /// RFC 7009.
    pub async fn revoke(&self, base: &str, token: &str) -> Answer {
        self.try_revoke(base, token).await.expect("an answer")
    }

    /// As [`Caller::revoke`]; `None` if no answer came.
    pub async fn try_revoke(&self, base: &str, token: &str) -> Option<Answer> {
        self.try_post_with(base, Endpoint::Revocation, &self.assertion(), &[("token", token)]).await
    }

    /// RFC 7662.
    pub async fn introspect(&self, base: &str, token: &str) -> Answer {
        self.post(base, Endpoint::Introspection, &[("token", token)]).await
    }
}
