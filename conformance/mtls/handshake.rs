//! The handshake: what it proves, what it survives, and what is left of it when a session is resumed (RFC 8705 §7).

use std::sync::Arc;

use rcgen::string::Ia5String;
use rcgen::{SanType, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, HandshakeKind, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls;

use super::{Parties, world};
use crate::harness::{Cases, case};
use crate::world::{Certified, World, named};

pub fn cases() -> Cases {
    vec![
        case("8705-2-02", a_certificate_without_its_key_opens_no_connection),
        case("8705-7.5-01", a_certificate_that_is_malformed_or_huge_harms_nothing),
        case("8705-F-01", a_resumed_session_keeps_its_certificate_until_that_expires),
    ]
}

/// TLS of a client that sends this certificate and signs with this key.
fn config(world: &World, der: &[u8], key: &Certified) -> Arc<ClientConfig> {
    let pem = std::fs::read(world.directory.path().join("tls/certificate.pem")).unwrap();
    let mut roots = RootCertStore::empty();
    use rustls::pki_types::pem::PemObject as _;
    roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::try_from(key.key_der.clone()).unwrap();
    let signing = provider.key_provider.load_private_key(key).unwrap();
    let sent = rustls::sign::CertifiedKey::new(vec![CertificateDer::from(der.to_vec())], signing);
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let resolver = Arc::new(rustls::sign::SingleCertAndKey::from(sent));
    Arc::new(builder.with_root_certificates(roots).with_client_cert_resolver(resolver))
}

/// Posts a form to the token endpoint on a connection of its own: how the handshake was, and the answer.
async fn post(
    world: &World,
    config: &Arc<ClientConfig>,
    form: &str,
) -> std::io::Result<(Option<HandshakeKind>, String)> {
    let authority = world.mtls_base().trim_start_matches("https://").to_owned();
    let tcp = TcpStream::connect(&authority).await?;
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut tls = TlsConnector::from(config.clone()).connect(name, tcp).await?;
    let request = format!(
        "POST /token HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    tls.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    tls.read_to_end(&mut answer).await?;
    Ok((tls.get_ref().1.handshake_kind(), String::from_utf8_lossy(&answer).into_owned()))
}

fn form(world: &World, client: &str) -> String {
    world.tx().anonymous().set("client_id", client).encoded()
}

async fn a_certificate_without_its_key_opens_no_connection() {
    let (world, Parties { authority, issued, .. }) = world().await;
    let thief = authority.issue(&named("thief"));
    let stolen = config(&world, &issued.der, &thief);
    assert!(post(&world, &stolen, &form(&world, "tls-agent")).await.is_err());
    let honest = config(&world, &issued.der, &issued);
    let (_, answer) = post(&world, &honest, &form(&world, "tls-agent")).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer:.40}");
}

async fn a_certificate_that_is_malformed_or_huge_harms_nothing() {
    let (world, Parties { authority, issued, .. }) = world().await;
    let with_names = |count: usize| {
        let mut params = named("assistant");
        let name = |number| Ia5String::try_from(format!("a{number}.example")).unwrap();
        params.subject_alt_names = (0..count).map(|number| SanType::DnsName(name(number))).collect();
        authority.issue(&params)
    };
    let (many, some) = (with_names(10_000), with_names(500));
    let mut flipped = issued.der.clone();
    flipped[40] ^= 0xff;
    for (what, der) in [
        ("10,000 names", many.der.as_slice()),
        ("cut off", &issued.der[..issued.der.len() - 1]),
        ("changed", &flipped),
        ("empty", &[]),
        ("zeros", &[0; 1000]),
        ("a length beyond its end", &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]),
        ("nested without end", &[0x30; 20_000]),
    ] {
        let outcome = post(&world, &config(&world, der, &issued), &form(&world, "tls-agent")).await;
        assert!(outcome.is_err(), "{what}: {outcome:?}");
    }
    let (_, answer) =
        post(&world, &config(&world, &some.der, &some), &form(&world, "tls-agent")).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "500 names are as good as one: {answer:.40}");
    world.tx().by_certificate("tls-agent", &issued).send().await.granted();
}

async fn a_resumed_session_keeps_its_certificate_until_that_expires() {
    let (world, Parties { authority, .. }) = world().await;
    let mut params = named("assistant");
    params.not_after = date_time_ymd(2026, 11, 23);
    let certified = authority.issue(&params);
    let config = config(&world, &certified.der, &certified);
    let (kind, answer) = post(&world, &config, &form(&world, "tls-agent")).await.unwrap();
    assert_eq!(kind, Some(HandshakeKind::Full));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer:.40}");

    let (kind, answer) = post(&world, &config, &form(&world, "tls-agent")).await.unwrap();
    assert_eq!(kind, Some(HandshakeKind::Resumed));
    assert!(answer.starts_with("HTTP/1.1 200"), "it is the same client: {answer:.40}");

    world.advance(13 * 3600);
    let (kind, answer) = post(&world, &config, &form(&world, "tls-agent")).await.unwrap();
    assert_eq!(kind, Some(HandshakeKind::Resumed));
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("invalid_client"), "{answer}");
    let rows = world.audit().await;
    assert_eq!(rows.last().unwrap()["cause"], "certificate_expired");
}
