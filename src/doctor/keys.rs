//! The keys of providers, workload issuers and clients: readable, and at least one of an allowed algorithm.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::Findings;
use crate::base::text::why_unread;
use crate::config::Config;
use crate::jose::{Algorithm, KeyForm, KeySet};
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
            && let Err(what) = authority(file)
        {
            let what = format!("CA file {} of {name} {what}", file.display());
            findings.fail(ID, what, "put the CA's certificate there, PEM: `-----BEGIN CERTIFICATE-----`");
        }
        let Some(file) = keys.file() else { continue };
        let shown = file.display();
        match std::fs::read(file) {
            Err(error) => {
                let what = format!("key file {shown} of {name} cannot be read: {}", why_unread(&error));
                findings.fail(ID, what, "put its public keys there: `{\"keys\": […]}` (RFC 7517 §5)");
            }
            Ok(document) => {
                if let Err((what, fix)) = usable(&document, keys.form(), algorithms) {
                    findings.fail(ID, format!("key file {shown} of {name} {what}"), fix);
                } else if KeySet::holds_secret(&document, keys.form()) {
                    let what = format!("key file {shown} of {name} holds a private key beside a public one");
                    findings.warn(
                        ID,
                        what,
                        "put public keys only there, and make a new key in place of that one",
                    );
                }
            }
        }
    }
    findings.ok_unless_reported(ID, "every key file is readable and has a usable key");
}

/// Whether a file has a certificate; else what is wrong.
fn authority(file: &Path) -> Result<(), String> {
    let certificates = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err("has no certificate".to_owned()),
        Ok(_) => Ok(()),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}

/// Two clients with one key are one client to everybody but the registry: each can sign what the other may.
pub(super) fn shared(findings: &mut Findings, config: &Config) {
    const ID: &str = "client_keys";
    let mut owners: BTreeMap<[u8; 32], Vec<&str>> = BTreeMap::new();
    for client in config.registry.clients.values() {
        let ClientAuthentication::PrivateKeyJwt { keys: KeySource::File(file), .. } = &client.authentication
        else {
            continue;
        };
        let set = std::fs::read(file).ok().and_then(|document| KeySet::parse(&document).ok());
        for thumbprint in set.iter().flat_map(KeySet::thumbprints) {
            owners.entry(thumbprint).or_default().push(client.id.as_str());
        }
    }
    let groups: BTreeSet<Vec<&str>> = owners.into_values().filter(|names| names.len() > 1).collect();
    for names in groups {
        let what = format!("the clients `{}` have one key, so each can act as the other", names.join("`, `"));
        findings.warn(ID, what, "give each client a key pair of its own");
    }
    findings.ok_unless_reported(ID, "no two clients have one key");
}

/// Whether one of the keys in this document fits an allowed algorithm; else what is wrong, and the fix.
pub(super) fn usable(
    document: &[u8],
    form: KeyForm,
    allowed: &BTreeSet<Algorithm>,
) -> Result<(), (String, String)> {
    let names = |algorithms: &BTreeSet<Algorithm>| {
        algorithms.iter().map(|algorithm| algorithm.as_str()).collect::<Vec<_>>().join(", ")
    };
    let set = KeySet::read(document, form).map_err(|error| {
        let fix = "write public keys as `{\"keys\": […]}` (RFC 7517 §5)";
        (format!("is no JWK set: {error}"), fix.to_owned())
    })?;
    let keys: BTreeSet<Algorithm> = set.algorithms().collect();
    if keys.is_empty() && form == KeyForm::Bundle {
        let fix = "publish the bundle of the trust domain, whose keys for JWT-SVIDs have `kid` and the `use` `jwt-svid`; a set of \
                   another kind, such as that of an OIDC discovery provider, is none";
        return Err(("has no usable key for JWT-SVIDs".to_owned(), fix.to_owned()));
    }
    if keys.is_empty() && KeySet::holds_secret(document, form) {
        let fix = "put the public key in its place (without `d`, `p`, `q` or `k`), and make a new key if others saw it";
        return Err(("has a private or symmetric key, and no public one".to_owned(), fix.to_owned()));
    }
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
