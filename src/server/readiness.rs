//! The watch over the readiness: a line in the log for each change of cause, and the metric.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::app::App;

/// How often it is looked at.
const EVERY: Duration = Duration::from_millis(500);

/// Says in the log and in the metric when the server becomes ready, and when it no longer is and why.
pub(super) async fn watch(app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut cause = None;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopped.changed() => return,
        }
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
