//! The sections about the server itself: `issuer`, `[listen]`, `[tls]`, `[keys]`, `[tokens]`, `[tasks]`, `[audit]`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use url::Url;

use super::section::Section;
use super::table::table;
use super::{Audit, Dpop, DpopNonce, Keys, Listen, RecordedSource, Tasks, Tls, Tokens};
use crate::base::loopback::is_loopback;
use crate::base::time::Lifetime;
use crate::jose::Algorithm;
use crate::oauth::Issuer;
use crate::registry::{SubjectForm, forms};

/// The algorithms that DPoP proofs may be signed with. All of them are asymmetric.
const PROOF_ALGORITHMS: [Algorithm; 5] =
    [Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA, Algorithm::PS256, Algorithm::RS256];

/// The longest lifetime that an access token may be given, in seconds.
pub const MAX_TOKEN_LIFETIME: u32 = 900;

table! {
    /// The addresses that Deputy listens on.
    pub(super) struct RawListen {
        /// The address of the token, introspection, revocation, metadata and key endpoints.
        public: String = "0.0.0.0:8443".into(),
        /// The address of health, readiness and metrics: plain HTTP on loopback, TLS elsewhere.
        management: String = "127.0.0.1:8444".into(),
        /// The address of a listener with the endpoints for clients alone, which asks for client certificates (RFC 8705).
        /// It needs TLS.
        #[schemars(example = &"0.0.0.0:8445", extend("x-default" = "there is none"))]
        pub(super) mtls: Option<String>,
        /// The URL that clients write in place of the issuer to reach the endpoints at which client certificates are asked
        /// for. The metadata has it in `mtls_endpoint_aliases`. Name it where another host or port than `mtls` leads there,
        /// such as that of a load balancer or of a proxy that makes the handshake.
        #[schemars(
            example = &"https://mtls.deputy.example",
            extend("x-default" = "the issuer with the port of `mtls`")
        )]
        pub(super) mtls_url: Option<String>,
        /// The networks (CIDR) of the proxies whose `X-Forwarded-For` is trusted, and whose `tls.client_certificate_header`.
        #[schemars(example = ["10.1.0.0/24"])]
        trusted_proxies: Vec<String>,
    }
}

table! {
    /// The master key, and how Deputy signs.
    pub(super) struct RawKeys {
        /// The file of the master key: 32 bytes, mode 0600, made by `deputy init`.
        #[schemars(example = &"/var/lib/deputy/master.key", extend("x-default" = "`master.key` in `data_dir`"))]
        master_key_file: Option<PathBuf>,
        /// The algorithm of the signing keys that Deputy makes: `ES256`, `EdDSA` (Ed25519) or `RS256`. Another one takes effect
        /// with the next `deputy key rotate`.
        signing_algorithm: String = "ES256".into(),
        /// How long `/jwks` may be cached. A new key is published this long before it signs.
        #[schemars(range(min = 60, max = 86_400))]
        jwks_max_age_seconds: u32 = 300,
    }
}

table! {
    /// The access tokens that Deputy issues.
    pub(super) struct RawTokens {
        /// The lifetime of an access token.
        #[schemars(range(min = 1, max = MAX_TOKEN_LIFETIME))]
        lifetime_seconds: u32 = 300,
        /// How `sub` is written. With more than one identity provider it has to be `pairwise`.
        #[schemars(example = &"pairwise")]
        subject: SubjectForm = SubjectForm::Upstream,
    }
}

table! {
    /// The tasks that tokens belong to.
    pub(super) struct RawTasks {
        /// The longest lifetime of a task.
        #[schemars(range(min = 1, max = 86_400))]
        max_lifetime_seconds: u32 = 3600,
        /// The greatest number of levels of `act`.
        #[schemars(range(min = 1, max = 8))]
        max_chain_depth: u8 = 4,
        /// As many tasks may one ID token begin, for all clients and agents together.
        #[schemars(range(min = 1, max = 1000))]
        max_per_login: u32 = 20,
        /// How long after a handover an agent may accept it first.
        #[schemars(range(min = 5, max = 3600))]
        accept_within_seconds: u32 = 300,
    }
}

table! {
    /// The audit log.
    pub(super) struct RawAudit {
        /// The file that signed checkpoints are appended to, preferably on another disk.
        #[schemars(
            example = &"/var/log/deputy/checkpoints.jsonl",
            extend("x-default" = "`audit-checkpoints.jsonl` in `data_dir`")
        )]
        checkpoint_file: Option<PathBuf>,
        /// How much of the address that a request came from is recorded.
        #[schemars(example = &"network")]
        source: RecordedSource = RecordedSource::Whole,
    }
}

table! {
    /// Proof of possession by DPoP (RFC 9449).
    pub(super) struct RawDpop {
        /// Whether a proof must have a nonce of Deputy's (RFC 9449 §8).
        #[schemars(example = &"required")]
        nonce: DpopNonce = DpopNonce::Off,
        /// The algorithms that proofs may be signed with. `RS256` may be added.
        #[schemars(example = ["ES256"])]
        algorithms: Vec<String> = PROOF_ALGORITHMS[..4].iter().map(|a| a.as_str().to_owned()).collect(),
    }
}

pub(super) fn dpop(section: &Section<'_>, raw: &RawDpop) -> Dpop {
    let algorithms = section.algorithms("algorithms", &raw.algorithms, &PROOF_ALGORITHMS);
    Dpop { nonce: raw.nonce, algorithms }
}

impl RawTokens {
    pub(super) fn convert(&self) -> Tokens {
        Tokens { lifetime: Lifetime::from_seconds(self.lifetime_seconds), subject: self.subject }
    }
}

impl RawTasks {
    pub(super) fn convert(&self) -> Tasks {
        Tasks {
            max_lifetime: Lifetime::from_seconds(self.max_lifetime_seconds),
            max_chain_depth: self.max_chain_depth,
            max_per_login: self.max_per_login,
            accept_within: Lifetime::from_seconds(self.accept_within_seconds),
        }
    }
}

/// Deputy's issuer, and its URL.
pub(super) fn issuer(top: &Section<'_>, text: Option<String>) -> Option<(Issuer, Url)> {
    let text = text?;
    let url = top.accept("issuer", forms::own_issuer(&text))?;
    Some((Issuer::new(text), url))
}

pub(super) fn listen(section: &Section<'_>, raw: &RawListen) -> Option<Listen> {
    let address = |key: &str, text: &str, default: &str| -> Option<SocketAddr> {
        let parsed = text.parse().ok();
        if parsed.is_none() {
            let is_bare_v6 = text.matches(':').count() > 1 && !text.starts_with('[');
            let fix = match text.rsplit_once(':').filter(|_| is_bare_v6) {
                Some((host, port)) => format!("write an IPv6 address in brackets: `[{host}]:{port}`"),
                None => format!("write for example `{default}`; names are not looked up"),
            };
            section.refuse(key, format!("`{text}` is no address with a port"), fix);
        }
        parsed
    };
    let default = RawListen::default();
    let public = address("public", &raw.public, &default.public);
    let management = address("management", &raw.management, &default.management);
    let mtls = raw.mtls.as_deref().and_then(|text| address("mtls", text, "0.0.0.0:8445"));
    if public.is_some() && public == management && public.is_some_and(|address| address.port() != 0) {
        section.refuse("management", "is the public address", "choose another port");
    }
    let is_taken = |address: SocketAddr| [public, management].contains(&Some(address)) && address.port() != 0;
    if mtls.is_some_and(is_taken) {
        section.refuse("mtls", "is the address of another listener", "choose another port");
    }
    let mut trusted_proxies = Vec::new();
    for (position, text) in raw.trusted_proxies.iter().enumerate() {
        match text.parse::<ipnet::IpNet>() {
            Ok(network) => trusted_proxies.push(network.trunc()),
            Err(_) => section.refuse(
                &format!("trusted_proxies[{position}]"),
                format!("`{text}` is no network"),
                "write CIDR: `10.1.0.0/24`, for one address `10.1.0.7/32`",
            ),
        }
    }
    let (public, management) = (public?, management?);
    Some(Listen { public, management, mtls, mtls_url: None, trusted_proxies })
}

/// `[tls]`, and whether it has to be there: plain HTTP is served only where issuer and public listener
/// are both loopback.
pub(super) fn tls(
    top: &Section<'_>,
    raw: Option<Tls>,
    issuer: Option<&Url>,
    listen: Option<&Listen>,
) -> Option<Tls> {
    let is_plain = issuer.is_some_and(|url| url.scheme() == "http");
    if let (true, Some(listen)) = (is_plain, listen)
        && !listen.public.ip().is_loopback()
    {
        let what = format!("is plain HTTP, but `listen.public` is {}, which is not loopback", listen.public);
        top.refuse("issuer", what, "write `https://` and give `[tls]`, or listen on 127.0.0.1");
    }
    let Some(raw) = raw else {
        if let Some(listen) = listen.filter(|listen| !listen.management.ip().is_loopback()) {
            let what = format!("is {}, not loopback, and there is no `[tls]`", listen.management);
            top.refuse("listen.management", what, "listen on 127.0.0.1, or give `[tls]`");
        }
        if let Some(url) = issuer.filter(|url| url.scheme() == "https") {
            let fix = if is_loopback(url) {
                "give `certificate_file` and `key_file`, or write `http://` in `issuer`"
            } else {
                "give `certificate_file` and `key_file`; `deputy init --dev-certs` makes a pair for development"
            };
            top.refuse("tls", "is missing: everything but loopback is TLS", fix);
        }
        return None;
    };
    if is_plain {
        top.refuse("tls", "is given, but `issuer` is plain HTTP", "write `https://` in `issuer`");
    }
    Some(Tls {
        certificate_file: top.file(raw.certificate_file),
        key_file: top.file(raw.key_file),
        client_ca_file: raw.client_ca_file.map(|file| top.file(file)),
        client_certificate_header: raw.client_certificate_header,
    })
}

pub(super) fn keys(section: &Section<'_>, raw: RawKeys, data_dir: &Path) -> Keys {
    let refuse = |what: String, fix| section.refuse("signing_algorithm", what, fix);
    let signing_algorithm = match raw.signing_algorithm.as_str() {
        "RS256" => Algorithm::RS256,
        "ES256" => Algorithm::ES256,
        "EdDSA" => Algorithm::EdDSA,
        "Ed25519" => {
            refuse("is `Ed25519`, which is called `EdDSA` in a header".to_owned(), "write `EdDSA`");
            Algorithm::EdDSA
        }
        other => {
            refuse(format!("is `{other}`"), "write `ES256`, `EdDSA` or `RS256`");
            Algorithm::ES256
        }
    };
    Keys {
        master_key_file: raw
            .master_key_file
            .map_or_else(|| data_dir.join("master.key"), |file| section.file(file)),
        signing_algorithm,
        jwks_max_age: Lifetime::from_seconds(raw.jwks_max_age_seconds),
    }
}

pub(super) fn audit(section: &Section<'_>, raw: RawAudit, data_dir: &Path) -> Audit {
    let checkpoint_file = raw
        .checkpoint_file
        .map_or_else(|| data_dir.join("audit-checkpoints.jsonl"), |file| section.file(file));
    Audit { checkpoint_file, source: raw.source }
}
