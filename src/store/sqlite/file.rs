//! Whether the files that were opened are still those at their path. What is written into a file that was removed
//! or replaced is gone with the process.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::store::statement::Failure;

/// The database file with its write-ahead log and that log's index, each by device and inode.
pub(super) struct Files([(PathBuf, Option<(u64, u64)>); 3]);

impl Files {
    pub(super) fn of(path: &Path) -> Self {
        Self(["", "-wal", "-shm"].map(|suffix| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            let path = PathBuf::from(name);
            let found = identity(&path);
            (path, found)
        }))
    }

    /// # Errors
    /// [`Failure::Lost`] names the file that is another one now, or gone.
    pub(super) fn check(&mut self) -> Result<(), Failure> {
        for (path, known) in &mut self.0 {
            let found = identity(path);
            // SQLite makes the log and its index when they are first needed.
            if known.is_none() {
                *known = found;
            }
            if found != *known {
                let path = path.display();
                return Err(Failure::Lost(format!(
                    "`{path}` was removed or replaced; restore it and restart"
                )));
            }
        }
        Ok(())
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}
