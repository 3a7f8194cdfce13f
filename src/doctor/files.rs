//! Files and directories: the configuration itself, data directory, master key, checkpoint file and policy.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use super::Findings;
use crate::config::Config;
use crate::keys::{MASTER, is_of_own_user, is_private};
use crate::policy;
use crate::store::{self, NotOwn};

pub(super) fn check(findings: &mut Findings, config: &Config, file: &Path) {
    configuration_file(findings, file);
    data_dir(findings, &config.data_dir);
    admin_socket(findings, &config.admin_socket());
    master_key(findings, &config.keys.master_key_file);
    checkpoint_file(findings, &config.audit.checkpoint_file);
    policies(findings, config);
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
        Err(error) => {
            let what = format!("`data_dir` {shown} is not there: {}", error.kind());
            findings.fail(ID, what, format!("mkdir -m 0700 {shown}, or run `deputy init`"));
        }
        Ok(metadata) if !metadata.is_dir() => {
            findings.fail(ID, format!("`data_dir` {shown} is no directory"), "name a directory");
        }
        Ok(metadata) => match (store::own(&metadata), is_writable(directory)) {
            (Err(fault), _) => {
                let fix = match fault {
                    NotOwn::Open(_) => format!("chmod 0700 {shown}"),
                    NotOwn::Foreign { user, .. } => {
                        format!("chown {user} {shown}, or run this check as the user that Deputy runs as")
                    }
                };
                findings.fail(ID, format!("`data_dir` {shown}: {fault}"), fix);
            }
            (Ok(()), Ok(())) => findings.ok(ID, format!("{shown} is writable, and for its owner alone")),
            (Ok(()), Err(error)) => {
                let what = format!("`data_dir` {shown} cannot be written: {}", error.kind());
                findings.fail(ID, what, format!("chown {shown} to the user that Deputy runs as"));
            }
        },
    }
}

/// The path of a socket has a limit of about 100 bytes.
fn admin_socket(findings: &mut Findings, path: &Path) {
    const ID: &str = "admin_socket";
    let shown = path.display();
    match SocketAddr::from_pathname(path) {
        Ok(_) => findings.ok(ID, format!("{shown} can be the path of a socket")),
        Err(error) => {
            let what = format!("the admin socket {shown} cannot be made: {error}");
            findings.fail(ID, what, "choose a `data_dir` with a shorter path");
        }
    }
}

/// Tries it, and leaves nothing behind.
fn is_writable(directory: &Path) -> std::io::Result<()> {
    let path = directory.join(format!(".deputy-check-{}", std::process::id()));
    std::fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
    std::fs::remove_file(path)
}

fn master_key(findings: &mut Findings, file: &Path) {
    const ID: &str = "master_key";
    let shown = file.display();
    match std::fs::metadata(file) {
        Err(error) => {
            let what = format!("master key {shown} cannot be read: {}", error.kind());
            findings.fail(
                ID,
                what,
                "run `deputy init` for a new installation; else restore it from your copy",
            );
        }
        Ok(metadata) if metadata.len() != MASTER as u64 || !metadata.is_file() => {
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
        Ok(_) => match std::fs::File::open(file) {
            Ok(_) => findings.ok(ID, format!("{shown} is there, {MASTER} bytes, for its owner alone")),
            Err(error) => {
                let what = format!("master key {shown} cannot be read: {}", error.kind());
                findings.fail(ID, what, format!("chown {shown} to the user that Deputy runs as"));
            }
        },
    }
}

fn checkpoint_file(findings: &mut Findings, file: &Path) {
    const ID: &str = "checkpoint_file";
    let shown = file.display();
    let tried = if file.exists() {
        std::fs::OpenOptions::new().append(true).open(file).map(|_| ())
    } else {
        file.parent().map_or(Ok(()), is_writable)
    };
    match tried {
        Ok(()) => findings.ok(ID, format!("{shown} can be appended to")),
        Err(error) => {
            let what = format!("checkpoint file {shown} cannot be written: {}", error.kind());
            findings.fail(ID, what, "make its directory, writable by the user that Deputy runs as");
        }
    }
}

fn policies(findings: &mut Findings, config: &Config) {
    const ID: &str = "policy";
    let place = match &config.policy.directory {
        Some(directory) => directory.display().to_string(),
        None => "the built-in set".to_owned(),
    };
    match policy::check::check(config.policy.directory.as_deref()) {
        Err(error) => findings.fail(ID, error.to_string(), "`deputy policy check --policy DIR` reports more"),
        Ok(found) => {
            for warning in &found.warnings {
                findings.warn(ID, warning.to_string(), "see whether that rule says what you mean");
            }
            findings.ok_unless_reported(ID, format!("{place} is valid: {} rules", found.rules.len()));
        }
    }
}
