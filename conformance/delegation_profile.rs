//! Deputy's delegation profile: the requirements 8693-F-01 to 8693-F-12.

mod binding;
mod handovers;
mod narrowing;
mod record;

use crate::harness::{Cases, skip};

/// The cases of this file.
pub fn cases() -> Cases {
    let mut cases: Cases = [narrowing::cases(), binding::cases(), handovers::cases(), record::cases()]
        .into_iter()
        .flatten()
        .collect();
    cases.push(skip(
        "8693-F-07",
        "an actor token carries no delegation context: a handover names the agent, and its record the task",
    ));
    cases
}
