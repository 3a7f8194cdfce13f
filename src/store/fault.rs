//! A fault that a test asks for, in builds with debug assertions only: answering before the commit. Without
//! a server that does so, nobody knows that the crash test can fail.

use std::time::Duration;

use tokio::sync::oneshot;

use super::entry::Recorded;
use super::queue::Waiting;

/// How long the commit comes after the answers: time for the power to go.
const LATE: Duration = Duration::from_secs(6);

/// The fault, and how far it is off.
pub(super) struct Fault {
    /// Groups that are still written in order; `None` where nobody asked.
    in_order: Option<u32>,
}

impl Fault {
    /// As `DEPUTY_TEST_ANSWER_BEFORE_COMMIT` says: from that many groups on.
    pub(super) fn from_environment() -> Self {
        Self { in_order: std::env::var("DEPUTY_TEST_ANSWER_BEFORE_COMMIT").ok().and_then(|n| n.parse().ok()) }
    }

    /// Gives the group back to be written; if the fault has come, its answers are out already.
    pub(super) fn answer_early(&mut self, mut group: Vec<Waiting>) -> Vec<Waiting> {
        let Some(in_order) = &mut self.in_order else { return group };
        if *in_order > 0 {
            *in_order -= 1;
            return group;
        }
        for waiting in &mut group {
            let (nobody, _) = oneshot::channel();
            let answer = std::mem::replace(&mut waiting.answer, nobody);
            // The caller may have gone away.
            let _ = answer.send(Ok(Recorded::Done { died: 0, changed: true, number: None, is_known: None }));
        }
        std::thread::sleep(LATE);
        group
    }
}
