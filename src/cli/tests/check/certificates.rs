//! What is wrong with the certificates of clients, and of those who issue them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::json;

use super::super::world::World;
use super::broken_tls::{authority, params};
use super::{Case, ports};
use crate::doctor::Status::{Failed, Warning};

/// Asks for client certificates, of this authority and of one client.
fn take(world: &mut World, authority: &str, own: &str) {
    world.edit("[listen]\n", &format!("[listen]\nmtls = \"127.0.0.1:{}\"\n", ports::free_port()));
    world.edit("server-key.pem\"\n", "server-key.pem\"\nclient_ca_file = \"clients.pem\"\n");
    let assistant = "id = \"assistant\"\n";
    world.edit(assistant, &format!("{assistant}authentication = \"self_signed_tls_client_auth\"\n"));
    world.write("clients.pem", authority);
    world.write("clients/assistant.json", own);
}

fn pem(mut params: CertificateParams, until: i32) -> String {
    params.not_after = date_time_ymd(until, 12, 1);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

fn good() -> String {
    pem(authority("CA").0, 2040)
}

fn own(year: i32, month: u8) -> String {
    let mut params = params(&["assistant"]);
    params.not_after = date_time_ymd(year, month, 1);
    let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    json!({"keys": [{"kty": "EC", "x5c": [STANDARD.encode(made.der())]}]}).to_string()
}

pub(super) const CERTIFICATES: &[Case] = &[
    ("no authority", |w| take(w, "", &own(2040, 1)), "client_authorities", Failed, "PEM"),
    (
        "an authority that has expired",
        |w| take(w, &pem(authority("CA").0, 2020), &own(2040, 1)),
        "client_authorities",
        Failed,
        "the new one",
    ),
    (
        "a client's certificate among the authorities",
        |w| take(w, &(good() + &pem(params(&["x"]), 2040)), &own(2040, 1)),
        "client_authorities",
        Warning,
        "no others",
    ),
    (
        "a key without a certificate",
        |w| take(w, &good(), &super::key_set()),
        "client_certificates",
        Failed,
        "x5c",
    ),
    (
        "a client's certificate that has expired",
        |w| take(w, &good(), &own(2020, 1)),
        "client_certificates",
        Failed,
        "the new one",
    ),
    (
        "a client's certificate that expires soon",
        |w| take(w, &good(), &own(2026, 12)),
        "client_certificates",
        Warning,
        "beside it",
    ),
    (
        "a certificate that is not for the host of mutual TLS",
        |w| {
            take(w, &good(), &own(2040, 1));
            w.edit("[listen]\n", "[listen]\nmtls_url = \"https://mtls.deputy.example\"\n");
        },
        "tls_names",
        Failed,
        "DNS:mtls.deputy.example",
    ),
];
