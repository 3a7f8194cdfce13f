//! Certificates that a proxy states, which made the handshake (RFC 8705 §6.5, RFC 9440).

use super::{CLIENT, Parties, REPEATED, setup};
use crate::expect::refuses;
use crate::harness::{Cases, case};
use crate::requests::metadata;
use crate::world::{Authority, Certified, World, named};

pub fn cases() -> Cases {
    vec![
        case("8705-6.5-01", a_trusted_proxy_states_the_certificate_of_its_client),
        case("8705-6.5-01", nobody_else_states_a_certificate),
        case("8705-6.5-01", what_a_proxy_states_is_checked),
        case("NEG-CA-18", nobody_else_states_a_certificate),
    ]
}

/// A world whose proxies at these addresses state certificates in this form.
async fn world(form: &str, proxies: &str) -> (World, Parties) {
    let (authority, own) = (Authority::new("Authority"), Certified::self_signed(&named("own")));
    let issued = authority.issue(&named("assistant"));
    let header = format!("client_ca_file = \"tls/clients.pem\"\nclient_certificate_header = \"{form}\"");
    let trusted = format!("management = \"127.0.0.1:0\"\ntrusted_proxies = [\"{proxies}\"]");
    let setup = setup(&authority, &own, "tls_client_auth_subject_dn = \"CN=assistant\"")
        .replace("client_ca_file = \"tls/clients.pem\"", &header)
        .replace("management = \"127.0.0.1:0\"", &trusted);
    (World::start(setup).await, Parties { authority, issued, own })
}

/// As nginx writes `$ssl_client_escaped_cert`.
fn escaped(certified: &Certified) -> String {
    url::form_urlencoded::byte_serialize(certified.pem.as_bytes()).collect::<String>().replace('+', "%20")
}

async fn a_trusted_proxy_states_the_certificate_of_its_client() {
    for (form, header) in [("client-cert", "Client-Cert"), ("nginx-escaped", "X-Client-Cert")] {
        let (world, Parties { issued, own, .. }) = world(form, "127.0.0.1/32").await;
        for (client, certified) in [("tls-agent", &issued), ("own-agent", &own)] {
            let stated = if form == "client-cert" { certified.byte_sequence() } else { escaped(certified) };
            let request = world.tx().anonymous().set("client_id", client).header(header, &stated);
            let answer = request.send().await;
            assert_eq!(answer.claims()["cnf"]["x5t#S256"], certified.hash(), "{form}");
        }
        let without = world.tx().anonymous().set("client_id", "tls-agent").header(header, "");
        refuses(&world, "empty", without, CLIENT, "certificate_missing").await;
        assert!(metadata(&world).await["mtls_endpoint_aliases"].is_object());
    }
}

async fn nobody_else_states_a_certificate() {
    // The caller is not one of the proxies.
    let (world, Parties { issued, own, .. }) = world("client-cert", "192.0.2.1/32").await;
    let stated = issued.byte_sequence();
    let forged = || world.tx().anonymous().set("client_id", "tls-agent").header("Client-Cert", &stated);
    refuses(&world, "public", forged(), CLIENT, "certificate_missing").await;
    let twice = forged().header("Client-Cert", "nonsense");
    refuses(&world, "not even looked at", twice, CLIENT, "certificate_missing").await;
    let unbound = world.tx().header("Client-Cert", &stated).send().await;
    assert_eq!(unbound.claims().get("cnf"), None);

    // What the client itself writes on the listener that makes the handshake counts for nothing.
    let (world, _) = self::world("client-cert", "127.0.0.1/32").await;
    let forged = || world.tx().anonymous().set("client_id", "tls-agent").header("Client-Cert", &stated);
    refuses(&world, "mutual TLS", forged().over_mtls(None), CLIENT, "certificate_missing").await;
    let beside = world.tx().header("Client-Cert", &stated).over_mtls(Some(&own)).send().await;
    assert_eq!(beside.claims()["cnf"]["x5t#S256"], own.hash());
    let other =
        world.tx().anonymous().set("client_id", "tls-agent").header("X-Client-Cert", &escaped(&issued));
    refuses(&world, "another header", other, CLIENT, "certificate_missing").await;
    // Nor does an address that it writes.
    let request = forged().header("X-Forwarded-For", "198.51.100.7").over_mtls(None).send().await;
    let rows = world.audit_of(request.request_id()).await;
    assert_eq!(rows[0]["source"], "127.0.0.1");
}

async fn what_a_proxy_states_is_checked() {
    let (world, Parties { authority, issued, .. }) = world("client-cert", "127.0.0.1/32").await;
    let stating =
        |stated: &str| world.tx().anonymous().set("client_id", "tls-agent").header("Client-Cert", stated);
    stating(&issued.byte_sequence()).send().await.granted();
    let twice = stating(&issued.byte_sequence()).header("Client-Cert", &issued.byte_sequence());
    refuses(&world, "two", twice, REPEATED, "certificate_repeated").await;
    for (stated, cause) in [
        (authority.issue(&named("assistant2")).byte_sequence(), "certificate_subject"),
        (Authority::new("Authority").issue(&named("assistant")).byte_sequence(), "certificate_untrusted"),
        (Certified::self_signed(&named("assistant")).byte_sequence(), "certificate_untrusted"),
        (":MIIB:".to_owned(), "certificate_malformed"),
        (issued.byte_sequence().trim_matches(':').to_owned(), "certificate_malformed"),
        (escaped(&issued), "certificate_malformed"),
    ] {
        refuses(&world, cause, stating(&stated), CLIENT, cause).await;
    }
}
