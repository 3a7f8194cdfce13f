//! The machine: ports, limits and the space on its disks.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::Findings;
use crate::config::{Config, Database};
use crate::store::disk;

/// Below this, connections run out before anything else does.
const FEW_FILES: u64 = 4096;

pub(super) fn check(findings: &mut Findings, config: &Config) {
    ports(findings, config);
    open_files(findings);
    disk_space(findings, config);
}

fn ports(findings: &mut Findings, config: &Config) {
    const ID: &str = "ports";
    // A server of this configuration that runs holds them rightly.
    if UnixStream::connect(config.admin_socket()).is_ok() {
        findings.ok(ID, "the server of this configuration is running");
        return;
    }
    let listeners =
        [("listen.public", config.listen.public), ("listen.management", config.listen.management)];
    let mtls = config.listen.mtls.map(|address| ("listen.mtls", address));
    for (key, address) in listeners.into_iter().chain(mtls) {
        if let Err(error) = is_free(address) {
            let what = format!("`{key}` {address} cannot be listened on: {}", error.kind());
            let fix = match error.kind() {
                std::io::ErrorKind::PermissionDenied => {
                    "choose a port of 1024 or more, or give the capability CAP_NET_BIND_SERVICE"
                }
                std::io::ErrorKind::AddrInUse => "stop what listens there, or choose another port",
                _ => "name an address of this machine",
            };
            findings.fail(ID, what, fix);
        }
    }
    let listeners: Vec<_> =
        listeners.into_iter().chain(mtls).map(|(_, address)| address.to_string()).collect();
    findings.ok_unless_reported(ID, format!("{} are free", listeners.join(" and ")));
}

fn is_free(address: SocketAddr) -> std::io::Result<()> {
    TcpListener::bind(address).map(|_| ())
}

fn open_files(findings: &mut Findings) {
    const ID: &str = "open_files";
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    match limit_of_open_files(&limits) {
        Some(limit) if limit < FEW_FILES => {
            let what = format!("a process may open {limit} files at most; each connection is one");
            findings.warn(ID, what, "`ulimit -Hn 65536`, or `LimitNOFILE=65536` in the service's unit");
        }
        Some(limit) => findings.ok(ID, format!("{limit} files may be open")),
        None => findings.ok(ID, "any number of files may be open, or this system does not say"),
    }
}

/// Space for some weeks of a small installation.
const LITTLE: u64 = 512 << 20;

fn disk_space(findings: &mut Findings, config: &Config) {
    const ID: &str = "disk_space";
    let database = match &config.database {
        Database::Sqlite(file) => Some(("the database", file.as_path())),
        Database::Postgres(_) => None,
    };
    let data_dir = ("`data_dir`", config.data_dir.as_path());
    let checkpoints = ("the checkpoint file", config.audit.checkpoint_file.as_path());
    let mut shown = Vec::new();
    for (what, path) in database.iter().copied().chain([data_dir, checkpoints]) {
        // What is not there yet will be made in the directory that is.
        let Some(free) = path.ancestors().find_map(|path| disk::free(path).ok()) else { continue };
        shown.push(format!("{} MiB for {what}", free >> 20));
        judge_space(findings, ID, (what, path), free);
    }
    findings.ok_unless_reported(ID, format!("free: {}", shown.join(", ")));
    if let Some((_, file)) = database {
        database_disk(findings, file);
    }
}

/// SQLite relies on locks and on shared memory, which file systems of other machines do not keep.
fn database_disk(findings: &mut Findings, file: &Path) {
    const ID: &str = "database_disk";
    match file.ancestors().find_map(disk::remote) {
        Some(kind) => {
            let what =
                format!("the database {} is on a file system of another machine ({kind})", file.display());
            findings.fail(ID, what, "put it on a disk of this machine, or use PostgreSQL");
        }
        None => findings.ok(ID, "the database is on a disk of this machine, as far as the system tells"),
    }
}

fn judge_space(findings: &mut Findings, id: &'static str, (what, path): (&str, &Path), free: u64) {
    let found = format!("{} MiB are free for {what} ({})", free >> 20, path.display());
    let fix = "free some space on that disk, or move it to a larger one";
    if free < disk::SPARE + disk::LOW {
        findings.fail(id, found, fix);
    } else if free < LITTLE {
        findings.warn(id, found, fix);
    }
}

/// The hard limit in the text of `/proc/self/limits`, to which `deputy serve` raises its own; `None` for unlimited.
fn limit_of_open_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    #[test]
    fn little_room_on_a_disk_is_found_before_the_server_stops_issuing() {
        let judged = |free| {
            let mut findings = Findings::default();
            judge_space(&mut findings, "disk_space", ("the database", Path::new("deputy.db")), free);
            findings.0.first().map(|finding| finding.status)
        };
        assert_eq!(judged(LITTLE), None);
        assert_eq!(judged(LITTLE - 1), Some(Status::Warning));
        assert_eq!(judged(disk::SPARE + disk::LOW), Some(Status::Warning));
        assert_eq!(judged(disk::SPARE + disk::LOW - 1), Some(Status::Failed));
    }

    #[test]
    fn the_hard_limit_of_open_files_is_read() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 1048576              files\n";

        assert_eq!(limit_of_open_files(limits), Some(1_048_576));
        assert_eq!(limit_of_open_files(&limits.replace("1048576 ", "unlimited ")), None);
        assert_eq!(limit_of_open_files(""), None);
    }
}
