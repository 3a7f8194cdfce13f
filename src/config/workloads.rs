//! `[[workload_issuer]]`: the issuers of agents' credentials.

use std::path::PathBuf;
use std::sync::Arc;

use super::classes::{RawClass, class};
use super::keys::{key_source, reach};
use super::providers::{TOKEN_ALGORITHMS, token_algorithms};
use super::quotas::RawQuotas;
use super::raw::TextOrTexts;
use super::section::Section;
use super::spiffe;
use super::table::table;
use crate::base::time::Lifetime;
use crate::jose::Algorithm;
use crate::oauth::{Issuer, TrustDomain};
use crate::registry::{
    AgentClass, EntraIssuer, IdClaims, InstanceId, KeySource, KeysToken, Network, Pin, Preset, Proof, Reach,
    WorkloadIssuer, forms, is_any_cluster,
};

table! {
    /// The issuers of agents' credentials.
    pub(super) struct RawWorkloadIssuer {
        /// The issuer, compared byte for byte with `iss`.
        #[schemars(
            example = &"https://oidc.cluster-a.example",
            extend("x-default" = "required; with `spiffe` `trust_domain` instead")
        )]
        pub(super) issuer: Option<String>,
        /// The platform. It fills in the keys that say so, and refuses what its platform does not vouch for.
        preset: Preset = Preset::Generic,
        /// The SPIFFE trust domain, whose SVIDs are those that name it in `sub`.
        #[schemars(example = &"example.org", extend("x-default" = "required with `spiffe`"))]
        pub(super) trust_domain: Option<String>,
        /// The bundle endpoint of the trust domain (profile `https_web`), which is asked as often as `spiffe_refresh_hint` says,
        /// between a minute and an hour. `network`, `tls_ca_file` and `proxy` say how it is reached.
        #[schemars(example = &"https://spire.example.org:8443", extend("x-default" = "this or `bundle_file` with `spiffe`"))]
        pub(super) bundle_endpoint: Option<String>,
        /// A file with the bundle of the trust domain, read at the start and at a reload.
        #[schemars(example = &"spire.bundle.json", extend("x-default" = "this or `bundle_endpoint` with `spiffe`"))]
        pub(super) bundle_file: Option<String>,
        /// The only audience that the issuer's tokens may have.
        #[schemars(example = &"https://deputy.example", extend("x-default" = "Deputy's issuer"))]
        audience: Option<String>,
        /// The URL of the issuer's keys.
        #[schemars(
            example = &"https://workloads.example/keys",
            extend("x-default" = "this or `jwks_file`; where the platform has them, except with `generic` and `kubernetes`; not with `spiffe`")
        )]
        jwks_uri: Option<String>,
        /// A file in which the issuer's keys are pinned.
        #[schemars(example = &"workloads.jwks.json", extend("x-default" = "this or `jwks_uri`"))]
        jwks_file: Option<String>,
        /// A file with the bearer token that is presented to `jwks_uri`, for the key server of a cluster that answers
        /// nobody else. It is read anew at each fetch and sent to that origin alone. `network` has to be `private`, and
        /// `tls_ca_file` has to be set.
        #[schemars(example = &"/var/run/secrets/kubernetes.io/serviceaccount/token")]
        keys_token_file: Option<PathBuf>,
        /// The addresses that `jwks_uri` may resolve to.
        #[schemars(example = &"private")]
        network: Network,
        /// A private CA for the issuer's TLS, in PEM.
        #[schemars(example = &"tls/cluster-ca.pem", extend("x-default" = "the public roots"))]
        tls_ca_file: Option<PathBuf>,
        /// The egress proxy through which the issuer is reached.
        #[schemars(example = &"http://proxy.example:3128")]
        proxy: Option<String>,
        /// The algorithms that the issuer's tokens may be signed with.
        #[schemars(example = ["ES256"], extend("x-default" = "by preset; `generic`: `RS256`, `PS256`, `ES256`, `ES384`, `EdDSA`"))]
        algorithms: Option<Vec<String>>,
        /// The claim that identifies the workload permanently, or several that do so together.
        #[schemars(example = ["project_id", "pipeline"], extend("x-default" = "by preset; `generic`: `sub`"))]
        stable_id_claim: Option<TextOrTexts>,
        /// The claim that identifies one instance and never recurs, or several that do so together; or `"key"`: the key
        /// that a request proves by DPoP is the instance, so that each process that makes one is an agent. A client
        /// certificate is none. A claim of the name `key` is written `["key"]`. A class with `lifetime = "task"` or
        /// `"instance"` needs it.
        #[schemars(example = &"instance", extend("x-default" = "by preset; `generic`: none"))]
        instance_id_claim: Option<TextOrTexts>,
        /// The greatest difference between `exp` and `iat` of the issuer's tokens.
        #[schemars(range(min = 1, max = 90_000), example = &600, extend("x-default" = "`3600`; `kubernetes`: `86400`, `azure`: `90000`"))]
        max_token_lifetime_seconds: Option<u32>,
        /// Whether agents of the issuer must prove a key (DPoP, RFC 9449) or present a client certificate (RFC 8705).
        #[schemars(example = &"required", extend("x-default" = "`optional`; `required` where the key is the instance, and with `gcp` and `azure`"))]
        proof: Option<Proof>,
        /// Whether a token of the issuer is pinned to the key that is first proven beside it, until it expires.
        #[schemars(example = &"off", extend("x-default" = "`first-key`; `off` where the key is the instance, and with `gcp` and `azure`"))]
        pin: Option<Pin>,
        #[schemars(extend("x-default" = "none: no agent of the issuer is known"))]
        pub(super) class: Vec<RawClass>,
        #[schemars(extend("x-default" = "`agents.quotas`"))]
        quotas: Option<RawQuotas>,
    }
}

impl RawWorkloadIssuer {
    /// The name by which no other workload issuer goes: the issuer, or the trust domain as one.
    pub(super) fn name(&self) -> Option<String> {
        let domain =
            || TrustDomain::parse(self.trust_domain.as_ref()?).map(|domain| domain.issuer().to_string());
        self.issuer.clone().or_else(domain)
    }
}

/// What `instance_id_claim` says where the instance is the key that a request proves.
const KEY: &str = "key";
/// As many claims may be one identifier.
const MOST_CLAIMS: usize = 8;
/// The issuer of the tokens that clusters wrote into secrets of old, which never expire.
const LEGACY_ISSUER: &str = "kubernetes/serviceaccount";

pub(super) fn workload_issuer(
    section: &Section<'_>,
    raw: RawWorkloadIssuer,
    own_issuer: Option<&Issuer>,
    default_quotas: RawQuotas,
) -> Option<WorkloadIssuer> {
    let preset = raw.preset;
    spiffe::check_keys(section, preset);
    let issuer = match preset {
        Preset::Spiffe => spiffe::issuer(section, &raw),
        _ => named_issuer(section, preset, raw.issuer.as_deref()),
    };
    let audience = raw.audience.clone().or_else(|| own_issuer.map(|issuer| issuer.as_str().to_owned()));
    check_audience(section, preset, raw.issuer.as_deref(), audience.as_deref());
    let keys = keys(section, &raw);
    check_shared_name(section, raw.issuer.as_deref(), keys.as_ref());
    let reach = reach(section, raw.network, raw.tls_ca_file, raw.proxy.as_deref());
    let reach = with_token(section, reach, raw.keys_token_file, keys.as_ref());
    let names = raw.algorithms.unwrap_or_else(|| algorithms(preset));
    let algorithms = section.algorithms("algorithms", &names, allowed_algorithms(preset));
    let stable_id = id(section, preset, "stable_id_claim", raw.stable_id_claim);
    let instance_id = instance_id(section, preset, raw.instance_id_claim);
    let (proof, pin) = possession(section, preset, instance_id.as_ref(), (raw.proof, raw.pin));
    let mut classes: Vec<Arc<AgentClass>> = Vec::new();
    for (position, raw) in raw.class.into_iter().enumerate() {
        let place = section.item("class", position);
        let Some(class) = class(&place, raw, preset, instance_id.is_some()) else { continue };
        if let (Preset::Spiffe, Some(domain)) = (preset, &issuer) {
            spiffe::check_class(&place, domain, class.when.as_ref());
        }
        if let Some(before) = classes.iter().find(|other| other.when.is_none() && other.events.is_none()) {
            let what = format!("is never reached: class `{}` before it takes every token", before.name);
            place.refuse("", what, "move the class without `when` to the end");
        }
        classes.push(Arc::new(class));
    }
    let lifetime = raw.max_token_lifetime_seconds.map(Lifetime::from_seconds);
    Some(WorkloadIssuer {
        issuer: issuer?,
        preset,
        audience: audience?,
        keys: keys?,
        reach,
        algorithms,
        stable_id: stable_id.unwrap_or_else(|| preset.stable_id()),
        instance_id,
        proof,
        pin,
        quotas: raw.quotas.unwrap_or(default_quotas).into(),
        max_token_lifetime: lifetime.unwrap_or_else(|| preset.max_token_lifetime()),
        classes,
    })
}

fn named_issuer(section: &Section<'_>, preset: Preset, issuer: Option<&str>) -> Option<Issuer> {
    match issuer {
        Some(LEGACY_ISSUER) => {
            let what = "is that of legacy service account tokens, which never expire";
            section.refuse(
                "issuer",
                what,
                "use projected service account tokens and the issuer of the cluster",
            );
        }
        Some(issuer) => {
            _ = section.accept("issuer", forms::workload_issuer(issuer));
            check_platform(section, preset, issuer);
        }
        None if !section.has("issuer") => {
            let fix = "write for example `issuer = \"https://oidc.cluster-a.example\"`";
            section.refuse("issuer", "is missing", fix);
        }
        None => {}
    }
    issuer.map(Issuer::new)
}

/// An issuer that signs people in as well needs a preset that refuses them, and one of Entra names its tenant.
fn check_platform(section: &Section<'_>, preset: Preset, issuer: &str) {
    if let Some(needed) = Preset::of_sign_in(issuer).filter(|_| !preset.proves_a_workload()) {
        let what = format!(
            "is one that signs people in too, and the preset `{}` cannot tell a workload from a person",
            preset.word()
        );
        section.refuse("issuer", what, format!("write `preset = \"{}\"`", needed.word()));
    }
    if preset == Preset::Azure && EntraIssuer::parse(issuer).is_none() {
        let fix = "write the `iss` of the tokens of one tenant: `https://login.microsoftonline.com/TENANT/v2.0`, or for \
                   tokens of version 1.0 `https://sts.windows.net/TENANT/`, where TENANT is its identifier in lower case";
        section.refuse("issuer", "names no tenant", fix);
    }
}

/// What may be written in `algorithms`. SVIDs have no others than their preset says (JWT-SVID §2.1).
fn allowed_algorithms(preset: Preset) -> &'static [Algorithm] {
    match preset {
        Preset::Spiffe => preset.algorithms().unwrap_or(&TOKEN_ALGORITHMS),
        _ => &TOKEN_ALGORITHMS,
    }
}

fn algorithms(preset: Preset) -> Vec<String> {
    let names = |algorithms: &[Algorithm]| algorithms.iter().map(|a| a.as_str().to_owned()).collect();
    preset.algorithms().map_or_else(token_algorithms, names)
}

/// A token for the API server of a cluster is a credential there: anyone who can read what reaches Deputy could use it.
fn check_audience(section: &Section<'_>, preset: Preset, issuer: Option<&str>, audience: Option<&str>) {
    let Some(audience) = audience else { return };
    let is_api_server =
        is_any_cluster(audience) || (preset == Preset::Kubernetes && issuer == Some(audience));
    if is_api_server {
        let what = format!("is `{audience}`, the audience of the cluster's own API server");
        let fix = "use an audience of Deputy's own, and request tokens for it in the pods";
        section.refuse("audience", what, fix);
    }
}

fn keys(section: &Section<'_>, raw: &RawWorkloadIssuer) -> Option<KeySource> {
    if raw.preset == Preset::Spiffe {
        return spiffe::bundle(section, raw);
    }
    let has_keys = section.has("jwks_uri") || section.has("jwks_file");
    let known = raw.issuer.as_deref().and_then(|issuer| raw.preset.jwks_uri(issuer));
    if !has_keys && known.is_none() {
        section.refuse("jwks_uri", "is missing", "give `jwks_uri` or `jwks_file`");
    }
    let uri = raw.jwks_uri.as_deref().or_else(|| known.as_deref().filter(|_| !has_keys));
    key_source(section, uri, raw.jwks_file.as_deref())
}

/// The API server of every default cluster has the same name, so that fetched keys could be those of another cluster.
fn check_shared_name(section: &Section<'_>, issuer: Option<&str>, keys: Option<&KeySource>) {
    if issuer.is_some_and(is_any_cluster) && matches!(keys, Some(KeySource::Uri(_))) {
        let what = "is the issuer of every cluster that was not given another";
        let fix = "pin the keys of this cluster with `jwks_file`, or give the cluster an issuer of its own";
        section.refuse("issuer", what, fix);
    }
}

/// The one fetch that carries a credential goes to a server inside the cluster, whose certificate a CA of the cluster
/// has signed.
fn with_token(section: &Section<'_>, reach: Reach, file: Option<PathBuf>, keys: Option<&KeySource>) -> Reach {
    let Some(file) = file else { return reach };
    let url = match keys {
        Some(KeySource::Uri(url)) if url.scheme() == "https" => url,
        // Refused already.
        Some(KeySource::BundleEndpoint(_) | KeySource::BundleFile(_)) => return reach,
        Some(_) => {
            let what = "is set, but no keys are fetched over `https://`";
            section.refuse("keys_token_file", what, "remove it, or give `jwks_uri`");
            return reach;
        }
        None => return reach,
    };
    let is_in_cluster = match url.host() {
        Some(url::Host::Domain(name)) => name.ends_with(".svc") || name.contains(".svc."),
        Some(url::Host::Ipv4(address)) => address.is_private() || address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_unique_local() || address.is_loopback(),
        None => false,
    };
    let missing = match () {
        () if !is_in_cluster => Some("the host of `jwks_uri` is not a service of the cluster (`….svc`)"),
        () if reach.network != Network::Private => Some("`network` is not `private`"),
        () if reach.tls_ca_file.is_none() => Some("there is no `tls_ca_file`"),
        () if reach.proxy.is_some() => Some("`proxy` is set"),
        () => None,
    };
    if let Some(missing) = missing {
        let fix = "a token is sent only within a cluster, to a server that the cluster's own CA vouches for";
        section.refuse("keys_token_file", format!("is set, but {missing}"), fix);
    }
    Reach { token: Some(KeysToken { file: section.file(file), origin: url.origin() }), ..reach }
}

fn instance_id(section: &Section<'_>, preset: Preset, raw: Option<TextOrTexts>) -> Option<InstanceId> {
    match raw {
        None => preset.instance_id(),
        Some(TextOrTexts::Text(word)) if word == KEY => Some(InstanceId::Key),
        named => id(section, preset, "instance_id_claim", named).map(InstanceId::Claims),
    }
}

/// What is demanded of the holder of a credential. Where a key is what names an agent, it has to be proven, and one
/// credential is handed to several processes, each with a key of its own.
fn possession(
    section: &Section<'_>,
    preset: Preset,
    instance: Option<&InstanceId>,
    (proof, pin): (Option<Proof>, Option<Pin>),
) -> (Proof, Pin) {
    let is_key = instance == Some(&InstanceId::Key);
    if is_key && proof == Some(Proof::Optional) {
        let what = "is `optional`, but the key that a request proves is what names its agent";
        section.refuse("proof", what, "remove it, or name the claim of the instance in `instance_id_claim`");
    }
    let (default_proof, default_pin) = match is_key || preset.shares_credentials() {
        true => (Proof::Required, Pin::Off),
        false => (Proof::Optional, Pin::FirstKey),
    };
    (proof.unwrap_or(default_proof), pin.unwrap_or(default_pin))
}

/// The claims of an identifier that the operator names.
fn id(section: &Section<'_>, preset: Preset, key: &str, claims: Option<TextOrTexts>) -> Option<IdClaims> {
    let claims = claims?.into_texts();
    if claims.is_empty() || claims.len() > MOST_CLAIMS || claims.iter().any(|claim| claim.trim().is_empty()) {
        let what = format!("names no claim, an empty one, or more than {MOST_CLAIMS}");
        section.refuse(key, what, "name the claims that identify a workload");
    }
    for claim in &claims {
        if preset.is_chosen_by_caller(claim)
            || (!preset.vouchers(claim).is_empty() && !preset.is_recycled(claim))
        {
            let what = format!("names `{claim}`, whose value the caller chooses");
            section.refuse(key, what, "name claims whose value the issuer decides");
        }
        if preset.is_recycled(claim) {
            let what = format!("names `{claim}`, a name that another workload can get later");
            let never = preset.stable_id();
            let such = never.names().next().unwrap_or("sub");
            section.refuse(key, what, format!("name identifiers that never recur, such as `{such}`"));
        }
    }
    Some(IdClaims::of(claims))
}
