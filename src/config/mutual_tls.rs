//! What the file says of client certificates (RFC 8705): the listener, the URL, the header, and the name of a client.

use url::Url;

use super::clients::RawClient;
use super::raw::RawConfig;
use super::section::Section;
use super::server::RawListen;
use super::{Listen, Tls};
use crate::registry::SubjectName;

/// Which client certificates can be taken.
#[derive(Clone, Copy)]
pub(super) struct Accepted {
    /// Some: there is a listener or a header for them.
    any: bool,
    /// Those of authorities.
    of_authorities: bool,
}

impl Accepted {
    pub(super) fn of(raw: &RawConfig) -> Self {
        let tls = raw.tls.as_ref();
        let has_header = tls.is_some_and(|tls| tls.client_certificate_header.is_some());
        Self {
            any: raw.listen.mtls.is_some() || has_header,
            of_authorities: tls.is_some_and(|tls| tls.client_ca_file.is_some()),
        }
    }
}

/// Checks what concerns client certificates, and completes the URL under which they are asked for.
pub(super) fn listen(
    top: &Section<'_>,
    raw: &RawListen,
    listen: Listen,
    issuer: Option<&Url>,
    tls: Option<&Tls>,
) -> Listen {
    let header = tls.and_then(|tls| tls.client_certificate_header);
    let section = top.at("listen");
    // What has to be there for TLS at all is said elsewhere.
    if raw.mtls.is_some() && issuer.is_some_and(|issuer| issuer.scheme() == "http") {
        let what = "asks for client certificates, and the issuer is plain HTTP";
        section.refuse("mtls", what, "write `https://` in `issuer` and give `[tls]`");
    }
    if header.is_some() && listen.trusted_proxies.is_empty() {
        let what = "is believed of `listen.trusted_proxies` alone, and there are none";
        let fix =
            "write the addresses of the proxies there, for example `trusted_proxies = [\"10.1.0.7/32\"]`";
        top.at("tls").refuse("client_certificate_header", what, fix);
    }
    let mtls_url = match (&raw.mtls_url, listen.mtls) {
        (Some(_), None) if header.is_none() => {
            let what = "leads to no endpoint that takes client certificates";
            section.refuse("mtls_url", what, "give `listen.mtls` or `tls.client_certificate_header`");
            None
        }
        (Some(text), _) => base(&section, text),
        (None, Some(address)) => issuer.cloned().and_then(|mut url| {
            let port = Some(address.port()).filter(|port| *port != 0);
            url.set_port(port).ok().map(|()| url)
        }),
        (None, None) => None,
    };
    Listen { mtls_url: mtls_url.map(|url| url.as_str().trim_end_matches('/').to_owned()), ..listen }
}

/// A URL that paths are added to.
fn base(section: &Section<'_>, text: &str) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|url| {
        let is_bare = url.query().is_none() && url.fragment().is_none();
        url.scheme() == "https" && url.has_host() && is_bare && url.username().is_empty()
    });
    if url.is_none() {
        let what = format!("`{text}` is no `https://` URL without query and fragment");
        section.refuse("mtls_url", what, "write for example `https://mtls.deputy.example`");
    }
    url
}

/// The keys that name a client in its certificate, in the order of [`names`].
const NAMES: [&str; 5] = [
    "tls_client_auth_subject_dn",
    "tls_client_auth_san_dns",
    "tls_client_auth_san_uri",
    "tls_client_auth_san_ip",
    "tls_client_auth_san_email",
];

type Parse = fn(&str) -> Result<SubjectName, (&'static str, &'static str)>;

fn names(raw: &RawClient) -> [(&Option<String>, Parse); 5] {
    [
        (&raw.tls_client_auth_subject_dn, SubjectName::dn),
        (&raw.tls_client_auth_san_dns, SubjectName::dns),
        (&raw.tls_client_auth_san_uri, SubjectName::uri),
        (&raw.tls_client_auth_san_ip, SubjectName::ip),
        (&raw.tls_client_auth_san_email, SubjectName::email),
    ]
}

/// Checks what a client says of certificates, however it authenticates.
pub(super) fn check_client(section: &Section<'_>, raw: &RawClient, accepted: Accepted) {
    let is_by_certificate = raw.is_by_certificate();
    if !accepted.any && (is_by_certificate || raw.tls_client_certificate_bound_access_tokens) {
        let key =
            if is_by_certificate { "authentication" } else { "tls_client_certificate_bound_access_tokens" };
        let what = "needs client certificates, and there is neither a listener nor a header for them";
        section.refuse(key, what, "give `listen.mtls`, or `tls.client_certificate_header` behind a proxy");
    }
    if !raw.is_by_authority() {
        for key in NAMES.iter().filter(|key| section.has(key)) {
            let what = "is for a client whose certificate an authority issues";
            section.refuse(key, what, "remove it, or write `authentication = \"tls_client_auth\"`");
        }
    }
}

/// The one name of a client with `tls_client_auth` (8705-2.1.2-01).
pub(super) fn subject_name(
    section: &Section<'_>,
    raw: &RawClient,
    accepted: Accepted,
) -> Option<SubjectName> {
    if !accepted.of_authorities {
        let what = "needs the authorities that issue client certificates, and none is named";
        section.refuse("authentication", what, "name their certificates in `tls.client_ca_file`");
    }
    let given: Vec<_> = NAMES
        .iter()
        .zip(names(raw))
        .filter_map(|(key, (text, parse))| Some((key, text.as_ref()?, parse)))
        .collect();
    let [(key, text, parse)] = given[..] else {
        let what = match given.len() {
            0 => "is missing: `tls_client_auth` needs the name in the client's certificate",
            _ => "is one of several names, and a client has exactly one (RFC 8705 §2.1.2)",
        };
        let key = given.first().map_or(NAMES[0], |(key, ..)| key);
        section.refuse(key, what, format!("keep one of `{}`", NAMES.join("`, `")));
        return None;
    };
    match parse(text) {
        Ok(name) => Some(name),
        Err((what, fix)) => {
            section.refuse(key, format!("`{text}` {what}"), fix);
            None
        }
    }
}
