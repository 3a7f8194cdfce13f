//! Facts as Cedar reads them. The schema is their description; a test holds the two together.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
};
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::{BroughtIn, Facts};
use crate::oauth::{AgentId, ScopeToken};

/// The value of a fact, borrowed from the facts.
pub(super) enum Known<'a> {
    Bool(bool),
    Long(i64),
    Text(&'a str),
    Texts(Vec<Cow<'a, str>>),
    Entity(Kind, &'a str),
    Entities(Kind, Vec<&'a str>),
}

/// The entities that facts name.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Agent,
    Client,
    Provider,
    WorkloadIssuer,
    Target,
}

/// One fact: its name in the schema, and its value where it has one.
pub(super) struct Fact {
    /// The attribute's name in the schema.
    pub(super) name: &'static str,
    /// Whether the value differs on almost every exchange, so that remembering a result that depends on it would
    /// not pay off.
    pub(super) is_passing: bool,
    /// The value; none where the fact is absent.
    pub(super) value: fn(&Facts) -> Option<Known<'_>>,
}

const fn lasting(name: &'static str, value: fn(&Facts) -> Option<Known<'_>>) -> Fact {
    Fact { name, is_passing: false, value }
}

const fn passing(name: &'static str, value: fn(&Facts) -> Option<Known<'_>>) -> Fact {
    Fact { name, is_passing: true, value }
}

/// Every attribute of the schema's context.
pub(super) static FACTS: &[Fact] = &[
    lasting("client", |facts| Some(Known::Entity(Kind::Client, facts.client.as_str()))),
    lasting("hop", |facts| Some(Known::Long(facts.hop.into()))),
    lasting("is_task_token", |facts| Some(Known::Bool(facts.is_task_token))),
    lasting("scopes", |facts| Some(Known::Texts(facts.scope.tokens().map(Cow::Borrowed).collect()))),
    lasting("lifetime_seconds", |facts| Some(Known::Long(facts.lifetime_seconds))),
    lasting("depth", |facts| Some(Known::Long(facts.depth.into()))),
    passing("prior_actors", |facts| {
        let prior = facts.prior_actors.iter().map(AgentId::as_str).collect();
        Some(Known::Entities(Kind::Agent, prior))
    }),
    lasting("accepted_from", |facts| {
        facts.accepted_from.as_ref().map(|from| Known::Entity(Kind::Agent, from.as_str()))
    }),
    lasting("is_agent_twice", |facts| Some(Known::Bool(facts.prior_actors.contains(&facts.actor)))),
    lasting("workload_issuer", |facts| {
        facts.workload_issuer.as_ref().map(|issuer| Known::Entity(Kind::WorkloadIssuer, issuer.as_str()))
    }),
    lasting("onward_from", |facts| {
        facts.onward_from.as_ref().map(|from| Known::Entity(Kind::Target, from.as_str()))
    }),
    lasting("is_listed_onward", |facts| Some(Known::Bool(facts.is_listed_onward))),
    lasting("answers", |facts| Some(scopes_of(&facts.answers))),
    lasting("class_answers", |facts| Some(scopes_of(&facts.class_answers))),
    lasting("fresh_scopes", |facts| Some(set_of(&facts.fresh_scopes))),
    lasting("sensitive_scopes", |facts| Some(set_of(&facts.sensitive_scopes))),
    lasting("max_age_seconds", |facts| facts.max_age_seconds.map(Known::Long)),
    lasting("has_purpose", |facts| Some(Known::Bool(facts.purpose.is_some()))),
    passing("purpose", |facts| facts.purpose.as_ref().map(|purpose| Known::Text(purpose.as_str()))),
    lasting("delegator_kind", |facts| Some(Known::Text(facts.delegator.kind()))),
    passing("delegator", |facts| {
        facts.delegator.agent().map(|agent| Known::Entity(Kind::Agent, agent.as_str()))
    }),
    lasting("provider", |facts| {
        facts.delegator.login().map(|login| Known::Entity(Kind::Provider, login.provider.as_str()))
    }),
    lasting("levels", |facts| {
        Some(facts.delegator.login().map_or(Known::Texts(Vec::new()), |login| set_of(&login.levels)))
    }),
    passing("login_age_seconds", |facts| Some(Known::Long(facts.login_age_seconds()))),
    lasting("is_login_fresh", |facts| {
        Some(Known::Bool(facts.max_age_seconds.is_none_or(|most| facts.login_age_seconds() <= most)))
    }),
    lasting("acr", |facts| facts.delegator.login()?.acr.as_deref().map(Known::Text)),
    lasting("amr", |facts| {
        let amr = facts.delegator.login().into_iter().flat_map(|login| &login.amr);
        Some(Known::Texts(amr.map(|amr| amr.as_str().into()).collect()))
    }),
    passing("claims", |facts| {
        Some(Known::Texts(
            facts.delegator.login().map_or_else(Vec::new, |login| claims(&login.policy_claims)),
        ))
    }),
    passing("now_seconds", |facts| Some(Known::Long(facts.now.seconds()))),
    lasting("hour", |facts| Some(Known::Long(facts.now.zoned(&TimeZone::UTC)?.hour().into()))),
    // Monday is 1.
    lasting("weekday", |facts| {
        let weekday = facts.now.zoned(&TimeZone::UTC)?.weekday();
        Some(Known::Long(weekday.to_monday_one_offset().into()))
    }),
];

/// The names of the schema, parsed once a set.
struct Names {
    agent: EntityTypeName,
    class: EntityTypeName,
    client: EntityTypeName,
    provider: EntityTypeName,
    workload_issuer: EntityTypeName,
    target: EntityTypeName,
    exchange: EntityUid,
    delegate: EntityUid,
}

impl Names {
    const fn of(&self, kind: Kind) -> &EntityTypeName {
        match kind {
            Kind::Agent => &self.agent,
            Kind::Client => &self.client,
            Kind::Provider => &self.provider,
            Kind::WorkloadIssuer => &self.workload_issuer,
            Kind::Target => &self.target,
        }
    }
}

/// How facts are put to Cedar.
pub(super) struct Vocabulary {
    names: Names,
    /// The facts that are put to it.
    pub(super) facts: Vec<&'static Fact>,
    /// Whether the agent is put under its class, so that a rule can ask what is `in` what.
    has_hierarchy: bool,
}

impl Vocabulary {
    /// Every fact there is.
    ///
    /// # Errors
    /// In words; none in a build whose tests passed.
    pub(super) fn whole() -> Result<Self, String> {
        Self::of(FACTS.iter().collect(), true)
    }

    /// These facts only, and the hierarchy if `has_hierarchy`.
    ///
    /// # Errors
    /// As [`Vocabulary::whole`].
    pub(super) fn of(facts: Vec<&'static Fact>, has_hierarchy: bool) -> Result<Self, String> {
        let name = |text: &str| -> Result<EntityTypeName, String> {
            text.parse().map_err(|error| format!("`{text}`: {error}"))
        };
        Ok(Self {
            names: Names {
                agent: name("Deputy::Agent")?,
                class: name("Deputy::AgentClass")?,
                client: name("Deputy::Client")?,
                provider: name("Deputy::Provider")?,
                workload_issuer: name("Deputy::WorkloadIssuer")?,
                target: name("Deputy::Target")?,
                exchange: uid(&name("Deputy::Action")?, "exchange"),
                delegate: uid(&name("Deputy::Action")?, "delegate"),
            },
            facts,
            has_hierarchy,
        })
    }

    /// The request, and the entities that have a parent: agents in their class. The rules were checked
    /// against the schema when they were loaded; the facts are put together here and not checked again.
    ///
    /// # Errors
    /// In words; Cedar refuses what we put together.
    pub(super) fn request(&self, facts: &Facts) -> Result<(Request, Entities), String> {
        let actor = uid(&self.names.agent, facts.actor.as_str());
        let in_class = |agent: EntityUid, class: &str| {
            Entity::new_no_attrs(agent, HashSet::from([uid(&self.names.class, class)]))
        };
        let (action, resource) = match &facts.brings_in {
            None => (&self.names.exchange, uid(&self.names.target, facts.target.as_str())),
            Some(BroughtIn::Agent { id, .. }) => (&self.names.delegate, uid(&self.names.agent, id.as_str())),
            Some(BroughtIn::Class(name)) => (&self.names.delegate, uid(&self.names.class, name)),
        };
        let entities = if self.has_hierarchy {
            let mut agents = vec![in_class(actor.clone(), &facts.class)];
            if let Some(BroughtIn::Agent { class, .. }) = &facts.brings_in {
                agents.push(in_class(resource.clone(), class));
            }
            Entities::from_entities(agents, None).map_err(|error| error.to_string())?
        } else {
            Entities::empty()
        };
        let known = self.facts.iter().filter_map(|fact| {
            let value = (fact.value)(facts)?;
            Some((fact.name.to_owned(), self.expression(value)))
        });
        let context = Context::from_pairs(known).map_err(|error| error.to_string())?;
        let request = Request::new(actor, action.clone(), resource, context, None)
            .map_err(|error| error.to_string())?;
        Ok((request, entities))
    }

    fn expression(&self, value: Known<'_>) -> RestrictedExpression {
        let entity = |kind, id| RestrictedExpression::new_entity_uid(uid(self.names.of(kind), id));
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        match value {
            Known::Bool(value) => RestrictedExpression::new_bool(value),
            Known::Long(value) => RestrictedExpression::new_long(value),
            Known::Text(value) => text(value),
            Known::Texts(values) => RestrictedExpression::new_set(values.iter().map(|value| text(value))),
            Known::Entity(kind, id) => entity(kind, id),
            Known::Entities(kind, ids) => {
                RestrictedExpression::new_set(ids.into_iter().map(|id| entity(kind, id)))
            }
        }
    }
}

/// Claims as a set of `name=value`: a rule tests for one with `contains`, and can meet neither a missing
/// claim nor one of another type. Strings, numbers and booleans give one member, an array one for each
/// of those in it; `null`, objects and arrays in arrays give none. A name with `=` in it gives none
/// either: it could be read as another name.
fn claims(claims: &Map<String, Value>) -> Vec<Cow<'_, str>> {
    let named = claims.iter().filter(|(name, _)| !name.contains('='));
    let members = named.flat_map(|(name, value)| {
        let values = match value {
            Value::Array(values) => values.as_slice(),
            single => std::slice::from_ref(single),
        };
        values.iter().filter_map(move |value| match value {
            Value::String(text) => Some(Cow::Owned(format!("{name}={text}"))),
            Value::Number(_) | Value::Bool(_) => Some(Cow::Owned(format!("{name}={value}"))),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        })
    });
    members.collect()
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn set_of(texts: &BTreeSet<String>) -> Known<'_> {
    Known::Texts(texts.iter().map(|text| text.as_str().into()).collect())
}

fn scopes_of(scopes: &BTreeSet<ScopeToken>) -> Known<'_> {
    Known::Texts(scopes.iter().map(|scope| scope.as_str().into()).collect())
}
