//! Introspections are counted, and one row represents many of them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use super::envelope::Requester;
use crate::oauth::{Jti, TaskId};

/// What introspections have in common that are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Alike {
    pub jti: Jti,
    /// The task that the token belongs to.
    pub task: Option<TaskId>,
    /// The resource server.
    pub requester: Requester,
    /// Where it asked from.
    pub source: Option<IpAddr>,
}

/// Introspections since they were last written.
#[derive(Debug, Default)]
pub struct Counted(Mutex<HashMap<Alike, u64>>);

impl Counted {
    /// Counts one introspection.
    pub fn note(&self, introspection: Alike) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(introspection).or_default() += 1;
    }

    /// What was counted since the last call.
    pub fn take(&self) -> HashMap<Alike, u64> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
