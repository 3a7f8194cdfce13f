//! The chain of the server's certificate: what rustls, and so most clients of Deputy, would refuse.

use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::der::oid::db::rfc5280::{ANY_EXTENDED_KEY_USAGE, ID_KP_SERVER_AUTH};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage};

use super::Findings;
use crate::base::certificate::{CertificateFault, validity};
use crate::base::time::Timestamp;

const ID: &str = "tls_chain";

/// What to trust is up to each client, so no setting of Deputy's names it.
const ROOT: &str = "the trust store of the clients";

pub(super) fn check(findings: &mut Findings, chain: &[CertificateDer<'static>], now: Timestamp) {
    let parsed: Result<Vec<Certificate>, _> =
        chain.iter().map(|certificate| Certificate::from_der(certificate)).collect();
    // What is no certificate at all is reported where the validity is looked at.
    let Ok(chain) = parsed else { return };
    let Some((leaf, authorities)) = chain.split_first() else { return };
    if is_authority(leaf) && authorities.iter().any(|other| !is_authority(other)) {
        let what = "the chain begins with the certificate of an authority";
        findings.fail(
            ID,
            what,
            "write Deputy's own certificate first, then that of the authority which signed it",
        );
        return;
    }
    if is_authority(leaf) {
        let fault = CertificateFault::IsAuthority;
        findings.fail(ID, format!("the certificate {}", fault.what()), fault.fix(ROOT));
    }
    if !is_for_servers(leaf) {
        let fault = CertificateFault::OtherPurpose;
        findings.fail(ID, format!("the certificate {}", fault.what()), fault.fix(ROOT));
    }
    order(findings, &chain);
    for authority in authorities {
        let (from, until) = validity(authority);
        if until <= now || from > now {
            let what = format!(
                "the certificate of `{}` in the chain is valid from {from} until {until} only",
                authority.tbs_certificate.subject
            );
            findings.fail(
                ID,
                what,
                "get the new certificate of that intermediate authority, and write it in its place",
            );
        }
    }
    findings.ok_unless_reported(ID, format!("a chain of {}, in order, for a server", chain.len()));
}

/// Clients find their way through a chain in another order, but not over a certificate that is missing.
fn order(findings: &mut Findings, chain: &[Certificate]) {
    const FIX: &str = "write after each certificate that of the authority which signed it";
    for (position, pair) in chain.windows(2).enumerate() {
        let [certificate, next] = pair else { continue };
        let (issuer, subject) = (&certificate.tbs_certificate.issuer, &next.tbs_certificate.subject);
        if issuer == subject {
            continue;
        }
        let what = format!(
            "certificate {} of the chain is signed by `{issuer}`, and the next is that of `{subject}`",
            position + 1
        );
        let is_there = chain.iter().any(|other| other.tbs_certificate.subject == *issuer);
        if position == 0 && !is_there {
            findings.fail(ID, what, FIX);
        } else {
            findings.warn(ID, what, FIX);
        }
    }
}

/// Whether it is the certificate of an authority.
pub(super) fn is_of_authority(certificate: &CertificateDer<'_>) -> bool {
    Certificate::from_der(certificate).is_ok_and(|certificate| is_authority(&certificate))
}

fn is_authority(certificate: &Certificate) -> bool {
    let found = certificate.tbs_certificate.get::<BasicConstraints>();
    found.ok().flatten().is_some_and(|(_, constraints)| constraints.ca)
}

/// Without the extension, a certificate is for everything.
fn is_for_servers(certificate: &Certificate) -> bool {
    let found = certificate.tbs_certificate.get::<ExtendedKeyUsage>();
    found.ok().flatten().is_none_or(|(_, usage)| {
        usage.0.iter().any(|purpose| [ID_KP_SERVER_AUTH, ANY_EXTENDED_KEY_USAGE].contains(purpose))
    })
}
