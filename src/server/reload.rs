//! Putting another configuration in force while requests are answered.

use std::sync::Arc;
use std::time::Duration;

use super::record;
use super::start::{StartError, reconcile};
use crate::app::App;
use crate::audit::Outcome;
use crate::config::Config;
use crate::http::certificate::Certificate;
use crate::http::throttle::Throttle;
use crate::policy::PolicySet;
use crate::verification::Verifier;

/// Puts another configuration in force, either as a whole or not at all: also the certificate, the key files and the
/// trust roots that it names, its limits and its policy. A change that needs a restart is refused. It returns when no request uses the previous configuration any longer, and when the tokens that such requests
/// still got for removed parties are revoked.
///
/// # Errors
/// [`StartError`]: the previous configuration and policy stay in force. If only the last revocation fails, the new ones
/// are in force, and the next reload or start revokes what is left.
pub async fn reload(app: &App, config: Config) -> Result<(), StartError> {
    let now = app.now()?;
    refuse_what_needs_a_restart(&app.config.load(), &config)?;
    let set = PolicySet::configured(&config.policy)?;
    let key_files = Verifier::read_key_files(&config.registry).map_err(StartError::KeyFile)?;
    let pair = config.tls.as_ref().map(Certificate::read).transpose()?;
    reconcile(app, &config, false, now).await?;
    app.policy.install(&config.policy, set);
    app.metrics.policy_stale.set(0);
    app.verifier.put_in_force(key_files, now);
    if let (Some(certificate), Some(pair)) = (&app.certificate, pair) {
        certificate.replace(pair);
    }
    if config.limits != app.config.load().limits {
        app.throttle.store(Arc::new(Throttle::new(&config.limits, &app.clock)));
    }
    let config = Arc::new(config);
    let before = app.config.swap(Arc::clone(&config));
    until_left(before).await;
    reconcile(app, &config, true, now).await?;
    record::policy(app, now, Outcome::Granted).await?;
    Ok(())
}

/// Refuses a change of what is opened at the start only, and names it.
fn refuse_what_needs_a_restart(before: &Config, after: &Config) -> Result<(), StartError> {
    let changed = [
        ("issuer", before.issuer != after.issuer),
        ("data_dir", before.data_dir != after.data_dir),
        ("listen.public", before.listen.public != after.listen.public),
        ("listen.management", before.listen.management != after.listen.management),
        ("limits.connections", before.limits.connections != after.limits.connections),
        ("tls", before.tls.is_some() != after.tls.is_some()),
        ("database", before.database != after.database),
        ("keys.master_key_file", before.keys.master_key_file != after.keys.master_key_file),
        ("audit.checkpoint_file", before.audit.checkpoint_file != after.audit.checkpoint_file),
    ];
    let names: Vec<String> =
        changed.iter().filter(|(_, is)| *is).map(|(name, _)| format!("`{name}`")).collect();
    if names.is_empty() { Ok(()) } else { Err(StartError::NeedsRestart(names.join(", "))) }
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
