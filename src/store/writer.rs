//! The one writer of a process: gathers what waits into one transaction, commits, and only then answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;

use super::audit::AuditRows as _;
use super::audit::chain::Head;
use super::audit::checkpoint::{End, Ends, Notary};
use super::disk::is_full;
use super::entry::{Entry, Recorded};
use super::group::{Committed, write_group};
use super::health::{HEARTBEAT, Health};
use super::numbers::{HIGHEST_TIME, Numbers as _};
use super::queue::{Queue, Waiting, Work};
use super::quotas::QuotaCounts;
use super::statement::Failure;
use super::stops::Memory;
use super::transaction::Transaction;
use super::{Pace, StoreError};
use crate::base::time::Timestamp;

/// Rows after which a checkpoint is signed.
const CHECKPOINT_ROWS: i64 = 1000;
/// Time after a write in which a checkpoint is signed.
const CHECKPOINT_AGE: Duration = Duration::from_secs(10);
/// How often a group is tried before its entries are tried one by one, and each of these.
const GROUP_TRIES: u32 = 3;
const SINGLE_TRIES: u32 = 5;

/// What is said of everything that is not written in order that stops can be.
const FULL: &str = "the disk is full: only stops are written until 16 MiB are free";

/// A connection that one thread writes with.
pub(super) trait Engine: Send + 'static {
    type Session<'a>: Transaction;

    /// Does work with the connection, to its end, on this thread.
    fn run<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Self::Session<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure>;

    /// Whether what was committed is where others will find it.
    fn check(&mut self) -> Result<(), Failure>;

    /// Whether space is kept for stops, or could be again.
    fn keep_room(&mut self) -> bool;

    /// Gives up the space that is kept for stops. `false`: there is none.
    fn give_room(&mut self) -> bool;
}

pub(super) struct Writer<E> {
    engine: E,
    queue: Arc<Queue>,
    health: Arc<Health>,
    memory: Arc<Memory>,
    quotas: Arc<QuotaCounts>,
    /// The configuration that is in force in this process.
    generation: u64,
    /// Whether the database was found to be behind what this process has seen.
    is_behind: bool,
    /// When something was last written, or tried.
    beat: Instant,
    heartbeat: String,
    /// Whether no space is kept for stops any more, because the disk is full. Nothing else is written then.
    is_short: bool,
    notary: Notary,
    chain: String,
    /// The end of the chain as committed; unknown after a commit whose outcome is.
    head: Option<Head>,
    /// `seq` of the last checkpoint.
    anchored: i64,
    /// When the first row after it was written.
    unanchored_since: Option<Instant>,
    /// The highest time seen, and the one written down.
    highest: i64,
    highest_written: i64,
    #[cfg(debug_assertions)]
    fault: super::fault::Fault,
}

impl<E: Engine> Writer<E> {
    pub(super) fn new(
        mut engine: E,
        Pace { queue, health, memory, quotas }: Pace,
        notary: Notary,
        chain: String,
    ) -> Result<Self, StoreError> {
        // It was given up for the start, or for a stop before it.
        let is_short = !engine.keep_room();
        if is_short {
            tracing::error!("{FULL}");
            health.note_fault(FULL.to_owned());
        }
        // Each node has its own, so that none waits for another's.
        let heartbeat = format!("heartbeat {chain}");
        let (head, anchored, highest) = engine.run(async |session: &mut E::Session<'_>| {
            let head = read_head(session, &chain).await?;
            session.make_number(&heartbeat).await?;
            let anchored = session.last_checkpoint(&chain).await?.map_or(0, |(seq, _)| seq);
            Ok((head, anchored, session.number(HIGHEST_TIME).await?.unwrap_or(0)))
        })?;
        let unanchored_since = (head.seq > anchored).then(Instant::now);
        Ok(Self {
            engine,
            queue,
            health,
            memory,
            quotas,
            generation: 0,
            is_behind: false,
            beat: Instant::now(),
            heartbeat,
            is_short,
            notary,
            chain,
            head: Some(head),
            anchored,
            unanchored_since,
            highest,
            highest_written: highest,
            #[cfg(debug_assertions)]
            fault: super::fault::Fault::from_environment(),
        })
    }

    /// Writes until the queue is closed and empty, then signs a last checkpoint.
    ///
    /// # Errors
    /// If the last checkpoint cannot be written.
    pub(super) fn work(mut self) -> Result<(), StoreError> {
        loop {
            match self.queue.take(self.patience()) {
                Work::Group(group) => {
                    let begun = Instant::now();
                    let is_chore = group.iter().any(|waiting| waiting.entry.change.is_chore());
                    self.write(group);
                    if is_chore {
                        self.queue.rest(begun.elapsed());
                    }
                }
                Work::Nothing => {}
                Work::Closed => break,
            }
            #[cfg(debug_assertions)]
            if crate::base::fault::ends("writer") {
                return Ok(());
            }
            if self.is_behind {
                return Err(StoreError::Behind);
            }
            if self.beat.elapsed() >= HEARTBEAT {
                self.beat();
            }
            if self.is_checkpoint_due() {
                let fault = self.checkpoint().err().map(Failure::text);
                if let Some(error) = &fault {
                    tracing::error!(error, "the audit checkpoint could not be written");
                    self.unanchored_since = Some(Instant::now());
                }
                self.health.note_checkpoint(fault);
            }
        }
        let highest = self.highest;
        self.engine
            .run(async |session: &mut E::Session<'_>| session.raise_number(HIGHEST_TIME, highest).await)?;
        self.checkpoint().map_err(StoreError::from)
    }

    fn patience(&self) -> Duration {
        let beat = HEARTBEAT.saturating_sub(self.beat.elapsed());
        match self.unanchored_since {
            Some(since) => CHECKPOINT_AGE.saturating_sub(since.elapsed()).min(beat),
            None => beat,
        }
    }

    /// Writes where nothing else was written of late, or the last write failed, to know whether it can be done.
    fn beat(&mut self) {
        if self.is_short {
            self.is_short = !self.engine.keep_room();
        }
        if self.is_short {
            self.health.note_fault(FULL.to_owned());
            self.beat = Instant::now();
            return;
        }
        let name = &self.heartbeat;
        let known = self.memory.known();
        let written = self.engine.run(async |session: &mut E::Session<'_>| {
            if session.count_stops(false).await? < known.number {
                return Err(StoreError::Behind.into());
            }
            match session.count_up(name).await? {
                true => Ok(()),
                false => Err(StoreError::Database("the heartbeat's row is gone".to_owned()).into()),
            }
        });
        self.is_behind |= matches!(written, Err(Failure::Store(StoreError::Behind)));
        match written.and_then(|()| self.engine.check()) {
            Ok(()) => self.health.note_written(),
            Err(failure) => self.health.note_fault(failure.text()),
        }
        self.beat = Instant::now();
    }

    fn note_failed_write(&mut self) {
        // While the fault is known, a beat is tried in its own time.
        if !self.health.is_faulty() {
            self.beat();
        }
    }

    fn is_checkpoint_due(&self) -> bool {
        let rows = self.head.as_ref().map_or(0, |head| head.seq - self.anchored);
        rows >= CHECKPOINT_ROWS
            || self.unanchored_since.is_some_and(|since| since.elapsed() >= CHECKPOINT_AGE)
    }

    fn checkpoint(&mut self) -> Result<(), Failure> {
        let Some(head) = self.head.clone() else {
            let chain = &self.chain;
            let head =
                self.engine.run(async |session: &mut E::Session<'_>| read_head(session, chain).await)?;
            self.head = Some(head);
            return self.checkpoint();
        };
        if head.seq > self.anchored {
            let chain = &self.chain;
            let heads = self.engine.run(async |session: &mut E::Session<'_>| ends(session, chain).await)?;
            let (row, line) = self.notary.sign(&head, heads, Timestamp::from_millis(self.highest))?;
            self.notary.publish(&line)?;
            self.engine.run(async |session: &mut E::Session<'_>| session.insert_checkpoint(&row).await)?;
            self.anchored = head.seq;
        }
        self.unanchored_since = None;
        Ok(())
    }

    fn write(&mut self, group: Vec<Waiting>) {
        #[cfg(debug_assertions)]
        let group = self.fault.answer_early(group);
        let entries: Vec<&Entry> = group.iter().map(|waiting| &waiting.entry).collect();
        let recorded = match self.commit_whole(&entries) {
            Ok(recorded) => recorded,
            Err(failure @ Failure::Lost(_)) if !is_full(&failure) => {
                let text = failure.text();
                tracing::error!(error = text, "the database is not there");
                self.note_failed_write();
                entries.iter().map(|_| Err(StoreError::Database(text.clone()))).collect()
            }
            // One entry must not take the others with it.
            Err(_) => entries.iter().flat_map(|entry| self.write_alone(entry)).collect(),
        };
        for (waiting, recorded) in group.into_iter().zip(recorded) {
            // The caller may have gone away; what is written stays written.
            let _ = waiting.answer.send(recorded);
        }
    }

    fn commit_whole(&mut self, entries: &[&Entry]) -> Result<Vec<Result<Recorded, StoreError>>, Failure> {
        match self.is_short {
            true => Err(StoreError::Database(FULL.to_owned()).into()),
            false => self.commit(entries, GROUP_TRIES),
        }
    }

    fn write_alone(&mut self, entry: &Entry) -> Vec<Result<Recorded, StoreError>> {
        if self.is_short && !entry.has_space_kept() {
            return vec![Err(StoreError::Database(FULL.to_owned()))];
        }
        let mut outcome = self.commit(&[entry], SINGLE_TRIES);
        if outcome.as_ref().is_err_and(is_full) && entry.has_space_kept() && self.engine.give_room() {
            tracing::error!("{FULL}");
            self.is_short = true;
            self.health.note_fault(FULL.to_owned());
            outcome = self.commit(&[entry], SINGLE_TRIES);
        }
        outcome.unwrap_or_else(|failure| {
            let error = StoreError::from(failure);
            tracing::error!(%error, "an entry could not be written");
            self.note_failed_write();
            vec![Err(error)]
        })
    }

    /// One transaction, tried again while another writer is in the way.
    fn commit(
        &mut self,
        entries: &[&Entry],
        tries: u32,
    ) -> Result<Vec<Result<Recorded, StoreError>>, Failure> {
        let (mut attempt, begun) = (1, Instant::now());
        loop {
            let (chain, head) = (&self.chain, self.head.take());
            let (highest, highest_written) = (self.highest, self.highest_written);
            let (generation, known) = (self.generation, self.memory.known());
            let quotas = &self.quotas;
            let outcome = self.engine.run(async |session: &mut E::Session<'_>| {
                let head = match head {
                    Some(head) => head,
                    None => read_head(session, chain).await?,
                };
                let mut transaction = Committed {
                    recorded: Vec::new(),
                    head,
                    highest,
                    highest_written,
                    has_written: false,
                    generation,
                    known,
                    quotas: Arc::clone(quotas),
                    births: Vec::new(),
                };
                let outcome = match write_group(session, entries, &mut transaction).await {
                    Ok(()) => session.commit().await,
                    Err(failure) => Err(failure),
                };
                match outcome {
                    Ok(()) => Ok(transaction),
                    Err(failure) => match session.rollback().await {
                        Ok(()) => Err(failure),
                        Err(_) => Err(Failure::Lost(failure.text())),
                    },
                }
            });
            match outcome {
                Ok(committed) => {
                    self.health.note_commit(begun.elapsed());
                    if self.unanchored_since.is_none() && committed.head.seq > self.anchored {
                        self.unanchored_since = Some(Instant::now());
                    }
                    self.head = Some(committed.head);
                    self.highest = committed.highest;
                    self.highest_written = committed.highest_written;
                    self.generation = committed.generation;
                    self.memory.remember(&committed.known);
                    self.quotas.note(&committed.births);
                    // What is acknowledged is in the file that the next start opens.
                    self.engine.check()?;
                    if committed.has_written && !self.is_short {
                        self.health.note_written();
                        self.beat = Instant::now();
                    }
                    return Ok(committed.recorded);
                }
                Err(Failure::Conflict(text)) if attempt < tries => {
                    tracing::debug!(attempt, text, "another writer was in the way");
                    attempt += 1;
                }
                Err(failure) => {
                    self.is_behind |= matches!(failure, Failure::Store(StoreError::Behind));
                    return Err(failure);
                }
            }
        }
    }
}

async fn read_head<S: Transaction>(session: &mut S, chain: &str) -> Result<Head, Failure> {
    Ok(match session.head(chain).await? {
        Some((i64::MAX, _)) => {
            let what = format!(
                "the audit chain {chain} has a row of the greatest number: run `deputy audit verify`"
            );
            return Err(StoreError::Unusable(what).into());
        }
        Some((seq, hash)) => Head { chain: chain.to_owned(), seq, hash },
        None => Head::genesis(chain.to_owned()),
    })
}

/// The ends of all chains for a checkpoint: of this node's own chain, where its last checkpoint was.
async fn ends<S: Transaction>(session: &mut S, own: &str) -> Result<Ends, Failure> {
    let mut ends = Ends::new();
    for key in session.checkpoint_keys().await? {
        let end = match key.chain == own {
            true => session.last_checkpoint(own).await?,
            false => session.head(&key.chain).await?,
        };
        if let Some((seq, hash)) = end {
            ends.insert(key.chain, End { seq, hash: HEXLOWER.encode(&hash.0) });
        }
    }
    Ok(ends)
}
