//! `[[client]]`: who may ask, how it proves who it is, and its ceiling.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::json;

use super::keys::{key_source, reach};
use super::mutual_tls::{self, Accepted};
use super::secrets::{RawSecretFile, secrets};
use super::section::Section;
use super::table::table;
use crate::jose::Algorithm;
use crate::oauth::{GrantType, Scope, ScopeToken, TargetId};
use crate::registry::{
    AssertionAudience, Client, ClientAuthentication, ClientSecret, KeySource, Network, Proof, forms,
};

table! {
    /// The clients of the token, introspection and revocation endpoints.
    pub(super) struct RawClient {
        /// The client's identifier: letters, digits, `-`, `.`, `_`, `~`.
        #[schemars(required, example = &"assistant")]
        pub(super) id: Option<String>,
        /// The one method by which the client authenticates.
        authentication: Method = Method::PrivateKeyJwt,
        /// The URL of the client's public keys, for `private_key_jwt` and `self_signed_tls_client_auth`.
        #[schemars(example = &"https://assistant.example/keys", extend("x-default" = "this or `jwks_file`"))]
        jwks_uri: Option<String>,
        /// A file of the client's public keys. For `self_signed_tls_client_auth`, each has the certificate in `x5c`.
        #[schemars(example = &"clients/assistant.jwks.json", extend("x-default" = "this or `jwks_uri`"))]
        jwks_file: Option<String>,
        /// The addresses that `jwks_uri` may resolve to.
        #[schemars(example = &"private")]
        network: Network,
        /// A private CA for the TLS of `jwks_uri`, in PEM.
        #[schemars(example = &"tls/company-ca.pem", extend("x-default" = "the public roots"))]
        tls_ca_file: Option<PathBuf>,
        /// The egress proxy through which `jwks_uri` is reached.
        #[schemars(example = &"http://proxy.example:3128")]
        proxy: Option<String>,
        /// The algorithms that the client's assertions may be signed with. `RS256` may be added.
        #[schemars(example = ["RS256"])]
        algorithms: Vec<String> = ASSERTION_ALGORITHMS[..3].iter().map(|a| a.as_str().to_owned()).collect(),
        /// The `aud` that the client's assertions may have: Deputy's issuer, or also the URL of the token endpoint, which
        /// older libraries write. With `issuer_or_endpoint`, a server that gives out that URL as its own could pass the
        /// client's assertions on to Deputy.
        #[schemars(example = &"issuer_or_endpoint")]
        assertion_audience: AssertionAudience,
        /// Whether a shared secret is accepted in place of a key.
        #[schemars(example = true)]
        allow_secret: bool,
        /// The file that holds the client's secret: 160 random bits or more.
        #[schemars(example = &"secrets/reporting")]
        secret_file: Option<String>,
        secret_files: Vec<RawSecretFile>,
        /// Whether a client with a secret may be the actor itself.
        #[schemars(example = true, extend("x-default" = "`false` with a secret, else `true`"))]
        may_act_as_agent: Option<bool>,
        /// Whether the client's agents may begin tasks of their own, which no user is behind. It needs the grant
        /// `client_credentials`.
        #[schemars(example = true)]
        begins_tasks: bool,
        /// The name in the client's certificate, for `tls_client_auth`: its subject, in the string form of RFC 4514. It is
        /// compared by its structure.
        #[schemars(example = &"CN=assistant,O=Example", extend("x-default" = "exactly one of these five"))]
        pub(super) tls_client_auth_subject_dn: Option<String>,
        /// The name is this host name in its subjectAltName.
        #[schemars(example = &"assistant.example")]
        pub(super) tls_client_auth_san_dns: Option<String>,
        /// The name is this URI in its subjectAltName.
        #[schemars(example = &"https://agents.example/assistant")]
        pub(super) tls_client_auth_san_uri: Option<String>,
        /// The name is this IP address in its subjectAltName.
        #[schemars(example = &"192.0.2.7")]
        pub(super) tls_client_auth_san_ip: Option<String>,
        /// The name is this e-mail address in its subjectAltName.
        #[schemars(example = &"assistant@agents.example")]
        pub(super) tls_client_auth_san_email: Option<String>,
        /// Whether the client gets a token only in a request with a client certificate, to which the token is bound (RFC 8705
        /// §3), however the client authenticates.
        #[schemars(example = true)]
        pub(super) tls_client_certificate_bound_access_tokens: bool,
        /// Whether the client must prove a key at the token endpoint: by DPoP (RFC 9449), or by a client certificate.
        #[schemars(example = &"required")]
        proof: Proof,
        /// The grant types that the client may use; `[]` for one that only introspects. `client_credentials` gives tokens
        /// about the client's agent itself, which no user is behind.
        grants: Vec<String> = GrantType::DEFAULT.map(|grant| grant.word().to_owned()).into(),
        /// The most scopes that the client may get.
        #[schemars(example = ["tickets:search", "tickets:book"])]
        scopes: Vec<String>,
        /// The only targets that the client may reach.
        #[schemars(example = ["tickets"])]
        targets: Vec<String>,
        /// For a target, the scopes that are granted if the client names none. They replace the `default_scopes` of the
        /// target; an empty list means that the client has to name them.
        #[schemars(example = json!({"tickets": ["tickets:search"]}), extend("x-default" = "those of the target"))]
        default_scopes: BTreeMap<String, Vec<String>>,
        /// The yes/no scopes that the client's own agent may have answered. Each counts as one of `scopes`.
        #[schemars(example = ["age_over_18"])]
        answers: Vec<String>,
        /// The classes of agents that the client's own agent may bring in by handing over. The own agent of a client is
        /// written `client:ID`.
        #[schemars(example = ["age-verification"])]
        delegates_to: Vec<String>,
    }
}

impl RawClient {
    pub(super) fn is_by_authority(&self) -> bool {
        self.authentication == Method::TlsClientAuth
    }

    pub(super) fn is_by_certificate(&self) -> bool {
        self.is_by_authority() || self.authentication == Method::SelfSignedTlsClientAuth
    }
}

/// How a client authenticates (RFC 7523 §2.2, RFC 6749 §2.3.1, RFC 8705 §2).
#[derive(Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Method {
    /// A JWT signed by the client's key.
    PrivateKeyJwt,
    /// A secret in the header `Authorization`.
    ClientSecretBasic,
    /// A secret in the body.
    ClientSecretPost,
    /// A client certificate of an authority of `tls.client_ca_file`, with the registered name in it.
    TlsClientAuth,
    /// A client certificate that is among the client's keys.
    SelfSignedTlsClientAuth,
    /// The credential of its agents' platform, by a class that lists the client.
    Workload,
}

/// Algorithms of client assertions; RS256 only for a client that names it.
const ASSERTION_ALGORITHMS: [Algorithm; 4] =
    [Algorithm::ES256, Algorithm::PS256, Algorithm::EdDSA, Algorithm::RS256];

/// The grants that a client may have.
const OF_CLIENTS: [GrantType; 2] = [GrantType::TokenExchange, GrantType::ClientCredentials];

/// What concerns only a client with a key of its own.
const KEYS_OF_A_KEY: [&str; 7] =
    ["jwks_uri", "jwks_file", "algorithms", "assertion_audience", "network", "tls_ca_file", "proxy"];

/// What concerns only a client with a secret.
const KEYS_OF_A_SECRET: [&str; 3] = ["allow_secret", "secret_file", "secret_files"];

pub(super) fn client(section: &Section<'_>, mut raw: RawClient, mtls: Accepted) -> Option<Client> {
    let id = raw.id.take().and_then(|id| section.accept("id", forms::client_id(&id)));
    let grants = grants(section, &raw.grants);
    if raw.begins_tasks && !grants.contains(&GrantType::ClientCredentials) {
        let what = "is true, but `grants` lacks `client_credentials`, by which a task of its own is begun";
        section.refuse("begins_tasks", what, "add the grant, or remove this");
    }
    let targets = section.targets("targets", &raw.targets);
    let (answers, scopes) = section.scopes(&raw.answers, &raw.scopes);
    let default_scopes = default_scopes(section, &raw.default_scopes);
    let delegates_to = section.delegates(&raw.delegates_to);
    let (may_act_as_agent, begins_tasks, proof) = (raw.may_act_as_agent, raw.begins_tasks, raw.proof);
    if section.is_refused("authentication") {
        return None;
    }
    let method = raw.authentication;
    let is_certificate_bound = raw.tls_client_certificate_bound_access_tokens;
    mutual_tls::check_client(section, &raw, mtls);
    let authentication = match method {
        Method::PrivateKeyJwt => with_key(section, raw),
        Method::ClientSecretBasic => with_secret(section, raw).map(ClientAuthentication::ClientSecretBasic),
        Method::ClientSecretPost => with_secret(section, raw).map(ClientAuthentication::ClientSecretPost),
        Method::TlsClientAuth => with_certificate(section, &raw, mtls),
        Method::SelfSignedTlsClientAuth => with_own_certificate(section, raw),
        Method::Workload => Some(with_platform(section)),
    };
    let has_key = !matches!(method, Method::ClientSecretBasic | Method::ClientSecretPost);
    if has_key && may_act_as_agent == Some(false) {
        let what = "is false, but it restricts only clients with a secret";
        section.refuse("may_act_as_agent", what, "remove it");
    }
    Some(Client {
        id: id?,
        authentication: authentication?,
        grants,
        may_act_as_agent: may_act_as_agent.unwrap_or(has_key),
        begins_tasks,
        proof,
        is_certificate_bound,
        scopes,
        targets,
        default_scopes,
        answers,
        delegates_to,
    })
}

fn default_scopes(section: &Section<'_>, raw: &BTreeMap<String, Vec<String>>) -> BTreeMap<TargetId, Scope> {
    let mut defaults = BTreeMap::new();
    for (target, words) in raw {
        let place = section.at("default_scopes");
        if !place.exists(target, target, &section.known().targets, "target") {
            continue;
        }
        let words = words.iter().enumerate();
        let words: Vec<ScopeToken> =
            words.filter_map(|(n, word)| place.scope_token(&format!("{target}[{n}]"), word)).collect();
        defaults.insert(TargetId::new(target.as_str()), Scope::from_tokens(&words));
    }
    defaults
}

fn grants(section: &Section<'_>, grants: &[String]) -> BTreeSet<GrantType> {
    let mut known = BTreeSet::new();
    for (position, word) in grants.iter().enumerate() {
        match GrantType::parse(word) {
            Some(GrantType::JwtBearer) => {
                let what = format!("names the grant `{word}`, which needs no client");
                let fix = "write `agent_tokens = true` or `begins_tasks = true` in the class of its agents";
                section.refuse(&format!("grants[{position}]"), what, fix);
            }
            Some(grant) => {
                known.insert(grant);
            }
            None => {
                let words: Vec<_> = OF_CLIENTS.iter().map(|grant| format!("`{}`", grant.word())).collect();
                let fix = format!("clients may have {}", words.join(", "));
                section.refuse(&format!("grants[{position}]"), format!("names the grant `{word}`"), fix);
            }
        }
    }
    known
}

/// Refuses what is given of these keys.
fn refuse_given(section: &Section<'_>, keys: &[&str], what: &str, fix: &str) {
    for key in keys.iter().filter(|key| section.has(key)) {
        section.refuse(key, what, fix);
    }
}

/// Where the keys are of a client that has to have some.
fn own_keys(section: &Section<'_>, raw: &RawClient, missing: &str) -> Option<KeySource> {
    let what = "is for a client with a secret, and this one has a key";
    let fix = "remove it, or write `authentication = \"client_secret_basic\"`";
    refuse_given(section, &KEYS_OF_A_SECRET, what, fix);
    if !section.has("jwks_uri") && !section.has("jwks_file") {
        section.refuse("jwks_file", missing, "give `jwks_file` or `jwks_uri`");
    }
    key_source(section, raw.jwks_uri.as_deref(), raw.jwks_file.as_deref())
}

fn with_key(section: &Section<'_>, raw: RawClient) -> Option<ClientAuthentication> {
    let keys = own_keys(section, &raw, "is missing: `private_key_jwt` needs the client's public keys");
    Some(ClientAuthentication::PrivateKeyJwt {
        reach: reach(section, raw.network, raw.tls_ca_file, raw.proxy.as_deref()),
        algorithms: section.algorithms("algorithms", &raw.algorithms, &ASSERTION_ALGORITHMS),
        audience: raw.assertion_audience,
        keys: keys?,
    })
}

/// Nothing is registered for it: its classes say which credentials authenticate it.
fn with_platform(section: &Section<'_>) -> ClientAuthentication {
    let what = "is for a client with a credential of its own, and this one has that of its agents' platform";
    let fix = "remove it, or name another `authentication`";
    refuse_given(section, &KEYS_OF_A_KEY, what, fix);
    refuse_given(section, &KEYS_OF_A_SECRET, what, fix);
    ClientAuthentication::Workload
}

/// The certificate that an authority has issued for this name.
fn with_certificate(section: &Section<'_>, raw: &RawClient, mtls: Accepted) -> Option<ClientAuthentication> {
    let what = "is for a client with a key or a secret, and this one has a certificate";
    let fix = "remove it, or name another `authentication`";
    refuse_given(section, &KEYS_OF_A_KEY, what, fix);
    refuse_given(section, &KEYS_OF_A_SECRET, what, fix);
    mutual_tls::subject_name(section, raw, mtls).map(ClientAuthentication::Tls)
}

/// The certificate that is registered itself.
fn with_own_certificate(section: &Section<'_>, raw: RawClient) -> Option<ClientAuthentication> {
    let missing = "is missing: `self_signed_tls_client_auth` needs the client's certificates";
    let keys = own_keys(section, &raw, missing);
    let what = "is for a client that signs assertions, and this one has a certificate";
    refuse_given(section, &["algorithms", "assertion_audience"], what, "remove it");
    let reach = reach(section, raw.network, raw.tls_ca_file, raw.proxy.as_deref());
    Some(ClientAuthentication::SelfSignedTls { keys: keys?, reach })
}

fn with_secret(section: &Section<'_>, raw: RawClient) -> Option<Vec<ClientSecret>> {
    let what = "is for a client with a key, and this one has a secret";
    let fix = "remove it, or write `authentication = \"private_key_jwt\"`";
    refuse_given(section, &KEYS_OF_A_KEY, what, fix);
    if !raw.allow_secret {
        let what = "asks for a shared secret, and secrets are off";
        let fix = "write `private_key_jwt`, or add `allow_secret = true`";
        section.refuse("authentication", what, fix);
    }
    secrets(section, raw.secret_file, raw.secret_files)
}
