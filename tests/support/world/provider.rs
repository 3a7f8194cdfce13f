//! An OpenID provider's public side: discovery and keys over real HTTP, counted. Tests sign its ID
//! tokens themselves.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::{Value, json};

use crate::jose::Key;

/// A running provider.
pub struct Provider {
    /// Its issuer.
    pub issuer: String,
    /// Its signing key.
    pub key: Key,
    state: Arc<State>,
    handle: actix_web::dev::ServerHandle,
}

struct State {
    discovery: Mutex<Value>,
    jwks: Mutex<Value>,
    discovery_fetches: AtomicU64,
    jwks_fetches: AtomicU64,
    odd_keys: Mutex<Option<Odd>>,
    delay: Mutex<std::time::Duration>,
}

/// An answer instead of the key set: status, headers, body.
type Odd = (u16, Vec<(String, String)>, Vec<u8>);

impl Provider {
    /// Starts one on a free loopback port.
    pub async fn start(number: u8) -> Self {
        let key = Key::new(&format!("provider-{number}"));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let discovery = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/jwks"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        });
        let state = Arc::new(State {
            discovery: Mutex::new(discovery),
            jwks: Mutex::new(key.jwks()),
            discovery_fetches: AtomicU64::new(0),
            jwks_fetches: AtomicU64::new(0),
            odd_keys: Mutex::default(),
            delay: Mutex::default(),
        });
        let data = web::Data::from(state.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .route("/.well-known/openid-configuration", web::get().to(discovery_document))
                .route("/jwks", web::get().to(key_set))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .unwrap()
        .run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { issuer, key, state, handle }
    }

    /// How often its keys were fetched.
    pub fn jwks_fetches(&self) -> u64 {
        self.state.jwks_fetches.load(Ordering::SeqCst)
    }

    /// How often its discovery document was fetched.
    pub fn discovery_fetches(&self) -> u64 {
        self.state.discovery_fetches.load(Ordering::SeqCst)
    }

    /// Publishes another key set.
    pub fn publish(&self, jwks: Value) {
        *self.state.jwks.lock().unwrap() = jwks;
    }

    /// Changes a member of the discovery document.
    pub fn describe(&self, member: &str, value: Value) {
        self.state.discovery.lock().unwrap()[member] = value;
    }

    /// Answers this where its keys are asked for.
    pub fn answer_keys_with(&self, status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) {
        let headers = headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        *self.state.odd_keys.lock().unwrap() = Some((status, headers, body.into()));
    }

    /// Answers with its keys again.
    pub fn answer_keys(&self) {
        *self.state.odd_keys.lock().unwrap() = None;
    }

    /// Takes this long to answer with its keys.
    pub fn delay_keys(&self, delay: std::time::Duration) {
        *self.state.delay.lock().unwrap() = delay;
    }

    /// Stops answering.
    pub async fn stop(&self) {
        self.handle.stop(false).await;
    }
}

async fn discovery_document(state: web::Data<State>) -> HttpResponse {
    state.discovery_fetches.fetch_add(1, Ordering::SeqCst);
    HttpResponse::Ok().json(&*state.discovery.lock().unwrap())
}

async fn key_set(state: web::Data<State>) -> HttpResponse {
    state.jwks_fetches.fetch_add(1, Ordering::SeqCst);
    let delay = *state.delay.lock().unwrap();
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let odd = state.odd_keys.lock().unwrap().clone();
    if let Some((status, headers, body)) = odd {
        let mut builder = HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap());
        for (name, value) in headers {
            builder.insert_header((name, value));
        }
        return builder.body(body);
    }
    HttpResponse::Ok().json(&*state.jwks.lock().unwrap())
}
