//! Issuers, URLs and target identifiers: which forms are taken.

use std::net::SocketAddr;

use url::{Host, Url};

use super::validation::Validation;
use crate::registry::{KeySource, Network, Reach};

/// Whether the host is written as a loopback address: 127.0.0.0/8 or `[::1]`. A name never is.
pub fn is_literal_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        _ => false,
    }
}

/// As [`is_literal_loopback`], of an address.
pub(super) fn is_loopback(address: SocketAddr) -> bool {
    address.ip().is_loopback()
}

/// An issuer that Deputy trusts: kept as written, because it is compared byte for byte.
pub(super) fn foreign_issuer(validation: &Validation<'_>, path: &str, text: &str) -> Option<Url> {
    let url = absolute(validation, path, text)?;
    fetchable(validation, path, &url)?;
    if url.query().is_some() || text.contains('?') {
        validation.refuse(path, "has a query", "write the issuer as in `iss`, without `?…`");
        return None;
    }
    Some(url)
}

/// Deputy's own issuer (RFC 8414 §2), in the one form it can be written.
pub(super) fn own_issuer(validation: &Validation<'_>, path: &str, text: &str) -> Option<Url> {
    let url = foreign_issuer(validation, path, text)?;
    if text.ends_with('/') {
        let fix = format!("write `{}`", text.trim_end_matches('/'));
        validation.refuse(path, "ends with a slash, and issuers are compared byte for byte", fix);
        return None;
    }
    let normal = url.as_str().trim_end_matches('/');
    if normal != text {
        validation.refuse(path, "is not in its normal form", format!("write `{normal}`"));
        return None;
    }
    Some(url)
}

/// A URL that keys are fetched from.
pub(super) fn key_url(validation: &Validation<'_>, path: &str, text: &str) -> Option<Url> {
    let url = absolute(validation, path, text)?;
    fetchable(validation, path, &url)?;
    Some(url)
}

fn absolute(validation: &Validation<'_>, path: &str, text: &str) -> Option<Url> {
    let url = match Url::parse(text) {
        Ok(url) if text.trim() == text && !text.contains(char::is_control) => url,
        _ => {
            validation.refuse(path, format!("`{text}` is no absolute URL"), "write `https://host/…`");
            return None;
        }
    };
    if url.fragment().is_some() || text.contains('#') {
        validation.refuse(path, "has a fragment", "remove `#…`");
        return None;
    }
    if !url.username().is_empty() || url.password().is_some() {
        validation.refuse(path, "holds a user name or password", "remove the part before `@`");
        return None;
    }
    Some(url)
}

fn fetchable(validation: &Validation<'_>, path: &str, url: &Url) -> Option<()> {
    match url.scheme() {
        "https" => Some(()),
        "http" if is_literal_loopback(url) => Some(()),
        "http" => {
            let what =
                "is plain HTTP, which is taken only with a literal loopback address (127.0.0.1, [::1])";
            validation.refuse(path, what, "write `https://`");
            None
        }
        other => {
            validation.refuse(path, format!("has the scheme `{other}`"), "write `https://`");
            None
        }
    }
}

/// How an issuer or client is reached, as three keys of its section.
pub(super) fn reach(
    validation: &Validation<'_>,
    section: &str,
    network: Option<&str>,
    tls_ca_file: Option<String>,
    proxy: Option<&str>,
) -> Reach {
    let words = [("public", Network::Public), ("private", Network::Private)];
    let proxy_path = format!("{section}.proxy");
    let proxy = proxy.and_then(|text| match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Some(url),
        _ => {
            let what = "is no URL of an HTTP proxy";
            validation.refuse(&proxy_path, what, "write for example `http://proxy.example:3128`");
            None
        }
    });
    Reach {
        network: validation.word(&format!("{section}.network"), network, &words).unwrap_or_default(),
        tls_ca_file: validation.optional_file(&format!("{section}.tls_ca_file"), tls_ca_file),
        proxy,
    }
}

/// `jwks_uri` or `jwks_file`, never both; `None` where neither is given.
pub(super) fn key_source(
    validation: &Validation<'_>,
    section: &str,
    uri: Option<&str>,
    file: Option<&str>,
) -> Option<KeySource> {
    match (uri, file) {
        (Some(_), Some(_)) => {
            let what = "is set together with `jwks_uri`";
            validation.refuse(&format!("{section}.jwks_file"), what, "keep one of the two");
            None
        }
        (Some(uri), None) => key_url(validation, &format!("{section}.jwks_uri"), uri).map(KeySource::Uri),
        (None, Some(file)) => Some(KeySource::File(validation.file(file))),
        (None, None) => None,
    }
}

/// A target's identifier: an absolute URI without fragment (RFC 8707 §2) where it has a scheme, else
/// an audience name.
pub(super) fn target_identifier(validation: &Validation<'_>, path: &str, text: &str) -> Option<()> {
    let legal = !text.is_empty() && text.len() <= 255 && text.bytes().all(|b| matches!(b, 0x21..=0x7e));
    if !legal || text.contains(['"', '\\', '<', '>']) {
        let fix = "use printable ASCII without space, quote and backslash, 255 at most";
        validation.refuse(path, format!("`{text}` is no identifier"), fix);
        return None;
    }
    if !has_scheme(text) {
        return Some(());
    }
    let url = absolute(validation, path, text)?;
    if matches!(url.scheme(), "http" | "https") && !url.has_host() {
        validation.refuse(path, format!("`{text}` names no host"), "write `https://host/…`");
        return None;
    }
    Some(())
}

/// Whether `text` begins like a URI: a scheme and a colon (RFC 3986 §3.1).
pub(super) fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    })
}

/// The sector that a target is in unless it names one: the origin of a URL, else the identifier itself.
pub(super) fn default_sector(identifier: &str) -> String {
    match Url::parse(identifier) {
        Ok(url) if url.origin().is_tuple() => url.origin().ascii_serialization(),
        _ => identifier.to_owned(),
    }
}
