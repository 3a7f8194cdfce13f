//! `[[workload_issuer]]` with `preset = "spiffe"`: a trust domain in place of an issuer, a bundle in place of a key set,
//! and classes that are made of SPIFFE IDs.

use super::section::Section;
use super::workloads::RawWorkloadIssuer;
use crate::oauth::{Issuer, SpiffeId, TrustDomain};
use crate::registry::{ClaimMatch, KeySource, Preset, When, forms};

/// The keys of other issuers that a trust domain replaces.
const REPLACED: [(&str, &str); 4] = [
    ("issuer", "write `trust_domain`: the `iss` of an SVID means nothing"),
    ("jwks_uri", "write `bundle_endpoint`"),
    ("jwks_file", "write `bundle_file`"),
    ("keys_token_file", "remove it: a bundle endpoint answers everybody"),
];
/// The keys that only a trust domain has.
const OWN: [&str; 3] = ["trust_domain", "bundle_endpoint", "bundle_file"];
/// The claim that has the SPIFFE ID.
const SUBJECT: &str = "sub";

/// Refuses what another preset has, or what only this one has.
pub(super) fn check_keys(section: &Section<'_>, preset: Preset) {
    if preset == Preset::Spiffe {
        for (key, fix) in REPLACED.iter().filter(|(key, _)| section.has(key)) {
            section.refuse(key, "is not for `preset = \"spiffe\"`", *fix);
        }
    } else {
        for key in OWN.iter().filter(|key| section.has(key)) {
            section.refuse(key, "is for `preset = \"spiffe\"`", "remove it, or write that preset");
        }
    }
}

/// The trust domain as an issuer.
pub(super) fn issuer(section: &Section<'_>, raw: &RawWorkloadIssuer) -> Option<Issuer> {
    let Some(name) = &raw.trust_domain else {
        if !section.has("trust_domain") {
            section.refuse(
                "trust_domain",
                "is missing",
                "write for example `trust_domain = \"example.org\"`",
            );
        }
        return None;
    };
    let domain = TrustDomain::parse(name);
    if domain.is_none() {
        let what = format!("`{name}` is no name of a trust domain");
        let fix = "write the part of its SPIFFE IDs between `spiffe://` and the path: lower-case letters, digits, `.`, `-`, `_`";
        section.refuse("trust_domain", what, fix);
    }
    domain.map(|domain| domain.issuer())
}

/// Where the bundle of the trust domain is.
pub(super) fn bundle(section: &Section<'_>, raw: &RawWorkloadIssuer) -> Option<KeySource> {
    match (&raw.bundle_endpoint, &raw.bundle_file) {
        (Some(_), Some(_)) => {
            section.refuse("bundle_file", "is set together with `bundle_endpoint`", "keep one of the two");
            None
        }
        (Some(url), None) => {
            section.accept("bundle_endpoint", forms::key_url(url)).map(KeySource::BundleEndpoint)
        }
        (None, Some(file)) => Some(KeySource::BundleFile(section.file(file))),
        (None, None) => {
            if !OWN.iter().any(|key| section.is_refused(key)) {
                let fix = "give `bundle_endpoint` or `bundle_file`";
                section.refuse("bundle_endpoint", "is missing", fix);
            }
            None
        }
    }
}

/// A class says which SPIFFE IDs it takes, and never all of a trust domain: that has workloads that nobody meant
/// (SPIFFE client authentication §5.1).
pub(super) fn check_class(section: &Section<'_>, domain: &Issuer, when: Option<&When>) {
    let mut is_of_some = false;
    for check in when.into_iter().flat_map(|when| &when.all).filter(|check| check.claim == SUBJECT) {
        let ids: Vec<Option<&str>> = match &check.test {
            ClaimMatch::Equals(value) => vec![value.as_str()],
            ClaimMatch::In(values) => values.iter().map(|value| value.as_str()).collect(),
            ClaimMatch::Under(prefix) => vec![prefix.strip_suffix('/')],
            ClaimMatch::Contains(_) => vec![None],
        };
        is_of_some = true;
        for id in ids {
            let parsed = id.and_then(SpiffeId::parse);
            if parsed.is_none_or(|id| id.trust_domain.issuer() != *domain) {
                let what = match id {
                    Some(id) if id == domain.as_str() => {
                        "takes every workload of the trust domain".to_owned()
                    }
                    _ => format!("compares `sub` with what is no SPIFFE ID of a workload in `{domain}`"),
                };
                let fix = format!(
                    "write whole SPIFFE IDs, or `under = \"{domain}/agents/\"` with a path of one segment at least"
                );
                section.refuse("when", what, fix);
            }
        }
    }
    if !is_of_some {
        let what = "does not say which SPIFFE IDs the class takes: it does not check `sub`";
        let fix =
            format!("add such a check, as in `when = {{ claim = \"sub\", under = \"{domain}/agents/\" }}`");
        section.refuse("when", what, fix);
    }
}
