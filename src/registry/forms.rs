//! The forms that identifiers and URLs of registered parties may have.

use url::Url;

use crate::base::loopback::is_loopback;
use crate::oauth::ids::{AGENT_PREFIX, PAIRWISE_PREFIX};
use crate::oauth::{ClientId, ResourceUri, SpiffeId, TargetId};

/// What is wrong with a registration, as the end of a sentence, and what to do instead. It never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub what: String,
    pub fix: String,
}

impl Fault {
    pub(super) fn new(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { what: what.into(), fix: fix.into() }
    }
}

/// An issuer that Deputy trusts, as a URL. It is compared byte for byte as written.
pub fn foreign_issuer(text: &str) -> Result<Url, Fault> {
    let url = key_url(text)?;
    if url.query().is_some() || text.contains('?') {
        return Err(Fault::new("has a query", "write the issuer as in `iss`, without `?…`"));
    }
    Ok(url)
}

/// An issuer of agents' credentials: a URL like any issuer's, or another absolute URI. A SPIFFE trust domain is none: what
/// it signs is known by `sub`, and not by `iss`.
pub fn workload_issuer(text: &str) -> Result<(), Fault> {
    if text.starts_with("http:") || text.starts_with("https:") {
        return foreign_issuer(text).map(|_| ());
    }
    if SpiffeId::is_claimed_by(text) {
        let fix = "write `preset = \"spiffe\"` and `trust_domain`";
        return Err(Fault::new(format!("`{text}` is a SPIFFE trust domain"), fix));
    }
    if !has_scheme(text) || Url::parse(text).is_err() {
        let fix = "write the `iss` of its tokens, for example `https://host`";
        return Err(Fault::new(format!("`{text}` is no absolute URI"), fix));
    }
    Ok(())
}

/// Deputy's own issuer (RFC 8414 §2), in the one form it can be written.
pub fn own_issuer(text: &str) -> Result<Url, Fault> {
    let url = foreign_issuer(text)?;
    if text.ends_with('/') {
        let fix = format!("write `{}`", text.trim_end_matches('/'));
        return Err(Fault::new("ends with a slash, and issuers are compared byte for byte", fix));
    }
    let normal = url.as_str().trim_end_matches('/');
    if normal != text {
        return Err(Fault::new("is not in its normal form", format!("write `{normal}`")));
    }
    Ok(url)
}

/// A URL that keys are fetched from: `https://`, or `http://` on loopback.
pub fn key_url(text: &str) -> Result<Url, Fault> {
    let url = absolute(text)?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => {
            let what = "is plain HTTP, which is accepted only on this machine";
            Err(Fault::new(what, "write `https://`, or the host as `localhost`, `127.0.0.1` or `[::1]`"))
        }
        other => Err(Fault::new(format!("has the scheme `{other}`"), "write `https://`")),
    }
}

/// The URL of an egress proxy.
pub fn proxy(text: &str) -> Result<Url, Fault> {
    let url = Url::parse(text).ok();
    url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()).ok_or_else(|| {
        Fault::new("is no URL of an HTTP proxy", "write for example `http://proxy.example:3128`")
    })
}

fn absolute(text: &str) -> Result<Url, Fault> {
    let url = Url::parse(text).ok().filter(|_| text.trim() == text && !text.contains(char::is_control));
    let url =
        url.ok_or_else(|| Fault::new(format!("`{text}` is no absolute URL"), "write `https://host/…`"))?;
    if url.fragment().is_some() || text.contains('#') {
        return Err(Fault::new("has a fragment", "remove `#…`"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Fault::new("holds a user name or password", "remove the part before `@`"));
    }
    Ok(url)
}

/// A client's identifier: unreserved characters only (RFC 3986 §2.3), because libraries disagree on the encoding of
/// others inside Basic.
pub fn client_id(text: &str) -> Result<ClientId, Fault> {
    for prefix in ["https://", "spiffe://", "d_", AGENT_PREFIX, PAIRWISE_PREFIX] {
        if text.starts_with(prefix) {
            let what = format!("`{text}` begins with `{prefix}`, which names something else");
            return Err(Fault::new(what, "choose another id"));
        }
    }
    let is_unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    if text.len() > 128 || !text.bytes().all(is_unreserved) {
        let fix = "use letters, digits, `-`, `.`, `_`, `~`, 128 at most";
        return Err(Fault::new(format!("`{text}` holds other characters, or is too long"), fix));
    }
    Ok(ClientId::new(text))
}

/// A target's identifier: an absolute URI without fragment (RFC 8707 §2) where it has a scheme, which is given back too,
/// else an audience name.
pub fn target_id(text: &str) -> Result<(TargetId, Option<ResourceUri>), Fault> {
    let legal = !text.is_empty() && text.len() <= 255 && text.bytes().all(|b| matches!(b, 0x21..=0x7e));
    if !legal || text.contains(['"', '\\', '<', '>']) {
        let fix = "use printable ASCII without space, quote and backslash, 255 at most";
        return Err(Fault::new(format!("`{text}` is no identifier"), fix));
    }
    if !has_scheme(text) {
        return Ok((TargetId::new(text), None));
    }
    absolute(text)?;
    let resource = ResourceUri::parse(text).ok_or_else(|| {
        let fix = "write `https://host/…`, and percent-encode the characters that no URI has";
        Fault::new(format!("`{text}` is no absolute URI (RFC 3986)"), fix)
    })?;
    Ok((TargetId::new(text), Some(resource)))
}

/// Whether `text` begins like a URI: a scheme and a colon (RFC 3986 §3.1).
fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    })
}
