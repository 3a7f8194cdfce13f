//! The directory of a sandbox: everything that it writes is in it, and it is removed when the sandbox ends. Where it was
//! ended by a signal that no program sees, the next sandbox removes it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use data_encoding::HEXLOWER;

use crate::base::entropy::Entropy;

/// What the names of these directories begin with.
const PREFIX: &str = "deputy-sandbox-";
/// How many random bytes the name ends with, in hexadecimal digits.
const RANDOM: usize = 5;

/// A directory of the sandbox's own, removed with everything in it when dropped.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// The directory itself, locked as long as the sandbox runs. The kernel gives the lock back when the process ends,
    /// however it ends.
    _lock: File,
}

impl Directory {
    /// A new one among the temporary files, open to nobody else. Those of sandboxes that no longer run are removed.
    pub fn create(entropy: &dyn Entropy) -> anyhow::Result<Self> {
        Self::create_in(&std::env::temp_dir(), entropy)
    }

    fn create_in(parent: &Path, entropy: &dyn Entropy) -> anyhow::Result<Self> {
        remove_abandoned(parent);
        for _ in 0..10 {
            // Lower-case hexadecimal digits: the path of a socket is short, and some file systems fold case.
            let mut random = [0; RANDOM];
            entropy.fill(&mut random)?;
            let path = parent.join(format!("{PREFIX}{}", HEXLOWER.encode(&random)));
            let unmade = || format!("make `{}`", path.display());
            DirBuilder::new().mode(0o700).create(&path).with_context(unmade)?;
            // Between the two calls another sandbox may have found it unlocked and removed it.
            if let Some(lock) = lock(&path).with_context(unmade)? {
                return Ok(Self { path, _lock: lock });
            }
        }
        bail!("each directory that was made in `{}` was removed at once", parent.display())
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file that only its owner may read.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> anyhow::Result<PathBuf> {
        let path = self.path.join(name);
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(content.as_ref()))
            .with_context(|| format!("write `{}`", path.display()))?;
        Ok(path)
    }

    /// Makes a directory in it.
    pub fn make(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.path.join(name);
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| format!("make `{}`", path.display()))?;
        Ok(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path)
            && error.kind() != ErrorKind::NotFound
        {
            anstream::eprintln!("could not remove `{}`: {error}", self.path.display());
        }
    }
}

/// Locks a directory that was just made. `None` if it is no longer there.
fn lock(path: &Path) -> std::io::Result<Option<File>> {
    let Some(directory) = unless_absent(File::open(path))? else { return Ok(None) };
    // A process that holds the lock meanwhile removes the directory, which takes no time worth mentioning.
    directory.lock()?;
    Ok(unless_absent(std::fs::metadata(path))?.map(|_| directory))
}

fn unless_absent<T>(found: std::io::Result<T>) -> std::io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes the directories of sandboxes of this user that no longer run.
fn remove_abandoned(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        if is_name(&entry.file_name().to_string_lossy())
            && let Err(error) = remove_if_abandoned(&entry.path())
            && error.kind() != ErrorKind::NotFound
        {
            anstream::eprintln!(
                "could not remove `{}`, which an earlier sandbox left behind: {error}",
                entry.path().display()
            );
        }
    }
}

fn is_name(name: &str) -> bool {
    let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    name.strip_prefix(PREFIX).is_some_and(|end| end.len() == 2 * RANDOM && end.bytes().all(is_digit))
}

fn remove_if_abandoned(path: &Path) -> std::io::Result<()> {
    // Not what a link leads to, and nothing of another user.
    let found = std::fs::symlink_metadata(path)?;
    if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    let directory = File::open(path)?;
    match directory.try_lock() {
        // The lock is held until everything is gone, so that a sandbox that waits for it sees that it is.
        Ok(()) => std::fs::remove_dir_all(path),
        Err(TryLockError::WouldBlock) => Ok(()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use crate::base::entropy::SystemEntropy;

    fn parent() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn directory(parent: &tempfile::TempDir) -> Directory {
        Directory::create_in(parent.path(), &SystemEntropy::default()).unwrap()
    }

    #[test]
    fn nothing_is_left_of_a_directory_that_was_dropped() {
        let parent = parent();
        let directory = directory(&parent);
        let file = directory.write("a", "b").unwrap();
        let path = directory.path().to_owned();
        assert!(file.exists());
        drop(directory);
        assert!(!path.exists());
    }

    #[test]
    fn only_the_owner_may_read_what_is_in_it() {
        let parent = parent();
        let directory = directory(&parent);
        let (file, inner) = (directory.write("a", "b").unwrap(), directory.make("c").unwrap());
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(directory.path()), mode(&file), mode(&inner)), (0o700, 0o600, 0o700));
    }

    #[test]
    fn the_directory_of_a_sandbox_that_no_longer_runs_is_removed_by_the_next_one() {
        let parent = parent();
        let abandoned = parent.path().join("deputy-sandbox-0123456789");
        std::fs::create_dir_all(abandoned.join("data")).unwrap();
        std::fs::write(abandoned.join("data").join("deputy.db"), "rows").unwrap();
        let _next = directory(&parent);
        assert!(!abandoned.exists());
    }

    #[test]
    fn the_directory_of_a_sandbox_that_runs_stays() {
        let parent = parent();
        let running = directory(&parent);
        let file = running.write("a", "b").unwrap();
        let next = directory(&parent);
        assert!(file.exists() && next.path().exists());
    }

    #[test]
    fn what_only_looks_like_a_directory_of_a_sandbox_stays() {
        let (parent, elsewhere) = (parent(), parent());
        let kept = elsewhere.path().join("kept");
        std::fs::write(&kept, "a").unwrap();
        symlink(elsewhere.path(), parent.path().join("deputy-sandbox-0123456789")).unwrap();
        let named =
            ["deputy-sandbox-notes", "deputy-sandbox-0123456789a"].map(|name| parent.path().join(name));
        for path in &named {
            std::fs::create_dir(path).unwrap();
        }
        let _next = directory(&parent);
        assert!(kept.exists() && named.iter().all(|path| path.exists()));
    }
}
