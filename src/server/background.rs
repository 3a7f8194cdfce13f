//! What a server does besides answering: it writes what was counted, reads the keys again, ends what is due, and
//! watches the policy files.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{readiness, record};
use crate::app::{App, Failure};
use crate::audit::Outcome;
#[cfg(debug_assertions)]
use crate::base::fault;
use crate::endpoint::{introspect, phases};
use crate::policy::{PolicyError, ReloadOutcome};
use crate::store::{Change, Control, Entry, Recorded};

/// How often what was counted is written and other nodes' keys are read: within 10 s.
const TIDY_EVERY: Duration = Duration::from_secs(1);
/// How often tasks whose time is up are ended on record.
const SWEEP_EVERY: Duration = Duration::from_secs(15);

/// A part of the background work, by name. It ends when the server stops.
pub(super) type Part = (&'static str, JoinHandle<()>);

/// Starts the background work; each part ends when `stopped` changes.
pub(super) fn start(app: &Arc<App>, stopped: &watch::Receiver<bool>) -> Vec<Part> {
    let tidying =
        every("tidy", TIDY_EVERY, app.clone(), stopped.clone(), |app| async move { tidy(&app).await });
    let sweeping =
        every("sweep", SWEEP_EVERY, app.clone(), stopped.clone(), |app| async move { sweep(&app).await });
    let watching = watch_policy(app.clone(), stopped.clone());
    vec![
        ("the tidying", tokio::spawn(tidying)),
        ("the sweep", tokio::spawn(sweeping)),
        ("the watch over the policy files", tokio::spawn(watching)),
        ("the watch over the readiness", tokio::spawn(readiness::watch(app.clone(), stopped.clone()))),
    ]
}

/// What has to be done now and then: counted rows, keys of other nodes, what ran out.
///
/// # Errors
/// The first part that failed; the others are done at the next call.
pub async fn tidy(app: &App) -> Result<(), Failure> {
    let now = app.now()?;
    phases::record_counted(app, now).await?;
    introspect::record_counted(app, now).await?;
    app.refresh_keys().await?;
    app.throttle.load().tidy();
    Ok(())
}

/// Ends tasks whose time is up and removes rows past their use. Nothing depends on it.
pub async fn sweep(app: &App) -> Result<(), Failure> {
    let now = app.now()?;
    // Other nodes rely on the rows that a sweep removes, so it takes a clock on which they agree.
    if !app.clock_agrees().await? {
        tracing::error!(
            "the clock of this machine is more than a minute from that of the database: nothing is swept"
        );
        return Ok(());
    }
    loop {
        // One is a small batch, so that requests come between; there may be more to do than one does.
        let entry = Entry { one_time: Vec::new(), change: Change::Control(Control::Sweep), told: None, now };
        if !matches!(app.store.record(entry).await?, Recorded::Done { changed: true, .. }) {
            return Ok(());
        }
    }
}

async fn every<F, W>(part: &str, period: Duration, app: Arc<App>, mut stopped: watch::Receiver<bool>, work: W)
where
    W: Fn(Arc<App>) -> F,
    F: Future<Output = Result<(), Failure>>,
{
    #[cfg(not(debug_assertions))]
    let _ = part;
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                #[cfg(debug_assertions)]
                if fault::ends(part) {
                    return;
                }
                if let Err(failure) = work(app.clone()).await {
                    tracing::warn!(error = %failure, "side work failed; it is tried again");
                }
            }
            _ = stopped.changed() => return,
        }
    }
}

/// Reloads the policy set when its files change; one that is refused leaves the old one in force and says so.
async fn watch_policy(app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    #[cfg(debug_assertions)]
    if fault::ends("policy") {
        return;
    }
    let policy = app.policy.clone();
    let shutdown = async move {
        // A sender that is gone stops the watch too.
        let _ = stopped.changed().await;
    };
    policy.watch(shutdown, move |outcome| tell_policy(app.clone(), outcome)).await;
}

async fn tell_policy(app: Arc<App>, outcome: Result<ReloadOutcome, PolicyError>) {
    let outcome = match outcome {
        Ok(_) => {
            app.metrics.policy_stale.set(0);
            let set = app.policy.current();
            tracing::info!(policy.set = %set.short_hash(), "policy files changed; the new set is in force");
            Outcome::Granted
        }
        Err(error) => {
            app.metrics.policy_stale.set(1);
            tracing::error!(%error, "policy files refused; the old set stays in force");
            Outcome::Refused { cause: "policy_refused".into(), reason: "policy_refused".into() }
        }
    };
    if let Err(failure) = record::policy(&app, app.latest(), outcome).await {
        tracing::warn!(error = %failure, "what became of the policy files could not be recorded");
    }
}
