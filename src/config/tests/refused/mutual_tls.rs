//! Client certificates that nobody could present, or that would be believed of anybody.

use super::super::{parse, said};
use crate::testing::definition::{TLS, on_loopback, replaced};

/// A file with TLS and these keys, and a client with these.
fn file(listen: &str, tls: &str, client: &str) -> String {
    let text = on_loopback("https://127.0.0.1:8443", "https://login.example", "");
    let text = replaced(&text, "[listen]\n", &format!("[listen]\n{listen}\n"));
    let client =
        if client.is_empty() { String::new() } else { format!("\n[[client]]\nid = \"tls\"\n{client}\n") };
    format!("{text}{client}{TLS}{tls}\n")
}

const MTLS: &str = "mtls = \"127.0.0.1:8445\"";
const CA: &str = "client_ca_file = \"ca.pem\"";
const HEADER: &str = "client_certificate_header = \"client-cert\"";
const DN: &str = "authentication = \"tls_client_auth\"\ntls_client_auth_subject_dn = \"CN=a\"";
const OWN: &str = "authentication = \"self_signed_tls_client_auth\"\njwks_file = \"clients/assistant.json\"";

#[test]
fn certificates_are_taken_on_a_listener_or_from_a_proxy() {
    let url = |text: &str| parse(text).unwrap_or_else(|error| panic!("{error}")).listen.mtls_url;
    assert_eq!(url(&file(MTLS, CA, DN)).as_deref(), Some("https://127.0.0.1:8445"));
    let named = format!("{MTLS}\nmtls_url = \"https://mtls.deputy.example/\"");
    assert_eq!(url(&file(&named, "", OWN)).as_deref(), Some("https://mtls.deputy.example"));
    let proxy = "trusted_proxies = [\"10.1.0.7/32\"]";
    assert_eq!(url(&file(proxy, &format!("{CA}\n{HEADER}"), DN)), None);
    let named = format!("{proxy}\nmtls_url = \"https://mtls.deputy.example:444\"");
    assert_eq!(url(&file(&named, HEADER, OWN)).as_deref(), Some("https://mtls.deputy.example:444"));
}

#[test]
fn what_could_never_be_taken_is_refused() {
    let bound = "jwks_file = \"clients/assistant.json\"\ntls_client_certificate_bound_access_tokens = true";
    for (text, expected) in [
        (
            file("", CA, DN),
            "needs client certificates, and there is neither a listener nor a header for them",
        ),
        (file("", "", OWN), "needs client certificates, and there is neither"),
        (
            file("", "", bound),
            "`client.tls_client_certificate_bound_access_tokens` needs client certificates",
        ),
        (file(MTLS, "", DN), "needs the authorities that issue client certificates, and none is named"),
        (file("", HEADER, OWN), "is believed of `listen.trusted_proxies` alone, and there are none"),
        (
            file("mtls_url = \"https://a.example\"", "", ""),
            "leads to no endpoint that takes client certificates",
        ),
        (file(&format!("{MTLS}\nmtls_url = \"http://a.example\""), "", ""), "is no `https://` URL"),
        (file(&format!("{MTLS}\nmtls_url = \"https://a.example?x\""), "", ""), "is no `https://` URL"),
        (file("mtls = \"127.0.0.1:8443\"", "", ""), "is the address of another listener"),
        (file("mtls = \"8445\"", "", ""), "is no address with a port"),
        (file(MTLS, "client_certificate_header = \"xfcc\"", ""), "write `client-cert` or `nginx-escaped`"),
        (
            file(MTLS, "", "").replacen("issuer = \"https:", "issuer = \"http:", 1),
            "asks for client certificates, and the issuer is plain HTTP",
        ),
    ] {
        let said = said(&text);
        assert!(said.contains(expected), "expected `{expected}`, got:\n{said}");
    }
}

#[test]
fn a_client_has_exactly_the_one_name_that_fits_its_kind() {
    let by = |keys: &str| file(MTLS, CA, &format!("authentication = \"tls_client_auth\"\n{keys}"));
    for (text, expected) in [
        (by(""), "`client.tls_client_auth_subject_dn` is missing"),
        (by("tls_client_auth_san_dns = \"a\"\ntls_client_auth_san_ip = \"::1\""), "a client has exactly one"),
        (by("tls_client_auth_san_dns = \"*.a\""), "a wildcard stands for nothing here"),
        (by("tls_client_auth_san_uri = \"a\""), "is no URI"),
        (by("tls_client_auth_san_ip = \"a\""), "is no IP address"),
        (by("tls_client_auth_san_email = \"a\""), "is no e-mail address"),
        (by("tls_client_auth_subject_dn = \"CN=a, O=b\""), "is no distinguished name"),
        (by("tls_client_auth_subject_dn = \"CN=a\"\njwks_file = \"a\""), "this one has a certificate"),
        (by("tls_client_auth_subject_dn = \"CN=a\"\nsecret_file = \"a\""), "this one has a certificate"),
        (
            file(MTLS, "", &format!("{OWN}\ntls_client_auth_san_dns = \"a\"")),
            "whose certificate an authority issues",
        ),
        (file(MTLS, "", &format!("{OWN}\nalgorithms = [\"ES256\"]")), "for a client that signs assertions"),
        (
            file(MTLS, "", "authentication = \"self_signed_tls_client_auth\""),
            "`self_signed_tls_client_auth` needs the client's certificates",
        ),
    ] {
        let said = said(&text);
        assert!(said.contains(expected), "expected `{expected}`, got:\n{said}");
    }
}
