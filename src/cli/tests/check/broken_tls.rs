//! The mistakes that are made with a first certificate, made as people make them.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

use super::super::world::World;
use super::Case;
use crate::doctor::Status::{Failed, Warning};

/// A certificate for these names, with its key.
pub(super) fn params(names: &[&str]) -> CertificateParams {
    let mut params =
        CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "localhost");
    params
}

/// A certificate authority of this name.
pub(super) fn authority(name: &str) -> (CertificateParams, KeyPair) {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    (params, KeyPair::generate().unwrap())
}

fn install(world: &mut World, chain: &str, key: &KeyPair) {
    world.write("certs/server.pem", chain);
    world.write("certs/server-key.pem", &key.serialize_pem());
}

pub(super) const BROKEN: &[Case] = &[
    (
        "the certificate authority before the certificate",
        |w| {
            let leaf = std::fs::read_to_string(w.path("certs/server.pem")).unwrap();
            let authority = std::fs::read_to_string(w.path("certs/ca.pem")).unwrap();
            w.write("certs/server.pem", &(authority + &leaf));
        },
        "tls_chain",
        Failed,
        "first",
    ),
    (
        "a certificate with its name in the subject only",
        |w| {
            let (ca, ca_key) = authority("CA");
            let key = KeyPair::generate().unwrap();
            let leaf = params(&[]).signed_by(&key, &Issuer::from_params(&ca, &ca_key)).unwrap();
            install(w, &leaf.pem(), &key);
        },
        "tls_names",
        Failed,
        "subjectAltName",
    ),
    (
        "a certificate of `openssl req -x509`",
        |w| {
            let key = KeyPair::generate().unwrap();
            let mut own = params(&["localhost"]);
            own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            install(w, &own.self_signed(&key).unwrap().pem(), &key);
        },
        "tls_chain",
        Failed,
        "CA:FALSE",
    ),
    (
        "a certificate of its own user, not of a server",
        |w| {
            let (ca, ca_key) = authority("CA");
            let key = KeyPair::generate().unwrap();
            let mut leaf = params(&["localhost"]);
            leaf.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
            install(w, &leaf.signed_by(&key, &Issuer::from_params(&ca, &ca_key)).unwrap().pem(), &key);
        },
        "tls_chain",
        Failed,
        "serverAuth",
    ),
    (
        "an intermediate that has expired",
        |w| {
            let (root, root_key) = authority("root");
            let (mut middle, middle_key) = authority("intermediate");
            middle.not_after = date_time_ymd(2025, 1, 1);
            let issued =
                middle.clone().signed_by(&middle_key, &Issuer::from_params(&root, &root_key)).unwrap();
            let key = KeyPair::generate().unwrap();
            let leaf =
                params(&["localhost"]).signed_by(&key, &Issuer::from_params(&middle, &middle_key)).unwrap();
            install(w, &(leaf.pem() + &issued.pem()), &key);
        },
        "tls_chain",
        Failed,
        "intermediate",
    ),
    (
        "the intermediate of another certificate",
        |w| {
            let (root, root_key) = authority("root");
            let (middle, middle_key) = authority("intermediate");
            let (other, other_key) = authority("another intermediate");
            let issued = other.clone().signed_by(&other_key, &Issuer::from_params(&root, &root_key)).unwrap();
            let key = KeyPair::generate().unwrap();
            let leaf =
                params(&["localhost"]).signed_by(&key, &Issuer::from_params(&middle, &middle_key)).unwrap();
            install(w, &(leaf.pem() + &issued.pem()), &key);
        },
        "tls_chain",
        Failed,
        "signed",
    ),
    (
        "two intermediates in the wrong order",
        |w| {
            let (root, root_key) = authority("root");
            let (upper, upper_key) = authority("upper");
            let (lower, lower_key) = authority("lower");
            let upper_pem =
                upper.clone().signed_by(&upper_key, &Issuer::from_params(&root, &root_key)).unwrap().pem();
            let lower_pem =
                lower.clone().signed_by(&lower_key, &Issuer::from_params(&upper, &upper_key)).unwrap().pem();
            let key = KeyPair::generate().unwrap();
            let leaf =
                params(&["localhost"]).signed_by(&key, &Issuer::from_params(&lower, &lower_key)).unwrap();
            install(w, &(leaf.pem() + &upper_pem + &lower_pem), &key);
        },
        "tls_chain",
        Warning,
        "signed",
    ),
    (
        "a key with a passphrase",
        |w| {
            let body = "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAh7ZC9l8nLk5wICCAAw";
            w.write(
                "certs/server-key.pem",
                &format!(
                    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n{body}\n-----END ENCRYPTED PRIVATE KEY-----\n"
                ),
            );
        },
        "tls_key",
        Failed,
        "openssl pkey",
    ),
    (
        "a directory in the place of the key",
        |w| {
            std::fs::remove_file(w.path("certs/server-key.pem")).unwrap();
            std::fs::create_dir(w.path("certs/server-key.pem")).unwrap();
        },
        "tls_key",
        Failed,
        "private key",
    ),
];
