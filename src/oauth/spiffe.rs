//! SPIFFE IDs (SPIFFE-ID §2), by which a SPIFFE trust domain names its workloads.

use super::ids::Issuer;

/// What a SPIFFE ID begins with.
const SCHEME: &str = "spiffe://";
/// The longest SPIFFE ID, in bytes (SPIFFE-ID §2.3).
pub const MAX_SPIFFE_ID: usize = 2048;
/// The longest name of a trust domain, in bytes (SPIFFE-ID §2.3).
const MAX_TRUST_DOMAIN: usize = 255;

/// The name of a SPIFFE trust domain (SPIFFE-ID §2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustDomain(String);

impl TrustDomain {
    /// Lower-case letters, digits, dots, dashes and underscores, 255 at most.
    pub fn parse(name: &str) -> Option<Self> {
        let is_legal =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_');
        let is_name = (1..=MAX_TRUST_DOMAIN).contains(&name.len()) && name.bytes().all(is_legal);
        is_name.then(|| Self(name.to_owned()))
    }

    /// The SPIFFE ID of the trust domain itself, which is the issuer of its SVIDs.
    pub fn issuer(&self) -> Issuer {
        Issuer::new(format!("{SCHEME}{}", self.0))
    }
}

/// The SPIFFE ID of a workload: it names a trust domain, and has a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpiffeId {
    pub trust_domain: TrustDomain,
}

impl SpiffeId {
    /// Whether a text is meant to be a SPIFFE ID, well-formed or not.
    pub fn is_claimed_by(text: &str) -> bool {
        text.split_once(':').is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("spiffe"))
    }

    /// Reads the SPIFFE ID of a workload. Nothing is normalised: each has one spelling.
    pub fn parse(text: &str) -> Option<Self> {
        let (domain, path) = text.strip_prefix(SCHEME)?.split_once('/')?;
        let is_legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        let is_segment = |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(is_legal);
        let is_id = text.len() <= MAX_SPIFFE_ID && path.split('/').all(is_segment);
        TrustDomain::parse(domain).filter(|_| is_id).map(|trust_domain| Self { trust_domain })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_is_a_path_in_a_trust_domain() {
        let longest = format!("spiffe://d.example/{}", "a".repeat(2048 - 19));
        for id in
            ["spiffe://example.org/ns/shop/sa/buyer", "spiffe://1_a-b.c/A.b-C_9", "spiffe://d/...", &longest]
        {
            assert!(SpiffeId::parse(id).is_some(), "{id}");
        }
        let of = SpiffeId::parse("spiffe://example.org/ns/shop").unwrap().trust_domain;
        assert_eq!(of.issuer().as_str(), "spiffe://example.org");
    }

    #[test]
    fn every_fault_of_its_syntax_is_found() {
        let too_long = format!("spiffe://d.example/{}", "a".repeat(2048 - 18));
        let wide = format!("spiffe://{}/a", "d".repeat(256));
        for id in [
            "spiffe://example.org",
            "spiffe://example.org/",
            "spiffe:///a",
            "spiffe:/example.org/a",
            "SPIFFE://example.org/a",
            "https://example.org/a",
            "spiffe://Example.org/a",
            "spiffe://example.org:8443/a",
            "spiffe://user@example.org/a",
            "spiffe://ex%61mple.org/a",
            "spiffe://exämple.org/a",
            "spiffe://example.org//a",
            "spiffe://example.org/a/",
            "spiffe://example.org/a/./b",
            "spiffe://example.org/a/../b",
            "spiffe://example.org/a%2Fb",
            "spiffe://example.org/a b",
            "spiffe://example.org/a?b",
            "spiffe://example.org/a#b",
            "spiffe://example.org/a:b",
            "",
            &too_long,
            &wide,
        ] {
            assert!(SpiffeId::parse(id).is_none(), "{id}");
        }
    }

    #[test]
    fn what_is_meant_to_be_a_spiffe_id_is_recognised_with_its_faults() {
        for id in ["spiffe://example.org/a", "SPIFFE://example.org/a", "Spiffe:x", "spiffe:"] {
            assert!(SpiffeId::is_claimed_by(id), "{id}");
        }
        for id in ["system:serviceaccount:shop:age", "spiffe", "https://spiffe.example/a", "a-spiffe://d/a"] {
            assert!(!SpiffeId::is_claimed_by(id), "{id}");
        }
    }
}
