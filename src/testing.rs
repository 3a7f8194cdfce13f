//! What the tests outside the library and the benchmarks may use. Except for the SDK, it takes and gives plain values
//! only: a type of the library that was re-exported here would count as used with all its methods, and the compiler
//! would no longer find those that nothing calls.

#[cfg(test)]
#[path = "../tests/support/definition.rs"]
pub(crate) mod definition;
pub(crate) mod doubles;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::base::entropy::{SystemEntropy, uuid_v7};
use crate::base::time::{Clock as _, Lifetime, SystemClock, Timestamp};
use crate::keys::{AgentOf, NodeSecrets, SealPurpose};
use crate::oauth::{
    Cause, ClientId, Issuer, Jti, LoginId, RequestId, ScopeToken, TargetId, WorkloadId, WorkloadIdKind,
};
use crate::registry::{Network, Reach};
use crate::store::AuditFilter;
use crate::testing::doubles::SeededEntropy;
use crate::verification::{HttpKeys, RemoteKeys as _};
use crate::{config, policy, server};

// The client that the tests and the benchmark call Deputy with. These types show nothing else of the library.
pub use crate::sdk::{Client, Credential, Endpoint, Endpoints, Exchange, Http, HttpOptions};

/// A configuration that was read and found good.
pub struct Config(config::Config);

impl Config {
    /// Reads a configuration file's text, with paths relative to `base`.
    ///
    /// # Errors
    /// What `deputy check` says of it.
    pub fn parse(text: &str, base: &Path) -> Result<Self, String> {
        config::Config::parse(text, base).map(Self).map_err(|error| error.to_string())
    }

    /// The scope that a registered target defines, as on the wire.
    pub fn scope_of(&self, target: &str) -> Option<String> {
        self.0.registry.targets.get(target).map(|target| target.scope().to_string())
    }
}

/// A clock that shows what a test sets.
#[derive(Clone)]
pub struct ManualClock(Arc<doubles::ManualClock>);

impl ManualClock {
    /// A clock that shows `seconds` since the epoch.
    pub fn starting_at(seconds: i64) -> Self {
        Self(Arc::new(doubles::ManualClock::starting_at(Timestamp::from_seconds(seconds))))
    }

    /// Sets the clock to `seconds` since the epoch, forwards or backwards.
    pub fn set(&self, seconds: i64) {
        self.0.set(Timestamp::from_seconds(seconds));
    }

    /// Moves the clock forwards.
    pub fn advance(&self, seconds: u32) {
        self.0.advance(Lifetime::from_seconds(seconds));
    }

    /// What the clock shows, in whole seconds since the epoch.
    pub fn now(&self) -> i64 {
        self.0.now().seconds()
    }
}

/// A running server.
pub struct Server(server::Server);

impl Server {
    /// Starts a server whose random bytes follow from `seed`.
    ///
    /// # Errors
    /// Why it does not start.
    pub async fn start(config: Config, clock: &ManualClock, seed: u64) -> Result<Self, String> {
        let entropy = Arc::new(SeededEntropy::new(seed));
        let surroundings = server::Surroundings { clock: clock.0.clone(), entropy };
        server::Server::start(config.0, surroundings).await.map(Self).map_err(|error| error.to_string())
    }

    /// Stops the server in order.
    ///
    /// # Errors
    /// It could not be stopped in order.
    pub async fn stop(self) -> Result<(), String> {
        self.0.stop().await.map_err(|error| error.to_string())
    }

    /// Where the management listener listens.
    pub const fn management(&self) -> SocketAddr {
        self.0.running.management
    }

    /// Does what the server does every second.
    ///
    /// # Errors
    /// What failed.
    pub async fn tidy(&self) -> Result<(), String> {
        server::background::tidy(&self.0.app).await.map_err(|error| error.to_string())
    }

    /// Ends what is due and removes what has run out.
    ///
    /// # Errors
    /// What failed.
    pub async fn sweep(&self) -> Result<(), String> {
        server::background::sweep(&self.0.app, || false).await.map_err(|error| error.to_string())
    }

    /// Ends on record the tasks that stops ended.
    ///
    /// # Errors
    /// What failed.
    pub async fn walk(&self) -> Result<(), String> {
        server::background::walk(&self.0.app, || false).await.map_err(|error| error.to_string())
    }

    /// Counts for the metrics what is live.
    ///
    /// # Errors
    /// What failed.
    pub async fn count_live(&self) -> Result<(), String> {
        server::census::count_live(&self.0.app).await.map_err(|error| error.to_string())
    }

    /// Puts another configuration in force.
    ///
    /// # Errors
    /// Why the previous one stays in force.
    pub async fn reload(&self, config: Config) -> Result<(), String> {
        server::reload::reload(&self.0.app, config.0).await.map_err(|error| error.to_string())
    }

    /// Closes the store, so that whatever needs it fails.
    ///
    /// # Errors
    /// It could not be closed in order.
    pub async fn close_store(&self) -> Result<(), String> {
        self.0.app.store.close().await.map_err(|error| error.to_string())
    }

    /// The newest signing key: its `kid` and its PKCS#8.
    ///
    /// # Errors
    /// The store or the master key.
    pub async fn signing_key(&self) -> Result<(String, Vec<u8>), String> {
        let rows = self.0.app.store.list_keys().await.map_err(|error| error.to_string())?;
        let row = rows.last().ok_or("no key is recorded")?;
        let pkcs8 = self.0.app.secrets.open(SealPurpose::SigningKey(&row.kid), &row.sealed);
        Ok((row.kid.clone(), pkcs8.map_err(|error| error.to_string())?.to_vec()))
    }

    /// The agent of a workload with the stable `id` of an issuer, or of the client `id` if the issuer is `client`.
    pub fn agent_id(&self, issuer: &str, id: &str) -> String {
        let secrets = &self.0.app.secrets;
        if issuer == "client" {
            return secrets.agent_id(AgentOf::Client(&ClientId::new(id))).to_string();
        }
        let id = WorkloadId::of_text(WorkloadIdKind::Stable, id);
        secrets.agent_id(AgentOf::Workload(&Issuer::new(issuer), &id)).to_string()
    }

    /// The audit rows, oldest first, as they are chained and shown: all of them, or those of one request.
    ///
    /// # Errors
    /// The store, or a request identifier that is none.
    pub async fn audit(&self, request: Option<&str>) -> Result<Vec<Value>, String> {
        let request = match request {
            Some(id) => Some(RequestId::parse(id).ok_or_else(|| format!("`{id}` is no request id"))?),
            None => None,
        };
        let filter = AuditFilter { request, ..AuditFilter::default() };
        let rows = self.0.app.store.list_audit(&filter).await.map_err(|error| error.to_string())?;
        rows.iter().map(|row| serde_json::to_value(row).map_err(|error| error.to_string())).collect()
    }

    /// The login that a token descends from: its identifier, and whether the provider's session is kept with it.
    ///
    /// # Errors
    /// The store, or a token that is not on record.
    pub async fn login_of(&self, jti: &str) -> Result<Value, String> {
        let jti = Jti::parse(jti).ok_or("this is no jti")?;
        let lineage = self.0.app.store.find_lineage(jti).await.map_err(|error| error.to_string())?;
        let lineage = lineage.ok_or("the token is not on record")?;
        let login = lineage.behind.login().ok_or("no user is behind the token")?;
        Ok(json!({"id": login.id, "has_session": login.session.is_some()}))
    }

    /// Whether an answer of this login is kept for `target`.
    ///
    /// # Errors
    /// The store, or arguments that are no identifiers.
    pub async fn is_answer_kept(&self, login: &str, target: &str, scope: &str) -> Result<bool, String> {
        let login = LoginId::parse(login).ok_or("this is no login")?;
        let scope = ScopeToken::parse(scope).ok_or("this is no scope token")?;
        let answer = self.0.app.store.find_answer(login, &TargetId::new(target), &scope).await;
        answer.map(|answer| answer.is_some()).map_err(|error| error.to_string())
    }
}

/// The system's clock, in whole seconds since the epoch.
pub fn system_seconds() -> i64 {
    SystemClock.now().seconds()
}

/// Makes a master key as `deputy init` does.
///
/// # Errors
/// The file could not be written.
pub fn create_master_key(path: &Path) -> Result<(), String> {
    NodeSecrets::create(path, &SystemEntropy::default()).map_err(|error| error.to_string())
}

/// Identifiers as they are given to tokens that are all issued at `seconds`.
///
/// # Errors
/// The random generator is not available.
pub fn identifiers(count: usize, seconds: i64) -> Result<Vec<uuid::Uuid>, String> {
    let (entropy, now) = (SystemEntropy::default(), Timestamp::from_seconds(seconds));
    (0..count).map(|_| uuid_v7(&entropy, now).map_err(|error| error.to_string())).collect()
}

/// `error` and `error_description` of every refusal.
pub fn refusals() -> Vec<(&'static str, &'static str)> {
    let wires = Cause::all().into_iter().map(|cause| cause.wire());
    wires.map(|wire| (wire.code.as_str(), wire.description)).collect()
}

/// The policy files that ship with Deputy: name and text.
pub const fn builtin_policies() -> &'static [(&'static str, &'static str)] {
    policy::BUILTIN_FILES
}

/// Fetches a document of at most `limit` bytes as keys and metadata are fetched.
///
/// # Errors
/// Why it was not fetched.
pub async fn fetch(url: &str, is_private: bool, limit: usize, is_local: bool) -> Result<Vec<u8>, String> {
    let network = if is_private { Network::Private } else { Network::Public };
    let reach = Reach { network, ..Reach::default() };
    let url = url.parse().map_err(|error: url::ParseError| error.to_string())?;
    let fetched = HttpKeys::default().fetch(&url, &reach, limit, is_local).await;
    fetched.map(|document| document.body).map_err(|error| error.to_string())
}
