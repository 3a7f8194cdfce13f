//! `[[workload_issuer]]`: the issuers of agents' credentials and the classes of their agents.

use std::path::PathBuf;
use std::sync::Arc;

use super::keys::{key_source, reach};
use super::providers::{TOKEN_ALGORITHMS, token_algorithms};
use super::raw::Scalar;
use super::section::Section;
use super::table::table;
use crate::base::time::Lifetime;
use crate::oauth::Issuer;
use crate::registry::{AgentClass, AgentLifetime, Network, Pin, Proof, WorkloadIssuer, forms};

table! {
    /// The issuers of agents' credentials.
    pub(super) struct RawWorkloadIssuer {
        /// The issuer, compared byte for byte with `iss`.
        #[schemars(required, example = &"https://kubernetes.default.svc")]
        pub(super) issuer: Option<String>,
        /// The kind of issuer.
        preset: Preset,
        /// The only audience that the issuer's tokens may have.
        #[schemars(example = &"https://deputy.example", extend("x-default" = "Deputy's issuer"))]
        audience: Option<String>,
        /// The URL of the issuer's keys.
        #[schemars(example = &"https://workloads.example/keys", extend("x-default" = "this or `jwks_file`"))]
        jwks_uri: Option<String>,
        /// A file in which the issuer's keys are pinned.
        #[schemars(example = &"workloads.jwks.json", extend("x-default" = "this or `jwks_uri`"))]
        jwks_file: Option<String>,
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
        #[schemars(example = ["ES256"])]
        algorithms: Vec<String> = token_algorithms(),
        /// The claim that identifies the workload permanently.
        stable_id_claim: String = "sub".into(),
        /// The claim that identifies one instance and never recurs. A class with `lifetime = "task"` needs it.
        #[schemars(example = &"instance")]
        instance_id_claim: Option<String>,
        /// The greatest difference between `exp` and `iat` of the issuer's tokens.
        #[schemars(range(min = 1, max = 86_400))]
        max_token_lifetime_seconds: u32 = 3600,
        /// Whether agents of the issuer must prove a key (DPoP, RFC 9449).
        #[schemars(example = &"required")]
        proof: Proof,
        /// Whether a token of the issuer is pinned to the key that is first proven beside it, until it expires.
        #[schemars(example = &"off")]
        pin: Pin,
        #[schemars(extend("x-default" = "none: no agent of the issuer is known"))]
        class: Vec<RawClass>,
    }
}

table! {
    /// The classes of agents. The first class that matches applies.
    pub(super) struct RawClass {
        /// The name of the class in policy and audit.
        #[schemars(required, example = &"age-verification")]
        name: Option<String>,
        #[schemars(extend("x-default" = "any token of the issuer"))]
        when: Option<RawWhen>,
        /// How long an agent of the class lives.
        #[schemars(required, example = &"task")]
        lifetime: Option<AgentLifetime>,
        /// The clients that may present the agents of the class.
        #[schemars(example = ["age-agent"], extend("x-default" = "required"))]
        clients: Vec<String>,
        /// The most scopes that its agents may get.
        #[schemars(example = ["age_over_18"])]
        scopes: Vec<String>,
        /// The only targets that its agents may reach.
        #[schemars(example = ["tickets"])]
        targets: Vec<String>,
        /// The yes/no scopes that its agents may have answered. Each counts as one of `scopes`.
        #[schemars(example = ["age_over_18"])]
        answers: Vec<String>,
    }
}

table! {
    /// What the tokens of the class have in common.
    pub(super) struct RawWhen {
        /// A claim of the token.
        #[schemars(required, example = &"namespace")]
        claim: Option<String>,
        /// The value that the claim must have, its type included.
        #[schemars(required, example = &"age-agents")]
        equals: Option<Scalar>,
    }
}

/// The kinds of issuers.
#[derive(Clone, Copy, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Preset {
    /// Any issuer of JWTs.
    #[default]
    Generic,
}

/// The class of a client's own agent in policy and audit.
const OWN_AGENT_CLASS: &str = "client";

pub(super) fn workload_issuer(
    section: &Section<'_>,
    raw: RawWorkloadIssuer,
    own_issuer: Option<&Issuer>,
) -> Option<WorkloadIssuer> {
    if let Some(issuer) = &raw.issuer {
        section.accept("issuer", forms::workload_issuer(issuer));
    }
    let Preset::Generic = raw.preset;
    let audience = raw.audience.or_else(|| own_issuer.map(|issuer| issuer.as_str().to_owned()));
    let keys = key_source(section, raw.jwks_uri.as_deref(), raw.jwks_file.as_deref());
    if !section.has("jwks_uri") && !section.has("jwks_file") {
        section.refuse("jwks_uri", "is missing", "give `jwks_uri` or `jwks_file`");
    }
    let reach = reach(section, raw.network, raw.tls_ca_file, raw.proxy.as_deref());
    let algorithms = section.algorithms("algorithms", &raw.algorithms, &TOKEN_ALGORITHMS);
    let has_instances = section.has("instance_id_claim");
    let mut classes: Vec<Arc<AgentClass>> = Vec::new();
    for (position, raw) in raw.class.into_iter().enumerate() {
        let place = section.item("class", position);
        let Some(class) = class(&place, raw, has_instances) else { continue };
        if classes.iter().any(|other| other.name == class.name) {
            let what = format!("is `{}` a second time for this issuer", class.name);
            place.refuse("name", what, "choose another name");
        }
        if let Some(before) = classes.iter().find(|other| other.when.is_none()) {
            let what = format!("is never reached: class `{}` before it takes every token", before.name);
            place.refuse("", what, "move the class without `when` to the end");
        }
        classes.push(Arc::new(class));
    }
    Some(WorkloadIssuer {
        issuer: Issuer::new(raw.issuer?),
        audience: audience?,
        keys: keys?,
        reach,
        algorithms,
        stable_id_claim: raw.stable_id_claim,
        instance_id_claim: raw.instance_id_claim,
        proof: raw.proof,
        pin: raw.pin,
        max_token_lifetime: Lifetime::from_seconds(raw.max_token_lifetime_seconds),
        classes,
    })
}

fn class(section: &Section<'_>, raw: RawClass, has_instances: bool) -> Option<AgentClass> {
    if raw.name.as_deref() == Some(OWN_AGENT_CLASS) {
        let what = "is `client`, which is the class of a client's own agent";
        section.refuse("name", what, "choose another name");
    }
    let when = raw.when.and_then(|when| Some((when.claim?, when.equals?.0)));
    if raw.lifetime == Some(AgentLifetime::Task) && !has_instances {
        let what =
            "is `task`, but the issuer has no `instance_id_claim`: retiring one agent would ban all of them";
        section.refuse("lifetime", what, "name the claim of the instance, or write `principal`");
    }
    let clients = section.clients("clients", &raw.clients, "present its agents");
    let targets = section.targets("targets", &raw.targets);
    let (answers, scopes) = section.scopes(&raw.answers, &raw.scopes);
    Some(AgentClass { name: raw.name?, when, lifetime: raw.lifetime?, clients, scopes, targets, answers })
}
