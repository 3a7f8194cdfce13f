//! The keys of providers, workload issuers and clients: readable, and at least one of an allowed algorithm.

use std::collections::BTreeSet;

use super::Findings;
use crate::config::Config;
use crate::jose::{Algorithm, KeySet};
use crate::registry::{ClientAuthentication, KeySource, Reach};

/// A registered party whose signatures are checked.
pub(super) struct Signer<'a> {
    /// As findings name it.
    pub(super) name: String,
    pub(super) keys: &'a KeySource,
    pub(super) reach: &'a Reach,
    pub(super) algorithms: &'a BTreeSet<Algorithm>,
}

/// Every identity provider.
fn providers(config: &Config) -> impl Iterator<Item = Signer<'_>> {
    config.registry.identity_providers.values().map(|provider| Signer {
        name: format!("provider `{}`", provider.issuer),
        keys: &provider.keys,
        reach: &provider.reach,
        algorithms: &provider.algorithms,
    })
}

/// Every workload issuer, and every client that has a key.
pub(super) fn workloads_and_clients(config: &Config) -> impl Iterator<Item = Signer<'_>> {
    let workloads = config.registry.workload_issuers.values().map(|issuer| Signer {
        name: format!("workload issuer `{}`", issuer.issuer),
        keys: &issuer.keys,
        reach: &issuer.reach,
        algorithms: &issuer.algorithms,
    });
    let clients = config.registry.clients.values().filter_map(|client| match &client.authentication {
        ClientAuthentication::PrivateKeyJwt { keys, reach, algorithms, .. } => {
            Some(Signer { name: format!("client `{}`", client.id), keys, reach, algorithms })
        }
        _ => None,
    });
    workloads.chain(clients)
}

/// Checks the files that are named: pinned keys and private CAs.
pub(super) fn check_files(findings: &mut Findings, config: &Config) {
    const ID: &str = "key_files";
    for Signer { name, keys, reach, algorithms } in providers(config).chain(workloads_and_clients(config)) {
        if let Some(file) = &reach.tls_ca_file
            && let Err(error) = std::fs::read(file)
        {
            let what = format!("CA file {} of {name} cannot be read: {}", file.display(), error.kind());
            findings.fail(ID, what, "put the CA's certificate there, PEM");
        }
        let KeySource::File(file) = keys else { continue };
        let shown = file.display();
        match std::fs::read(file) {
            Err(error) => {
                let what = format!("key file {shown} of {name} cannot be read: {}", error.kind());
                findings.fail(ID, what, "put its public keys there: `{\"keys\": […]}` (RFC 7517 §5)");
            }
            Ok(document) => {
                if let Err((what, fix)) = usable(&document, algorithms) {
                    findings.fail(ID, format!("key file {shown} of {name} {what}"), fix);
                }
            }
        }
    }
    findings.ok_unless_reported(ID, "every key file is readable and has a usable key");
}

/// Whether one of the keys in this JWK set fits an allowed algorithm; else what is wrong, and the fix.
pub(super) fn usable(document: &[u8], allowed: &BTreeSet<Algorithm>) -> Result<(), (String, String)> {
    let names = |algorithms: &BTreeSet<Algorithm>| {
        algorithms.iter().map(|algorithm| algorithm.as_str()).collect::<Vec<_>>().join(", ")
    };
    let set = KeySet::parse(document).map_err(|error| {
        let fix = "write public keys as `{\"keys\": […]}` (RFC 7517 §5)";
        (format!("is no JWK set: {error}"), fix.to_owned())
    })?;
    let keys: BTreeSet<Algorithm> = set.algorithms().collect();
    if keys.is_empty() {
        let fix =
            "give a public P-256, P-384, Ed25519 or RSA (2048 bits or more) key, with `use` absent or `sig`";
        return Err(("has no usable key".to_owned(), fix.to_owned()));
    }
    if keys.is_disjoint(allowed) {
        let fix = format!("`algorithms` allows {}: change one of the two", names(allowed));
        return Err((format!("has keys for {} only", names(&keys)), fix));
    }
    Ok(())
}
