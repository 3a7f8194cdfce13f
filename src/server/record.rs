//! What the server itself records: entries that no request asked for.

use crate::app::{App, Failure};
use crate::audit::{Event, Outcome, PolicyLoadEvent, Told};
use crate::base::time::Timestamp;
use crate::store::{Control, Entry, Recorded};

/// Records which policy set is in force, and whether it was just loaded or another one was refused.
pub(super) async fn policy(app: &App, now: Timestamp, outcome: Outcome) -> Result<(), Failure> {
    let set = app.policy.current().short_hash().to_owned();
    let event = Event::PolicyLoad(PolicyLoadEvent { set });
    app.store.record(Entry::note(Told::of_server(now, outcome, event))).await?;
    Ok(())
}

/// Writes one control with its row.
pub async fn control(app: &App, control: Control, told: Told) -> Result<Recorded, Failure> {
    Ok(app.store.record(Entry::control(control, told)).await?)
}
