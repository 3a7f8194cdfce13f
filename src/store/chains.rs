//! The record as it is stored, chain by chain: for an operator who follows it or takes a copy of it.

use super::rows::Hash;
use super::statement::Failure;
use super::transaction::Transaction;
use crate::base::time::{Lifetime, Timestamp};
use crate::oauth::Digest;

/// A row is written soon after it was made, so that the rows of a chain are in the order of time to within this.
const ORDER: Lifetime = Lifetime::from_seconds(60);

/// A part of a chain: the rows from `first` to `last`. There is none if `first` is the greater one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub chain: String,
    pub first: i64,
    pub last: i64,
}

/// An audit row as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRow {
    pub chain: String,
    pub seq: i64,
    /// The hash of the row before, which `hash` covers; zeros before the first row. `None` if that row is missing.
    pub previous: Option<Digest>,
    pub hash: Digest,
    /// The text that `hash` covers.
    pub body: String,
}

/// The part of each chain that was written between two times. No row is left out that is between them; some at both ends
/// may lie up to a minute beyond.
pub(super) async fn stretches<S: Transaction>(
    session: &mut S,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<Vec<Stretch>, Failure> {
    let mut stretches = Vec::new();
    for key in session.checkpoint_keys().await? {
        let Some((end, _)) = session.head(&key.chain).await? else { continue };
        let first = match since {
            Some(since) => first_from(session, &key.chain, end, since.minus(ORDER)).await?,
            None => 1,
        };
        let last = match until {
            Some(until) => first_from(session, &key.chain, end, until.plus(ORDER)).await? - 1,
            None => end,
        };
        stretches.push(Stretch { chain: key.chain, first, last });
    }
    Ok(stretches)
}

/// The number of the first row that was made at this time or later; that after `end` if there is none.
async fn first_from<S: Transaction>(
    session: &mut S,
    chain: &str,
    end: i64,
    time: Timestamp,
) -> Result<i64, Failure> {
    let (mut low, mut high) = (1, end.saturating_add(1));
    while low < high {
        let middle = low + (high - low) / 2;
        match session.audit_from(chain, middle, 1).await?.pop() {
            Some(row) if row.at < time.millis() => low = row.seq.saturating_add(1),
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The rows of a chain after this number, in order, at most `limit`.
pub(super) async fn rows<S: Transaction>(
    session: &mut S,
    chain: &str,
    after: i64,
    limit: u32,
) -> Result<Vec<StoredRow>, Failure> {
    let after = after.max(0);
    let mut before = (after, (after == 0).then_some(Hash([0; 32])));
    // The row before them is read for its hash.
    let columns = session.audit_from(chain, after.max(1), i64::from(limit) + 1).await?;
    let mut rows = Vec::with_capacity(columns.len());
    for row in columns {
        let previous = before.1.filter(|_| before.0 + 1 == row.seq);
        before = (row.seq, Some(row.hash));
        if row.seq > after && rows.len() < limit as usize {
            let (hash, previous) = (row.hash.0, previous.map(|hash| hash.0));
            rows.push(StoredRow { chain: row.chain, seq: row.seq, previous, hash, body: row.body });
        }
    }
    Ok(rows)
}
