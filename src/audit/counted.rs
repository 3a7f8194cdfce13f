//! Introspections are counted, and one row represents many of them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::oauth::{ClientId, Jti, TaskId};

/// Introspections since they were last written, per (token, resource server).
#[derive(Debug, Default)]
pub struct Counted(Mutex<HashMap<(Jti, ClientId, TaskId), u64>>);

impl Counted {
    /// Counts one introspection of this token, which belongs to `task`, by the resource server `client`.
    pub fn note(&self, jti: Jti, client: &ClientId, task: TaskId) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((jti, client.clone(), task)).or_default() += 1;
    }

    /// What was counted since the last call.
    pub fn take(&self) -> HashMap<(Jti, ClientId, TaskId), u64> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
