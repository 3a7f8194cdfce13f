//! What a server does besides answering: it writes what was counted, reads the keys again, ends what is due, renews the
//! bundles of trust domains, and watches the policy files.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{census, readiness, record};
use crate::app::{App, Failure};
use crate::audit::{AgentStateEvent, Event, Outcome, TasksEndEvent, Told};
#[cfg(debug_assertions)]
use crate::base::fault;
use crate::delegation::record::AgentState;
use crate::endpoint::{introspect, phases};
use crate::policy::{PolicyError, ReloadOutcome};
use crate::store;
use crate::store::{Control, Entry, Recorded};

/// How often what was counted is written and other nodes' keys are read: within 10 s.
const TIDY_EVERY: Duration = Duration::from_secs(1);
/// How often tasks that a stop ended are ended on record.
const WALK_EVERY: Duration = Duration::from_secs(1);
/// How often tasks whose time is up are ended on record.
const SWEEP_EVERY: Duration = Duration::from_secs(15);
/// How often what is live is counted.
const COUNT_EVERY: Duration = Duration::from_secs(store::COUNT_EVERY.seconds() as u64);
/// How often it is looked whether the bundle of a trust domain is due to be fetched again.
const BUNDLES_EVERY: Duration = Duration::from_secs(1);
/// Agents that are over are read so many at a time.
const AGENTS: u32 = 100;

/// A part of the background work, by name. It ends when the server stops.
pub(super) type Part = (&'static str, JoinHandle<()>);

/// Starts the background work; each part ends when `stopped` changes.
pub(super) fn start(app: &Arc<App>, stopped: &watch::Receiver<bool>) -> Vec<Part> {
    let tidying =
        every("tidy", TIDY_EVERY, app.clone(), stopped.clone(), |app| async move { tidy(&app).await });
    let is_stopping = stopped.clone();
    let walking = every("walk", WALK_EVERY, app.clone(), stopped.clone(), move |app| {
        let is_stopping = is_stopping.clone();
        async move { walk(&app, || *is_stopping.borrow()).await }
    });
    let is_stopping = stopped.clone();
    let sweeping = every("sweep", SWEEP_EVERY, app.clone(), stopped.clone(), move |app| {
        let is_stopping = is_stopping.clone();
        async move { sweep(&app, || *is_stopping.borrow()).await }
    });
    let counting = every("census", COUNT_EVERY, app.clone(), stopped.clone(), |app| async move {
        census::count_live(&app).await
    });
    let renewing = every("bundles", BUNDLES_EVERY, app.clone(), stopped.clone(), |app| async move {
        app.verifier.renew_bundles(&app.config.load(), app.latest());
        Ok(())
    });
    let watching = watch_policy(app.clone(), stopped.clone());
    vec![
        ("the tidying", tokio::spawn(tidying)),
        ("the walk over stopped tasks", tokio::spawn(walking)),
        ("the sweep", tokio::spawn(sweeping)),
        ("the count of what is live", tokio::spawn(counting)),
        ("the renewal of bundles", tokio::spawn(renewing)),
        ("the watch over the policy files", tokio::spawn(watching)),
        ("the watch over the readiness", tokio::spawn(readiness::watch(app.clone(), stopped.clone()))),
    ]
}

/// What has to be done now and then: counted rows, keys of other nodes, what ran out.
///
/// # Errors
/// The first part that failed; the others are done at the next call.
pub async fn tidy(app: &App) -> Result<(), Failure> {
    let now = app.latest();
    phases::record_counted(app, now).await?;
    introspect::record_counted(app, now).await?;
    app.refresh_keys().await?;
    app.throttle.load().tidy();
    Ok(())
}

/// Ends the tasks that stops ended on record, so that each has its row. Nothing depends on it.
pub async fn walk(app: &App, is_stopping: impl Fn() -> bool) -> Result<(), Failure> {
    chore(app, &Control::Walk, is_stopping).await
}

/// Ends tasks and agents whose time is up, and removes rows past their use. Nothing depends on it.
pub async fn sweep(app: &App, is_stopping: impl Fn() -> bool) -> Result<(), Failure> {
    // Other nodes rely on the rows that a sweep removes, so it takes a clock on which they agree.
    if !app.clock_agrees() {
        tracing::error!(
            "the clock of this machine is more than a minute from that of the database: nothing is swept"
        );
        return Ok(());
    }
    chore(app, &Control::Sweep, &is_stopping).await?;
    end_agents(app, is_stopping).await
}

/// Retires agents that are over by themselves on record, each with its row.
async fn end_agents(app: &App, is_stopping: impl Fn() -> bool) -> Result<(), Failure> {
    loop {
        let over = app.store.list_agents_over(app.now()?, AGENTS).await?;
        let mut has_ended = false;
        for agent in &over {
            let (now, end) = (app.now()?, agent.end_by_itself());
            let Some(end) = end.filter(|_| !is_stopping()) else { return Ok(()) };
            let event = AgentStateEvent {
                agent: agent.id.clone(),
                state: AgentState::Retired,
                why: end.why,
                changed: None,
                number: None,
            };
            let told = Told::of_server(now, Outcome::Granted, Event::AgentState(event));
            let control = Control::EndAgent { agent: agent.id.clone() };
            let recorded = app.store.record(Entry::control(control, told)).await?;
            has_ended |= matches!(recorded, Recorded::Done { changed: true, .. });
        }
        if !has_ended || over.len() < AGENTS as usize {
            return Ok(());
        }
    }
}

/// Repeats a chore as long as it changes something. Each is a small batch, so that requests come between, and a stop of
/// the server waits for one of them at most.
async fn chore(app: &App, control: &Control, is_stopping: impl Fn() -> bool) -> Result<(), Failure> {
    while !is_stopping() {
        // A clock that is wrong makes the server unready, which says why.
        let Ok(now) = app.now() else { break };
        let told = Told::of_server(now, Outcome::Granted, Event::TasksEnd(TasksEndEvent::default()));
        let recorded = app.store.record(Entry::control(control.clone(), told)).await?;
        if !matches!(recorded, Recorded::Done { changed: true, .. }) {
            break;
        }
    }
    Ok(())
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
