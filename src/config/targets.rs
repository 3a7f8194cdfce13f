//! `[[target]]`: resource servers and agents that tokens are for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::section::Section;
use super::server::MAX_TOKEN_LIFETIME;
use super::table::table;
use crate::base::time::Lifetime;
use crate::oauth::{ClientId, Scope, ScopeToken};
use crate::registry::{
    AnswerRule, MFA, ScopeRule, SubjectForm, Subjects, Target, TargetProof, TokenFormat, Zone, forms,
};

table! {
    /// The resource servers and agents that tokens are for.
    pub(super) struct RawTarget {
        /// The name that clients use: an absolute URI (`resource`, in any of its spellings) or another name (`audience`).
        /// It becomes `aud` as it is written here.
        #[schemars(required, example = &"https://tickets.example")]
        pub(super) identifier: Option<String>,
        /// The scopes that the target defines, including those that it carries onward.
        #[schemars(example = json!({"tickets:book": {"max_age_seconds": 900}}))]
        pub(super) scopes: BTreeMap<String, RawScopeRule>,
        /// The yes/no scopes that are answered in the target's tokens. Each counts as one of `scopes`.
        #[schemars(example = json!({"age_over_18": {"zone": "UTC+01:00"}}))]
        pub(super) answers: BTreeMap<String, RawAnswerRule>,
        /// The scopes that are granted if a request names none: those of them that the client, the class of the agent and
        /// the subject token have. A task token always needs `scope`.
        #[schemars(example = ["tickets:search"], extend("x-default" = "none: `scope` is required"))]
        default_scopes: Vec<String>,
        /// The client that may introspect the target's tokens.
        #[schemars(example = &"tickets-api")]
        resource_server: Option<String>,
        /// The client that may exchange the target's tokens onward.
        #[schemars(example = &"age-agent")]
        exchange_client: Option<String>,
        /// The targets that it may exchange onward to.
        #[schemars(example = ["tickets"])]
        onward: Vec<String>,
        /// Whether the target's tokens are bound to the key that their agent proved (DPoP, RFC 9449).
        #[schemars(example = &"required")]
        proof: TargetProof,
        /// The form of the target's access tokens.
        #[schemars(example = &"opaque")]
        token_format: TokenFormat,
        /// The lifetime of the target's tokens.
        #[schemars(
            range(min = 1, max = MAX_TOKEN_LIFETIME), example = 120,
            extend("x-default" = "`tokens.lifetime_seconds`")
        )]
        lifetime_seconds: Option<u32>,
        /// How `sub` is written for the target.
        #[schemars(example = &"pairwise", extend("x-default" = "`tokens.subject`"))]
        subject: Option<SubjectForm>,
        /// Targets that name one sector see the same pairwise `sub`.
        #[schemars(
            example = &"https://tickets.example",
            extend("x-default" = "the origin of a URI, else the identifier")
        )]
        sector: Option<String>,
        /// The claims about the login that the target gets although its `sub` is pairwise; `acr` is the only one.
        #[schemars(example = ["acr"])]
        claims: Vec<String>,
    }
}

table! {
    /// What a scope demands of the login.
    pub(super) struct RawScopeRule {
        /// Whose tokens may have the scope: `user` for those that a user is behind, `agent` for those of agents that act for
        /// themselves. With `agent` among them, `assurance` and `max_age_seconds` cannot be set.
        #[schemars(example = ["user", "agent"])]
        subjects: Vec<RawSubject> = vec![RawSubject::User],
        /// The level that the login must have met; `none` demands nothing.
        #[schemars(example = &"phishing_resistant", extend("x-default" = "`mfa`"))]
        assurance: Option<String>,
        /// The greatest age of `auth_time`.
        #[schemars(range(min = 1, max = 604_800), example = 900)]
        max_age_seconds: Option<u32>,
        /// Whether a purpose must have been given when the task began.
        #[schemars(example = true)]
        sensitive: bool,
    }
}

/// Who is behind a token.
#[derive(Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawSubject {
    /// A user, who signed in.
    User,
    /// An agent that acts for itself.
    Agent,
}

table! {
    /// How a yes/no scope is answered.
    pub(super) struct RawAnswerRule {
        /// The time zone of "today": `UTC`, `UTC±HH[:MM]` or an IANA name.
        #[schemars(example = &"Europe/Berlin")]
        zone: String = "UTC-12".into(),
        /// Whether a false answer is refused like an unknown one.
        #[schemars(example = true)]
        only_true: bool,
    }
}

/// The claims about the login that a pairwise target may list.
const LISTABLE_CLAIMS: [&str; 1] = ["acr"];

pub(super) fn target(section: &Section<'_>, raw: RawTarget) -> Option<Target> {
    let named = raw.identifier.and_then(|id| section.accept("identifier", forms::target_id(&id)));
    let answers = answers(section, raw.answers);
    let mut scopes = scopes(section, raw.scopes);
    for scope in answers.keys() {
        let rule = scopes.entry(scope.clone()).or_insert_with(ScopeRule::plain);
        if rule.subjects.agent {
            let what = format!("lets agents have `{scope}`, which is an answer about a user");
            section.refuse(&format!("scopes.{scope}.subjects"), what, "write `[\"user\"]`");
        }
    }
    let client = |key: &str, id: Option<String>| {
        let id = id?;
        section.exists(key, &id, &section.known().clients, "client").then(|| ClientId::new(id))
    };
    let onward = section.targets("onward", &raw.onward);
    if let Some((identifier, _)) = named.as_ref().filter(|(identifier, _)| onward.contains(identifier)) {
        let what = format!("lists `{identifier}` itself");
        section.refuse("onward", what, "remove it: a token is already good there");
    }
    let mut claims = BTreeSet::new();
    for (position, claim) in raw.claims.into_iter().enumerate() {
        if LISTABLE_CLAIMS.contains(&claim.as_str()) {
            claims.insert(claim);
        } else {
            let what = format!("lists `{claim}`, which is never given to a pairwise target");
            section.refuse(&format!("claims[{position}]"), what, "only `acr` can be listed");
        }
    }
    let defaults = raw.default_scopes.iter().enumerate();
    let defaults: Vec<ScopeToken> =
        defaults.filter_map(|(n, word)| section.scope_token(&format!("default_scopes[{n}]"), word)).collect();
    let resource_server = client("resource_server", raw.resource_server);
    let exchange_client = client("exchange_client", raw.exchange_client);
    if raw.token_format == TokenFormat::Opaque && resource_server.is_none() && exchange_client.is_none() {
        let fix = "name the client that introspects them as `resource_server`, or write `jwt`";
        section.refuse("token_format", "is `opaque`, but nobody could use such a token", fix);
    }
    let (identifier, resource) = named?;
    Some(Target {
        resource,
        default_scopes: (!defaults.is_empty()).then(|| Scope::from_tokens(&defaults)),
        scopes,
        answers,
        resource_server,
        exchange_client,
        onward,
        proof: raw.proof,
        token_format: raw.token_format,
        lifetime: raw.lifetime_seconds.map(Lifetime::from_seconds),
        subject: raw.subject,
        sector: raw.sector.unwrap_or_else(|| Target::default_sector(identifier.as_str())),
        claims,
        identifier,
    })
}

fn scopes(section: &Section<'_>, raw: BTreeMap<String, RawScopeRule>) -> BTreeMap<ScopeToken, ScopeRule> {
    let rules = raw.into_iter().filter_map(|(name, raw)| {
        let place = section.at("scopes");
        let rule = scope_rule(&place.at(&name), raw);
        Some((place.scope_token(&name, &name)?, rule))
    });
    rules.collect()
}

fn scope_rule(section: &Section<'_>, raw: RawScopeRule) -> ScopeRule {
    let subjects = Subjects {
        user: raw.subjects.contains(&RawSubject::User),
        agent: raw.subjects.contains(&RawSubject::Agent),
    };
    if raw.subjects.is_empty() {
        section.refuse("subjects", "is empty: nobody could have the scope", "write `[\"user\"]`");
    }
    // Nobody signed in for the token of an agent that acts for itself, so that the demand would be met by nothing.
    for (key, is_given) in
        [("assurance", raw.assurance.is_some()), ("max_age_seconds", raw.max_age_seconds.is_some())]
    {
        if is_given && subjects.agent {
            let what =
                "demands something of a login, and `subjects` lets agents in that nobody signed in for";
            section.refuse(key, what, "remove it, or define a second scope for agents");
        }
    }
    let assurance = raw.assurance.unwrap_or_else(|| MFA.to_owned());
    ScopeRule {
        assurance: (subjects.user && assurance != "none").then_some(assurance),
        max_age: raw.max_age_seconds.map(Lifetime::from_seconds),
        sensitive: raw.sensitive,
        subjects,
    }
}

fn answers(section: &Section<'_>, raw: BTreeMap<String, RawAnswerRule>) -> BTreeMap<ScopeToken, AnswerRule> {
    let mut answers = BTreeMap::new();
    for (name, raw) in raw {
        let place = section.at("answers").at(&name);
        if !place.exists("", &name, &section.known().predicates, "predicate") {
            continue;
        }
        let Some(zone) = Zone::parse(&raw.zone) else {
            let fix = "write `UTC`, `UTC±HH`, `UTC±HH:MM` (-12:00 to +14:00) or an IANA name such as `Europe/Berlin`";
            place.refuse("zone", format!("`{}` is no time zone", raw.zone), fix);
            continue;
        };
        if let Some(token) = ScopeToken::parse(&name) {
            answers.insert(token, AnswerRule { zone, only_true: raw.only_true });
        }
    }
    answers
}
