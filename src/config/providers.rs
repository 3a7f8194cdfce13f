//! `[[identity_provider]]`: the trusted issuers of users' ID tokens, their relying parties and levels.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::access_tokens::{RawAccessToken, access_tokens, id_token_claims};
use super::keys::{key_source, reach};
use super::section::Section;
use super::table::table;
use crate::base::time::Lifetime;
use crate::jose::Algorithm;
use crate::oauth::Issuer;
use crate::registry::{
    AssuranceLevel, ClaimCondition, ClaimTest, IdentityProvider, KeySource, MFA, Network, RelyingParty, forms,
};

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
    }
}

table! {
    /// The named levels of assurance; `mfa` may be redefined.
    pub(super) struct RawAssurance {
        /// The name by which scopes refer to the level.
        #[schemars(required, example = &"phishing_resistant")]
        name: Option<String>,
        #[schemars(extend("x-default" = "required"))]
        any_of: Vec<RawCondition>,
    }
}

table! {
    /// The conditions of a level, any one of which suffices.
    pub(super) struct RawCondition {
        /// A claim of the ID token.
        #[schemars(required, example = &"acr")]
        claim: Option<String>,
        /// The claim is one of these strings. A refusal has the values as `acr_values`.
        #[schemars(example = ["phr", "phrh"], extend("x-default" = "this or `contains`"))]
        r#in: Option<Vec<String>>,
        /// The claim is an array that holds all of these strings.
        #[schemars(example = ["mfa"], extend("x-default" = "this or `in`"))]
        contains: Option<Vec<String>>,
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
        let Some(client_id) = raw.client_id else { continue };
        if parties.insert(client_id.clone(), RelyingParty { clients }).is_some() {
            let what = format!("is `{client_id}` a second time for this provider");
            party.refuse("client_id", what, "merge the two lists of `clients`");
        }
    }
    parties
}

fn assurance(section: &Section<'_>, raw: Vec<RawAssurance>) -> BTreeMap<String, AssuranceLevel> {
    let mut levels = BTreeMap::new();
    for (position, raw) in raw.into_iter().enumerate() {
        let level = section.item("assurance", position);
        let Some(name) = raw.name else { continue };
        if name == "none" {
            level.refuse("name", "is `none`, which means no level at all", "choose another name");
        }
        if raw.any_of.is_empty() {
            let fix = "write `any_of = [{ claim = \"acr\", in = [\"…\"] }]`";
            level.refuse("any_of", "is empty: nobody could meet the level", fix);
        }
        let conditions = raw.any_of.into_iter().enumerate();
        let any_of = conditions.filter_map(|(n, raw)| condition(&level.item("any_of", n), raw)).collect();
        if levels.insert(name.clone(), AssuranceLevel { name: name.clone(), any_of }).is_some() {
            let what = format!("is `{name}` a second time for this provider");
            level.refuse("name", what, "merge the two `any_of`");
        }
    }
    levels.entry(MFA.to_owned()).or_insert_with(|| AssuranceLevel {
        name: MFA.to_owned(),
        any_of: vec![ClaimCondition {
            claim: "amr".to_owned(),
            test: ClaimTest::Contains(vec![MFA.to_owned()]),
        }],
    });
    levels
}

fn condition(section: &Section<'_>, raw: RawCondition) -> Option<ClaimCondition> {
    let claim = raw.claim?;
    let test = match (raw.r#in, raw.contains) {
        (Some(values), None) => ClaimTest::In(values),
        (None, Some(values)) => ClaimTest::Contains(values),
        _ => {
            section.refuse("", "needs exactly one of `in` and `contains`", "keep one of the two");
            return None;
        }
    };
    let (ClaimTest::In(values) | ClaimTest::Contains(values)) = &test;
    if values.is_empty() {
        section.refuse("", "lists no values", "name at least one");
        return None;
    }
    // `acr_values` is one space-separated string (OIDC Core §3.1.2.1), so a value with a space could not be listed.
    if matches!(test, ClaimTest::In(_)) && values.iter().any(|value| value.is_empty() || value.contains(' '))
    {
        section.refuse("", "lists a value that is empty or holds a space", "remove it");
        return None;
    }
    Some(ClaimCondition { claim, test })
}
