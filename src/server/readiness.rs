//! The watch over the readiness: a line in the log for each change of cause, and the metric. It also asks the
//! database for its time, so that nobody who asks whether the server is ready has to wait for the database.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::app::App;

/// How often it is looked at.
const EVERY: Duration = Duration::from_millis(500);
/// How often the database is asked for its time.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Watches until the stop.
pub(super) async fn watch(app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    tokio::select! {
        () = tell(&app) => {}
        () = read_reference(&app) => {}
        _ = stopped.changed() => {}
    }
}

/// Says in the log and in the metric when the server becomes ready, and when it no longer is and why.
async fn tell(app: &App) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut cause = None;
    loop {
        ticks.tick().await;
        let found = app.readiness().err().map(|failure| failure.to_string());
        app.metrics.ready.set(i64::from(found.is_none()));
        if found != cause {
            match &found {
                Some(cause) => tracing::error!(error = cause, "not ready"),
                None => tracing::info!("ready again"),
            }
            cause = found;
        }
    }
}

async fn read_reference(app: &App) {
    let mut ticks = tokio::time::interval(ASK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // A database that does not answer makes the server unready by itself.
        let _ = app.read_reference().await;
    }
}
