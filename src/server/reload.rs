//! Putting another configuration in force while requests are answered.

use std::sync::Arc;

use super::record;
use super::start::{StartError, take_effect};
use crate::app::App;
use crate::audit::Outcome;
use crate::config::Config;
use crate::http::certificate::Certificate;
use crate::http::throttle::Throttle;
use crate::policy::PolicySet;
use crate::verification::{Authorities, Verifier};

/// Puts another configuration in force, either as a whole or not at all: also the certificate, the authorities of
/// client certificates, the key files and the trust roots that it names, its limits and its policy. A change that needs
/// a restart is refused. When it returns, whatever names a party that left is dead, and nothing more is issued by the
/// previous configuration.
///
/// # Errors
/// [`StartError`]: the previous configuration and policy stay in force.
pub async fn reload(app: &App, mut config: Config) -> Result<(), StartError> {
    let now = app.now()?;
    // A request whose configuration is no longer in force waits for the one that is.
    let _changing = app.changing.write().await;
    let before = app.config.load_full();
    refuse_what_needs_a_restart(&before, &config)?;
    config.generation = before.generation + 1;
    let set = PolicySet::configured(&config.policy)?;
    let key_files = Verifier::read_key_files(&config.registry).map_err(StartError::KeyFile)?;
    let pair = config.tls.as_ref().map(Certificate::read).transpose()?;
    let authorities = Authorities::read(&config)?;
    if let Err(failure) = take_effect(app, &config, now).await {
        // It may have been written all the same: the previous configuration goes on under a number that is not behind it.
        let previous = Config { generation: config.generation + 1, ..Config::clone(&before) };
        app.config.store(Arc::new(previous));
        return Err(failure.into());
    }
    app.policy.install(&config.policy, set);
    app.metrics.policy_stale.set(0);
    app.verifier.put_in_force(key_files, now);
    app.verifier.trust(authorities);
    if let (Some(certificate), Some(pair)) = (&app.certificate, pair) {
        certificate.replace(pair);
    }
    if config.limits != before.limits {
        app.throttle.store(Arc::new(Throttle::new(&config.limits, &app.clock)));
    }
    app.config.store(Arc::new(config));
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
        ("listen.mtls", before.listen.mtls != after.listen.mtls),
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
