//! Tokens and requests that are good, and one change away from bad.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::certificates::Certified;
use super::{ACCESS_TOKEN_TYPE, ASSERTION_TYPE, GRANT_TYPE, ID_TOKEN_TYPE, JWT_TYPE, World};
use crate::definition::{WORKLOADS, secret_of};
use crate::jose::Key;

/// A JWT in the making.
#[derive(Clone)]
pub struct Jwt {
    /// The header.
    pub header: Map<String, Value>,
    /// The claims.
    pub claims: Map<String, Value>,
    /// Who signs.
    pub key: Key,
}

impl Jwt {
    /// Sets a claim.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves a claim out.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Sets a header parameter.
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves a header parameter out.
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    /// Has another key sign (header unchanged).
    pub fn signed_by(mut self, key: &Key) -> Self {
        self.key = key.clone();
        self
    }

    /// Header and claims as JSON text.
    pub fn texts(&self) -> (String, String) {
        let header = Value::Object(self.header.clone()).to_string();
        (header, Value::Object(self.claims.clone()).to_string())
    }

    /// The compact form, signed by a key of another kind; the header names it and its algorithm.
    pub fn signed_with(&self, key: &super::OtherKey) -> String {
        let jwt = self.clone().header("alg", key.algorithm).header("kid", key.kid.as_str());
        let (header, claims) = jwt.texts();
        key.sign_text(&header, &claims)
    }

    /// The compact form.
    pub fn sign(&self) -> String {
        let header = Value::Object(self.header.clone()).to_string();
        self.key.sign_text(&header, &Value::Object(self.claims.clone()).to_string())
    }
}

impl World {
    /// Alice's ID token: MFA, phishing-resistant, fresh, adult; different at each call.
    pub fn id_token(&self) -> Jwt {
        let now = self.now();
        let mut claims = json!({
            "iss": self.provider.issuer, "aud": "booking-app", "sub": "alice",
            "iat": now - 10, "exp": now + 600, "auth_time": now - 30,
            "acr": "phr", "amr": ["pwd", "hwk", "mfa"], "sid": "session-1",
            "birthdate": "1990-02-28", "email": "alice@example.org", "name": "Alice Example",
            "nonce": format!("n-{}", self.next()), "groups": ["staff"],
        });
        jwt(&self.provider.key, claims.as_object_mut().unwrap())
    }

    /// A workload's credential of class `kind` (`age` or `planner`), for a fresh instance.
    pub fn workload_token(&self, kind: &str) -> Jwt {
        let now = self.now();
        let number = self.next();
        let mut claims = json!({
            "iss": WORKLOADS, "aud": self.issuer, "sub": format!("workload-{kind}"),
            "iat": now - 5, "exp": now + 300, "jti": format!("w-{number}"), "kind": kind,
            "instance": format!("instance-{number}"),
        });
        jwt(&self.workload_key, claims.as_object_mut().unwrap())
    }

    /// A fresh client assertion of `client`.
    pub fn assertion(&self, client: &str) -> Jwt {
        let now = self.now();
        let mut claims = json!({
            "iss": client, "sub": client, "aud": self.issuer,
            "iat": now, "exp": now + 60, "jti": format!("a-{}", self.next()),
        });
        jwt(self.key_of(client), claims.as_object_mut().unwrap())
    }

    /// A fresh proof that the sender of a request for a token holds `key` (RFC 9449 §4.2).
    pub fn proof(&self, key: &Key) -> Jwt {
        let mut claims = json!({
            "jti": format!("p-{}", self.next()), "htm": "POST", "htu": format!("{}/token", self.issuer),
            "iat": self.now(),
        });
        let proof = jwt(key, claims.as_object_mut().unwrap());
        proof.without_header("kid").header("typ", "dpop+jwt").header("jwk", key.jwk())
    }

    /// The good exchange at hop 0: the assistant hands in Alice's ID token for `tickets`.
    pub fn tx(&self) -> Request<'_> {
        self.exchange("assistant", &self.id_token().sign(), ID_TOKEN_TYPE)
            .set("audience", "tickets")
            .set("scope", "tickets:search")
    }

    /// The good exchange at hop 0 for a task token with everything the story needs.
    pub fn task_tx(&self) -> Request<'_> {
        self.tx()
            .set("audience", &self.issuer.clone())
            .set("scope", "tickets:search tickets:book age_over_18 files.read deep deeper")
    }

    /// A task token of the assistant for Alice.
    pub async fn task_token(&self) -> String {
        self.task_tx().send().await.granted()
    }

    /// A later hop of `client` with `subject_token`, for `audience` and `scope`.
    pub fn onward(&self, client: &str, subject_token: &str, audience: &str, scope: &str) -> Request<'_> {
        self.exchange(client, subject_token, ACCESS_TOKEN_TYPE).set("audience", audience).set("scope", scope)
    }

    /// The age agent's exchange onward from `age-agent` to `tickets`, by a fresh instance.
    pub fn age_tx(&self, subject_token: &str) -> Request<'_> {
        let actor = self.workload_token("age").sign();
        self.onward("age-agent", subject_token, "tickets", "age_over_18").actor(&actor)
    }

    /// An exchange of `client` without target and scope.
    pub fn exchange(&self, client: &str, subject_token: &str, subject_token_type: &str) -> Request<'_> {
        self.form("/token")
            .set("grant_type", GRANT_TYPE)
            .set("subject_token", subject_token)
            .set("subject_token_type", subject_token_type)
            .by_assertion(client)
    }

    /// An empty form to a path below the issuer.
    pub fn form(&self, path: &str) -> Request<'_> {
        Request {
            world: self,
            base: self.issuer.clone(),
            path: path.to_owned(),
            method: reqwest::Method::POST,
            parameters: Vec::new(),
            headers: Vec::new(),
            body: None,
            http: self.http.clone(),
        }
    }
}

fn jwt(key: &Key, claims: &mut Map<String, Value>) -> Jwt {
    let mut header = Map::new();
    header.insert("alg".into(), "ES256".into());
    header.insert("kid".into(), key.kid.as_str().into());
    Jwt { header, claims: std::mem::take(claims), key: key.clone() }
}

/// A form request in the making.
#[derive(Clone)]
pub struct Request<'a> {
    world: &'a World,
    base: String,
    path: String,
    method: reqwest::Method,
    parameters: Vec<(String, String)>,
    headers: Vec<(String, Vec<u8>)>,
    body: Option<(String, Vec<u8>)>,
    http: reqwest::Client,
}

impl Request<'_> {
    /// Sets a parameter, replacing all of that name.
    pub fn set(self, name: &str, value: &str) -> Self {
        self.without(name).also(name, value)
    }

    /// Adds a parameter, keeping others of that name.
    pub fn also(mut self, name: &str, value: &str) -> Self {
        self.parameters.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Leaves a parameter out.
    pub fn without(mut self, name: &str) -> Self {
        self.parameters.retain(|(own, _)| own != name);
        self
    }

    /// The value of a parameter, unchanged.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Sets the actor token.
    pub fn actor(self, token: &str) -> Self {
        self.set("actor_token", token).set("actor_token_type", JWT_TYPE)
    }

    /// Leaves every client credential out.
    pub fn anonymous(mut self) -> Self {
        self.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("authorization"));
        self.without("client_assertion")
            .without("client_assertion_type")
            .without("client_secret")
            .without("client_id")
    }

    /// Authenticates by a fresh assertion of `client`.
    pub fn by_assertion(self, client: &str) -> Self {
        let assertion = self.world.assertion(client).sign();
        self.with_assertion(&assertion)
    }

    /// Authenticates by this assertion.
    pub fn with_assertion(self, assertion: &str) -> Self {
        self.anonymous().set("client_assertion_type", ASSERTION_TYPE).set("client_assertion", assertion)
    }

    /// Authenticates by Basic with the client's own secret.
    pub fn basic(self, client: &str) -> Self {
        let value = STANDARD.encode(format!("{client}:{}", secret_of(client)));
        self.anonymous().header("Authorization", &format!("Basic {value}"))
    }

    /// Authenticates by Basic with this before the base64.
    pub fn basic_with(self, credentials: &str) -> Self {
        let value = STANDARD.encode(credentials);
        self.anonymous().header("Authorization", &format!("Basic {value}"))
    }

    /// Authenticates by `client_secret` in the body.
    pub fn secret_in_body(self, client: &str) -> Self {
        self.anonymous().set("client_id", client).set("client_secret", &secret_of(client))
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.as_bytes().to_vec()));
        self
    }

    /// Uses another method.
    pub fn method(mut self, method: &str) -> Self {
        self.method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        self
    }

    /// Sends it to another node.
    pub fn at(mut self, base: &str) -> Self {
        self.base = base.to_owned();
        self
    }

    /// Sends it over mutual TLS with this certificate, or with none.
    pub fn over_mtls(mut self, certified: Option<&Certified>) -> Self {
        self.http = certified.map_or_else(|| self.world.http.clone(), |one| self.world.presenting(one));
        let base = self.world.mtls_base();
        self.at(&base)
    }

    /// Authenticates by the certificate that it is sent with, as this client (RFC 8705 §2).
    pub fn by_certificate(self, client: &str, certified: &Certified) -> Self {
        self.anonymous().set("client_id", client).over_mtls(Some(certified))
    }

    /// Puts this into the path, a query for instance.
    pub fn path(mut self, path: &str) -> Self {
        self.path = path.to_owned();
        self
    }

    /// The form-encoded body as it would be sent.
    pub fn encoded(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.parameters).finish()
    }

    /// Sends this body instead of the form.
    pub fn raw(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some((content_type.to_owned(), body.into()));
        self
    }

    /// Sends it.
    pub async fn send(self) -> Answer {
        let url = format!("{}{}", self.base, self.path);
        let mut builder = self.http.request(self.method.clone(), url);
        for (name, value) in &self.headers {
            builder = builder.header(name.as_str(), value.as_slice());
        }
        let (content_type, body) = match &self.body {
            Some((content_type, body)) => (content_type.clone(), body.clone()),
            None => ("application/x-www-form-urlencoded".to_owned(), self.encoded().into_bytes()),
        };
        if self.method != reqwest::Method::GET {
            builder = builder.header("Content-Type", content_type).body(body);
        }
        let answer = Answer::read(builder.send().await.unwrap()).await;
        let sent = ["subject_token", "actor_token", "client_assertion", "assertion", "token"];
        let sent = sent.map(|name| self.value(name));
        let given = answer.body["access_token"].as_str();
        sent.into_iter().flatten().chain(given).for_each(|token| self.world.saw(token));
        answer
    }
}
