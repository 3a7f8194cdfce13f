//! The sandbox's clock: the system's, and ahead of it by what the drills let pass.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::base::time::{Clock, Lifetime, SystemClock, Timestamp};

/// One clock for all parties. It only ever runs ahead.
#[derive(Debug, Default)]
pub struct SandboxClock {
    system: SystemClock,
    ahead_millis: AtomicI64,
}

impl SandboxClock {
    /// Lets time pass for everyone at once.
    pub fn advance(&self, by: Lifetime) {
        self.ahead_millis.fetch_add(by.millis(), Ordering::SeqCst);
    }
}

impl Clock for SandboxClock {
    fn now(&self) -> Timestamp {
        let now = self.system.now();
        Timestamp::from_millis(now.millis().saturating_add(self.ahead_millis.load(Ordering::SeqCst)))
    }
}
