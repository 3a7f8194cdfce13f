//! How many unknown tokens a client may ask about. Each token counts before its record is read, and is given back
//! where it turns out not to be unknown; the limiters that governor has cannot give back.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::base::time::Timestamp;
use crate::oauth::ClientId;

/// Nanoseconds of a minute: what may be spent at once.
const MINUTE: i64 = 60_000_000_000;

/// What each client has spent of its guesses, by the generic cell rate algorithm: the time at which all of it is
/// regained, in nanoseconds. Only registered clients get this far, so their number is small.
pub struct Guesses {
    /// What one guess costs, in nanoseconds.
    cost: i64,
    spent_until: Mutex<HashMap<ClientId, i64>>,
}

impl Guesses {
    pub fn new(per_minute: u32) -> Self {
        Self { cost: MINUTE / i64::from(per_minute.max(1)), spent_until: Mutex::default() }
    }

    /// Counts a guess. `false`: the client has none left, and nothing was counted.
    pub fn take(&self, client: &ClientId, now: Timestamp) -> bool {
        let now = nanos(now);
        let mut spent = self.spent_until.lock().unwrap_or_else(PoisonError::into_inner);
        if !spent.contains_key(client) {
            spent.insert(client.clone(), now);
        }
        spent.get_mut(client).is_some_and(|until| {
            let next = now.max(*until).saturating_add(self.cost);
            let is_left = next.saturating_sub(now) <= MINUTE;
            if is_left {
                *until = next;
            }
            is_left
        })
    }

    /// Gives one guess back that was counted.
    pub fn give_back(&self, client: &ClientId) {
        let mut spent = self.spent_until.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = spent.get_mut(client) {
            *until -= self.cost;
        }
    }
}

const fn nanos(time: Timestamp) -> i64 {
    time.millis().saturating_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Lifetime;

    const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn after(seconds: u32) -> Timestamp {
        START.plus(Lifetime::from_seconds(seconds))
    }

    #[test]
    fn a_client_has_so_many_guesses_and_regains_them_one_by_one() {
        let (guesses, a, b) = (Guesses::new(3), ClientId::new("a"), ClientId::new("b"));
        assert_eq!([0, 0, 0, 0].map(|at| guesses.take(&a, after(at))), [true, true, true, false]);
        assert!(guesses.take(&b, START), "another client has its own");
        assert_eq!([19, 20, 20].map(|at| guesses.take(&a, after(at))), [false, true, false]);
        assert_eq!([80, 80, 80, 80].map(|at| guesses.take(&a, after(at))), [true, true, true, false]);
    }

    #[test]
    fn what_is_given_back_was_not_spent() {
        let (guesses, a) = (Guesses::new(1), ClientId::new("a"));
        for _ in 0..10 {
            assert!(guesses.take(&a, START));
            guesses.give_back(&a);
        }
        assert_eq!([guesses.take(&a, START), guesses.take(&a, START)], [true, false]);
        guesses.give_back(&ClientId::new("never-seen"));
    }
}
