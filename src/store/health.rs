//! Whether the writer writes, and whether it is still there.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::StoreError;
use crate::metrics::Histogram;

/// The writer writes its heartbeat when it has written nothing else for so long.
pub(super) const HEARTBEAT: Duration = Duration::from_millis(800);
/// A store that has written nothing for so long does not write.
const STALE: Duration = Duration::from_secs(2);

/// What the writer says of itself.
pub(super) struct Health {
    state: Mutex<State>,
    has_ended: watch::Sender<bool>,
    /// Where the times of commits are counted, once somebody counts them.
    commits: OnceLock<Histogram>,
}

struct State {
    written: Instant,
    /// Why the last attempt to write failed.
    fault: Option<String>,
    /// Why the last checkpoint of the audit could not be written.
    unanchored: Option<String>,
}

impl Health {
    pub(super) fn new() -> Self {
        let state = State { written: Instant::now(), fault: None, unanchored: None };
        Self { state: Mutex::new(state), has_ended: watch::Sender::new(false), commits: OnceLock::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A commit that wrote succeeded.
    pub(super) fn note_written(&self) {
        let mut state = self.state();
        (state.written, state.fault) = (Instant::now(), None);
    }

    /// Has the times of commits counted in `commits` from now on.
    pub(super) fn count_commits(&self, commits: Histogram) {
        // A process has one server, which asks once.
        let _ = self.commits.set(commits);
    }

    /// A transaction was committed, and took so long.
    pub(super) fn note_commit(&self, took: Duration) {
        if let Some(commits) = self.commits.get() {
            commits.observe(took.as_secs_f64());
        }
    }

    /// A heartbeat failed.
    pub(super) fn note_fault(&self, fault: String) {
        self.state().fault = Some(fault);
    }

    /// A checkpoint was written, or why it was not.
    pub(super) fn note_checkpoint(&self, fault: Option<String>) {
        self.state().unanchored = fault;
    }

    pub(super) fn is_faulty(&self) -> bool {
        self.state().fault.is_some()
    }

    /// The writer has ended, in whatever way.
    pub(super) fn note_end(&self) {
        self.has_ended.send_replace(true);
    }

    pub(super) async fn ended(&self) {
        // The sender is a part of this and cannot be gone.
        let _ = self.has_ended.subscribe().wait_for(|has_ended| *has_ended).await;
    }

    /// Whether a commit that wrote succeeded in the last two seconds, none failed since, and the last checkpoint of the
    /// audit could be written.
    ///
    /// # Errors
    /// [`StoreError::Database`]: why not.
    pub(super) fn writes(&self) -> Result<(), StoreError> {
        let state = self.state();
        match state.fault.as_ref().or(state.unanchored.as_ref()) {
            Some(fault) => Err(StoreError::Database(fault.clone())),
            None if state.written.elapsed() > STALE => {
                Err(StoreError::Database("nothing could be written for 2 s".to_owned()))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_ready_for_two_seconds_after_a_write_and_not_after_a_fault() {
        let health = Health::new();
        assert!(health.writes().is_ok());
        health.state().written = Instant::now().checked_sub(STALE + HEARTBEAT).unwrap();
        assert!(health.writes().is_err());
        health.note_written();
        assert!(health.writes().is_ok());
        health.note_fault("the disk is full".to_owned());
        assert!(matches!(health.writes(), Err(StoreError::Database(fault)) if fault == "the disk is full"));
        health.note_written();
        assert!(health.writes().is_ok());
    }

    #[test]
    fn a_store_whose_audit_cannot_be_anchored_is_not_ready() {
        let health = Health::new();
        health.note_checkpoint(Some("no such directory".to_owned()));
        health.note_written();
        assert!(health.writes().is_err() && !health.is_faulty());
        health.note_checkpoint(None);
        assert!(health.writes().is_ok());
    }
}
