//! The clock of the database server, which all nodes have in common.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::base::time::Timestamp;

/// What the clock of the database server shows: as it was last read, and carried on since then by a clock that nobody
/// can set. A clock of this machine that is moved is therefore noticed by the next request, and not by the next reading.
#[derive(Debug, Default)]
pub struct Reference(Mutex<Option<(Timestamp, Instant)>>);

impl Reference {
    /// Notes what it was just found to show.
    pub fn note(&self, shown: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((shown, Instant::now()));
    }

    /// What it shows now. `None` where the database is a file of this machine.
    pub fn now(&self) -> Option<Timestamp> {
        let (shown, at) = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        let passed = i64::try_from(at.elapsed().as_millis()).unwrap_or(i64::MAX);
        Some(Timestamp::from_millis(shown.millis().saturating_add(passed)))
    }
}
