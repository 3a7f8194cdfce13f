//! Mutual TLS: `tls_client_auth` and `self_signed_tls_client_auth` (RFC 8705 §2).

use crate::base::certificate::CertificateFault;
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::http::client_certificate::ClientCertificate;
use crate::oauth::Plain;
use crate::registry::{Client, ClientAuthentication};
use crate::verification::{ClientKeys, KeyFault, Verifier};

use super::Rejected;

/// The certificate of a request. Whatever it is presented for, one that is not valid now is refused, so that nothing goes on
/// without it.
pub fn valid(
    presented: Result<Option<&ClientCertificate>, Plain>,
    now: Timestamp,
) -> Result<Option<&ClientCertificate>, Plain> {
    let certificate = presented?;
    certificate
        .map_or(Ok(()), |certificate| certificate.check_validity(now))
        .map_err(|fault| fault_of(&fault))?;
    Ok(certificate)
}

/// Whether the certificate proves `client`. Its key was proven in the handshake, and it is valid now.
pub async fn prove(
    config: &Config,
    verifier: &Verifier,
    client: Option<&Client>,
    certificate: Option<&ClientCertificate>,
    now: Timestamp,
) -> Result<(), Rejected> {
    let certificate = certificate.ok_or(Plain::CertificateMissing)?;
    match client.map(|client| &client.authentication) {
        Some(ClientAuthentication::Tls(name)) => {
            verifier.check_certificate(certificate, now).map_err(|fault| fault_of(&fault))?;
            if name.is_in(certificate.content()) { Ok(()) } else { Err(Plain::CertificateSubject.into()) }
        }
        Some(ClientAuthentication::SelfSignedTls { keys, reach }) => {
            let registered = ClientKeys { source: keys, reach, is_local: config.is_local };
            let found = verifier.client_certificate(registered, certificate, now).await;
            found.map_err(|fault| match fault {
                KeyFault::Unknown => Plain::CertificateUnregistered.into(),
                KeyFault::Unavailable(why) => Rejected::Unavailable(why),
            })
        }
        _ => Err(Plain::MethodNotRegistered.into()),
    }
}

/// Why a certificate is no proof, for the audit.
const fn fault_of(fault: &CertificateFault) -> Plain {
    match fault {
        CertificateFault::Expired => Plain::CertificateExpired,
        CertificateFault::NotYetValid => Plain::CertificateNotYetValid,
        CertificateFault::IsAuthority => Plain::CertificateOfAuthority,
        CertificateFault::OtherPurpose => Plain::CertificatePurpose,
        CertificateFault::UnknownIssuer | CertificateFault::OtherName { .. } | CertificateFault::Other(_) => {
            Plain::CertificateUntrusted
        }
    }
}
