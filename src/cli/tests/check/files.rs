//! What is wrong with files: the configuration, keys, secrets, policy.

use super::Case;
use crate::doctor::Status::{Failed, Warning};

pub(super) const FILES: &[Case] = &[
    (
        "a key unknown",
        |w| w.edit("[tokens]", "[tokens]\nlifetime = 3"),
        "configuration",
        Failed,
        "lifetime_seconds",
    ),
    (
        "a value out of range",
        |w| w.edit("[tokens]", "[tokens]\nlifetime_seconds = 9999"),
        "configuration",
        Failed,
        "write 1 to 900",
    ),
    (
        "a file others may write",
        |w| {
            w.write("deputy.toml", "");
            w.chmod("deputy.toml", 0o666);
        },
        "config_file",
        Failed,
        "chmod go-w",
    ),
    ("an open data directory", |w| w.chmod("data", 0o755), "data_dir", Failed, "chmod 0700"),
    (
        "a path too long for a socket",
        |w| {
            let long = "d".repeat(120);
            std::fs::create_dir(w.path(&long)).unwrap();
            w.edit("data_dir = \"data\"", &format!("data_dir = \"{long}\""));
        },
        "admin_socket",
        Failed,
        "shorter path",
    ),
    (
        "no data directory",
        |w| w.edit("data_dir = \"data\"", "data_dir = \"nowhere\""),
        "data_dir",
        Failed,
        "deputy init",
    ),
    (
        "a master key for all to read",
        |w| w.chmod("data/master.key", 0o644),
        "master_key",
        Failed,
        "chmod 0600",
    ),
    (
        "half a master key",
        |w| {
            w.chmod("data/master.key", 0o600);
            w.write("data/master.key", "0123456789abcdef");
        },
        "master_key",
        Failed,
        "restore it",
    ),
    (
        "no master key",
        |w| std::fs::remove_file(w.path("data/master.key")).unwrap(),
        "master_key",
        Failed,
        "deputy init",
    ),
    (
        "a checkpoint file nowhere",
        |w| w.edit("[tokens]", "[audit]\ncheckpoint_file = \"no/such.jsonl\"\n[tokens]"),
        "checkpoint_file",
        Failed,
        "make its directory",
    ),
    (
        "a key file that is missing",
        |w| w.edit("jwks_file = \"keys.json\"", "jwks_file = \"none.json\""),
        "key_files",
        Failed,
        "RFC 7517",
    ),
    (
        "a key file that is none",
        |w| w.write("keys.json", "-----BEGIN PUBLIC KEY-----"),
        "key_files",
        Failed,
        "RFC 7517",
    ),
    (
        "a key file without a usable key",
        |w| w.write("keys.json", "{\"keys\": []}"),
        "key_files",
        Failed,
        "P-256",
    ),
    (
        "keys for other algorithms",
        |w| w.edit("jwks_file = \"keys.json\"", "jwks_file = \"keys.json\"\nalgorithms = [\"RS256\"]"),
        "key_files",
        Failed,
        "`algorithms` allows RS256",
    ),
    (
        "a policy set that is wrong",
        |w| {
            std::fs::create_dir(w.path("policy")).unwrap();
            w.write("policy/mine.cedar", "permit everything");
            w.edit("[tokens]", "[policy]\ndirectory = \"policy\"\n[tokens]");
        },
        "policy",
        Failed,
        "deputy policy check",
    ),
    (
        "a secret for all to read",
        |w| w.chmod("secrets/tickets-api", 0o644),
        "secret_files",
        Warning,
        "chmod 0600",
    ),
];
