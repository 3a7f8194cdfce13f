//! Setting the recorded time back after a clock that ran ahead was set right.

use std::sync::atomic::Ordering;

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::{NotDone, answer};
use crate::app::{App, Failure};
use crate::audit::{AuditRow, Event, Outcome};
use crate::base::time::Timestamp;
use crate::keys;
use crate::store::{Change, Control, Entry, Store, StoreError};

/// `POST /clock/reset`: the highest time seen becomes the clock's; what ended stays ended.
pub async fn reset(app: web::Data<App>) -> HttpResponse {
    answer(run(&app).await.map(|()| json!({"changed": true})).map_err(NotDone::from))
}

async fn run(app: &App) -> Result<(), Failure> {
    let now = app.clock.now();
    set_back(&app.store, now).await?;
    app.highest.store(now.millis(), Ordering::SeqCst);
    app.refresh_keys().await
}

/// Ends for good what has expired, and makes `now` the highest time seen. The keys' times move with the
/// clock first: should the second entry fail, they are only older than they need to be. Audited.
///
/// # Errors
/// The store.
pub async fn set_back(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    let highest = store.highest_time().await?.unwrap_or(now);
    let control = |control, event, detail: String| {
        let mut row = AuditRow::new(now, event, Outcome::Granted);
        row.detail = Some(detail);
        store.record(Entry { one_time: Vec::new(), change: Change::Control(control), audit: Some(row), now })
    };
    let keys = keys::set_back(&store.list_keys().await?, highest, now);
    if !keys.is_empty() {
        let detail = format!("times set back with the clock, from {highest} to {now}");
        control(Control::PutKeys(keys), Event::Key, detail).await?;
    }
    control(Control::ResetClock, Event::ClockReset, format!("highest time seen is now {now}")).await?;
    Ok(())
}
