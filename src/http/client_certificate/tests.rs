//! Certificates as proxies state them, and as connections have them.

use actix_web::test::TestRequest;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::*;

/// A certificate for the year 2026.
fn certified() -> rcgen::Certificate {
    let mut params = CertificateParams::new(["agent.example".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap()
}

fn colons(der: &[u8]) -> String {
    format!(":{}:", STANDARD.encode(der))
}

/// As nginx escapes it: everything but letters, digits and `-._~`.
fn escaped(pem: &str) -> String {
    let escape = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    pem.bytes().map(escape).collect()
}

fn read(header: CertificateHeader, values: &[&str]) -> Result<Option<CertificateHash>, Plain> {
    let mut request = TestRequest::default();
    for value in values {
        request = request.append_header((header.name(), *value));
    }
    let presented = presented(&request.to_http_request(), Some(header));
    presented.map(|certificate| certificate.map(|certificate| certificate.hash()))
}

#[test]
fn a_certificate_is_read_in_the_form_that_is_configured() {
    let certified = certified();
    let (der, pem) = (certified.der().to_vec(), certified.pem());
    let hash = Ok(Some(CertificateHash::new(sha256([der.as_slice()]))));
    assert_eq!(read(CertificateHeader::ClientCert, &[&colons(&der)]), hash);
    assert_eq!(read(CertificateHeader::NginxEscaped, &[&escaped(&pem)]), hash);
    assert_eq!(read(CertificateHeader::ClientCert, &[&escaped(&pem)]), Err(Plain::CertificateMalformed));
    assert_eq!(read(CertificateHeader::NginxEscaped, &[&colons(&der)]), Err(Plain::CertificateMalformed));
}

#[test]
fn no_header_and_an_empty_one_are_no_certificate_and_two_are_refused() {
    let stated = colons(certified().der());
    for header in [CertificateHeader::ClientCert, CertificateHeader::NginxEscaped] {
        assert_eq!(read(header, &[]), Ok(None));
        assert_eq!(read(header, &[""]), Ok(None));
        assert_eq!(read(header, &[&stated, &stated]), Err(Plain::CertificateRepeated));
        assert_eq!(read(header, &["", ""]), Err(Plain::CertificateRepeated));
    }
}

#[test]
fn what_is_no_certificate_is_refused_whatever_it_is() {
    let der = certified().der().to_vec();
    let pem = certified().pem();
    for value in [
        "MIIB".to_owned(),
        ":MIIB:".to_owned(),
        "::".to_owned(),
        ":%%%:".to_owned(),
        format!("{};a=1", colons(&der)),
        format!("{}, {}", colons(&der), colons(&der)),
        colons(&der[..der.len() - 1]),
        colons(&[der.clone(), vec![0]].concat()),
        colons(&vec![0x30; MAX_CERTIFICATE + 1]),
    ] {
        assert_eq!(
            read(CertificateHeader::ClientCert, &[&value]),
            Err(Plain::CertificateMalformed),
            "{value:.60}"
        );
    }
    for value in ["%2", "%ZZ", "-----BEGIN CERTIFICATE-----", &escaped(&format!("{pem}{pem}")), "%00"] {
        assert_eq!(
            read(CertificateHeader::NginxEscaped, &[value]),
            Err(Plain::CertificateMalformed),
            "{value:.60}"
        );
    }
}

#[test]
fn without_a_trusted_proxy_no_header_is_looked_at() {
    let stated = colons(certified().der());
    let request = TestRequest::default()
        .append_header(("client-cert", stated.clone()))
        .append_header(("client-cert", stated))
        .to_http_request();
    assert!(matches!(presented(&request, None), Ok(None)));
}

#[test]
fn a_certificate_holds_to_the_second_in_its_time() {
    let certified = certified();
    let certificate = ClientCertificate::read(&[certified.der().clone()]).unwrap();
    let from = Timestamp::from_seconds(1_767_225_600);
    let until = Timestamp::from_seconds(1_798_761_600);
    let second = crate::base::time::Lifetime::from_seconds(1);
    assert_eq!(certificate.check_validity(from.minus(second)), Err(CertificateFault::NotYetValid));
    assert_eq!(certificate.check_validity(from), Ok(()));
    assert_eq!(certificate.check_validity(until), Ok(()));
    assert_eq!(certificate.check_validity(until.plus(second)), Err(CertificateFault::Expired));
}

#[test]
fn a_chain_is_bounded_and_printed_as_its_hash_alone() {
    let certified = certified();
    let chain = vec![certified.der().clone(); MAX_CHAIN];
    let certificate = ClientCertificate::read(&chain).unwrap();
    assert_eq!(certificate.intermediates().len(), MAX_CHAIN - 1);
    assert_eq!(format!("{certificate:?}"), format!("ClientCertificate({})", certificate.hash()));
    assert!(ClientCertificate::read(&[chain.clone(), chain].concat()).is_none());
    assert!(ClientCertificate::read(&[]).is_none());
}
