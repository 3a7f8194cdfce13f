//! TLS to PostgreSQL by rustls: the server's certificate has to be for its host, and from a CA that the operator named.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::store::StoreError;

/// The client's side of the handshake of `sslmode=verify-full`, which trusts the CA in `root` (PEM).
pub(super) fn client_config(root: Option<&Path>) -> Result<ClientConfig, StoreError> {
    let wrong = |what: String| StoreError::Unusable(format!("database.url: {what}"));
    let path = root.ok_or_else(|| {
        wrong("sslmode verify-full needs `sslrootcert`, the CA's certificate (PEM)".to_owned())
    })?;
    let unreadable = |what: String| wrong(format!("sslrootcert `{}`: {what}", path.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unreadable(error.to_string()))? {
        let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unreadable("there is no certificate in it".to_owned()));
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
