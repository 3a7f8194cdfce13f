//! `[[workload_issuer.class]]`: what the agents of an issuer may be.

use std::collections::BTreeSet;

use super::conditions::{self, RawWhen};
use super::quotas::RawQuotas;
use super::section::Section;
use super::table::table;
use crate::base::time::Lifetime;
use crate::registry::{
    AgentClass, AgentLifetime, BuildClaims, ClaimCheck, ClaimMatch, Delegate, Preset, When,
};

table! {
    /// The classes of agents. The first class that matches applies.
    pub(super) struct RawClass {
        /// The name of the class in policy and audit. No other class of any issuer may have it.
        #[schemars(required, example = &"age-verification")]
        pub(super) name: Option<String>,
        #[schemars(extend("x-default" = "any token of the issuer; required with `github`, `gitlab`, `gcp`, `azure` and `spiffe`"))]
        when: Option<RawWhen>,
        /// The events by which the workflows of the class may be started: `event_name` with `github`, `pipeline_source`
        /// with `gitlab`.
        #[schemars(example = ["push", "workflow_dispatch"], extend("x-default" = "any but those of pull requests and merge requests"))]
        events: Option<Vec<String>>,
        /// How long an agent of the class lives.
        #[schemars(required, example = &"task")]
        lifetime: Option<AgentLifetime>,
        /// How long an agent of `lifetime = "instance"` may be idle before it is retired. Its last exchange counts to
        /// within 15 seconds.
        #[schemars(range(min = 60, max = 31_536_000), example = &900, extend("x-default" = "`3600` with `instance`"))]
        idle_seconds: Option<u32>,
        /// How long an agent of the class lives at most. It is retired then, and does not come back.
        #[schemars(range(min = 60, max = 315_360_000), example = &86_400)]
        ttl_seconds: Option<u32>,
        /// The claim with the name of the software that an agent runs. It is recorded and decides nothing.
        #[schemars(example = &"app.name")]
        software: Option<String>,
        /// The claim with the version of the software.
        #[schemars(example = &"app.version")]
        version: Option<String>,
        /// The claim with the image that an agent runs.
        #[schemars(example = &"app.image")]
        image: Option<String>,
        /// The clients that may present the agents of the class. It may be empty with `agent_tokens`.
        #[schemars(example = ["age-agent"], extend("x-default" = "required"))]
        clients: Vec<String>,
        /// Whether an agent of the class gets tokens about itself, which no user is behind, by the credential of its
        /// platform alone (the jwt-bearer grant, RFC 7523).
        #[schemars(example = true)]
        agent_tokens: bool,
        /// Whether an agent of the class may begin tasks of its own, which no user is behind. They are tasks of the client
        /// with `authentication = "workload"` under `clients`, of which there must be one.
        #[schemars(example = true)]
        begins_tasks: bool,
        /// The most scopes that its agents may get.
        #[schemars(example = ["age_over_18"])]
        scopes: Vec<String>,
        /// The only targets that its agents may reach.
        #[schemars(example = ["tickets"])]
        targets: Vec<String>,
        /// The yes/no scopes that its agents may have answered. Each counts as one of `scopes`.
        #[schemars(example = ["age_over_18"])]
        answers: Vec<String>,
        /// The classes of agents that its agents may bring in by handing over. The own agent of a client is written
        /// `client:ID`.
        #[schemars(example = ["age-verification"])]
        delegates_to: Vec<String>,
        #[schemars(extend("x-default" = "those of the issuer alone"))]
        quotas: RawQuotas,
    }
}

/// The class of a client's own agent in policy and audit.
const OWN_AGENT_CLASS: &str = "client";
/// How long an instance may be idle where its class does not say it.
const IDLE_SECONDS: u32 = 3600;

pub(super) fn class(
    section: &Section<'_>,
    raw: RawClass,
    preset: Preset,
    has_instances: bool,
) -> Option<AgentClass> {
    if raw.name.as_deref() == Some(OWN_AGENT_CLASS) {
        let what = "is `client`, which is the class of a client's own agent";
        section.refuse("name", what, "choose another name");
    }
    if raw.name.as_deref().is_some_and(Delegate::is_ambiguous) {
        let what = "begins with `client:`, by which `delegates_to` names the own agent of a client";
        section.refuse("name", what, "choose another name");
    }
    let when = raw.when.map(|when| conditions::when(&section.at("when"), when));
    check_condition(section, preset, when.as_ref());
    let events = raw.events.map(|events| checked_events(section, preset, events));
    let is_instance = raw.lifetime.is_some_and(AgentLifetime::is_of_an_instance);
    if is_instance && !has_instances {
        let word = raw.lifetime.map_or("task", AgentLifetime::word);
        let what = format!(
            "is `{word}`, but the issuer has no `instance_id_claim`: retiring one agent would ban all of them"
        );
        section.refuse("lifetime", what, "name the claim of the instance, or write `principal`");
    }
    let idle = match (raw.lifetime, raw.idle_seconds) {
        (Some(AgentLifetime::Instance), seconds) => Some(seconds.unwrap_or(IDLE_SECONDS)),
        (Some(AgentLifetime::Task | AgentLifetime::Principal), Some(_)) => {
            let what = "is for a class with `lifetime = \"instance\"`";
            let fix = "remove it: an agent that was idle for too long would never come back";
            section.refuse("idle_seconds", what, fix);
            None
        }
        _ => None,
    };
    let clients = match raw.agent_tokens && raw.clients.is_empty() {
        true => BTreeSet::new(),
        false => section.clients("clients", &raw.clients, "present its agents"),
    };
    let targets = section.targets("targets", &raw.targets);
    let (answers, scopes) = section.scopes(&raw.answers, &raw.scopes);
    let delegates_to = section.delegates(&raw.delegates_to);
    Some(AgentClass {
        name: raw.name?,
        when,
        events,
        lifetime: raw.lifetime?,
        idle: idle.map(Lifetime::from_seconds),
        ttl: raw.ttl_seconds.map(Lifetime::from_seconds),
        quotas: raw.quotas.into(),
        build: BuildClaims { software: raw.software, version: raw.version, image: raw.image },
        clients,
        agent_tokens: raw.agent_tokens,
        begins_tasks: raw.begins_tasks,
        scopes,
        targets,
        answers,
        delegates_to,
    })
}

/// A class is chosen by what the issuer vouches for. Where an issuer signs for everybody, a class says whose workloads
/// it takes.
fn check_condition(section: &Section<'_>, preset: Preset, when: Option<&When>) {
    for claim in when.into_iter().flat_map(When::claims) {
        if preset.is_chosen_by_caller(claim) {
            let what = format!("checks `{claim}`, whose value the caller chooses");
            section.refuse("when", what, "check claims whose value the issuer decides");
        }
    }
    for check in when.into_iter().flat_map(|when| &when.all) {
        let vouchers = preset.vouchers(&check.claim);
        let is_vouched_for = when.is_some_and(|when| when.all.iter().any(|other| vouches(vouchers, other)));
        if !vouchers.is_empty() && !is_vouched_for {
            let what = format!("checks `{}`, which anybody chooses who may push to any branch", check.claim);
            let fix = format!(
                "add the check `{{ claim = \"{}\", equals = \"true\" }}`, in `all` beside it",
                vouchers.join("\", equals = \"true\" }` or `{ claim = \"")
            );
            section.refuse("when", what, fix);
        }
    }
    let owners = preset.owners();
    let names_owner = when.into_iter().flat_map(|when| &when.all).any(|check| {
        // A text is never found by `contains`, which only a list can meet.
        owners.contains(&check.claim.as_str()) && !matches!(check.test, ClaimMatch::Under(_))
    });
    if !owners.is_empty() && !names_owner {
        let owners: Vec<_> = owners.iter().map(|claim| format!("`{claim}`")).collect();
        let what =
            format!("does not say whose workloads the class takes: it checks none of {}", owners.join(", "));
        let fix =
            "add such a check: the issuer signs tokens for others too, and other names can be taken over";
        section.refuse("when", what, fix);
    }
}

/// Whether this check holds only if one of these claims is `"true"`.
fn vouches(vouchers: &[&str], check: &ClaimCheck) -> bool {
    let is_true = matches!(&check.test, ClaimMatch::Equals(value) if value.as_str() == Some("true"));
    is_true && vouchers.contains(&check.claim.as_str())
}

fn checked_events(section: &Section<'_>, preset: Preset, events: Vec<String>) -> BTreeSet<String> {
    if preset.event_claim().is_none() {
        section.refuse("events", "is for issuers with `preset = \"github\"` or `\"gitlab\"`", "remove it");
    }
    if events.is_empty() {
        section.refuse("events", "is empty: no workflow would be taken", "name the events, or remove it");
    }
    events.into_iter().collect()
}
