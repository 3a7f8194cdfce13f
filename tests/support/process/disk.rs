//! A small disk of its own, which a test can fill.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// A file system in memory.
pub struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Mounts one; `None` where this process may not, which is said on standard error.
    pub fn mount(mebibytes: u32) -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "deputy-test"])
            .arg(directory.path())
            .output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self(directory));
        }
        eprintln!("not run: only a privileged process can mount a file system to fill");
        None
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all space that is left, until [`SmallDisk::empty`].
    pub fn fill(&self) {
        let mut file = File::create(self.filler()).expect("a file");
        for size in [1 << 20, 4096, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
    }

    pub fn empty(&self) {
        std::fs::remove_file(self.filler()).expect("the disk was filled");
    }

    fn filler(&self) -> std::path::PathBuf {
        self.path().join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Files in it may still be open after a test that failed.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
