//! An OpenID provider's public side: discovery and keys over real HTTP, counted. Tests sign its ID
//! tokens themselves.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::{Value, json};

use super::keys::Key;

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
}

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
    HttpResponse::Ok().json(&*state.jwks.lock().unwrap())
}
