//! A whole Deputy in this process, behind real HTTP on loopback, with a clock and entropy that tests
//! set: an OpenID provider, a workload issuer, clients and targets to play with.
//!
//! `World::start(Setup::default())`, then change ONE thing of a good request: `world.tx().set("scope", "x")`.

#![allow(dead_code, unused_imports, reason = "each test target uses its part")]

mod algorithms;
mod answer;
mod certificates;
mod inside;
mod provider;
mod setup;
mod tokens;

use std::collections::BTreeSet;

use deputy::testing::{Config, ManualClock, Server};
use serde_json::Value;

pub use crate::definition::secret_of;
pub use crate::jose::{Key, OPAQUE, claims_of, header_of, jti_of};
pub use crate::ports::free_port;
use crate::scan::Scanner;
pub use algorithms::{OtherKey, hmac_signed, unsigned};
pub use answer::Answer;
pub use certificates::{Authority, Certified, named};
pub use provider::Provider;
pub use setup::Setup;
pub use tokens::{Jwt, Request};

/// Where the clock of a world begins: 2026-11-22 12:00:00 UTC.
pub const NOON: i64 = 1_795_348_800;

/// What `actor_token_type` says.
pub const JWT_TYPE: &str = "urn:ietf:params:oauth:token-type:jwt";
/// What `subject_token_type` says of an ID token.
pub const ID_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:id_token";
/// What `subject_token_type` says of a Deputy token.
pub const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";
/// What `client_assertion_type` says.
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// What `grant_type` says.
pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// A running Deputy and those around it.
pub struct World {
    /// Deputy's issuer, also the base of its endpoints.
    pub issuer: String,
    /// Its clock.
    pub clock: ManualClock,
    /// The user's provider.
    pub provider: Provider,
    /// A second provider, trusted by [`Setup::with_other_provider`]; its keys must never do for the first.
    pub other_provider: Provider,
    /// The workload issuer's key.
    pub workload_key: Key,
    /// The server itself.
    pub server: Option<Server>,
    /// The configuration's text, to change and reload.
    pub toml: String,
    /// Where it lives.
    pub directory: tempfile::TempDir,
    /// HTTP without redirects or proxies.
    pub http: reqwest::Client,
    client_keys: std::collections::BTreeMap<String, Key>,
    seen: std::sync::Mutex<BTreeSet<String>>,
    counter: std::sync::atomic::AtomicU64,
}

/// What a user's ID token says of them, unless a test says otherwise.
const PERSONAL: [(&str, &str); 2] = [("a birthdate", "1990-02-28"), ("an e-mail", "alice@example.org")];

/// The tokens of all worlds that have ended.
static SEEN: std::sync::Mutex<BTreeSet<String>> = std::sync::Mutex::new(BTreeSet::new());

/// Looks for what went over the wire in any world so far, and for what is personal.
pub fn scanner_for_all() -> Scanner {
    scanner_for(&SEEN.lock().unwrap())
}

fn scanner_for(tokens: &BTreeSet<String>) -> Scanner {
    let mut scanner = Scanner::default();
    PERSONAL.iter().for_each(|(what, text)| scanner.add(what, text));
    tokens.iter().for_each(|token| scanner.add("a token", token));
    scanner
}

/// Whatever a test is about: no token and nothing personal may be left on disk.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let seen = std::mem::take(self.seen.get_mut().unwrap());
        let scanner = scanner_for(&seen);
        SEEN.lock().unwrap().extend(seen);
        let data: Vec<_> = ["data", "data-2"].map(|name| self.directory.path().join(name)).into();
        let findings: Vec<_> = data
            .iter()
            .filter(|path| path.is_dir())
            .flat_map(|path| scanner.search_directory(path))
            .collect();
        assert_eq!(findings, [], "secrets were left behind");
    }
}

impl World {
    /// Remembers a token that was sent, so that the test can search for it at the end. Tokens that are too short to be
    /// recognised are left out.
    fn saw(&self, token: &str) {
        let parts: Vec<&str> = token.split('.').collect();
        let is_jwt = parts.len() == 3 && parts.iter().all(|part| part.len() >= 20);
        if is_jwt || (token.starts_with(OPAQUE) && token.len() == 63) {
            self.seen.lock().unwrap().insert(token.to_owned());
        }
    }

    /// Starts everything.
    pub async fn start(setup: Setup) -> Self {
        let starts_at = setup.starts_at.unwrap_or(NOON);
        let clock = ManualClock::starting_at(starts_at);
        let provider = Provider::start(1).await;
        let other_provider = Provider::start(2).await;
        let directory = tempfile::tempdir().unwrap();
        let scheme = if setup.is_tls { "https" } else { "http" };
        let issuer = format!("{scheme}://127.0.0.1:{}{}", free_port(), setup.issuer_path);
        let is_tls = setup.is_tls;
        let made = setup.write(directory.path(), &issuer, &provider.issuer, &other_provider.issuer);
        let mut http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        if is_tls {
            let pem = std::fs::read(directory.path().join("tls/certificate.pem")).unwrap();
            http = http.tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()]);
        }
        let mut world = Self {
            issuer,
            clock,
            provider,
            other_provider,
            workload_key: made.workload_key,
            server: None,
            toml: made.toml,
            directory,
            http: http.build().unwrap(),
            client_keys: made.client_keys,
            counter: std::sync::atomic::AtomicU64::new(0),
            seen: std::sync::Mutex::default(),
        };
        world.boot().await.unwrap();
        world
    }

    /// Starts the server on what is on disk.
    pub async fn boot(&mut self) -> Result<(), String> {
        let config = self.config();
        let seed = self.next();
        self.server = Some(Server::start(config, &self.clock, seed).await?);
        Ok(())
    }

    /// Starts another node on the same database: its own data directory, the same master key.
    pub async fn second_node(&self) -> Node {
        let port = free_port();
        let own = url::Url::parse(&self.issuer).unwrap().port().unwrap();
        let toml = self
            .toml
            .replace("data_dir = \"data\"", "data_dir = \"data-2\"")
            .replace(&format!("public = \"127.0.0.1:{own}\""), &format!("public = \"127.0.0.1:{port}\""));
        let toml = format!(
            "{toml}\n[keys]\nmaster_key_file = \"data/master.key\"\n\n[database]\nurl = \"sqlite://{}\"\n",
            self.directory.path().join("data/deputy.db").display(),
        );
        let config = Config::parse(&toml, self.directory.path()).unwrap_or_else(|error| panic!("{error}"));
        let server = Server::start(config, &self.clock, 1_000_000 + self.next()).await.unwrap();
        Node { server, base: format!("http://127.0.0.1:{port}") }
    }

    /// Stops the server in order.
    pub async fn halt(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await.unwrap();
        }
    }

    /// The configuration of this world, parsed.
    pub fn config(&self) -> Config {
        Config::parse(&self.toml, self.directory.path()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The server, which has to run.
    pub fn server(&self) -> &Server {
        self.server.as_ref().expect("the server runs")
    }

    /// The time, in whole seconds.
    pub fn now(&self) -> i64 {
        self.clock.now()
    }

    /// Moves the clock forwards.
    pub fn advance(&self, seconds: u32) {
        self.clock.advance(seconds);
    }

    /// A number never given before in this world.
    pub fn next(&self) -> u64 {
        self.counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1
    }

    /// The key of a client that authenticates by `private_key_jwt`.
    pub fn key_of(&self, client: &str) -> &Key {
        &self.client_keys[client]
    }

    /// The audit rows of one request, newest last.
    pub async fn audit_of(&self, request_id: &str) -> Vec<Value> {
        self.server().audit(Some(request_id)).await.unwrap()
    }

    /// How many audit rows record an issued token. The number grows only when a token was issued.
    pub async fn minted(&self) -> usize {
        let rows = self.audit().await;
        rows.iter().filter(|row| row["event"] == "exchange" && row["outcome"] == "granted").count()
    }

    /// GET of a path below the issuer.
    pub async fn get(&self, path: &str) -> Answer {
        let response = self.http.get(format!("{}{path}", self.issuer)).send().await.unwrap();
        Answer::read(response).await
    }

    /// GET of a path from the root of the public listener, outside the issuer's path too.
    pub async fn get_at_root(&self, path: &str) -> Answer {
        let root = url::Url::parse(&self.issuer).unwrap().join(path).unwrap();
        Answer::read(self.http.get(root).send().await.unwrap()).await
    }

    /// A verb of the operator over the admin socket; the body is JSON if it is not null.
    pub async fn admin(&self, method: &str, path: &str, body: Value) -> Answer {
        let socket = self.directory.path().join("data/admin.sock");
        let http = reqwest::Client::builder().unix_socket(socket).no_proxy().build().unwrap();
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = http.request(method, format!("http://deputy{path}"));
        if !body.is_null() {
            request = request.json(&body);
        }
        Answer::read(request.send().await.unwrap()).await
    }

    /// Every audit row so far, oldest first.
    pub async fn audit(&self) -> Vec<Value> {
        self.server().audit(None).await.unwrap()
    }

    /// Whether `text` is anywhere in the files of the data directory, the database with its WAL
    /// included.
    pub fn is_on_disk(&self, text: &str) -> bool {
        let mut waiting = vec![self.directory.path().join("data")];
        while let Some(directory) = waiting.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    waiting.push(path);
                } else if let Ok(bytes) = std::fs::read(&path)
                    && bytes.windows(text.len()).any(|window| window == text.as_bytes())
                {
                    return true;
                }
            }
        }
        false
    }

    /// What a resource server (client id and secret in Basic) hears of `token`.
    pub async fn introspect_as(&self, resource_server: &str, token: &str) -> Answer {
        self.form("/introspect").set("token", token).basic(resource_server).send().await
    }

    /// Whether `token` is active at `tickets`.
    pub async fn is_active(&self, token: &str) -> bool {
        self.introspect_as("tickets-api", token).await.body["active"] == Value::Bool(true)
    }
}

/// Another node of the same Deputy.
pub struct Node {
    /// Its server.
    pub server: Server,
    /// Where it listens; requests go there by [`Request::at`].
    pub base: String,
}
