//! The server's certificate, and where plain HTTP is left.

use std::os::unix::fs::MetadataExt as _;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use url::Url;

use super::{Findings, chain};
use crate::base::certificate::{self, CertificateFault};
use crate::base::time::{Lifetime, Timestamp};
use crate::config::{Config, Tls};

/// Time enough to replace a certificate.
pub(super) const SOON: Lifetime = Lifetime::from_seconds(21 * 86_400);

pub(super) fn check(findings: &mut Findings, config: &Config, now: Timestamp) {
    plain_http(findings, config);
    if let Some(tls) = &config.tls {
        certificate(findings, config, tls, now);
    }
}

/// What loads with `http://` is on loopback; it is said all the same.
fn plain_http(findings: &mut Findings, config: &Config) {
    const ID: &str = "plain_http";
    if config.tls.is_none() {
        let what = format!("`{}` is plain HTTP on loopback", config.issuer);
        findings.warn(ID, what, "fine on one machine; anywhere else give `[tls]` and write `https://`");
    }
    let issuers = config.registry.identity_providers.keys().chain(config.registry.workload_issuers.keys());
    for issuer in issuers.filter(|issuer| issuer.as_str().starts_with("http:")) {
        let what = format!("issuer `{issuer}` is fetched by plain HTTP on loopback");
        findings.warn(ID, what, "fine for a provider on this machine; never for users of others");
    }
    findings.ok_unless_reported(ID, "nothing is served or fetched by plain HTTP");
}

fn certificate(findings: &mut Findings, config: &Config, tls: &Tls, now: Timestamp) {
    const ID: &str = "tls_certificate";
    let shown = tls.certificate_file.display();
    let chain = CertificateDer::pem_file_iter(&tls.certificate_file)
        .and_then(|certificates| certificates.collect::<Result<Vec<_>, _>>());
    let chain = match chain {
        Ok(chain) if !chain.is_empty() => chain,
        Ok(_) => {
            findings.fail(
                ID,
                format!("{shown} has no certificate"),
                "write the chain there, PEM, leaf first",
            );
            return;
        }
        Err(error) => {
            let what = format!("certificate {shown} cannot be read: {error}");
            findings.fail(
                ID,
                what,
                "put the chain there, PEM, leaf first; `deputy init --dev-certs` makes one",
            );
            return;
        }
    };
    key(findings, tls, &chain);
    chain::check(findings, &chain, now);
    validity(findings, &chain[0], now);
    names(findings, config, &chain[0]);
    findings.ok_unless_reported(ID, format!("{shown} has a chain of {}", chain.len()));
}

fn key(findings: &mut Findings, tls: &Tls, chain: &[CertificateDer<'static>]) {
    const ID: &str = "tls_key";
    let shown = tls.key_file.display();
    let der = match PrivateKeyDer::from_pem_file(&tls.key_file) {
        Ok(der) => der,
        Err(error) => {
            let is_encrypted =
                std::fs::read_to_string(&tls.key_file).is_ok_and(|text| text.contains("ENCRYPTED"));
            if is_encrypted {
                let what =
                    format!("key {shown} is encrypted with a passphrase, and nobody is there to give it");
                let fix =
                    format!("write it without: `openssl pkey -in {shown} -out NEW`, then chmod 0600 NEW");
                findings.fail(ID, what, fix);
            } else {
                let what = format!("key {shown} cannot be read: {error}");
                findings.fail(ID, what, "put its private key there, PEM");
            }
            return;
        }
    };
    let Ok(signing) = rustls::crypto::aws_lc_rs::sign::any_supported_type(&der) else {
        let what = format!("key {shown} is of a kind that TLS does not use here");
        findings.fail(ID, what, "make a P-256, Ed25519 or RSA (2048 bits or more) key");
        return;
    };
    if CertifiedKey::new(chain.to_vec(), signing).keys_match().is_err() {
        let what = format!("key {shown} is not the key of certificate {}", tls.certificate_file.display());
        findings.fail(ID, what, "name the key that the certificate was made for; the leaf comes first");
        return;
    }
    if std::fs::metadata(&tls.key_file).is_ok_and(|metadata| metadata.mode() & 0o077 != 0) {
        findings.warn(ID, format!("key {shown} can be read by others"), format!("chmod 0600 {shown}"));
        return;
    }
    findings.ok(ID, format!("{shown} is the certificate's key"));
}

fn validity(findings: &mut Findings, leaf: &CertificateDer<'static>, now: Timestamp) {
    const ID: &str = "tls_validity";
    let Some((from, until)) = certificate::validity_of(leaf) else {
        findings.fail(ID, "the certificate is no X.509", "make another");
        return;
    };
    if until <= now {
        findings.fail(ID, format!("the certificate expired at {until}"), "renew it");
    } else if from > now {
        let what = format!("the certificate is good only from {from}");
        findings.fail(ID, what, "wait, or set this machine's clock right");
    } else if until <= now.plus(SOON) {
        findings.warn(ID, format!("the certificate expires at {until}"), "renew it now");
    } else {
        findings.ok(ID, format!("the certificate is good until {until}"));
    }
}

/// Both listeners for clients have the same certificate.
fn names(findings: &mut Findings, config: &Config, leaf: &CertificateDer<'static>) {
    let host = |url: &str| {
        let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
        host.unwrap_or_default().trim_matches(['[', ']']).to_owned()
    };
    let own = host(config.issuer.as_str());
    let mtls = config.listen.mtls_url.as_deref().filter(|_| config.listen.mtls.is_some()).map(host);
    name(findings, own.clone(), "issuer", leaf);
    if let Some(mtls) = mtls.filter(|mtls| *mtls != own) {
        name(findings, mtls, "listen.mtls_url", leaf);
    }
}

/// Whether the certificate is for the host of the URL that this key names.
fn name(findings: &mut Findings, host: String, key: &str, leaf: &CertificateDer<'static>) {
    const ID: &str = "tls_names";
    let covers = ServerName::try_from(host.as_str()).ok().zip(ParsedCertificate::try_from(leaf).ok());
    let refused = covers.map(|(name, certificate)| rustls::client::verify_server_name(&certificate, &name));
    let fault = match refused {
        Some(Ok(())) => {
            findings.ok(ID, format!("the certificate is for `{host}`"));
            return;
        }
        Some(Err(error)) => CertificateFault::among_causes(&error),
        None => None,
    };
    let fault = fault.unwrap_or(CertificateFault::OtherName { asked: host, names: Vec::new() });
    let what = format!("the certificate {} (the host of `{key}`)", fault.what());
    findings.fail(ID, what, fault.fix(key));
}
