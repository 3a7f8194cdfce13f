//! The five keys that say where the keys of a registered party are and how they are reached.

use std::path::PathBuf;

use super::section::Section;
use crate::registry::{KeySource, Network, Reach, forms};

/// How an issuer or client is reached.
pub(super) fn reach(
    section: &Section<'_>,
    network: Network,
    tls_ca_file: Option<PathBuf>,
    proxy: Option<&str>,
) -> Reach {
    let proxy = proxy.and_then(|text| section.accept("proxy", forms::proxy(text)));
    Reach { network, tls_ca_file: tls_ca_file.map(|file| section.file(file)), proxy, token: None }
}

/// `jwks_uri` or `jwks_file`, never both; `None` where neither is given.
pub(super) fn key_source(section: &Section<'_>, uri: Option<&str>, file: Option<&str>) -> Option<KeySource> {
    match (uri, file) {
        (Some(_), Some(_)) => {
            section.refuse("jwks_file", "is set together with `jwks_uri`", "keep one of the two");
            None
        }
        (Some(uri), None) => section.accept("jwks_uri", forms::key_url(uri)).map(KeySource::Uri),
        (None, Some(file)) => Some(KeySource::File(section.file(file))),
        (None, None) => None,
    }
}
