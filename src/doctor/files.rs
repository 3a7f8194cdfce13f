//! Files and directories: the configuration itself, data directory, master key, checkpoint file and policy.

use std::collections::BTreeSet;
use std::io::{Error, ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::Findings;
use crate::base::text::why_unread;
use crate::config::Config;
use crate::keys::{MASTER, is_of_own_user, is_private};
use crate::server::socket;
use crate::store::{self, NotOwn};

pub(super) fn check(findings: &mut Findings, config: &Config, file: &Path) {
    configuration_file(findings, file);
    data_dir(findings, &config.data_dir);
    admin_socket(findings, &config.admin_socket());
    master_key(findings, config);
    checkpoint_file(findings, config);
}

fn configuration_file(findings: &mut Findings, file: &Path) {
    let Ok(metadata) = std::fs::metadata(file) else { return };
    if metadata.mode() & 0o022 != 0 {
        let what =
            format!("{} can be written by others (mode {:04o})", file.display(), metadata.mode() & 0o777);
        findings.fail("config_file", what, format!("chmod go-w {}", file.display()));
    } else {
        findings.ok("config_file", format!("{} is written by its owner alone", file.display()));
    }
}

fn data_dir(findings: &mut Findings, directory: &Path) {
    const ID: &str = "data_dir";
    let shown = directory.display();
    match std::fs::metadata(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let what = format!("`data_dir` {shown} is not there");
            findings.fail(ID, what, format!("mkdir -m 0700 {shown}, or run `deputy init`"));
        }
        Err(error) => {
            let what = format!("`data_dir` {shown} cannot be entered: {}", error.kind());
            findings.fail(ID, what, not_written(&error, directory));
        }
        Ok(metadata) if !metadata.is_dir() => {
            findings.fail(ID, format!("`data_dir` {shown} is no directory"), "name a directory");
        }
        Ok(metadata) => match (store::own(&metadata), is_writable(directory)) {
            (Err(fault), _) => {
                let fix = match fault {
                    NotOwn::Open(_) => format!("chmod 0700 {shown}"),
                    NotOwn::Foreign { owner, .. } => as_owner(owner),
                };
                findings.fail(ID, format!("`data_dir` {shown}: {fault}"), fix);
            }
            (Ok(()), Ok(())) => findings.ok(ID, format!("{shown} is writable, and for its owner alone")),
            (Ok(()), Err(error)) => {
                let what = format!("`data_dir` {shown} cannot be written: {}", error.kind());
                findings.fail(ID, what, not_written(&error, directory));
            }
        },
    }
}

/// What to do where the user of this process is not the one that `data_dir` belongs to.
pub(super) fn as_owner(owner: u32) -> String {
    format!(
        "run this check and Deputy as the user that owns `data_dir` (`sudo -u '#{owner}' deputy check …`); if Deputy is \
         to run as another user, chown the directory and all that is in it"
    )
}

/// What to do about a file or a directory that cannot be read or written. Where a file system is mounted read-only, the
/// owner of the file is not what is wrong.
fn not_written(error: &Error, path: &Path) -> String {
    match error.kind() {
        ErrorKind::ReadOnlyFilesystem => {
            "mount its file system for writing, or name a place on another one (in a container, a volume)".to_owned()
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "free some space on that disk, or name a place on a larger one".to_owned()
        }
        ErrorKind::PermissionDenied => match path.ancestors().find_map(|path| std::fs::metadata(path).ok()) {
            Some(metadata) if !is_of_own_user(&metadata) => as_owner(metadata.uid()),
            _ => "run this check as the user that Deputy runs as, or let that user enter every directory of the path"
                .to_owned(),
        },
        _ => "make its directory, writable by the user that Deputy runs as".to_owned(),
    }
}

/// The path of a socket has a limit of about 100 bytes.
fn admin_socket(findings: &mut Findings, path: &Path) {
    const ID: &str = "admin_socket";
    match socket::check(path) {
        Ok(()) => findings.ok(ID, format!("{} can be the path of a socket", path.display())),
        Err(fault) => findings.fail(ID, fault.what(), fault.fix()),
    }
}

/// Tries it, and leaves nothing behind.
fn is_writable(directory: &Path) -> std::io::Result<()> {
    let path = directory.join(format!(".deputy-check-{}", std::process::id()));
    std::fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
    std::fs::remove_file(path)
}

fn master_key(findings: &mut Findings, config: &Config) {
    const ID: &str = "master_key";
    let file = &config.keys.master_key_file;
    let shown = file.display();
    match std::fs::metadata(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let what = format!("master key {shown} is not there");
            findings.fail(
                ID,
                what,
                "run `deputy init` for a new installation; else restore it from your copy",
            );
        }
        Err(error) => {
            let what = format!("master key {shown} cannot be read: {}", why_unread(&error));
            findings.fail(ID, what, not_written(&error, file));
        }
        Ok(metadata) if !metadata.is_file() => {
            findings.fail(ID, format!("master key {shown} is no file"), "name the file itself");
        }
        Ok(metadata) if metadata.len() != MASTER as u64 => {
            let what = format!("master key {shown} has {} bytes, not {MASTER}", metadata.len());
            findings.fail(ID, what, "restore it from your copy: a new one opens nothing that is sealed");
        }
        Ok(metadata) if !is_of_own_user(&metadata) => {
            let what = format!("master key {shown} belongs to the user {}", metadata.uid());
            findings.fail(ID, what, format!("chown {shown} to the user that Deputy runs as, or to root"));
        }
        Ok(metadata) if !is_private(&metadata) => {
            let what = format!("master key {shown} is open to others (mode {:04o})", metadata.mode() & 0o777);
            findings.fail(ID, what, format!("chmod 0600 {shown}"));
        }
        Ok(_) => content(findings, ID, file),
    }
}

/// Looks at the bytes of a master key that can be read.
fn content(findings: &mut Findings, id: &'static str, file: &Path) {
    const FIX: &str =
        "restore the right one from your copy; for a new installation remove it and run `deputy init`";
    let shown = file.display();
    match judge(file) {
        Ok(Content::Random) => {
            findings.ok(id, format!("{shown} is there, {MASTER} bytes, for its owner alone"));
        }
        Ok(Content::Repeated) => {
            findings.fail(
                id,
                format!("master key {shown} is a few bytes again and again, and no secret"),
                FIX,
            );
        }
        Ok(Content::Text) => {
            findings.warn(
                id,
                format!("master key {shown} is text, and so less of a secret than random bytes"),
                FIX,
            );
        }
        Err(error) => {
            let what = format!("master key {shown} cannot be read: {}", why_unread(&error));
            findings.fail(id, what, not_written(&error, file));
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Content {
    Random,
    Text,
    Repeated,
}

/// What the bytes of a master key look like. That all of them are printable, or that fewer than eight differ, happens
/// to none that was chosen at random.
fn judge(file: &Path) -> std::io::Result<Content> {
    let mut bytes = Zeroizing::new([0; MASTER]);
    std::fs::File::open(file)?.read_exact(bytes.as_mut_slice())?;
    let different: BTreeSet<u8> = bytes.iter().copied().collect();
    let is_text = bytes.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    Ok(match is_text {
        _ if different.len() < 8 => Content::Repeated,
        true => Content::Text,
        false => Content::Random,
    })
}

fn checkpoint_file(findings: &mut Findings, config: &Config) {
    const ID: &str = "checkpoint_file";
    let file = &config.audit.checkpoint_file;
    let shown = file.display();
    let tried = if file.is_dir() {
        Err(ErrorKind::IsADirectory.into())
    } else if file.exists() {
        std::fs::OpenOptions::new().append(true).open(file).map(|_| ())
    } else {
        file.parent().map_or(Ok(()), is_writable)
    };
    match tried {
        Ok(()) => findings.ok(ID, format!("{shown} can be appended to")),
        Err(error) => {
            let what = format!("checkpoint file {shown} cannot be written: {}", error.kind());
            let fix = match error.kind() {
                ErrorKind::IsADirectory => {
                    format!("name a file: `{}`", file.join("checkpoints.jsonl").display())
                }
                _ => not_written(&error, file),
            };
            findings.fail(ID, what, fix);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_file_system_that_is_read_only_nobody_is_told_to_change_the_owner() {
        let path = Path::new("/var/lib/deputy");
        let fix = |kind: ErrorKind| not_written(&Error::from(kind), path);
        assert!(fix(ErrorKind::ReadOnlyFilesystem).contains("mount"));
        assert!(fix(ErrorKind::StorageFull).contains("space"));
        for kind in [ErrorKind::ReadOnlyFilesystem, ErrorKind::StorageFull, ErrorKind::NotFound] {
            assert!(!fix(kind).contains("chown"), "{kind}");
        }
    }

    #[test]
    fn a_key_that_was_typed_or_left_empty_is_told_from_a_random_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let judged = |bytes: &[u8; MASTER]| {
            std::fs::write(file.path(), bytes).unwrap();
            judge(file.path()).unwrap()
        };
        assert_eq!(judged(&[0; MASTER]), Content::Repeated);
        assert_eq!(judged(b"0123456789abcdef0123456789abcde\n"), Content::Text);
        let mut random = [0; MASTER];
        for _ in 0..1000 {
            use crate::base::entropy::{Entropy as _, SystemEntropy};
            SystemEntropy::default().fill(&mut random).unwrap();
            assert_eq!(judged(&random), Content::Random, "{random:?}");
        }
    }
}
