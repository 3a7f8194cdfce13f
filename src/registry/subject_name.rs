//! The one name in a client's certificate by which the client is known (RFC 8705 §2.1.2).

use std::net::IpAddr;
use std::str::FromStr as _;

use x509_cert::Certificate;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Tag, Tagged as _};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::{RdnSequence, RelativeDistinguishedName};

/// The name that has to be in the certificate. All are compared exactly, and nothing in them stands for anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectName {
    /// `tls_client_auth_subject_dn`, compared by its structure.
    Dn(RdnSequence),
    /// `tls_client_auth_san_dns`
    Dns(String),
    /// `tls_client_auth_san_uri`
    Uri(String),
    /// `tls_client_auth_san_ip`, compared as bytes.
    Ip(IpAddr),
    /// `tls_client_auth_san_email`
    Email(String),
}

/// What is wrong with a name, and what to write instead.
type Fault = (&'static str, &'static str);

impl SubjectName {
    /// A distinguished name in its string form (RFC 4514).
    ///
    /// # Errors
    /// It is none.
    pub fn dn(text: &str) -> Result<Self, Fault> {
        const FIX: &str =
            "write it as RFC 4514 has it, without spaces between its parts: `CN=assistant,O=Example`";
        // The library takes a comma after three backslashes for a separator.
        if text.contains(r"\\\") {
            return Err(("escapes a character after a backslash", r"write the character as `\2C`"));
        }
        match RdnSequence::from_str(text) {
            Ok(name) if !name.is_empty() => Ok(Self::Dn(name)),
            _ => Err(("is no distinguished name", FIX)),
        }
    }

    /// A host name.
    ///
    /// # Errors
    /// It has a wildcard, or characters that a host name has not.
    pub fn dns(text: &str) -> Result<Self, Fault> {
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if text.bytes().all(is_legal) {
            return Ok(Self::Dns(text.to_owned()));
        }
        Err(("is no host name", "write one host name; a wildcard stands for nothing here"))
    }

    /// A URI.
    ///
    /// # Errors
    /// It has no scheme.
    pub fn uri(text: &str) -> Result<Self, Fault> {
        match url::Url::parse(text) {
            Ok(_) => Ok(Self::Uri(text.to_owned())),
            Err(_) => Err(("is no URI", "write it with its scheme: `https://agent.example/assistant`")),
        }
    }

    /// An address of IPv4 or IPv6.
    ///
    /// # Errors
    /// It is none.
    pub fn ip(text: &str) -> Result<Self, Fault> {
        let address = text.parse().map(Self::Ip);
        address.map_err(|_| ("is no IP address", "write for example `192.0.2.7` or `2001:db8::7`"))
    }

    /// An e-mail address.
    ///
    /// # Errors
    /// It has no `@`.
    pub fn email(text: &str) -> Result<Self, Fault> {
        match text.split_once('@') {
            Some((local, host)) if !local.is_empty() && !host.is_empty() => Ok(Self::Email(text.to_owned())),
            _ => Err(("is no e-mail address", "write for example `assistant@agent.example`")),
        }
    }

    /// Whether the certificate has this name. One whose names cannot be read has none.
    pub fn is_in(&self, certificate: &Certificate) -> bool {
        let certificate = &certificate.tbs_certificate;
        if let Self::Dn(name) = self {
            return is_same_name(name, &certificate.subject);
        }
        let names = certificate.get::<SubjectAltName>().ok().flatten();
        names.is_some_and(|(_, names)| names.0.iter().any(|name| self.is(name)))
    }

    fn is(&self, name: &GeneralName) -> bool {
        match (self, name) {
            (Self::Dns(own), GeneralName::DnsName(name)) => own == name.as_str(),
            (Self::Uri(own), GeneralName::UniformResourceIdentifier(name)) => own == name.as_str(),
            (Self::Email(own), GeneralName::Rfc822Name(name)) => own == name.as_str(),
            (Self::Ip(IpAddr::V4(own)), GeneralName::IpAddress(name)) => own.octets() == name.as_bytes(),
            (Self::Ip(IpAddr::V6(own)), GeneralName::IpAddress(name)) => own.octets() == name.as_bytes(),
            _ => false,
        }
    }
}

/// The parts in the same order, and in each part the same attributes in any order.
fn is_same_name(one: &RdnSequence, other: &RdnSequence) -> bool {
    one.0.len() == other.0.len() && one.0.iter().zip(&other.0).all(|(one, other)| is_same_part(one, other))
}

fn is_same_part(one: &RelativeDistinguishedName, other: &RelativeDistinguishedName) -> bool {
    attributes(one) == attributes(other)
}

fn attributes(part: &RelativeDistinguishedName) -> Vec<(ObjectIdentifier, Written)> {
    let mut attributes: Vec<_> =
        part.0.iter().map(|attribute| (attribute.oid, Written::of(attribute))).collect();
    attributes.sort();
    attributes
}

/// The value of an attribute. Authorities write the same text as one or another kind of string.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Written {
    Text(String),
    /// What is no text: its tag and its bytes.
    Bytes(u8, Vec<u8>),
}

impl Written {
    fn of(attribute: &AttributeTypeAndValue) -> Self {
        let (tag, bytes) = (attribute.value.tag(), attribute.value.value());
        let text = match tag {
            Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::TeletexString => {
                std::str::from_utf8(bytes).ok().map(str::to_owned)
            }
            Tag::BmpString => {
                let (units, rest) = bytes.as_chunks::<2>();
                let units: Vec<u16> = units.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
                String::from_utf16(&units).ok().filter(|_| rest.is_empty())
            }
            _ => None,
        };
        text.map_or_else(|| Self::Bytes(tag.octet(), bytes.to_vec()), Self::Text)
    }
}

#[cfg(test)]
mod tests {
    use rcgen::string::Ia5String;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
    use x509_cert::der::Decode as _;

    use super::*;

    fn certificate(names: &[(DnType, &str)], alternative: Vec<SanType>) -> Certificate {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (kind, text) in names {
            params.distinguished_name.push(kind.clone(), *text);
        }
        params.subject_alt_names = alternative;
        let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        Certificate::from_der(der.der()).unwrap()
    }

    fn is_in(dn: &str, certificate: &Certificate) -> bool {
        SubjectName::dn(dn).unwrap().is_in(certificate)
    }

    #[test]
    fn a_distinguished_name_is_compared_by_its_structure() {
        use DnType::{CommonName, CountryName, OrganizationName};
        let names = [(CountryName, "DE"), (OrganizationName, "Example, Inc."), (CommonName, "assistant")];
        let found = certificate(&names, Vec::new());
        for same in [
            r"CN=assistant,O=Example\, Inc.,C=DE",
            r"cn=assistant,o=Example\2c Inc.,c=DE",
            r"2.5.4.3=assistant,2.5.4.10=Example\, Inc.,2.5.4.6=DE",
            r"CN=#0c09617373697374616e74,O=Example\, Inc.,C=DE",
        ] {
            assert!(is_in(same, &found), "{same}");
        }
        for other in [
            r"C=DE,O=Example\, Inc.,CN=assistant",
            r"CN=assistant,C=DE,O=Example\, Inc.",
            r"O=Example\, Inc.,C=DE",
            r"CN=assistant",
            r"CN=assistan,O=Example\, Inc.,C=DE",
            r"CN=assistant2,O=Example\, Inc.,C=DE",
            r"CN=Assistant,O=Example\, Inc.,C=DE",
            r"CN=assistant+O=Example\, Inc.,C=DE",
            r"UID=assistant,O=Example\, Inc.,C=DE",
            r"CN=*,O=Example\, Inc.,C=DE",
        ] {
            assert!(!is_in(other, &found), "{other}");
        }
    }

    #[test]
    fn what_is_no_distinguished_name_is_refused() {
        for text in ["", "assistant", "CN=a, O=b", "NOPE=a", r"CN=a\\\,O=b", "CN=a,,O=b", "CN=a;O"] {
            let read = SubjectName::dn(text);
            assert!(read.is_err() || text == "CN=a;O", "{text}: {read:?}");
        }
    }

    #[test]
    fn a_name_is_found_among_those_of_its_kind_exactly() {
        let text = |text: &str| Ia5String::try_from(text).unwrap();
        let found = certificate(
            &[(DnType::CommonName, "assistant")],
            vec![
                SanType::DnsName(text("agent.example")),
                SanType::DnsName(text("*.wild.example")),
                SanType::URI(text("spiffe://example/assistant")),
                SanType::Rfc822Name(text("assistant@agent.example")),
                SanType::IpAddress("192.0.2.7".parse().unwrap()),
                SanType::IpAddress("2001:db8::7".parse().unwrap()),
            ],
        );
        for name in [
            SubjectName::dns("agent.example"),
            SubjectName::uri("spiffe://example/assistant"),
            SubjectName::email("assistant@agent.example"),
            SubjectName::ip("192.0.2.7"),
            SubjectName::ip("2001:db8:0:0::7"),
        ] {
            assert!(name.as_ref().unwrap().is_in(&found), "{name:?}");
        }
        for name in [
            SubjectName::dns("Agent.example"),
            SubjectName::dns("a.wild.example"),
            SubjectName::dns("192.0.2.7"),
            SubjectName::uri("spiffe://example/assistant/"),
            SubjectName::email("Assistant@agent.example"),
            SubjectName::ip("192.0.2.8"),
            SubjectName::ip("::ffff:192.0.2.7"),
            SubjectName::uri("mailto:assistant@agent.example"),
        ] {
            assert!(!name.as_ref().unwrap().is_in(&found), "{name:?}");
        }
        assert!(SubjectName::dns("*.wild.example").is_err(), "a wildcard stands for nothing");
    }
}
