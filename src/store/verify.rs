//! Verifies the audit chains offline: no server, nothing but the database and the checkpoint file.

use std::path::Path;

use super::StoreError;
use crate::config::Config;
use crate::time::Timestamp;

/// What [`verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Every chain of the database or the checkpoint file.
    pub chains: Vec<ChainReport>,
    /// What is wrong, chain by chain, each chain's first bad row first. Empty means all is well.
    pub faults: Vec<Fault>,
}

/// One chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainReport {
    /// Which.
    pub chain: String,
    /// Rows found.
    pub rows: u64,
    /// `seq` of the last row; 0 if there is none.
    pub last: i64,
    /// `seq` of the newest signed checkpoint that agrees with its row; 0 if there is none.
    pub anchored: i64,
    /// When it was signed.
    pub anchored_at: Option<Timestamp>,
    /// Rows after it: their end could be cut without a trace until the next checkpoint.
    pub unanchored: u64,
    /// The checkpoint key that signed, base64url; to be compared with one noted elsewhere.
    pub public_key: Option<String>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// In which chain.
    pub chain: String,
    /// At which row.
    pub seq: i64,
    /// What.
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
    /// A copy differs from the body.
    #[error("column `{0}` differs from the body")]
    Column(&'static str),
    /// A signed checkpoint is beyond the last row.
    #[error("a signed checkpoint names this row, and the chain ends before it: its tail was cut")]
    TailCut,
    /// A signed checkpoint has another hash.
    #[error("a signed checkpoint has another hash for this row: the chain was rewritten")]
    Checkpoint,
    /// A checkpoint's signature does not verify, or its key is not the chain's.
    #[error("a checkpoint's signature does not verify with the chain's key")]
    Signature,
    /// A line of the checkpoint file cannot be read; `seq` is the line's number.
    #[error("line of the checkpoint file cannot be read")]
    Line,
}

/// Recomputes every chain and compares it with its checkpoints in the database and in
/// `audit.checkpoint_file`. Reads only.
///
/// # Errors
/// [`StoreError`] if the database or the file cannot be read. What is found is not an error.
#[expect(clippy::unimplemented, clippy::unused_async, unused_variables, reason = "filled in next")]
pub async fn verify(config: &Config) -> Result<Report, StoreError> {
    let file: &Path = &config.audit.checkpoint_file;
    unimplemented!()
}
