//! Verifies the audit chains offline: no server, nothing but the database and the checkpoint file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::checkpoint::{self, Line};
use super::{AuditColumns, CheckpointRow, chain};
use crate::audit::{Row, Unreadable};
use crate::base::time::Timestamp;
use crate::config::{Config, Database};
use crate::store::rows::Hash;
use crate::store::statement::Failure;
use crate::store::transaction::Transaction;
use crate::store::{StoreError, migration, postgres, sqlite};

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
    /// A line of the checkpoint file cannot be read; `seq` is the line's number, `chain` is empty.
    #[error("line of the checkpoint file cannot be read")]
    Line,
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
    // What was signed is read before the rows: a row is there before it is signed.
    let (lines, faults) = read_lines(&config.audit.checkpoint_file)?;
    let report = match &config.database {
        Database::Sqlite(path) => {
            let mut connection = sqlite::connect_read_only(path)?;
            migration::pending(&path.display().to_string(), &migration::applied_sqlite(&mut connection)?)?;
            examine(&mut sqlite::Session(&mut connection), &lines, faults).await
        }
        Database::Postgres(url) => {
            let mut connection = postgres::connect_read_only(url).await?;
            let name = migration::name_postgres(&mut connection).await?;
            migration::pending(&name, &migration::applied_postgres(&mut connection).await?)?;
            examine(&mut postgres::Session(&connection), &lines, faults).await
        }
    };
    report.map_err(StoreError::from)
}

/// The lines of the checkpoint file; one without an end was never finished and says nothing.
fn read_lines(path: &Path) -> Result<(Vec<Line>, Vec<Fault>), StoreError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            let path = path.display();
            return Err(StoreError::Unusable(format!("checkpoint file `{path}`: {error}")));
        }
    };
    let finished = text.rsplit_once('\n').map_or("", |(finished, _)| finished);
    let (mut lines, mut faults) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(finished.lines()) {
        match serde_json::from_str(line) {
            Ok(line) => lines.push(line),
            Err(_) => faults.push(Fault { chain: String::new(), seq: number, what: FaultKind::Line }),
        }
    }
    Ok((lines, faults))
}

async fn examine<S: Transaction>(
    session: &mut S,
    lines: &[Line],
    faults: Vec<Fault>,
) -> Result<Report, Failure> {
    let mut report = Report { chains: Vec::new(), faults };
    let keys: BTreeMap<String, Vec<u8>> =
        session.checkpoint_keys().await?.into_iter().map(|row| (row.chain, row.public_key)).collect();
    let mut chains: BTreeSet<String> = keys.keys().cloned().collect();
    chains.extend(lines.iter().map(|line| line.chain.clone()));
    chains.extend(session.chains().await?);
    for chain in chains {
        let rows = session.checkpoints(&chain).await?;
        let mut examiner = Examiner::new(&chain, keys.get(&chain).map(Vec::as_slice));
        examiner.take_checkpoints(&rows, lines);
        loop {
            let batch = session.audit_after(&chain, examiner.report.last, BATCH).await?;
            if batch.is_empty() {
                break;
            }
            for row in &batch {
                examiner.examine(row);
            }
        }
        let (chain, faults) = examiner.conclude();
        report.chains.push(chain);
        report.faults.extend(faults);
    }
    Ok(report)
}

/// Walks one chain, row by row.
struct Examiner<'a> {
    key: Option<&'a [u8]>,
    report: ChainReport,
    faults: Vec<Fault>,
    /// The stored hash of the row before.
    previous: Hash,
    /// What was signed, by `seq`: hashes, and when.
    anchors: BTreeMap<i64, Vec<(Hash, Timestamp)>>,
}

impl<'a> Examiner<'a> {
    fn new(chain: &str, key: Option<&'a [u8]>) -> Self {
        let report = ChainReport {
            chain: chain.to_owned(),
            rows: 0,
            last: 0,
            anchored: 0,
            anchored_at: None,
            unanchored: 0,
            public_key: key.map(checkpoint::text),
        };
        let mut examiner =
            Self { key, report, faults: Vec::new(), previous: Hash([0; 32]), anchors: BTreeMap::new() };
        if key.is_none() {
            examiner.note(0, FaultKind::Stranger);
        }
        examiner
    }

    fn note(&mut self, seq: i64, what: FaultKind) {
        if self.faults.len() < LISTED {
            self.faults.push(Fault { chain: self.report.chain.clone(), seq, what });
        }
    }

    /// Checks signatures; what is genuine is an anchor.
    fn take_checkpoints(&mut self, rows: &[CheckpointRow], lines: &[Line]) {
        for row in rows {
            let is_genuine = self.key.is_some_and(|key| {
                checkpoint::is_genuine(key, &row.chain, row.seq, &row.hash, row.at, &row.signature)
            });
            if is_genuine {
                let anchor = (row.hash, Timestamp::from_millis(row.at));
                self.anchors.entry(row.seq).or_default().push(anchor);
            } else {
                self.note(row.seq, FaultKind::Signature);
            }
        }
        let chain = self.report.chain.clone();
        for line in lines.iter().filter(|line| line.chain == chain) {
            let is_chains_key = self.key.is_none_or(|key| checkpoint::text(key) == line.key);
            match line.hash().filter(|_| is_chains_key && line.is_genuine()) {
                Some(hash) => self.anchors.entry(line.seq).or_default().push((hash, line.at)),
                None => self.note(line.seq, FaultKind::Signature),
            }
        }
    }

    fn examine(&mut self, row: &AuditColumns) {
        let expected = self.report.last + 1;
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
        if let Some(anchors) = self.anchors.remove(&row.seq) {
            if anchors.iter().all(|(hash, _)| *hash == row.hash) {
                self.report.anchored = row.seq;
                self.report.anchored_at = anchors.iter().map(|(_, at)| *at).max();
            } else {
                self.note(row.seq, FaultKind::Checkpoint);
            }
        }
        self.report.rows += 1;
        self.report.last = row.seq;
        self.previous = row.hash;
    }

    fn conclude(mut self) -> (ChainReport, Vec<Fault>) {
        let last = self.report.last;
        if let Some(reached) = self.anchors.keys().copied().filter(|seq| *seq > last).max() {
            self.note(last + 1, FaultKind::TailCut(reached));
        }
        self.report.unanchored = u64::try_from(last - self.report.anchored).unwrap_or(0);
        self.faults.sort_by_key(|fault| fault.seq);
        (self.report, self.faults)
    }
}
