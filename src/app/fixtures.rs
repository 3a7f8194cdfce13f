//! The parts of a server, on SQLite in a directory of its own and by a clock that a test sets: what the endpoints work
//! with, without a listener.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};

use actix_web::web;
use arc_swap::ArcSwap;
use tokio::sync::RwLock;

use super::{App, Reference};
use crate::audit::Row;
use crate::audit::counted::Counted;
use crate::base::time::Clock;
use crate::config::Config;
use crate::http::throttle::Throttle;
use crate::keys::KeyRing;
use crate::metrics::Metrics;
use crate::policy::ActivePolicy;
use crate::store::{AuditFilter, Opening, Store};
use crate::testing::doubles::{ManualClock, SeededEntropy};
use crate::verification::fixtures::{NOW, World};

/// An [`App`] with what it depends on.
pub struct Parts {
    /// The app, as handlers take it.
    pub app: web::Data<App>,
    /// Its clock.
    pub clock: Arc<ManualClock>,
    _files: tempfile::TempDir,
}

impl Deref for Parts {
    type Target = App;

    fn deref(&self) -> &App {
        &self.app
    }
}

impl Parts {
    /// The parties of [`World`], with a configuration that `change` changes. There is no signing key.
    pub async fn new(change: impl FnOnce(&mut Config)) -> Self {
        let World { mut config, verifier, secrets, files, .. } = World::new();
        change(&mut config);
        let clock = Arc::new(ManualClock::starting_at(NOW));
        let shared: Arc<dyn Clock> = clock.clone();
        let entropy = Arc::new(SeededEntropy::new(1));
        let opening = Opening { config: &config, secrets: &secrets, entropy: entropy.as_ref() };
        let store = Store::open(opening).await.unwrap();
        let metrics = Metrics::new().unwrap();
        store.count_commits(metrics.commit_seconds.clone());
        let app = App {
            ring: ArcSwap::from_pointee(KeyRing::from_rows(&[], &secrets).unwrap()),
            key_readings: AtomicU64::new(0),
            verifier,
            policy: ActivePolicy::open(&config.policy).unwrap(),
            throttle: ArcSwap::from_pointee(Throttle::new(&config.limits, &shared)),
            certificate: None,
            metrics,
            introspections: Counted::default(),
            highest: AtomicI64::new(NOW.millis()),
            reference: Reference::default(),
            keys_refreshed: AtomicI64::new(NOW.millis()),
            config: ArcSwap::from_pointee(config),
            changing: RwLock::default(),
            store,
            secrets,
            clock: shared,
            entropy,
        };
        Self { app: web::Data::new(app), clock, _files: files }
    }

    /// Every audit row, oldest first.
    pub async fn rows(&self) -> Vec<Row> {
        self.store.list_audit(&AuditFilter::default()).await.unwrap()
    }
}
