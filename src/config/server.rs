//! The sections about the server itself: `issuer`, `data_dir`, `[listen]`, `[tls]`, `[keys]`, `[tokens]`,
//! `[tasks]`, `[policy]`, `[audit]`, `[limits]`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use url::Url;

use super::locators::{is_literal_loopback, is_loopback, own_issuer};
use super::validation::Validation;
use super::{Audit, Keys, Limits, Listen, Policy, Tasks, Tls, Tokens};
use crate::jose::Algorithm;
use crate::oauth::Issuer;
use crate::registry::SubjectForm;

/// `[listen]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawListen {
    public: Option<String>,
    management: Option<String>,
    trusted_proxies: Vec<String>,
}

/// `[tls]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawTls {
    certificate_file: Option<String>,
    key_file: Option<String>,
}

/// `[keys]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawKeys {
    master_key_file: Option<String>,
    signing_algorithm: Option<String>,
    jwks_max_age_seconds: Option<i64>,
}

/// `[tokens]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawTokens {
    lifetime_seconds: Option<i64>,
    subject: Option<String>,
}

/// `[tasks]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawTasks {
    max_lifetime_seconds: Option<i64>,
    max_chain_depth: Option<i64>,
}

/// `[policy]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawPolicy {
    directory: Option<String>,
    remember_decisions: Option<bool>,
}

/// `[audit]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawAudit {
    checkpoint_file: Option<String>,
}

/// `[limits]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLimits {
    failures_per_minute: Option<i64>,
    unknown_tokens_per_minute: Option<i64>,
    unauthenticated_rows_per_minute: Option<i64>,
}

/// Deputy's issuer, and its URL.
pub(super) fn issuer(validation: &Validation<'_>, raw: Option<String>) -> Option<(Issuer, Url)> {
    let text = validation.required_text("issuer", raw)?;
    let url = own_issuer(validation, "issuer", &text)?;
    Some((Issuer::new(text), url))
}

/// `data_dir`
pub(super) fn data_dir(validation: &Validation<'_>, raw: Option<String>) -> PathBuf {
    validation.optional_file("data_dir", raw).unwrap_or_else(|| validation.file("data"))
}

/// `[listen]`
pub(super) fn listen(validation: &Validation<'_>, raw: RawListen) -> Option<Listen> {
    let address = |path: &str, text: Option<String>, default: &str| -> Option<SocketAddr> {
        let text = text.unwrap_or_else(|| default.to_owned());
        let parsed = text.parse().ok();
        if parsed.is_none() {
            let what = format!("`{text}` is no address with a port");
            validation.refuse(path, what, format!("write for example `{default}`; names are not looked up"));
        }
        parsed
    };
    let public = address("listen.public", raw.public, "0.0.0.0:8443");
    let management = address("listen.management", raw.management, "127.0.0.1:8444");
    if public.is_some() && public == management && public.is_some_and(|address| address.port() != 0) {
        validation.refuse("listen.management", "is the public address", "choose another port");
    }
    let mut trusted_proxies = Vec::new();
    for (position, text) in raw.trusted_proxies.iter().enumerate() {
        match text.parse::<ipnet::IpNet>() {
            Ok(network) => trusted_proxies.push(network.trunc()),
            Err(_) => validation.refuse(
                &format!("listen.trusted_proxies[{position}]"),
                format!("`{text}` is no network"),
                "write CIDR: `10.1.0.0/24`, for one address `10.1.0.7/32`",
            ),
        }
    }
    Some(Listen { public: public?, management: management?, trusted_proxies })
}

/// `[tls]`, and whether it has to be there: plain HTTP is served only where issuer and public listener
/// are both literal loopback.
pub(super) fn tls(
    validation: &Validation<'_>,
    raw: Option<RawTls>,
    issuer: Option<&Url>,
    listen: Option<&Listen>,
) -> Option<Tls> {
    let is_plain = issuer.is_some_and(|url| url.scheme() == "http");
    if let (true, Some(listen)) = (is_plain, listen)
        && !is_loopback(listen.public)
    {
        let what = format!("is plain HTTP, but `listen.public` is {}, which is not loopback", listen.public);
        validation.refuse("issuer", what, "write `https://` and give `[tls]`, or listen on 127.0.0.1");
    }
    let Some(raw) = raw else {
        if let Some(listen) = listen.filter(|listen| !is_loopback(listen.management)) {
            let what = format!("is {}, not loopback, and there is no `[tls]`", listen.management);
            validation.refuse("listen.management", what, "listen on 127.0.0.1, or give `[tls]`");
        }
        if let Some(url) = issuer.filter(|url| url.scheme() == "https") {
            let fix = if is_literal_loopback(url) {
                "give `certificate_file` and `key_file`, or write `http://` in `issuer`"
            } else {
                "give `certificate_file` and `key_file`; `deputy init --dev-certs` makes a pair for development"
            };
            validation.refuse("tls", "is missing: everything but loopback is TLS", fix);
        }
        return None;
    };
    if is_plain {
        validation.refuse("tls", "is given, but `issuer` is plain HTTP", "write `https://` in `issuer`");
    }
    let certificate = validation.required_text("tls.certificate_file", raw.certificate_file);
    let key = validation.required_text("tls.key_file", raw.key_file);
    Some(Tls { certificate_file: validation.file(&certificate?), key_file: validation.file(&key?) })
}

/// `[keys]`
pub(super) fn keys(validation: &Validation<'_>, raw: RawKeys, data_dir: &Path) -> Keys {
    let path = "keys.signing_algorithm";
    let signing_algorithm = match raw.signing_algorithm.as_deref() {
        None | Some("ES256") => Algorithm::ES256,
        Some("RS256") => Algorithm::RS256,
        Some("EdDSA") => {
            validation.refuse(path, "is `EdDSA`, which Deputy does not sign with yet", "write `ES256`");
            Algorithm::ES256
        }
        Some(other) => {
            validation.refuse(path, format!("is `{other}`"), "write `ES256` or `RS256`");
            Algorithm::ES256
        }
    };
    Keys {
        master_key_file: validation
            .optional_file("keys.master_key_file", raw.master_key_file)
            .unwrap_or_else(|| data_dir.join("master.key")),
        signing_algorithm,
        jwks_max_age: validation.seconds(
            "keys.jwks_max_age_seconds",
            raw.jwks_max_age_seconds,
            300,
            60..=86_400,
        ),
    }
}

/// The words of `tokens.subject` and `target.subject`.
pub(super) const SUBJECT_FORMS: [(&str, SubjectForm); 2] =
    [("upstream", SubjectForm::Upstream), ("pairwise", SubjectForm::Pairwise)];

/// `[tokens]`
pub(super) fn tokens(validation: &Validation<'_>, raw: &RawTokens) -> Tokens {
    Tokens {
        lifetime: validation.seconds("tokens.lifetime_seconds", raw.lifetime_seconds, 300, 1..=900),
        subject: validation
            .word("tokens.subject", raw.subject.as_deref(), &SUBJECT_FORMS)
            .unwrap_or(SubjectForm::Upstream),
    }
}

/// `[tasks]`
pub(super) fn tasks(validation: &Validation<'_>, raw: &RawTasks) -> Tasks {
    let depth = validation.number("tasks.max_chain_depth", raw.max_chain_depth, 4, 1..=8);
    Tasks {
        max_lifetime: validation.seconds(
            "tasks.max_lifetime_seconds",
            raw.max_lifetime_seconds,
            3600,
            1..=86_400,
        ),
        max_chain_depth: u8::try_from(depth).unwrap_or(4),
    }
}

/// `[policy]`
pub(super) fn policy(validation: &Validation<'_>, raw: RawPolicy) -> Policy {
    Policy {
        directory: validation.optional_file("policy.directory", raw.directory),
        remember_decisions: raw.remember_decisions.unwrap_or(true),
    }
}

/// `[audit]`
pub(super) fn audit(validation: &Validation<'_>, raw: RawAudit, data_dir: &Path) -> Audit {
    Audit {
        checkpoint_file: validation
            .optional_file("audit.checkpoint_file", raw.checkpoint_file)
            .unwrap_or_else(|| data_dir.join("audit-checkpoints.jsonl")),
    }
}

/// `[limits]`
pub(super) fn limits(validation: &Validation<'_>, raw: &RawLimits) -> Limits {
    let rate = |key: &str, value, default| {
        validation.number(&format!("limits.{key}"), value, default, 1..=1_000_000)
    };
    Limits {
        failures_per_minute: rate("failures_per_minute", raw.failures_per_minute, 60),
        unknown_tokens_per_minute: rate("unknown_tokens_per_minute", raw.unknown_tokens_per_minute, 600),
        unauthenticated_rows_per_minute: rate(
            "unauthenticated_rows_per_minute",
            raw.unauthenticated_rows_per_minute,
            60,
        ),
    }
}
