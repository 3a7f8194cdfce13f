//! What the server itself records: entries that no request asked for.

use crate::app::{App, Failure};
use crate::audit::{AuditRow, Event, Outcome};
use crate::base::time::Timestamp;
use crate::store::{Change, Control, Entry, Recorded};

/// Records which policy set is in force.
///
/// # Errors
/// The store.
pub async fn policy_loaded(app: &App, now: Timestamp) -> Result<(), Failure> {
    let mut row = AuditRow::new(now, Event::PolicyLoad, Outcome::Granted);
    row.detail = Some(format!("loaded {}", app.policy.current().short_hash()));
    note(app, row).await
}

/// Writes a row that goes with no change.
///
/// # Errors
/// The store.
pub async fn note(app: &App, row: AuditRow) -> Result<(), Failure> {
    let now = row.at;
    app.store.record(Entry { one_time: Vec::new(), change: Change::Nothing, audit: Some(row), now }).await?;
    Ok(())
}

/// Writes one control with its row.
///
/// # Errors
/// The store.
pub async fn control(app: &App, control: Control, row: AuditRow) -> Result<Recorded, Failure> {
    let now = row.at;
    let entry = Entry { one_time: Vec::new(), change: Change::Control(control), audit: Some(row), now };
    Ok(app.store.record(entry).await?)
}
