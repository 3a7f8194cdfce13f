//! Files and directories: the configuration itself, master key, data directory, checkpoint file, pinned
//! keys, policy.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::{Findings, Probe};
use crate::config::Config;
use crate::jose::Algorithm;
use crate::registry::{ClientAuthentication, KeySource};

/// Length of a master key, in bytes.
const MASTER_KEY_LENGTH: u64 = 32;

pub(super) fn check(findings: &mut Findings, config: &Config, file: &Path, probe: &impl Probe) {
    configuration_file(findings, file);
    data_dir(findings, &config.data_dir);
    master_key(findings, &config.keys.master_key_file);
    checkpoint_file(findings, &config.audit.checkpoint_file);
    pinned_keys(findings, config, probe);
    policy(findings, config, probe);
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
        Ok(metadata) if metadata.mode() & 0o077 != 0 => {
            let what = format!("`data_dir` {shown} is open to others (mode {:04o})", metadata.mode() & 0o777);
            findings.fail(ID, what, format!("chmod 0700 {shown}"));
        }
        Ok(_) => match is_writable(directory) {
            Ok(()) => findings.ok(ID, format!("{shown} is writable, and for its owner alone")),
            Err(error) => {
                let what = format!("`data_dir` {shown} cannot be written: {}", error.kind());
                findings.fail(ID, what, format!("chown {shown} to the user that Deputy runs as"));
            }
        },
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
        Ok(metadata) if metadata.len() != MASTER_KEY_LENGTH || !metadata.is_file() => {
            let what = format!("master key {shown} has {} bytes, not 32", metadata.len());
            findings.fail(ID, what, "restore it from your copy: a new one opens nothing that is sealed");
        }
        Ok(metadata) if metadata.mode() & 0o077 != 0 => {
            let what = format!("master key {shown} is open to others (mode {:04o})", metadata.mode() & 0o777);
            findings.fail(ID, what, format!("chmod 0600 {shown}"));
        }
        Ok(_) => match std::fs::File::open(file) {
            Ok(_) => findings.ok(ID, format!("{shown} is there, 32 bytes, for its owner alone")),
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

/// Key files of providers, workload issuers and clients: readable, with keys of an allowed algorithm.
fn pinned_keys(findings: &mut Findings, config: &Config, probe: &impl Probe) {
    const ID: &str = "key_files";
    let providers = config.registry.identity_providers.values().map(|provider| {
        (format!("provider `{}`", provider.issuer), &provider.keys, &provider.reach, &provider.algorithms)
    });
    let workloads = config.registry.workload_issuers.values().map(|issuer| {
        (format!("workload issuer `{}`", issuer.issuer), &issuer.keys, &issuer.reach, &issuer.algorithms)
    });
    let clients = config.registry.clients.values().filter_map(|client| match &client.authentication {
        ClientAuthentication::PrivateKeyJwt { keys, reach, algorithms } => {
            Some((format!("client `{}`", client.id), keys, reach, algorithms))
        }
        _ => None,
    });
    for (whose, keys, reach, algorithms) in providers.chain(workloads).chain(clients) {
        if let Some(file) = &reach.tls_ca_file
            && let Err(error) = std::fs::read(file)
        {
            let what = format!("CA file {} of {whose} cannot be read: {}", file.display(), error.kind());
            findings.fail(ID, what, "put the CA's certificate there, PEM");
        }
        let KeySource::File(file) = keys else { continue };
        let shown = file.display();
        let usable = match std::fs::read(file) {
            Ok(document) => probe.key_algorithms(&document),
            Err(error) => {
                let what = format!("key file {shown} of {whose} cannot be read: {}", error.kind());
                findings.fail(ID, what, "put its public keys there: `{\"keys\": […]}` (RFC 7517 §5)");
                continue;
            }
        };
        if let Err((what, fix)) = usable_with(usable, algorithms) {
            findings.fail(ID, format!("key file {shown} of {whose} {what}"), fix);
        }
    }
    findings.ok_unless_reported(ID, "every key file is readable and has a usable key");
}

/// Whether one of the keys fits an allowed algorithm.
pub(super) fn usable_with(
    found: Result<Vec<Algorithm>, String>,
    allowed: &std::collections::BTreeSet<Algorithm>,
) -> Result<(), (String, String)> {
    let names = |algorithms: &mut dyn Iterator<Item = Algorithm>| {
        algorithms.map(Algorithm::as_str).collect::<Vec<_>>().join(", ")
    };
    match found {
        Err(error) => Err((
            format!("is no JWK set: {error}"),
            "write public keys as `{\"keys\": […]}` (RFC 7517 §5)".to_owned(),
        )),
        Ok(keys) if keys.is_empty() => Err((
            "has no usable key".to_owned(),
            "give a public P-256, P-384, Ed25519 or RSA (2048 bits or more) key, with `use` absent or `sig`"
                .to_owned(),
        )),
        Ok(keys) if !keys.iter().any(|algorithm| allowed.contains(algorithm)) => Err((
            format!("has keys for {} only", names(&mut keys.iter().copied())),
            format!("`algorithms` allows {}: change one of the two", names(&mut allowed.iter().copied())),
        )),
        Ok(_) => Ok(()),
    }
}

fn policy(findings: &mut Findings, config: &Config, probe: &impl Probe) {
    const ID: &str = "policy";
    let place = match &config.policy.directory {
        Some(directory) => directory.display().to_string(),
        None => "the built-in set".to_owned(),
    };
    match probe.policy(&config.policy) {
        Err(error) => {
            findings.fail(ID, format!("{place}: {error}"), "`deputy policy check --policy DIR` reports more")
        }
        Ok(found) => {
            for warning in &found.warnings {
                findings.warn(ID, warning.clone(), "see whether that rule says what you mean");
            }
            findings.ok_unless_reported(ID, format!("{place} is valid: {} rules", found.rules));
        }
    }
}
