//! What waits for the writer, and how long the writer waits for more (group commit).
//!
//! A lone request is written at once. While others are known to be on their way, the writer waits for
//! them for about a millisecond, because one commit for many costs what one for one does.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::StoreError;
use super::entry::{Change, Entry, Recorded};

/// Entries that may wait; one more is refused.
const CAPACITY: usize = 4096;
/// Entries of one transaction at most.
pub(super) const GROUP: usize = 256;
/// How long those that wait are kept waiting for others that are on their way.
const GATHER: Duration = Duration::from_millis(1);

/// One entry with the one who waits for it.
pub(super) struct Waiting {
    pub(super) entry: Entry,
    pub(super) answer: oneshot::Sender<Result<Recorded, StoreError>>,
}

#[derive(Default)]
struct Lanes {
    /// Stops go first: a revocation is never behind issuance.
    controls: VecDeque<Waiting>,
    others: VecDeque<Waiting>,
    /// Small parts of work that can wait: each is written alone.
    chores: VecDeque<Waiting>,
    /// Until when a chore lets everything else go first.
    rests_until: Option<Instant>,
    is_closed: bool,
}

impl Lanes {
    fn len(&self) -> usize {
        self.controls.len() + self.others.len() + self.chores.len()
    }

    /// A chore whose turn it is: it has rested, or nobody else waits.
    fn chore(&mut self) -> Option<Waiting> {
        let is_alone = self.controls.is_empty() && self.others.is_empty();
        let has_rested = self.rests_until.is_none_or(|until| Instant::now() >= until);
        if (is_alone || has_rested) && self.controls.is_empty() { self.chores.pop_front() } else { None }
    }
}

/// What the writer is to do next.
pub(super) enum Work {
    /// Write these, controls first.
    Group(Vec<Waiting>),
    /// Nothing came in the time given.
    Nothing,
    /// Nothing waits, and nothing more will come.
    Closed,
}

/// The queue between requests and the writer.
#[derive(Default)]
pub(super) struct Queue {
    lanes: Mutex<Lanes>,
    arrived: Condvar,
    announced: AtomicUsize,
}

impl Queue {
    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        // INVARIANT: nothing panics while it holds the lock; were it ever so, the lanes are still whole.
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn announce(&self) {
        self.announced.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn withdraw(&self) {
        self.announced.fetch_sub(1, Ordering::Relaxed);
    }

    /// Puts an entry in.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when the queue is full or closed.
    pub(super) fn put(&self, waiting: Waiting) -> Result<(), StoreError> {
        let mut lanes = self.lanes();
        if lanes.is_closed || lanes.len() >= CAPACITY {
            return Err(StoreError::Busy);
        }
        if waiting.entry.change.is_chore() {
            lanes.chores.push_back(waiting);
        } else if matches!(waiting.entry.change, Change::Control(_)) {
            lanes.controls.push_back(waiting);
        } else {
            lanes.others.push_back(waiting);
        }
        // The writer sleeps until the first comes, and then until all that were announced are there:
        // waking it for each between would cost more than the commit saves.
        let waiting = lanes.len();
        drop(lanes);
        if waiting == 1 || !self.is_waited_for(waiting) {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// How many entries wait.
    pub(super) fn waiting(&self) -> usize {
        self.lanes().len()
    }

    /// Lets everything else go first for three times as long as a chore took.
    pub(super) fn rest(&self, took: Duration) {
        self.lanes().rests_until = Some(Instant::now() + took * 3);
    }

    /// Takes nothing more; what waits is still written.
    pub(super) fn close(&self) {
        self.lanes().is_closed = true;
        self.arrived.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lanes().is_closed
    }

    /// Waits for work, at most `patience`.
    pub(super) fn take(&self, patience: Duration) -> Work {
        let mut lanes = self.lanes();
        let until = Instant::now() + patience;
        while lanes.len() == 0 {
            let left = until.saturating_duration_since(Instant::now());
            if lanes.is_closed {
                return Work::Closed;
            }
            if left.is_zero() {
                return Work::Nothing;
            }
            lanes = self.wait(lanes, left);
        }
        let until = Instant::now() + GATHER;
        while !lanes.is_closed && self.is_waited_for(lanes.len()) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            lanes = self.wait(lanes, left);
        }
        if let Some(chore) = lanes.chore() {
            return Work::Group(vec![chore]);
        }
        let mut group = Vec::with_capacity(lanes.len().min(GROUP));
        while group.len() < GROUP
            && let Some(next) = lanes.controls.pop_front().or_else(|| lanes.others.pop_front())
        {
            group.push(next);
        }
        Work::Group(group)
    }

    /// Whether more than these are on their way.
    pub(super) fn is_waited_for(&self, waiting: usize) -> bool {
        waiting < GROUP.min(self.announced.load(Ordering::Relaxed))
    }

    fn wait<'a>(&self, lanes: MutexGuard<'a, Lanes>, left: Duration) -> MutexGuard<'a, Lanes> {
        self.arrived.wait_timeout(lanes, left).unwrap_or_else(PoisonError::into_inner).0
    }
}
