//! The certificates of clients: who issues them, and those that are registered themselves.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::tls::SOON;
use super::{Findings, chain};
use crate::base::certificate::validity_of;
use crate::base::text::why_unread;
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::jose::KeySet;
use crate::registry::{Client, ClientAuthentication, KeySource};
use crate::verification::Authorities;

pub(super) fn check(findings: &mut Findings, config: &Config, now: Timestamp) {
    authorities(findings, config, now);
    registered(findings, config, now);
}

/// The authorities of `tls.client_ca_file`: what the server reads at its start.
fn authorities(findings: &mut Findings, config: &Config, now: Timestamp) {
    const ID: &str = "client_authorities";
    let Some(file) = config.tls.as_ref().and_then(|tls| tls.client_ca_file.as_deref()) else {
        findings.ok(ID, "no authority issues certificates of clients");
        return;
    };
    if let Err(error) = Authorities::read(config) {
        let fix = "put the certificates of the authorities there, PEM: `-----BEGIN CERTIFICATE-----`";
        findings.fail(ID, format!("authorities of client certificates: {error}"), fix);
        return;
    }
    let shown = file.display();
    let certificates = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = certificates.unwrap_or_default();
    for certificate in &certificates {
        if !chain::is_of_authority(certificate) {
            let what = format!("{shown} has a certificate that is not that of an authority (`CA:TRUE`)");
            findings.warn(ID, what, "put those in it that sign the certificates of clients, and no others");
        }
        time(findings, ID, &format!("an authority in {shown}"), certificate, now);
    }
    findings.ok_unless_reported(ID, format!("{} authorities of client certificates", certificates.len()));
}

/// The certificates in the key sets of clients with `self_signed_tls_client_auth`.
fn registered(findings: &mut Findings, config: &Config, now: Timestamp) {
    const ID: &str = "client_certificates";
    for client in config.registry.clients.values() {
        if let ClientAuthentication::SelfSignedTls { keys: KeySource::File(_), .. } = &client.authentication {
            of_client(findings, ID, client, now);
        }
    }
    findings
        .ok_unless_reported(ID, "each client with a certificate of its own in a file has one that is valid");
}

fn of_client(findings: &mut Findings, id: &'static str, client: &Client, now: Timestamp) {
    let Some(KeySource::File(file)) = client.authentication.keys() else { return };
    let (name, shown) = (format!("client `{}`", client.id), file.display());
    let fix = "write `{\"keys\": [{\"kty\": …, \"x5c\": [\"…\"]}]}`, the certificate as base64 of its DER (RFC 7517 §4.7)";
    let document = match std::fs::read(file) {
        Ok(document) => document,
        Err(error) => {
            let what = format!("key file {shown} of {name} cannot be read: {}", why_unread(&error));
            findings.fail(id, what, fix);
            return;
        }
    };
    let set = KeySet::parse(&document).unwrap_or_default();
    if set.certificates().next().is_none() {
        findings.fail(id, format!("key file {shown} of {name} has no certificate in `x5c`"), fix);
    }
    for certificate in set.certificates() {
        time(findings, id, &name, &CertificateDer::from(certificate), now);
    }
}

/// Whether a certificate is valid, and for some time more.
fn time(
    findings: &mut Findings,
    id: &'static str,
    whose: &str,
    certificate: &CertificateDer<'_>,
    now: Timestamp,
) {
    match validity_of(certificate) {
        None => findings.fail(id, format!("a certificate of {whose} is no X.509"), "make another"),
        Some((_, until)) if until <= now => {
            findings.fail(
                id,
                format!("a certificate of {whose} expired at {until}"),
                "put the new one there",
            );
        }
        Some((from, _)) if from > now => {
            let what = format!("a certificate of {whose} is valid only from {from}");
            findings.warn(id, what, "until then it is refused");
        }
        Some((_, until)) if until <= now.plus(SOON) => {
            let what = format!("a certificate of {whose} expires at {until}");
            findings.warn(id, what, "put the new one beside it now");
        }
        Some(_) => {}
    }
}
