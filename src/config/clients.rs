//! `[[client]]`: who may ask, how it proves who it is, and its ceiling.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::locators::{key_source, reach};
use super::names::Names;
use super::secrets::{RawSecretFile, secrets};
use super::validation::Validation;
use crate::jose::Algorithm;
use crate::oauth::ids::{AGENT_PREFIX, PAIRWISE_PREFIX};
use crate::oauth::{ClientId, GrantType, ScopeToken, TargetId};
use crate::registry::{Client, ClientAuthentication};

/// `[[client]]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawClient {
    pub(super) id: Option<String>,
    authentication: Option<String>,
    jwks_uri: Option<String>,
    jwks_file: Option<String>,
    network: Option<String>,
    tls_ca_file: Option<String>,
    proxy: Option<String>,
    algorithms: Option<Vec<String>>,
    allow_secret: bool,
    secret_file: Option<String>,
    secret_files: Vec<RawSecretFile>,
    may_act_as_agent: Option<bool>,
    grants: Option<Vec<String>>,
    scopes: Vec<String>,
    targets: Vec<String>,
    answers: Vec<String>,
}

/// Algorithms of client assertions; RS256 only for a client that names it.
const ASSERTION_ALGORITHMS: [Algorithm; 4] =
    [Algorithm::ES256, Algorithm::PS256, Algorithm::EdDSA, Algorithm::RS256];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    PrivateKeyJwt,
    Basic,
    Post,
}

/// One client.
pub(super) fn client(
    validation: &Validation<'_>,
    section: &str,
    mut raw: RawClient,
    names: &Names,
) -> Option<Client> {
    let key = |name: &str| format!("{section}.{name}");
    let id = validation.required_text(&key("id"), raw.id.take());
    if let Some(id) = &id {
        check_id(validation, &key("id"), id);
    }
    let words = [
        ("private_key_jwt", Method::PrivateKeyJwt),
        ("client_secret_basic", Method::Basic),
        ("client_secret_post", Method::Post),
    ];
    let method = validation.word(&key("authentication"), raw.authentication.as_deref(), &words);
    let grants = grants(validation, &key("grants"), raw.grants.as_deref());
    let targets = validation
        .names(&key("targets"), &raw.targets, &names.targets, "target", |id| Some(TargetId::new(id)));
    let answers =
        validation.names(&key("answers"), &raw.answers, &names.answers, "yes/no scope", ScopeToken::parse);
    let scopes = validation.scope(&key("scopes"), &raw.scopes, &names.scopes, &answers);
    let may_act_as_agent = raw.may_act_as_agent;
    let method = method?;
    let authentication = match method {
        Method::PrivateKeyJwt => with_key(validation, section, raw),
        Method::Basic => with_secret(validation, section, raw).map(ClientAuthentication::ClientSecretBasic),
        Method::Post => with_secret(validation, section, raw).map(ClientAuthentication::ClientSecretPost),
    };
    let has_key = method == Method::PrivateKeyJwt;
    if has_key && may_act_as_agent == Some(false) {
        let what = "is false, but it restricts only clients with a secret";
        validation.refuse(&key("may_act_as_agent"), what, "remove it");
    }
    Some(Client {
        id: ClientId::new(id?),
        authentication: authentication?,
        grants,
        may_act_as_agent: may_act_as_agent.unwrap_or(has_key),
        scopes,
        targets,
        answers,
    })
}

/// Unreserved characters only (RFC 3986 §2.3): libraries disagree on the encoding of others inside Basic.
fn check_id(validation: &Validation<'_>, path: &str, id: &str) {
    for prefix in ["https://", "spiffe://", "d_", AGENT_PREFIX, PAIRWISE_PREFIX] {
        if id.starts_with(prefix) {
            let what = format!("`{id}` begins with `{prefix}`, which names something else");
            validation.refuse(path, what, "choose another id");
            return;
        }
    }
    let is_unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    if id.len() > 128 || !id.bytes().all(is_unreserved) {
        let fix = "use letters, digits, `-`, `.`, `_`, `~`, 128 at most";
        validation.refuse(path, format!("`{id}` holds other characters, or is too long"), fix);
    }
}

fn grants(validation: &Validation<'_>, path: &str, grants: Option<&[String]>) -> BTreeSet<GrantType> {
    let Some(grants) = grants else { return BTreeSet::from(GrantType::DEFAULT) };
    let mut known = BTreeSet::new();
    for (position, word) in grants.iter().enumerate() {
        if let Some(grant) = GrantType::parse(word) {
            known.insert(grant);
        } else {
            let words: Vec<_> = GrantType::ALL.iter().map(|grant| format!("`{}`", grant.word())).collect();
            let fix = format!("Deputy serves {}", words.join(", "));
            validation.refuse(&format!("{path}[{position}]"), format!("names the grant `{word}`"), fix);
        }
    }
    known
}

fn with_key(validation: &Validation<'_>, section: &str, raw: RawClient) -> Option<ClientAuthentication> {
    let key = |name: &str| format!("{section}.{name}");
    for (name, is_given) in [
        ("allow_secret", raw.allow_secret),
        ("secret_file", raw.secret_file.is_some()),
        ("secret_files", !raw.secret_files.is_empty()),
    ] {
        if is_given {
            let what = "is for a client with a secret, and this one has a key";
            let fix = "remove it, or write `authentication = \"client_secret_basic\"`";
            validation.refuse(&key(name), what, fix);
        }
    }
    let keys = key_source(validation, section, raw.jwks_uri.as_deref(), raw.jwks_file.as_deref());
    if raw.jwks_uri.is_none() && raw.jwks_file.is_none() {
        let what = "is missing: `private_key_jwt` needs the client's public keys";
        validation.refuse(&key("jwks_file"), what, "give `jwks_file` or `jwks_uri`");
    }
    Some(ClientAuthentication::PrivateKeyJwt {
        reach: reach(validation, section, raw.network.as_deref(), raw.tls_ca_file, raw.proxy.as_deref()),
        algorithms: validation.algorithms(
            &key("algorithms"),
            raw.algorithms,
            &ASSERTION_ALGORITHMS,
            &ASSERTION_ALGORITHMS[..3],
        ),
        keys: keys?,
    })
}

fn with_secret(
    validation: &Validation<'_>,
    section: &str,
    raw: RawClient,
) -> Option<Vec<crate::registry::ClientSecret>> {
    let key = |name: &str| format!("{section}.{name}");
    for (name, is_given) in [
        ("jwks_uri", raw.jwks_uri.is_some()),
        ("jwks_file", raw.jwks_file.is_some()),
        ("algorithms", raw.algorithms.is_some()),
        ("network", raw.network.is_some()),
        ("tls_ca_file", raw.tls_ca_file.is_some()),
        ("proxy", raw.proxy.is_some()),
    ] {
        if is_given {
            let what = "is for a client with a key, and this one has a secret";
            validation.refuse(&key(name), what, "remove it, or write `authentication = \"private_key_jwt\"`");
        }
    }
    if !raw.allow_secret {
        let what = "asks for a shared secret, and secrets are off";
        let fix = "write `private_key_jwt`, or add `allow_secret = true`";
        validation.refuse(&key("authentication"), what, fix);
    }
    secrets(validation, section, raw.secret_file, raw.secret_files)
}
