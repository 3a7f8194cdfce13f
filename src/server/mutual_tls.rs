//! TLS that asks for a certificate of the client (RFC 8705). The handshake proves that the client holds the key of its
//! certificate; whether the certificate is anybody's is decided for each request, by what is in force then.

use std::sync::Arc;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::rt::net::TcpStream;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
};

use super::listeners::tls_builder;
use crate::http::certificate::Certificate;
use crate::http::client_certificate::{ClientCertificate, Handshake};

/// TLS as on the public listener, which asks for a certificate and takes any, and none.
pub fn server_config(certificate: &Arc<Certificate>) -> Result<ServerConfig, Error> {
    let builder = tls_builder()?;
    let any = AnyCertificate::new(builder.crypto_provider());
    Ok(builder.with_client_cert_verifier(Arc::new(any)).with_cert_resolver(certificate.clone()))
}

/// What the handshake of a connection has proven. A session that is resumed has the certificate of its full handshake.
pub fn handshake(stream: &TlsStream<TcpStream>) -> Handshake {
    let (_, connection) = stream.get_ref();
    Handshake(connection.peer_certificates().and_then(ClientCertificate::read).map(Arc::new))
}

/// Takes every certificate that can be read and whose key is proven. Self-signed ones are among them, and so no names of
/// authorities are sent, by which clients would choose.
#[derive(Debug)]
struct AnyCertificate {
    algorithms: WebPkiSupportedAlgorithms,
}

impl AnyCertificate {
    fn new(provider: &CryptoProvider) -> Self {
        Self { algorithms: provider.signature_verification_algorithms }
    }
}

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let chain: Vec<_> = std::iter::once(end_entity).chain(intermediates).cloned().collect();
        match ClientCertificate::read(&chain) {
            Some(_) => Ok(ClientCertVerified::assertion()),
            None => Err(CertificateError::BadEncoding.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
