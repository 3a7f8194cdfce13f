//! Putting another configuration in force while requests are answered.

use std::sync::Arc;
use std::time::Duration;

use super::record;
use super::start::{StartError, reconcile};
use crate::app::App;
use crate::audit::Outcome;
use crate::config::Config;
use crate::policy::PolicySet;

/// Puts another configuration in force: all or nothing. Listeners, database and keys stay as they were.
/// Returns when no request is under way by the one before, and what such requests were given for parties
/// that left is revoked as well.
///
/// # Errors
/// [`StartError`]; the old configuration and policy stay in force. If only the last revocation fails, the
/// new ones are in force, and the next reload or start makes up for it.
pub async fn reload(app: &App, config: Config) -> Result<(), StartError> {
    let now = app.now()?;
    let set = PolicySet::configured(&config.policy)?;
    reconcile(app, &config, false, now).await?;
    app.policy.install(&config.policy, set);
    app.metrics.policy_stale.set(0);
    let config = Arc::new(config);
    let before = app.config.swap(Arc::clone(&config));
    until_left(before).await;
    reconcile(app, &config, true, now).await?;
    record::policy(app, now, Outcome::Granted).await?;
    Ok(())
}

/// How long requests under way are waited for: reading a body and waiting for a commit, each 10 s at most.
const UNDER_WAY: Duration = Duration::from_secs(25);

/// Waits until no request works by this configuration any more.
async fn until_left(config: Arc<Config>) {
    let is_left = async {
        while Arc::strong_count(&config) > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    if tokio::time::timeout(UNDER_WAY, is_left).await.is_err() {
        tracing::warn!("a request is still under way by the configuration before");
    }
}
