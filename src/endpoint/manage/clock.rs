//! Setting the recorded time back after a clock that ran ahead was set right.

use std::sync::atomic::Ordering;

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::{NotDone, answer, operator};
use crate::app::{App, Failure};
use crate::audit::{ClockResetEvent, Event, KeyAct, KeyEvent, Told};
use crate::base::time::Timestamp;
use crate::store::{Control, Entry, Store, StoreError};

/// `POST /clock/reset`: the highest time seen becomes the clock's, and everything that was issued ends.
pub async fn reset(app: web::Data<App>) -> HttpResponse {
    answer(run(&app).await.map(|()| json!({"changed": true})).map_err(NotDone::from))
}

async fn run(app: &App) -> Result<(), Failure> {
    let now = app.clock.now();
    set_back(&app.store, operator::uid(), now).await?;
    app.highest.store(now.millis(), Ordering::SeqCst);
    app.refresh_keys().await
}

/// Ends everything that was issued, and makes `now` the highest time seen. The keys' times move with the
/// clock first: should the second entry fail, they are only older than they need to be. Audited, as an act of the
/// user `uid`.
///
/// # Errors
/// [`StoreError::ClockDisagrees`]: the clock of the database server shows another time, so this one is not right either.
pub async fn set_back(store: &Store, uid: Option<u32>, now: Timestamp) -> Result<(), StoreError> {
    if store.database_time().await?.is_some_and(|shown| !now.agrees_with(shown)) {
        return Err(StoreError::ClockDisagrees);
    }
    let highest = store.highest_time().await?.unwrap_or(now);
    let told = |event| Told::of_operator(now, uid, event);
    if now < highest {
        let event = Event::Key(KeyEvent { act: KeyAct::SetBack, kid: None, changed: None });
        store.record(Entry::control(Control::SetKeysBack { from: highest }, told(event))).await?;
    }
    let event = Event::ClockReset(ClockResetEvent { from: highest, to: now, number: None });
    store.record(Entry::control(Control::ResetClock, told(event))).await?;
    Ok(())
}
