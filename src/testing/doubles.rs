//! A clock and a random generator that a test sets.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::base::digest::sha256;
use crate::base::entropy::{Entropy, EntropyUnavailable};
use crate::base::time::{Clock, Lifetime, Timestamp};

/// A clock that does not move until it is set.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `start`.
    pub const fn starting_at(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.millis()))
    }

    /// Sets the clock, forwards or backwards.
    pub fn set(&self, to: Timestamp) {
        self.0.store(to.millis(), Ordering::SeqCst);
    }

    /// Moves the clock forwards.
    pub fn advance(&self, by: Lifetime) {
        self.0.fetch_add(by.millis(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// A repeatable generator for tests: SHA-256 over a seed and a counter. Never for real secrets.
#[derive(Debug)]
pub struct SeededEntropy {
    seed: u64,
    counter: Mutex<u64>,
}

impl SeededEntropy {
    /// The generator of this seed, from its beginning.
    pub const fn new(seed: u64) -> Self {
        Self { seed, counter: Mutex::new(0) }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        let mut counter = self.counter.lock().map_err(|_| EntropyUnavailable)?;
        for chunk in bytes.chunks_mut(32) {
            *counter += 1;
            let block = sha256([self.seed.to_be_bytes().as_slice(), &counter.to_be_bytes()]);
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
        Ok(())
    }
}
