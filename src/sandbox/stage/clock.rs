//! The one clock of all parties.

use std::sync::{Arc, Mutex, PoisonError};

use crate::base::time::{Clock, Lifetime, Timestamp};

/// The system's clock, advanced by the time that the drills let pass, and behind by the time in which it stood still.
/// It never goes back.
pub struct SandboxClock {
    system: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// How far it is ahead of the system's clock.
    ahead_millis: i64,
    /// Where it stands, if it stands still.
    stopped_at: Option<Timestamp>,
}

impl SandboxClock {
    pub fn new(system: Arc<dyn Clock>) -> Self {
        Self { system, state: Mutex::default() }
    }

    /// Lets time pass for everyone at once.
    pub fn advance(&self, by: Lifetime) {
        self.change(|state, _| {
            state.ahead_millis = state.ahead_millis.saturating_add(by.millis());
            state.stopped_at = state.stopped_at.map(|at| at.plus(by));
        });
    }

    /// Stands still from now on.
    pub fn stop(&self) {
        self.change(|state, system| state.stopped_at = Some(state.at(system)));
    }

    /// Goes on from where it stands.
    pub fn go_on(&self) {
        self.change(|state, system| {
            if let Some(at) = state.stopped_at.take() {
                state.ahead_millis = at.millis_since(system);
            }
        });
    }

    /// How many seconds it is ahead of the system's clock; less than none if it is behind.
    pub fn seconds_ahead(&self) -> i64 {
        self.now().millis_since(self.system.now()) / 1000
    }

    fn change(&self, change: impl FnOnce(&mut State, Timestamp)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state, self.system.now());
    }
}

impl State {
    fn at(&self, system: Timestamp) -> Timestamp {
        let moving = Timestamp::from_millis(system.millis().saturating_add(self.ahead_millis));
        self.stopped_at.unwrap_or(moving)
    }
}

impl Clock for SandboxClock {
    fn now(&self) -> Timestamp {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.at(self.system.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::doubles::ManualClock;

    fn clocks() -> (Arc<ManualClock>, SandboxClock) {
        let system = Arc::new(ManualClock::starting_at(Timestamp::from_seconds(1_700_000_000)));
        (system.clone(), SandboxClock::new(system))
    }

    #[test]
    fn it_stands_still_and_goes_on_from_there() {
        let (system, clock) = clocks();
        clock.stop();
        let stopped = clock.now();
        system.advance(Lifetime::from_seconds(600));
        assert_eq!(clock.now(), stopped);
        clock.go_on();
        assert_eq!(clock.now(), stopped);
        system.advance(Lifetime::from_seconds(2));
        assert_eq!(clock.now(), stopped.plus(Lifetime::from_seconds(2)));
        assert_eq!(clock.seconds_ahead(), -600);
    }

    #[test]
    fn time_that_a_drill_lets_pass_passes_also_while_it_stands_still() {
        let (_, clock) = clocks();
        let before = clock.now();
        clock.advance(Lifetime::from_seconds(300));
        clock.stop();
        clock.advance(Lifetime::from_seconds(1));
        clock.go_on();
        assert_eq!(clock.now(), before.plus(Lifetime::from_seconds(301)));
        assert_eq!(clock.seconds_ahead(), 301);
    }
}
