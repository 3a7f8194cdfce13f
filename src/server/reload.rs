//! Putting another configuration in force while requests are answered.

use std::sync::Arc;
use std::time::Duration;

use super::record;
use super::start::{StartError, reconcile};
use crate::app::App;
use crate::audit::Outcome;
use crate::config::Config;
use crate::policy::PolicySet;

/// Puts another configuration in force, either as a whole or not at all. Listeners, database and keys stay as they
/// were. It returns when no request uses the previous configuration any longer, and when the tokens that such requests
/// still got for removed parties are revoked.
///
/// # Errors
/// [`StartError`]: the previous configuration and policy stay in force. If only the last revocation fails, the new ones
/// are in force, and the next reload or start revokes what is left.
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

/// How long to wait for requests under way: each reads a body and waits for a commit, for at most 10 s each.
const UNDER_WAY: Duration = Duration::from_secs(25);

/// Waits until no request uses this configuration any longer.
async fn until_left(config: Arc<Config>) {
    let is_left = async {
        while Arc::strong_count(&config) > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    if tokio::time::timeout(UNDER_WAY, is_left).await.is_err() {
        tracing::warn!("a request still uses the previous configuration");
    }
}
