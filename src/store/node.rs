//! What makes this node itself: its data directory, held by one server at a time, and its id.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use data_encoding::HEXLOWER;

use super::audit::chain::NAME_LENGTH;
use super::audit::file;
use super::transaction::Transaction;
use super::{StoreError, postgres};
use crate::base::entropy::Entropy;
use crate::config::{Config, Database};

/// Why a directory is no place for the admin socket, the keys and the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOwn {
    #[error(
        "it is open to group or others (mode {0:04o}); set it to 0700, or name a directory in it, which Deputy makes"
    )]
    Open(u32),
    #[error("it belongs to the user {owner}, but Deputy runs as the user {user}; they have to be the same")]
    Foreign { owner: u32, user: u32 },
}

/// Whether a directory belongs to the user of this process, and to nobody else.
///
/// # Errors
/// [`NotOwn`]: others can enter it, or could let others in.
pub fn own(directory: &std::fs::Metadata) -> Result<(), NotOwn> {
    let (owner, user) = (directory.uid(), rustix::process::geteuid().as_raw());
    let mode = directory.mode() & 0o7777;
    if owner != user {
        Err(NotOwn::Foreign { owner, user })
    } else if mode & 0o077 != 0 {
        Err(NotOwn::Open(mode))
    } else {
        Ok(())
    }
}

/// Takes the data directory for this process; released when the file is dropped, or the process ends.
pub(super) fn hold(data_dir: &Path) -> Result<File, StoreError> {
    let wrong = |what: String| StoreError::Unusable(format!("data_dir `{}`: {what}", data_dir.display()));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data_dir)
        .map_err(|error| wrong(error.to_string()))?;
    let metadata = std::fs::metadata(data_dir).map_err(|error| wrong(error.to_string()))?;
    own(&metadata).map_err(|fault| wrong(fault.to_string()))?;
    let lock = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(data_dir.join("lock"))
        .map_err(|error| wrong(error.to_string()))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(std::fs::TryLockError::WouldBlock) => Err(wrong("another server uses it".to_owned())),
        Err(std::fs::TryLockError::Error(error)) => Err(wrong(error.to_string())),
    }
}

/// The id of this node, which names its audit chain: 16 hex digits in `node_id`, made at the first start.
///
/// With it stands, in `database`, for which database it was made. A node that is configured for another one which does
/// not know its chain begins a new chain there, and keeps the checkpoints of the old one beside the new: they are
/// evidence about the database that was left. If the database is the same and does not know the chain, it is another
/// matter, which [`file::demand_reached`] judges.
pub(super) async fn id<S: Transaction>(
    session: &mut S,
    config: &Config,
    entropy: &dyn Entropy,
) -> Result<String, StoreError> {
    let data_dir = &config.data_dir;
    let location = location(&config.database)?;
    let recorded = read(&data_dir.join(LOCATION))?;
    let id = match read_id(data_dir)? {
        None => make_id(data_dir, entropy)?,
        Some(id) => {
            let is_elsewhere = recorded.as_ref().is_some_and(|recorded| *recorded != location);
            if is_elsewhere && session.checkpoint_keys().await?.iter().all(|key| key.chain != id) {
                let aside = file::set_aside(&config.audit.checkpoint_file, &id)?;
                let new = make_id(data_dir, entropy)?;
                let aside = aside.map(|path| path.display().to_string());
                tracing::warn!(
                    chain.old = id,
                    chain.new = new,
                    checkpoints.old = aside,
                    "the database is another than before: this node begins a new audit chain in it"
                );
                new
            } else {
                id
            }
        }
    };
    if recorded.as_ref() != Some(&location) {
        write_durably(data_dir, &data_dir.join(LOCATION), &location)?;
    }
    Ok(id)
}

/// The file that says for which database the id was made.
const LOCATION: &str = "database";

/// Where the database is, as the configuration names it and without credentials.
fn location(database: &Database) -> Result<String, StoreError> {
    Ok(match database {
        Database::Sqlite(path) => format!("sqlite {}", path.display()),
        Database::Postgres(url) => format!("postgres {}", postgres::Address::parse(url)?.location()),
    })
}

/// Whether the id of this node was made for another database than the one that is configured.
pub(super) fn is_elsewhere(config: &Config) -> bool {
    let recorded = read(&config.data_dir.join(LOCATION)).ok().flatten();
    recorded.is_some_and(|recorded| location(&config.database).is_ok_and(|location| recorded != location))
}

/// The id of this node, if it has one that can be read.
pub(super) fn known_id(data_dir: &Path) -> Option<String> {
    read_id(data_dir).ok().flatten()
}

fn read_id(data_dir: &Path) -> Result<Option<String>, StoreError> {
    let path = data_dir.join("node_id");
    let Some(id) = read(&path)? else { return Ok(None) };
    let is_id = id.len() == NAME_LENGTH
        && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let wrong = || StoreError::Unusable(format!("`{}`: not 16 lower-case hex digits", path.display()));
    if is_id { Ok(Some(id)) } else { Err(wrong()) }
}

fn make_id(data_dir: &Path, entropy: &dyn Entropy) -> Result<String, StoreError> {
    let path = data_dir.join("node_id");
    let mut random = [0; NAME_LENGTH / 2];
    entropy
        .fill(&mut random)
        .map_err(|error| StoreError::Unusable(format!("`{}`: {error}", path.display())))?;
    let id = HEXLOWER.encode(&random);
    write_durably(data_dir, &path, &id)?;
    Ok(id)
}

/// The text of a small file without its end of line; `None` if there is no such file.
fn read(path: &Path) -> Result<Option<String>, StoreError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim_end().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::Unusable(format!("`{}`: {error}", path.display()))),
    }
}

/// Written beside, synced, renamed into place: after a crash it is there whole, or not at all.
fn write_durably(directory: &Path, path: &Path, text: &str) -> Result<(), StoreError> {
    let beside = path.with_extension("new");
    let write = || {
        let mut file =
            OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&beside)?;
        writeln!(file, "{text}")?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        File::open(directory)?.sync_all()
    };
    write().map_err(|error: std::io::Error| StoreError::Unusable(format!("`{}`: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, chown};

    use super::*;

    #[test]
    fn a_data_directory_that_others_can_enter_or_own_is_not_taken() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path().join("data");
        drop(hold(&data_dir).unwrap());
        for mode in [0o701, 0o710, 0o750, 0o777] {
            std::fs::set_permissions(&data_dir, std::fs::Permissions::from_mode(mode)).unwrap();
            let refused = hold(&data_dir).unwrap_err().to_string();
            assert!(refused.contains(&format!("{mode:04o}")) && refused.contains("0700"), "{refused}");
        }
        std::fs::set_permissions(&data_dir, std::fs::Permissions::from_mode(0o700)).unwrap();
        drop(hold(&data_dir).unwrap());
        // Only a privileged process can give a directory to another user, and then still enter it.
        if chown(&data_dir, Some(987_654), None).is_ok() {
            let refused = hold(&data_dir).unwrap_err().to_string();
            assert!(refused.contains("the user 987654"), "{refused}");
        }
    }
}
