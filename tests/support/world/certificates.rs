//! Client certificates of authorities and of their own, and HTTP clients that present them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair,
};
use serde_json::{Value, json};

use super::World;
use super::setup::Setup;
use crate::ports::free_port;

/// An authority that issues certificates.
pub struct Authority {
    params: CertificateParams,
    key: KeyPair,
}

/// A certificate with its key.
pub struct Certified {
    pub der: Vec<u8>,
    pub pem: String,
    pub key_pem: String,
    pub key_der: Vec<u8>,
}

/// The common name of the certificate that [`Authority::issue`] makes of `change`.
pub fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { params, key: KeyPair::generate().unwrap() }
    }

    /// Its own certificate.
    pub fn pem(&self) -> String {
        self.params.self_signed(&self.key).unwrap().pem()
    }

    pub fn issue(&self, params: &CertificateParams) -> Certified {
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::from_params(&self.params, &self.key);
        Certified::of(&params.signed_by(&key, &issuer).unwrap(), &key)
    }
}

impl Certified {
    pub fn self_signed(params: &CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        Self::of(&params.self_signed(&key).unwrap(), &key)
    }

    fn of(certificate: &rcgen::Certificate, key: &KeyPair) -> Self {
        Self {
            der: certificate.der().to_vec(),
            pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            key_der: key.serialize_der(),
        }
    }

    /// `x5t#S256` (RFC 8705 §3.1).
    pub fn hash(&self) -> String {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &self.der);
        URL_SAFE_NO_PAD.encode(digest.as_ref())
    }

    /// A key set that has it.
    pub fn jwks(&self) -> Value {
        json!({"keys": [{"kty": "EC", "x5c": [STANDARD.encode(&self.der)]}]})
    }

    /// As the header `Client-Cert` has it (RFC 9440 §2.1).
    pub fn byte_sequence(&self) -> String {
        format!(":{}:", STANDARD.encode(&self.der))
    }
}

impl Setup {
    /// Listens for mutual TLS too, and takes the word of these authorities for client certificates.
    pub fn mtls(self, authorities: &[&Authority]) -> Self {
        let pem: String = authorities.iter().map(|authority| authority.pem()).collect();
        let listener = format!("management = \"127.0.0.1:0\"\nmtls = \"127.0.0.1:{}\"", free_port());
        self.tls().file("tls/clients.pem", &pem).replace("management = \"127.0.0.1:0\"", &listener).replace(
            "key_file = \"tls/key.pem\"",
            "key_file = \"tls/key.pem\"\nclient_ca_file = \"tls/clients.pem\"",
        )
    }
}

impl World {
    /// What stands in place of the issuer in the URLs of the endpoints that ask for certificates.
    pub fn mtls_base(&self) -> String {
        let line = self.toml.lines().find_map(|line| line.strip_prefix("mtls = \"127.0.0.1:"));
        let port = line.and_then(|line| line.strip_suffix('"')).expect("a listener for mutual TLS");
        format!("https://127.0.0.1:{port}")
    }

    /// An HTTP client that presents this certificate where it is asked for one.
    pub fn presenting(&self, certified: &Certified) -> reqwest::Client {
        let pem = format!("{}{}", certified.pem, certified.key_pem);
        let server = std::fs::read(self.directory.path().join("tls/certificate.pem")).unwrap();
        reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([reqwest::Certificate::from_pem(&server).unwrap()])
            .identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap())
            .build()
            .unwrap()
    }
}
