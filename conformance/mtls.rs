//! Mutual TLS: client authentication by certificates, and tokens that are bound to them (RFC 8705, RFC 9440).

mod authentication;
mod bound;
mod handshake;
mod proxy;

use crate::expect::{CLIENT, Wire};
use crate::harness::Cases;
use crate::world::{Authority, Certified, Setup, World, named};

/// A client that gets only tokens that are bound to a certificate, and has none.
const DEMANDED: Wire = (400, "invalid_request", "certificate_demanded");
/// Two headers with a certificate.
const REPEATED: Wire = (400, "invalid_request", "certificate_repeated");

/// The cases of this file.
pub fn cases() -> Cases {
    [authentication::cases(), bound::cases(), handshake::cases(), proxy::cases()]
        .into_iter()
        .flatten()
        .collect()
}

/// The client `tls-agent` with this name in its certificate, and `own-agent` whose certificate is in `own.json`.
fn clients(name: &str) -> String {
    let ceiling = "scopes = [\"tickets:search\", \"tickets:book\"]\ntargets = [\"tickets\", \"agent-b\"]\n";
    format!(
        "[[client]]\nid = \"tls-agent\"\nauthentication = \"tls_client_auth\"\n{name}\n{ceiling}\n\
         [[client]]\nid = \"own-agent\"\nauthentication = \"self_signed_tls_client_auth\"\n\
         jwks_file = \"own.json\"\n{ceiling}"
    )
}

/// A world with both clients.
fn setup(authority: &Authority, own: &Certified, name: &str) -> Setup {
    Setup::default()
        .mtls(&[authority])
        .replace("\"age-agent\", \"couriers\"]", "\"age-agent\", \"couriers\", \"tls-agent\", \"own-agent\"]")
        .file("own.json", &own.jwks().to_string())
        .add(&clients(name))
}

/// The authority, and its certificate of the assistant.
struct Parties {
    authority: Authority,
    /// Of `tls-agent`.
    issued: Certified,
    /// Of `own-agent`.
    own: Certified,
}

/// A world in which `tls-agent` is `CN=assistant`.
async fn world() -> (World, Parties) {
    let (authority, own) = (Authority::new("Authority"), Certified::self_signed(&named("own")));
    let issued = authority.issue(&named("assistant"));
    let world = World::start(setup(&authority, &own, "tls_client_auth_subject_dn = \"CN=assistant\"")).await;
    (world, Parties { authority, issued, own })
}
