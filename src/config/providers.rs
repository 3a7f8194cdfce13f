//! `[[identity_provider]]`: the trusted issuers of users' ID tokens, their relying parties and levels.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::access_tokens::{RawAccessToken, access_tokens, id_token_claims};
use super::assurance::{RawAssurance, assurance};
use super::keys::{key_source, reach};
use super::raw::TextOrTexts;
use super::section::Section;
use super::table::table;
use crate::base::time::Lifetime;
use crate::jose::Algorithm;
use crate::oauth::Issuer;
use crate::registry::{AuthTime, IdentityProvider, KeySource, Network, OtherAudiences, RelyingParty, forms};

table! {
    /// The trusted OpenID providers of users.
    pub(super) struct RawProvider {
        /// The provider's issuer, compared byte for byte with `iss`.
        #[schemars(required, example = &"https://login.example")]
        pub(super) issuer: Option<String>,
        /// The algorithms that the provider's ID tokens may be signed with.
        #[schemars(example = ["ES256"])]
        algorithms: Vec<String> = token_algorithms(),
        /// The addresses that the provider's URLs may resolve to.
        #[schemars(example = &"private")]
        network: Network,
        /// A private CA for the provider's TLS, in PEM.
        #[schemars(example = &"tls/company-ca.pem", extend("x-default" = "the public roots"))]
        tls_ca_file: Option<PathBuf>,
        /// The egress proxy through which the provider is reached.
        #[schemars(example = &"http://proxy.example:3128")]
        proxy: Option<String>,
        /// The URL of the provider's keys, where discovery is not wanted.
        #[schemars(example = &"https://login.example/keys", extend("x-default" = "by discovery"))]
        jwks_uri: Option<String>,
        /// A file in which the provider's keys are pinned (RFC 7517 §5).
        #[schemars(example = &"providers/login.jwks.json", extend("x-default" = "by discovery"))]
        jwks_file: Option<String>,
        /// The greatest age by `iat` of an ID token that begins a task, or joins one that it has not fed. The live task
        /// that it fed it joins until its own `exp`.
        #[schemars(range(min = 1, max = 86_400))]
        max_id_token_age_seconds: u32 = 600,
        /// The longest life of anything that comes of one `auth_time`.
        #[schemars(range(min = 1, max = 604_800))]
        max_session_seconds: u32 = 28_800,
        /// Whether an ID token has to say when the user signed in (`auth_time`), which a provider does that is asked with
        /// `max_age`. With `optional`, the session of a token without it counts from `iat`, a scope with `max_age_seconds`
        /// is refused, and after the user was stopped such a token begins nothing until `deputy lift user`.
        #[schemars(example = &"optional")]
        auth_time: AuthTime,
        /// Whether only an ID token with a `nonce` begins a task. A renewed one without it still joins its task.
        #[schemars(example = true)]
        require_nonce: bool,
        /// The claim that identifies the user permanently.
        #[schemars(example = &"oid")]
        subject_claim: String = "sub".into(),
        /// The claims of the ID token that policy may see; never one that a predicate is about.
        #[schemars(example = ["groups"])]
        policy_claims: Vec<String>,
        /// Whether two `amr` values of different kinds (know, have, are) count as `mfa`.
        #[schemars(example = true)]
        infer_mfa_from_amr: bool,
        /// How long known keys stay in use while the provider is down.
        #[schemars(range(min = 0, max = 604_800))]
        keys_stale_seconds: u32 = 86_400,
        #[schemars(extend("x-default" = "none: no ID token of the provider is accepted"))]
        relying_party: Vec<RawRelyingParty>,
        #[schemars(extend("x-default" = "none: no access token of the provider is accepted"))]
        access_token: Vec<RawAccessToken>,
        /// The marks of an access token that the provider's ID tokens have as well: `scope`, `scp`, `client_id`, `cid`,
        /// `appid`. A token with one of them is an ID token if it also has `nonce`, `at_hash` or `c_hash`.
        #[schemars(example = ["client_id"])]
        id_token_claims: Vec<String>,
        #[schemars(extend("x-default" = "`mfa`, which is `mfa` in `amr`"))]
        assurance: Vec<RawAssurance>,
    }
}

table! {
    /// The relying parties whose ID tokens are accepted, and from which clients.
    pub(super) struct RawRelyingParty {
        /// The relying party's client identifier at the provider, as in `aud`.
        #[schemars(required, example = &"travel-app")]
        client_id: Option<String>,
        /// The Deputy clients that may present ID tokens of the relying party.
        #[schemars(example = ["assistant"], extend("x-default" = "required"))]
        clients: Vec<String>,
        /// The applications that may be in `azp` besides the relying party, because they obtain ID tokens for it.
        #[schemars(example = ["travel-app-android"])]
        authorized_parties: Vec<String>,
        /// The audiences that may stand in `aud` beside the relying party and other relying parties of the provider, or
        /// `"any"`. The relying party itself has to be in `aud` all the same.
        #[schemars(example = ["235982"], extend("x-default" = "`[]`"))]
        other_audiences: Option<TextOrTexts>,
    }
}

/// The algorithms of ID tokens and of workloads' tokens.
pub(super) const TOKEN_ALGORITHMS: [Algorithm; 5] =
    [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA];

pub(super) fn token_algorithms() -> Vec<String> {
    TOKEN_ALGORITHMS.map(|algorithm| algorithm.as_str().to_owned()).into()
}

pub(super) fn provider(
    section: &Section<'_>,
    raw: RawProvider,
    own_issuer: Option<&Issuer>,
) -> Option<IdentityProvider> {
    if let Some(issuer) = &raw.issuer {
        section.accept("issuer", forms::foreign_issuer(issuer));
    }
    let algorithms = section.algorithms("algorithms", &raw.algorithms, &TOKEN_ALGORITHMS);
    let reach = reach(section, raw.network, raw.tls_ca_file, raw.proxy.as_deref());
    let keys = key_source(section, raw.jwks_uri.as_deref(), raw.jwks_file.as_deref())
        .unwrap_or(KeySource::Discovery);
    for (position, claim) in raw.policy_claims.iter().enumerate() {
        if section.known().predicate_claims.contains(claim) {
            let what =
                format!("lists `{claim}`, which a predicate is about and which policies therefore never see");
            section.refuse(&format!("policy_claims[{position}]"), what, "remove it");
        }
    }
    let assurance = assurance(section, raw.assurance);
    Some(IdentityProvider {
        algorithms,
        reach,
        keys,
        max_id_token_age: Lifetime::from_seconds(raw.max_id_token_age_seconds),
        max_session: Lifetime::from_seconds(raw.max_session_seconds),
        auth_time: raw.auth_time,
        requires_nonce: raw.require_nonce,
        subject_claim: raw.subject_claim,
        policy_claims: raw.policy_claims,
        infer_mfa_from_amr: raw.infer_mfa_from_amr,
        keys_stale: Lifetime::from_seconds(raw.keys_stale_seconds),
        relying_parties: relying_parties(section, raw.relying_party),
        access_tokens: access_tokens(section, raw.access_token, &assurance, own_issuer),
        id_token_claims: id_token_claims(section, &raw.id_token_claims),
        assurance,
        issuer: Issuer::new(raw.issuer?),
    })
}

fn relying_parties(section: &Section<'_>, raw: Vec<RawRelyingParty>) -> BTreeMap<String, RelyingParty> {
    let mut parties = BTreeMap::new();
    for (position, raw) in raw.into_iter().enumerate() {
        let party = section.item("relying_party", position);
        let clients = party.clients("clients", &raw.clients, "present its ID tokens");
        let other_audiences = other_audiences(&party, raw.other_audiences);
        let Some(client_id) = raw.client_id else { continue };
        let registered = RelyingParty {
            clients,
            authorized_parties: raw.authorized_parties.into_iter().collect(),
            other_audiences,
        };
        if parties.insert(client_id.clone(), registered).is_some() {
            let what = format!("is `{client_id}` a second time for this provider");
            party.refuse("client_id", what, "merge the two lists of `clients`");
        }
    }
    parties
}

fn other_audiences(section: &Section<'_>, raw: Option<TextOrTexts>) -> OtherAudiences {
    match raw {
        None => OtherAudiences::Listed(BTreeSet::new()),
        Some(TextOrTexts::Text(word)) if word == "any" => OtherAudiences::Any,
        Some(TextOrTexts::Text(word)) => {
            let what = format!("is `{word}`, and the only word that it may be is `any`");
            section.refuse(
                "other_audiences",
                what,
                format!("write `[\"{word}\"]` for that audience, or `\"any\"`"),
            );
            OtherAudiences::Listed(BTreeSet::new())
        }
        Some(TextOrTexts::Texts(listed)) => OtherAudiences::Listed(listed.into_iter().collect()),
    }
}
