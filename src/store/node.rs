//! What makes this node itself: its data directory, held by one server at a time, and its id.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use data_encoding::HEXLOWER;

use super::StoreError;
use super::audit::chain::NAME_LENGTH;
use crate::base::entropy::Entropy;

/// Takes the data directory for this process; released when the file is dropped, or the process ends.
pub(super) fn hold(data_dir: &Path) -> Result<File, StoreError> {
    let wrong = |what: String| StoreError::Unusable(format!("data_dir `{}`: {what}", data_dir.display()));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data_dir)
        .map_err(|error| wrong(error.to_string()))?;
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

/// This node's id, which names its audit chain: 16 hex digits in `node_id`, made at the first start.
pub(super) fn id(data_dir: &Path, entropy: &dyn Entropy) -> Result<String, StoreError> {
    let path = data_dir.join("node_id");
    let wrong = |what: String| StoreError::Unusable(format!("`{}`: {what}", path.display()));
    match File::open(&path) {
        Ok(mut file) => {
            let mut text = String::new();
            file.read_to_string(&mut text).map_err(|error| wrong(error.to_string()))?;
            let id = text.trim_end();
            let is_id = id.len() == NAME_LENGTH
                && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
            if is_id { Ok(id.to_owned()) } else { Err(wrong("not 16 lower-case hex digits".to_owned())) }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut random = [0; NAME_LENGTH / 2];
            entropy.fill(&mut random).map_err(|error| wrong(error.to_string()))?;
            let id = HEXLOWER.encode(&random);
            write_durably(data_dir, &path, &id).map_err(|error| wrong(error.to_string()))?;
            Ok(id)
        }
        Err(error) => Err(wrong(error.to_string())),
    }
}

/// Written beside, synced, renamed into place: after a crash it is there whole, or not at all.
fn write_durably(directory: &Path, path: &Path, text: &str) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&beside)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    File::open(directory)?.sync_all()
}
