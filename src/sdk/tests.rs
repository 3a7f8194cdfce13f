//! What a request holds, and what becomes of each response, over a transport that never leaves the test.

use std::sync::{Arc, Mutex};

use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Request, StatusCode};
use serde_json::{Value, json};

use super::*;
use crate::base::time::Timestamp;
use crate::jose::{Algorithm, SigningKey, UnverifiedToken};
use crate::testing::doubles::{ManualClock, SeededEntropy};

const ISSUER: &str = "https://deputy.example";
const NOW: i64 = 1_700_000_000;

/// Gives one answer to everything, and keeps what was asked.
struct Fake {
    answer: (u16, Value),
    asked: Mutex<Vec<Request>>,
}

impl Fake {
    fn new(status: u16, body: Value) -> Self {
        Self { answer: (status, body), asked: Mutex::default() }
    }

    /// The last request: its URL, its `Authorization` and its form.
    fn last(&self) -> (String, Option<String>, Vec<(String, String)>) {
        let request = self.asked.lock().unwrap().pop().unwrap();
        let authorization =
            request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
        let form = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
        (request.url().to_string(), authorization, url::form_urlencoded::parse(form).into_owned().collect())
    }
}

impl Transport for Fake {
    async fn send(&self, request: Request) -> Result<Response, Unreachable> {
        self.asked.lock().unwrap().push(request);
        let (status, body) = &self.answer;
        let status = StatusCode::from_u16(*status).unwrap();
        Ok(Response { status, headers: HeaderMap::new(), body: body.to_string().into_bytes() })
    }
}

fn client(credential: Credential) -> Client {
    let clock = Arc::new(ManualClock::starting_at(Timestamp::from_seconds(NOW)));
    let entropy = Arc::new(SeededEntropy::new(7));
    Client::new(ISSUER, Endpoints::of_deputy(ISSUER), "my client", credential, clock, entropy)
}

fn value<'a>(form: &'a [(String, String)], name: &str) -> &'a str {
    form.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

#[tokio::test]
async fn each_request_of_a_client_with_a_key_has_an_assertion_of_its_own_for_the_issuer() {
    let key = SigningKey::generate(Algorithm::ES256).unwrap().named("key-1");
    let public = key.public().unwrap();
    let (client, http) = (client(Credential::Key(key.into())), Fake::new(200, json!({ "active": true })));
    let mut seen = Vec::new();
    for _ in 0..2 {
        assert!(client.introspect(&http, "token").await.unwrap().active);
        let (url, authorization, form) = http.last();
        assert_eq!((url.as_str(), authorization), ("https://deputy.example/introspect", None));
        assert_eq!(value(&form, "token"), "token");
        let assertion = UnverifiedToken::scan(value(&form, "client_assertion")).unwrap();
        assert_eq!(assertion.header().kid.as_deref(), Some("key-1"));
        assert_eq!(assertion.header().typ.as_deref(), Some("client-authentication+jwt"));
        let claims = assertion.verify(&public).unwrap();
        for (name, expected) in [("iss", "my client"), ("sub", "my client"), ("aud", ISSUER)] {
            assert_eq!(claims.text(name).unwrap(), Some(expected));
        }
        assert_eq!(claims.time("exp").unwrap(), Some(Timestamp::from_seconds(NOW + 60)));
        seen.push(claims.text("jti").unwrap().unwrap().to_owned());
    }
    assert_ne!(seen[0], seen[1]);
}

#[tokio::test]
async fn a_secret_goes_form_encoded_into_the_header_or_into_the_body() {
    let http = Fake::new(200, Value::Null);
    client(Credential::Basic("p:ä".into())).revoke(&http, "token").await.unwrap();
    let (_, authorization, form) = http.last();
    // my+client:p%3A%C3%A4
    assert_eq!(authorization.as_deref(), Some("Basic bXkrY2xpZW50OnAlM0ElQzMlQTQ="));
    assert_eq!(form, [("token".to_owned(), "token".to_owned())]);

    client(Credential::Post("p:ä".into())).revoke(&http, "token").await.unwrap();
    let (_, authorization, form) = http.last();
    assert_eq!(
        (authorization, value(&form, "client_id"), value(&form, "client_secret")),
        (None, "my client", "p:ä")
    );
}

#[tokio::test]
async fn an_exchange_sends_its_parameters_and_reads_the_token() {
    let body = json!({ "access_token": "secret", "scope": "a", "expires_in": 300, "task": "t" });
    let http = Fake::new(200, body);
    let exchange = Exchange::of_access_token("subject").actor("actor").audience("tickets").scope("a b");
    let issued = client(Credential::Basic("s".into())).exchange(&http, &exchange).await.unwrap();
    assert_eq!((issued.access_token.as_str(), issued.expires_in), ("secret", Some(300)));
    assert_eq!((issued.scope.as_deref(), issued.task.as_deref()), (Some("a"), Some("t")));
    assert!(!format!("{issued:?}").contains("secret"));
    let (_, _, form) = http.last();
    for (name, expected) in [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", "subject"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("actor_token", "actor"),
        ("actor_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ("audience", "tickets"),
        ("scope", "a b"),
    ] {
        assert_eq!(value(&form, name), expected);
    }
}

/// Demands a nonce of every proof that has none, and keeps the proofs.
#[derive(Default)]
struct Demanding(Mutex<Vec<String>>);

impl Transport for Demanding {
    async fn send(&self, request: Request) -> Result<Response, Unreachable> {
        let proof = request.headers().get("dpop").map(|proof| proof.to_str().unwrap().to_owned()).unwrap();
        let (scanned, key) = UnverifiedToken::scan_with_own_key(&proof).unwrap();
        let has_nonce = scanned.verify(&key).unwrap().text("nonce").unwrap() == Some("nonce-1");
        self.0.lock().unwrap().push(proof);
        let (status, body) = match has_nonce {
            true => (200, json!({ "access_token": "secret", "token_type": "DPoP" })),
            false => (400, json!({ "error": "use_dpop_nonce" })),
        };
        let headers = HeaderMap::from_iter([("dpop-nonce".parse().unwrap(), "nonce-1".parse().unwrap())]);
        let status = StatusCode::from_u16(status).unwrap();
        Ok(Response { status, headers, body: body.to_string().into_bytes() })
    }
}

#[tokio::test]
async fn a_client_proves_its_key_to_the_token_endpoint_and_repeats_a_request_with_the_nonce_demanded() {
    let key = SigningKey::generate(Algorithm::ES256).unwrap();
    let thumbprint = key.public().unwrap().thumbprint().unwrap();
    let (client, http) = (client(Credential::Basic("s".into())).proving(key), Demanding::default());
    client.exchange(&http, &Exchange::of_id_token("token")).await.unwrap();
    let proofs = http.0.into_inner().unwrap();
    let mut ids = Vec::new();
    for proof in &proofs {
        let (scanned, key) = UnverifiedToken::scan_with_own_key(proof).unwrap();
        assert_eq!(scanned.header().typ.as_deref(), Some("dpop+jwt"));
        assert_eq!(key.thumbprint().unwrap(), thumbprint);
        let claims = scanned.verify(&key).unwrap();
        for (name, expected) in [("htm", "POST"), ("htu", "https://deputy.example/token")] {
            assert_eq!(claims.text(name).unwrap(), Some(expected));
        }
        assert_eq!(claims.time("iat").unwrap(), Some(Timestamp::from_seconds(NOW)));
        ids.push(claims.text("jti").unwrap().unwrap().to_owned());
    }
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
    // A key may name the agent whose token is revoked. Nothing else depends on one.
    let revocation = client.request(Endpoint::Revocation, &[]).unwrap();
    let proof = revocation.headers().get("dpop").and_then(|proof| proof.to_str().ok()).unwrap();
    let (scanned, key) = UnverifiedToken::scan_with_own_key(proof).unwrap();
    assert_eq!(scanned.verify(&key).unwrap().text("htu").unwrap(), Some("https://deputy.example/revoke"));
    let introspection = client.request(Endpoint::Introspection, &[]).unwrap();
    assert!(introspection.headers().get("dpop").is_none());
}

#[tokio::test]
async fn a_refusal_is_an_error_with_its_members() {
    let body = json!({ "error": "invalid_request", "error_description": "why", "reason": "finer", "request_id": "id" });
    let http = Fake::new(400, body);
    let refused = client(Credential::Basic("s".into())).introspect(&http, "token").await.unwrap_err();
    let Error::Refused(refusal) = refused else { panic!("{refused:?}") };
    assert_eq!(refusal.to_string(), "400 invalid_request (finer)");
    assert_eq!((refusal.description.as_deref(), refusal.request_id.as_deref()), (Some("why"), Some("id")));
}

#[tokio::test]
async fn a_success_without_what_was_asked_for_is_an_error() {
    let (client, http) = (client(Credential::Basic("s".into())), Fake::new(200, json!({ "active": "yes" })));
    let introspected = client.introspect(&http, "token").await;
    assert!(matches!(introspected, Err(Error::Answer(_))), "{introspected:?}");
    let exchanged = client.exchange(&http, &Exchange::of_id_token("token")).await;
    assert!(matches!(exchanged, Err(Error::Answer(_))), "{exchanged:?}");
}

#[tokio::test]
async fn metadata_counts_only_where_it_names_the_issuer_that_was_asked() {
    let issuer = "https://deputy.example/tenant";
    let http = Fake::new(200, json!({ "issuer": issuer, "token_endpoint": "https://elsewhere.example/t" }));
    let endpoints = Endpoints::discover(&http, issuer).await.unwrap();
    assert_eq!(http.last().0, "https://deputy.example/.well-known/oauth-authorization-server/tenant");

    let client = Client::of_system(issuer, endpoints, "c", Credential::Basic("s".into()));
    assert_eq!(client.request(Endpoint::Token, &[]).unwrap().url().as_str(), "https://elsewhere.example/t");
    let missing = client.request(Endpoint::Revocation, &[]).unwrap_err();
    assert!(matches!(missing, Error::NoEndpoint("revocation_endpoint")), "{missing:?}");

    let other = Endpoints::discover(&http, "https://other.example").await;
    assert!(matches!(other, Err(Error::Metadata)), "{other:?}");
    assert!(matches!(Endpoints::discover(&http, "deputy").await, Err(Error::Issuer)));
}
