//! What is wrong with the certificate of a server that is connected to, in words, and how to mend it. The library that
//! refuses a certificate names the rule, which says little to people who made their first one.

use std::error::Error;

use rustls::CertificateError;
use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::time::Time;

use super::time::Timestamp;

/// From when until when a certificate is valid.
pub fn validity(certificate: &Certificate) -> (Timestamp, Timestamp) {
    let validity = &certificate.tbs_certificate.validity;
    let moment = |time: &Time| {
        Timestamp::from_seconds(time.to_unix_duration().as_secs().try_into().unwrap_or(i64::MAX))
    };
    (moment(&validity.not_before), moment(&validity.not_after))
}

/// As [`validity`], of a certificate in DER; `None` if it is no X.509.
pub fn validity_of(certificate: &CertificateDer<'_>) -> Option<(Timestamp, Timestamp)> {
    Certificate::from_der(certificate).ok().as_ref().map(validity)
}

/// Why a certificate was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateFault {
    /// It is that of an authority, and no authority may be a server itself (RFC 5280 §4.2.1.9).
    IsAuthority,
    /// Nobody who is trusted has signed it.
    UnknownIssuer,
    /// It is for these names, and not for the one that was asked for.
    OtherName {
        asked: String,
        names: Vec<String>,
    },
    Expired,
    NotYetValid,
    /// It is for clients or for something else, and not for servers (RFC 5280 §4.2.1.12).
    OtherPurpose,
    /// Anything else, in the library's words.
    Other(String),
}

impl CertificateFault {
    /// The fault that is among the causes of this error, if a certificate is what was wrong.
    pub fn among_causes(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(rustls::Error::InvalidCertificate(fault)) = error.downcast_ref() {
                return Some(Self::of(fault));
            }
            // An I/O error gives the source of what it wraps, and leaves that itself out.
            let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            cause = match wrapped {
                Some(wrapped) => Some(wrapped),
                None => error.source(),
            };
        }
        None
    }

    /// The fault that the library names so.
    pub fn of(fault: &CertificateError) -> Self {
        match fault {
            CertificateError::UnknownIssuer => Self::UnknownIssuer,
            CertificateError::NotValidForNameContext { expected, presented } => {
                Self::OtherName { asked: expected.to_str().into_owned(), names: presented.clone() }
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Self::OtherPurpose
            }
            // The library behind the library has no type for this one that could be named here.
            CertificateError::Other(other) if other.to_string() == "CaUsedAsEndEntity" => Self::IsAuthority,
            other => Self::Other(other.to_string()),
        }
    }

    /// What is wrong with it, as the end of a sentence about the certificate.
    pub fn what(&self) -> String {
        match self {
            Self::IsAuthority => {
                "is marked as that of a certificate authority (CA:TRUE), which a server may not use \
                 (`CaUsedAsEndEntity`)"
                    .to_owned()
            }
            Self::UnknownIssuer => "is signed by nobody that is trusted here".to_owned(),
            Self::OtherName { asked, names } if names.is_empty() => {
                format!("names no host in its subjectAltName, so it is not for `{asked}`")
            }
            Self::OtherName { asked, names } => format!("is for {}, and not for `{asked}`", names.join(", ")),
            Self::Expired => "has expired, as this machine's clock shows".to_owned(),
            Self::NotYetValid => "is not valid yet, as this machine's clock shows".to_owned(),
            Self::OtherPurpose => "is not for servers: its extendedKeyUsage lacks serverAuth".to_owned(),
            Self::Other(what) => format!("is refused: {what}"),
        }
    }

    /// How to mend it. `root` is the setting in which the authority that is trusted is named.
    pub fn fix(&self, root: &str) -> String {
        match self {
            Self::IsAuthority => format!(
                "make one with `basicConstraints=CA:FALSE` (`openssl req -x509 … -addext basicConstraints=CA:FALSE`); \
                 it can be named in `{root}` itself, or be signed by the authority that is named there"
            ),
            Self::UnknownIssuer => format!(
                "name the certificate of the authority that signed it in `{root}`, and have the server send every \
                 certificate between the two"
            ),
            Self::OtherName { asked, .. } => {
                let kind = if asked.parse::<std::net::IpAddr>().is_ok() { "IP" } else { "DNS" };
                format!(
                    "make one whose subjectAltName has `{kind}:{asked}` (the common name does not count), or write the \
                     certificate's name in the URL"
                )
            }
            Self::Expired => "renew it, or set this machine's clock right".to_owned(),
            Self::NotYetValid => "set this machine's clock right, or wait".to_owned(),
            Self::OtherPurpose => "make one with `extendedKeyUsage=serverAuth`".to_owned(),
            Self::Other(_) => "make another certificate, with a P-256 or RSA key and SHA-256".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::{ServerName, UnixTime};

    use super::*;

    #[test]
    fn a_fault_is_found_however_deep_among_the_causes() {
        let refused = || rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let wrapped = std::io::Error::other(std::io::Error::other(refused()));
        assert_eq!(CertificateFault::among_causes(&refused()), Some(CertificateFault::UnknownIssuer));
        assert_eq!(CertificateFault::among_causes(&wrapped), Some(CertificateFault::UnknownIssuer));
        let other = std::io::Error::other("connection refused");
        assert_eq!(CertificateFault::among_causes(&other), None);
    }

    #[test]
    fn each_fault_says_what_to_mend() {
        let name = |names: &[&str]| CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("127.0.0.1").unwrap(),
            presented: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1));
        for (fault, what, fix) in [
            (CertificateError::UnknownIssuer, "signed by nobody", "`sslrootcert`"),
            (name(&[]), "names no host", "`IP:127.0.0.1`"),
            (name(&["DnsName(\"a\")"]), "not for `127.0.0.1`", "`IP:127.0.0.1`"),
            (CertificateError::ExpiredContext { time, not_after: time }, "expired", "renew"),
            (CertificateError::NotValidYetContext { time, not_before: time }, "not valid yet", "clock"),
            (CertificateError::InvalidPurpose, "serverAuth", "serverAuth"),
            (CertificateError::BadSignature, "refused", "another certificate"),
        ] {
            let fault = CertificateFault::of(&fault);
            assert!(fault.what().contains(what), "{}", fault.what());
            assert!(fault.fix("sslrootcert").contains(fix), "{}", fault.fix("sslrootcert"));
        }
    }
}
