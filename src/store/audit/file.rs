//! The checkpoint file: what is read of it, and how it is written.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::checkpoint::Line;
use crate::store::StoreError;
use crate::store::transaction::Transaction;

/// What a checkpoint file holds.
#[derive(Debug)]
pub(in crate::store) struct Contents {
    pub(in crate::store) lines: Vec<Line>,
    /// The numbers of lines that cannot be read.
    pub(in crate::store) unreadable: Vec<i64>,
}

/// Reads the file; `None` if there is none. A line without an end was never finished and says nothing.
pub(in crate::store) fn read(path: &Path) -> Result<Option<Contents>, StoreError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let path = path.display();
            return Err(StoreError::Unusable(format!("checkpoint file `{path}`: {error}")));
        }
    };
    let finished = text.rsplit_once('\n').map_or("", |(finished, _)| finished);
    let mut contents = Contents { lines: Vec::new(), unreadable: Vec::new() };
    for (number, line) in (1..).zip(finished.lines()) {
        match serde_json::from_str(line) {
            Ok(line) => contents.lines.push(line),
            Err(_) => contents.unreadable.push(number),
        }
    }
    Ok(Some(contents))
}

/// The highest row of each chain that the file says was written.
fn reached(path: &Path) -> Result<BTreeMap<String, i64>, StoreError> {
    let Some(contents) = read(path)? else { return Ok(BTreeMap::new()) };
    let mut reached = BTreeMap::new();
    for line in contents.lines.iter().filter(|line| line.is_genuine()) {
        let named = line.heads.iter().map(|(chain, end)| (chain, end.seq));
        for (chain, seq) in named.chain([(&line.chain, line.end.seq)]) {
            let known = reached.entry(chain.clone()).or_insert(seq);
            *known = seq.max(*known);
        }
    }
    Ok(reached)
}

/// Refuses a database that ends before what the file says was written: it was rolled back or replaced, and
/// revocations and keys with it.
pub(in crate::store) async fn demand_reached<S: Transaction>(
    session: &mut S,
    path: &Path,
) -> Result<(), StoreError> {
    match Behind::find(session, path).await? {
        Some(behind) => Err(StoreError::Unusable(behind.to_string())),
        None => Ok(()),
    }
}

/// A database whose rows of an audit chain end before the checkpoint file does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}. {}", self.what(), self.fix())]
pub struct Behind {
    file: PathBuf,
    chain: String,
    /// The row that the file reaches, and the last one of the database.
    reached: i64,
    last: i64,
}

impl Behind {
    /// The first chain of which a database without any rows lacks some.
    pub(in crate::store) fn of_nothing(path: &Path) -> Result<Option<Self>, StoreError> {
        let first = reached(path)?.into_iter().next();
        Ok(first.map(|(chain, reached)| Self { file: path.to_owned(), chain, reached, last: 0 }))
    }

    /// The first chain of which the database lacks rows.
    pub(in crate::store) async fn find<S: Transaction>(
        session: &mut S,
        path: &Path,
    ) -> Result<Option<Self>, StoreError> {
        for (chain, reached) in reached(path)? {
            let last = session.head(&chain).await?.map_or(0, |(seq, _)| seq);
            if last < reached {
                return Ok(Some(Self { file: path.to_owned(), chain, reached, last }));
            }
        }
        Ok(None)
    }

    pub fn what(&self) -> String {
        let Self { file, chain, reached, last } = self;
        format!(
            "the checkpoint file `{}` reaches row {reached} of the audit chain {chain}, but the database has only \
             {last} of these rows: the database was restored from an older copy, replaced or damaged, and \
             revocations may be missing from it",
            file.display()
        )
    }

    pub fn fix(&self) -> String {
        format!(
            "Restore a copy that reaches row {}. If there is none, or if this is meant to be a new database, move the \
             checkpoint file and `node_id` of `data_dir` away, keep both as evidence, start again, and repeat every \
             revocation made since the copy",
            self.reached
        )
    }
}

/// Moves the file of a chain that another database has out of the way, and says where it is now.
pub(in crate::store) fn set_aside(path: &Path, chain: &str) -> Result<Option<PathBuf>, StoreError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{chain}"));
    let aside = path.with_file_name(name);
    match std::fs::rename(path, &aside) {
        Ok(()) => Ok(Some(aside)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::Unusable(format!(
            "checkpoint file `{}` belongs to another database and cannot be renamed to `{}`: {error}",
            path.display(),
            aside.display()
        ))),
    }
}

/// A line that a crash left without its end was never relied on; the next must not run into it.
pub(in crate::store) fn drop_unfinished_line(path: &Path) -> Result<(), StoreError> {
    let wrong = |error: std::io::Error| {
        StoreError::Unusable(format!("checkpoint file `{}`: {error}", path.display()))
    };
    append(path, "")?;
    let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(wrong)?;
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(wrong)?;
    let finished = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    if finished < text.len() {
        file.set_len(finished as u64).and_then(|()| file.sync_all()).map_err(wrong)?;
    }
    Ok(())
}

/// Writes at the end of the file; it is on the disk when this returns.
pub(super) fn append(path: &Path, text: &str) -> Result<(), StoreError> {
    let wrong = |what: String| StoreError::Unusable(format!("checkpoint file `{}`: {what}", path.display()));
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| wrong(error.to_string()))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| wrong(error.to_string()))
}
