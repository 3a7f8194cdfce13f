//! What the server itself records: entries that no request asked for.

use crate::app::{App, Failure};
use crate::audit::{Event, Outcome, PolicyLoadEvent, ProcessAct, ProcessEvent, Told};
use crate::base::time::Timestamp;
use crate::policy::check::Summary;
use crate::store::{Control, Entry, Recorded};

/// Records which policy set is in force, and whether it was just loaded or another one was refused. What is odd in a set
/// that was loaded is logged.
pub(super) async fn policy(app: &App, now: Timestamp, outcome: Outcome) -> Result<(), Failure> {
    let set = app.policy.current().short_hash().to_owned();
    if outcome == Outcome::Granted {
        tell_oddities(app);
    }
    let event = Event::PolicyLoad(PolicyLoadEvent { set });
    app.store.record(Entry::note(Told::of_server(now, outcome, event))).await?;
    Ok(())
}

/// Logs what is odd in the set that is in force, above all the words of its rules that the configuration lacks: a rule
/// about a name that nothing has never applies.
fn tell_oddities(app: &App) {
    /// As many have a line of their own.
    const TOLD: usize = 10;
    let summary = Summary::of(&app.policy.current(), Some(&app.config.load()));
    let odd: Vec<String> = summary.warnings().collect();
    for warning in odd.iter().take(TOLD) {
        tracing::warn!("policy: {warning}");
    }
    if odd.len() > TOLD {
        tracing::warn!("policy: {} more such warnings; `deputy check` shows them all", odd.len() - TOLD);
    }
}

/// Records that this process started or stopped, or read its configuration again; with a fault, that it was refused.
pub(super) async fn process(app: &App, act: ProcessAct, fault: Option<&str>) -> Result<(), Failure> {
    const REFUSED: &str = "configuration_refused";
    let outcome = match fault {
        None => Outcome::Granted,
        Some(_) => Outcome::Refused { cause: REFUSED.into(), reason: REFUSED.into() },
    };
    let event = Event::Process(ProcessEvent::new(act, fault));
    app.store.record(Entry::note(Told::of_server(app.latest(), outcome, event))).await?;
    Ok(())
}

/// Writes one control with its row.
pub async fn control(app: &App, control: Control, told: Told) -> Result<Recorded, Failure> {
    Ok(app.store.record(Entry::control(control, told)).await?)
}
