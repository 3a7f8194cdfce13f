//! Space on the disk of an SQLite database: how much is left, and a file that is given up when nothing is left, so that
//! what is to be stopped can still be stopped.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::store::StoreError;
use crate::store::statement::Failure;

/// The size of the spare file.
pub const SPARE: u64 = 8 << 20;
/// With less space than this a server is not ready.
pub const LOW: u64 = 8 << 20;
/// What a start takes at most: the index of SQLite's log, a few rows, and the checkpoint for them.
const START: u64 = 1 << 20;

/// How many bytes this process can still write to the file system of `path`.
///
/// # Errors
/// The system does not tell, for example because there is no such path.
pub fn free(path: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(path)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// The kind of the file system of `path`, if it is one that another machine keeps. `None` also where there is no such
/// path, and where the system does not tell.
pub fn remote(path: &Path) -> Option<&'static str> {
    #[cfg(target_os = "linux")]
    return rustix::fs::statfs(path).ok().and_then(|found| remote_kind(i128::from(found.f_type)));
    #[cfg(not(target_os = "linux"))]
    return None;
}

/// By the numbers in `linux/magic.h`.
#[cfg(target_os = "linux")]
const fn remote_kind(number: i128) -> Option<&'static str> {
    Some(match number & 0xffff_ffff {
        0x6969 => "NFS",
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => "SMB",
        0x0102_1997 => "9P",
        0x00c3_6400 => "Ceph",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x7461_636f => "OCFS2",
        _ => return None,
    })
}

/// Whether the disk of this database has space.
///
/// # Errors
/// [`StoreError::Database`]: it has less than [`LOW`].
pub(super) fn demand_room(database: &Path) -> Result<(), StoreError> {
    // Whether the database is still there is found by the writer.
    match free(directory(database)) {
        Ok(free) if free < LOW => {
            Err(StoreError::Database(format!("only {} KiB are free on the disk of the database", free >> 10)))
        }
        _ => Ok(()),
    }
}

/// Whether something could not be written because the disk is full. SQLite tells it in two ways.
pub(super) fn is_full(failure: &Failure) -> bool {
    let (Failure::Conflict(text) | Failure::Lost(text) | Failure::Store(StoreError::Database(text))) =
        failure
    else {
        return false;
    };
    text.contains("disk is full") || text.contains("disk I/O error")
}

fn directory(database: &Path) -> &Path {
    database.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file beside the database that only takes up space.
pub(super) struct Spare(PathBuf);

impl Spare {
    pub(super) fn beside(database: &Path) -> Self {
        let mut name = database.as_os_str().to_owned();
        name.push(".spare");
        Self(name.into())
    }

    /// Sees before a start whether there is space for it, and gives up the file if there is none.
    ///
    /// # Errors
    /// [`StoreError::Unusable`]: the disk is full, and there is no file to give up.
    pub(super) fn begin(&self) -> Result<(), StoreError> {
        let directory = directory(&self.0);
        // Where the system does not tell, the start finds out.
        let is_full = || free(directory).is_ok_and(|free| free < START);
        if is_full() {
            self.give_up();
        }
        if is_full() {
            let (directory, wanted) = (directory.display(), (SPARE + LOW) >> 20);
            return Err(StoreError::Unusable(format!(
                "the disk of the database is full: free {wanted} MiB on the file system of `{directory}`, or make it \
                 larger; remove no file of Deputy's own"
            )));
        }
        Ok(())
    }

    /// Whether the file is there, with all its space.
    fn is_kept(&self) -> bool {
        std::fs::metadata(&self.0).is_ok_and(|found| found.blocks().saturating_mul(512) >= SPARE)
    }

    /// Makes the file if there is space for it and as much again as a server needs. Gives back whether it is there.
    pub(super) fn keep(&self) -> bool {
        if self.is_kept() {
            return true;
        }
        let has_room = free(directory(&self.0)).is_ok_and(|free| free >= SPARE + LOW);
        let is_made = has_room && make(&self.0).is_ok();
        if !is_made {
            // Half a file would take space that others need.
            let _ = std::fs::remove_file(&self.0);
        }
        is_made
    }

    /// Removes the file. Gives back whether that freed any.
    pub(super) fn give_up(&self) -> bool {
        std::fs::remove_file(&self.0).is_ok()
    }
}

fn make(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let file = File::options().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    // Blocks without content: who copies or reads the directory has nothing to copy or read.
    #[cfg(target_os = "linux")]
    if rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::KEEP_SIZE, 0, SPARE).is_ok() {
        return Ok(());
    }
    fill(file)
}

/// Writes bytes that no file system can store as fewer.
fn fill(mut file: File) -> io::Result<()> {
    use std::io::Write as _;
    let mut state = 1_u64;
    let mut block = [0; 4096];
    for _ in 0..SPARE / 4096 {
        for word in block.chunks_exact_mut(8) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            word.copy_from_slice(&(state ^ (state >> 29)).to_le_bytes());
        }
        file.write_all(&block)?;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spare_file_takes_up_its_room_until_it_is_given_up() {
        let directory = tempfile::tempdir().unwrap();
        let spare = Spare::beside(&directory.path().join("deputy.db"));
        let blocks =
            || std::fs::metadata(directory.path().join("deputy.db.spare")).map(|found| found.blocks());
        assert!(!spare.give_up(), "there is none yet");
        assert!(spare.keep() && spare.keep());
        assert!(blocks().unwrap() * 512 >= SPARE);
        assert!(spare.give_up() && blocks().is_err());
        // A crash may have left it short.
        std::fs::write(directory.path().join("deputy.db.spare"), "short").unwrap();
        assert!(spare.keep());
        assert!(blocks().unwrap() * 512 >= SPARE);
        spare.begin().unwrap();
        assert!(blocks().is_ok(), "a start gives it up only where the disk is full");
    }

    #[test]
    fn where_the_system_allocates_nothing_it_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spare");
        fill(File::create(&path).unwrap()).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), SPARE);
    }

    #[test]
    fn a_file_system_of_another_machine_is_told_from_a_disk() {
        assert_eq!(remote(Path::new("/")), None);
        assert_eq!(remote(Path::new("/no/such/path")), None);
        #[cfg(target_os = "linux")]
        for (number, kind) in [(0x6969, Some("NFS")), (-0x00ac_b2be, Some("SMB")), (0xef53, None)] {
            assert_eq!(remote_kind(number), kind, "{number:x}");
        }
    }

    #[test]
    fn a_full_disk_is_told_from_other_faults() {
        let store = |text: &str| Failure::Store(StoreError::Database(text.to_owned()));
        assert!(is_full(&store("database or disk is full")));
        assert!(is_full(&Failure::Lost("database: disk I/O error".to_owned())));
        assert!(!is_full(&store("database is locked")) && !is_full(&StoreError::Busy.into()));
    }
}
