//! Verifies the audit chains offline: no server, nothing but the database and the checkpoint file.

use std::collections::{BTreeMap, BTreeSet};

use super::checkpoint::{self, End, Ends, Line};
use super::{AuditColumns, CheckpointRow, chain, file};
use crate::audit::{Row, Unreadable};
use crate::base::time::Timestamp;
use crate::config::{Config, Database};
use crate::store::rows::Hash;
use crate::store::statement::Failure;
use crate::store::transaction::Transaction;
use crate::store::{StoreError, migration, node, postgres, sqlite};

/// What [`verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Every chain of the database or the checkpoint file.
    pub chains: Vec<ChainReport>,
    /// What is wrong, chain by chain, each chain's first bad row first. Empty means all is well.
    pub faults: Vec<Fault>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainReport {
    pub chain: String,
    pub rows: u64,
    /// `seq` of the last row; 0 if there is none.
    pub last: i64,
    /// `seq` of the newest signed checkpoint that agrees with its row; 0 if there is none.
    pub anchored: i64,
    pub anchored_at: Option<Timestamp>,
    /// Rows after it: their end could be cut without a trace until the next checkpoint.
    pub unanchored: u64,
    /// The checkpoint key that signed, base64url; to be compared with one noted elsewhere.
    pub public_key: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub chain: String,
    pub seq: i64,
    pub what: FaultKind,
}

/// What is wrong at a row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// The numbers do not follow on one another.
    #[error("row is missing: deleted, or its number was changed")]
    Missing,
    /// Body, number or predecessor are not what was hashed.
    #[error("row does not match its hash: it, or the row before it, was edited, inserted or moved")]
    Hash,
    /// The stored body is no audit row.
    #[error("body is no audit row")]
    Body,
    /// The body is of a version that this Deputy does not know.
    #[error("the body is of version {0}, which this deputy does not know")]
    Version(u64),
    /// A copy differs from the body.
    #[error("column `{0}` differs from the body")]
    Column(&'static str),
    /// A signed checkpoint is beyond the last row.
    #[error(
        "row is missing: the chain ends before it, and a signed checkpoint reaches row {0}: its tail was cut"
    )]
    TailCut(i64),
    /// A signed checkpoint has another hash.
    #[error("a signed checkpoint has another hash for this row: the chain was rewritten")]
    Checkpoint,
    /// A checkpoint's signature does not verify, or its key is not the chain's.
    #[error("a checkpoint's signature does not verify with the chain's key")]
    Signature,
    /// No node of this database wrote the chain.
    #[error("the chain has no checkpoint key: no node of this database wrote it")]
    Stranger,
    /// Other checkpoints name a chain of which nothing is left.
    #[error("the chain is gone: checkpoints name it, and the database has neither its key nor its rows")]
    Gone,
    /// The number of a row is less than that of a first row.
    #[error("row is outside of the chain, which begins with row 1: it was inserted")]
    Outside,
    /// There are more rows than can be read in order.
    #[error("the database counts {0} rows of the chain, more than it gives in order")]
    Unread(u64),
    /// A line of the checkpoint file cannot be read; `seq` is the line's number, `chain` is empty.
    #[error("line of the checkpoint file cannot be read")]
    Line,
    /// There is no checkpoint file. `chain` is empty.
    #[error(
        "the checkpoint file is missing: without it nobody can tell whether the end of the record was cut; restore \
         it, or correct `audit.checkpoint_file`"
    )]
    NoFile,
    /// The database has a newer checkpoint of this node than the checkpoint file.
    #[error(
        "the checkpoint file ends before this checkpoint of the database: its end was cut, or it was replaced"
    )]
    FileBehind,
}

/// Faults listed of one chain at most: after the first, what follows is often its consequence.
const LISTED: usize = 20;
/// Rows read by one statement.
const BATCH: i64 = 1000;

/// Recomputes every chain and compares it with its checkpoints in the database and in
/// `audit.checkpoint_file`. Reads only; a server may be running.
///
/// # Errors
/// [`StoreError`] if the database or the file cannot be read. What is found is not an error.
pub async fn verify(config: &Config) -> Result<Report, StoreError> {
    let report = match &config.database {
        Database::Sqlite(path) => {
            let mut connection = sqlite::connect_read_only(path)?;
            migration::pending(&path.display().to_string(), &migration::applied_sqlite(&mut connection)?)?;
            examine(&mut sqlite::Session(&mut connection), config).await
        }
        Database::Postgres(url) => {
            let mut connection = postgres::connect_read_only(url).await?;
            let name = migration::name_postgres(&mut connection).await?;
            migration::pending(&name, &migration::applied_postgres(&mut connection).await?)?;
            examine(&mut postgres::Session(&connection), config).await
        }
    };
    report.map_err(StoreError::from)
}

/// A server may be writing meanwhile: a row is there before it is signed, and in the checkpoint file before in the
/// database. So what comes later is read first.
async fn examine<S: Transaction>(session: &mut S, config: &Config) -> Result<Report, Failure> {
    let mut report = Report::default();
    let mut fault = |chain: &str, seq, what| report.faults.push(Fault { chain: chain.to_owned(), seq, what });
    let keys: BTreeMap<String, Vec<u8>> =
        session.checkpoint_keys().await?.into_iter().map(|row| (row.chain, row.public_key)).collect();
    let own = node::known_id(&config.data_dir).unwrap_or_default();
    let signed = session.last_checkpoint(&own).await?.map_or(0, |(seq, _)| seq);
    let mut anchors = Anchors::default();
    match file::read(&config.audit.checkpoint_file)? {
        None if keys.is_empty() => {}
        None => fault("", 0, FaultKind::NoFile),
        Some(contents) => {
            contents.unreadable.iter().for_each(|number| fault("", *number, FaultKind::Line));
            let of_own = contents.lines.iter().filter(|line| line.chain == own);
            if of_own.map(|line| line.end.seq).max().unwrap_or(0) < signed {
                fault(&own, signed, FaultKind::FileBehind);
            }
            for line in &contents.lines {
                let key = keys.get(&line.chain).map(Vec::as_slice);
                if !anchors.take_line(line, key) {
                    fault(&line.chain, line.end.seq, FaultKind::Signature);
                }
            }
        }
    }
    for (chain, key) in &keys {
        let mut from = i64::MIN;
        loop {
            let batch = session.checkpoints_from(chain, from, BATCH).await?;
            for row in &batch {
                if !anchors.take_row(row, key) {
                    fault(chain, row.seq, FaultKind::Signature);
                }
            }
            match batch.last().and_then(|row| row.seq.checked_add(1)) {
                Some(next) => from = next,
                None => break,
            }
        }
    }
    let sizes: BTreeMap<String, i64> = session.chain_sizes().await?.into_iter().collect();
    let mut chains: BTreeSet<String> = keys.keys().cloned().collect();
    chains.extend(anchors.of.keys().cloned());
    chains.extend(sizes.keys().cloned());
    for chain in chains {
        let key = keys.get(&chain).map(Vec::as_slice);
        let size = sizes.get(&chain).and_then(|size| u64::try_from(*size).ok()).unwrap_or(0);
        let mut examiner = Examiner::new(&chain, key, anchors.of.remove(&chain).unwrap_or_default());
        match key {
            Some(_) => {}
            None if size == 0 => examiner.note(0, FaultKind::Gone),
            None => examiner.note(0, FaultKind::Stranger),
        }
        // From the least number there is: a row that was inserted may have any.
        let mut from = i64::MIN;
        loop {
            let batch = session.audit_from(&chain, from, BATCH).await?;
            batch.iter().for_each(|row| examiner.examine(row));
            match batch.last().and_then(|row| row.seq.checked_add(1)) {
                Some(next) => from = next,
                None => break,
            }
        }
        let (chain, faults) = examiner.conclude(size);
        report.chains.push(chain);
        report.faults.extend(faults);
    }
    Ok(report)
}

/// What was signed of one chain, by `seq`: hashes, and when each was first signed.
type AnchorsOfChain = BTreeMap<i64, Vec<(Hash, Timestamp)>>;

/// What was signed of all chains: each checkpoint signs the end of its own chain, and what it found of the others.
#[derive(Default)]
struct Anchors {
    of: BTreeMap<String, AnchorsOfChain>,
}

impl Anchors {
    fn take_line(&mut self, line: &Line, key: Option<&[u8]>) -> bool {
        let is_chains_key = key.is_none_or(|key| checkpoint::text(key) == line.key);
        let own = [(&line.chain, &line.end)];
        is_chains_key && line.is_genuine() && self.take(own.into_iter().chain(&line.heads), line.at)
    }

    fn take_row(&mut self, row: &CheckpointRow, key: &[u8]) -> bool {
        let Ok(heads) = serde_json::from_str::<Ends>(&row.heads) else { return false };
        if !checkpoint::is_genuine(key, row) {
            return false;
        }
        self.note(&row.chain, row.seq, row.hash, Timestamp::from_millis(row.at));
        self.take(heads.iter(), Timestamp::from_millis(row.at))
    }

    fn take<'a>(&mut self, ends: impl Iterator<Item = (&'a String, &'a End)>, at: Timestamp) -> bool {
        let mut is_read = true;
        for (chain, end) in ends {
            match end.hash() {
                Some(hash) => self.note(chain, end.seq, hash, at),
                None => is_read = false,
            }
        }
        is_read
    }

    fn note(&mut self, chain: &str, seq: i64, hash: Hash, at: Timestamp) {
        if !self.of.contains_key(chain) {
            self.of.insert(chain.to_owned(), AnchorsOfChain::new());
        }
        let Some(of_row) = self.of.get_mut(chain).map(|of_chain| of_chain.entry(seq).or_default()) else {
            return;
        };
        match of_row.iter_mut().find(|(known, _)| *known == hash) {
            Some((_, first)) => *first = at.min(*first),
            None => of_row.push((hash, at)),
        }
    }
}

/// Walks one chain, row by row.
struct Examiner {
    report: ChainReport,
    faults: Vec<Fault>,
    /// The stored hash of the row before.
    previous: Hash,
    anchors: AnchorsOfChain,
}

impl Examiner {
    fn new(chain: &str, key: Option<&[u8]>, anchors: AnchorsOfChain) -> Self {
        let report = ChainReport {
            chain: chain.to_owned(),
            rows: 0,
            last: 0,
            anchored: 0,
            anchored_at: None,
            unanchored: 0,
            public_key: key.map(checkpoint::text),
        };
        Self { report, faults: Vec::new(), previous: Hash([0; 32]), anchors }
    }

    fn note(&mut self, seq: i64, what: FaultKind) {
        if self.faults.len() < LISTED {
            self.faults.push(Fault { chain: self.report.chain.clone(), seq, what });
        }
    }

    fn examine(&mut self, row: &AuditColumns) {
        self.report.rows += 1;
        if row.seq < 1 {
            return self.note(row.seq, FaultKind::Outside);
        }
        let expected = self.report.last.saturating_add(1);
        if row.seq == expected {
            if chain::link(&self.previous, &row.chain, row.seq, &row.body) != row.hash {
                self.note(row.seq, FaultKind::Hash);
            }
        } else {
            // Its link cannot be checked without the row before it.
            self.note(expected, FaultKind::Missing);
        }
        match Row::parse(&row.body) {
            Ok(parsed) => {
                if let Some(column) = chain::differing_column(row, &parsed) {
                    self.note(row.seq, FaultKind::Column(column));
                }
            }
            Err(Unreadable::Version(version)) => self.note(row.seq, FaultKind::Version(version)),
            Err(Unreadable::Body) => self.note(row.seq, FaultKind::Body),
        }
        self.report.unanchored += 1;
        if let Some(anchors) = self.anchors.remove(&row.seq) {
            if anchors.iter().all(|(hash, _)| *hash == row.hash) {
                self.report.anchored = row.seq;
                self.report.anchored_at = anchors.iter().map(|(_, at)| *at).min();
                self.report.unanchored = 0;
            } else {
                self.note(row.seq, FaultKind::Checkpoint);
            }
        }
        self.report.last = row.seq;
        self.previous = row.hash;
    }

    /// `size` is how many rows the database counted before they were read.
    fn conclude(mut self, size: u64) -> (ChainReport, Vec<Fault>) {
        let last = self.report.last;
        if let Some(reached) = self.anchors.keys().copied().filter(|seq| *seq > last).max() {
            self.note(last.saturating_add(1), FaultKind::TailCut(reached));
        }
        if size > self.report.rows {
            self.note(0, FaultKind::Unread(size));
        }
        self.faults.sort_by_key(|fault| fault.seq);
        (self.report, self.faults)
    }
}
