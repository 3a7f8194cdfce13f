//! Facts as Cedar reads them. The schema is their description; a test holds the two together.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Policy, PolicySet, Request,
    RestrictedExpression,
};
use serde_json::{Map, Value};

use super::Facts;
use crate::oauth::{AgentId, ScopeToken};

/// A fact's value, borrowed from the facts.
enum Known<'a> {
    Bool(bool),
    Long(i64),
    Text(&'a str),
    Texts(Vec<Cow<'a, str>>),
    Entity(Kind, &'a str),
    Entities(Kind, Vec<&'a str>),
}

/// The entities that facts name.
#[derive(Clone, Copy)]
enum Kind {
    Agent,
    Client,
    Provider,
    WorkloadIssuer,
    Target,
}

/// One fact: its name in the schema, and its value where it has one.
struct Fact {
    name: &'static str,
    /// Whether it is another one for nearly every exchange, so that an answer that hangs on it is not worth
    /// keeping.
    is_passing: bool,
    value: fn(&Facts) -> Option<Known<'_>>,
}

const fn lasting(name: &'static str, value: fn(&Facts) -> Option<Known<'_>>) -> Fact {
    Fact { name, is_passing: false, value }
}

const fn passing(name: &'static str, value: fn(&Facts) -> Option<Known<'_>>) -> Fact {
    Fact { name, is_passing: true, value }
}

/// Every attribute of the schema's context.
static FACTS: &[Fact] = &[
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
    lasting("provider", |facts| Some(Known::Entity(Kind::Provider, facts.login.provider.as_str()))),
    lasting("levels", |facts| Some(set_of(&facts.login.levels))),
    passing("login_age_seconds", |facts| Some(Known::Long(facts.login_age_seconds))),
    lasting("is_login_fresh", |facts| {
        Some(Known::Bool(facts.max_age_seconds.is_none_or(|most| facts.login_age_seconds <= most)))
    }),
    lasting("acr", |facts| facts.login.acr.as_deref().map(Known::Text)),
    lasting("amr", |facts| {
        Some(Known::Texts(facts.login.amr.iter().map(|amr| amr.as_str().into()).collect()))
    }),
    passing("claims", |facts| Some(Known::Texts(claims(&facts.login.policy_claims)))),
    passing("now_seconds", |facts| Some(Known::Long(facts.now.seconds()))),
    lasting("hour", |facts| Some(Known::Long(facts.now.seconds().rem_euclid(86_400) / 3600))),
    // 1 January 1970 was a Thursday.
    lasting("weekday", |facts| {
        Some(Known::Long((facts.now.seconds().div_euclid(86_400) + 3).rem_euclid(7) + 1))
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

/// Whether what `rule` says hangs only on facts that come again and again: not on who acts, nor on a passing
/// fact. In doubt, it does not.
///
/// # Errors
/// In words; none for a rule that was validated.
pub fn is_lasting(rule: &Policy) -> Result<bool, String> {
    let mut looks = Looks::default();
    looks.add(&rule.to_json().map_err(|error| error.to_string())?);
    let passes = FACTS.iter().any(|fact| fact.is_passing && looks.at.contains(fact.name));
    Ok(!(looks.at_all || looks.at_hierarchy || looks.at_principal || passes))
}

/// How the facts of one exchange are put to one set.
pub struct Vocabulary {
    names: Names,
    /// Those that some rule of the set looks at: putting them together is half of what a decision costs.
    facts: Vec<&'static Fact>,
    /// Whether some rule asks what is `in` what.
    has_hierarchy: bool,
}

impl Vocabulary {
    /// For `rules`, which were validated.
    ///
    /// # Errors
    /// In words; none in a build whose tests passed.
    pub fn of(rules: &PolicySet) -> Result<Self, String> {
        let name = |text: &str| -> Result<EntityTypeName, String> {
            text.parse().map_err(|error| format!("`{text}`: {error}"))
        };
        let mut looks = Looks::default();
        for rule in rules.policies() {
            looks.add(&rule.to_json().map_err(|error| error.to_string())?);
        }
        let is_looked_at = |name: &str| looks.at_all || looks.at.contains(name);
        Ok(Self {
            names: Names {
                agent: name("Deputy::Agent")?,
                class: name("Deputy::AgentClass")?,
                client: name("Deputy::Client")?,
                provider: name("Deputy::Provider")?,
                workload_issuer: name("Deputy::WorkloadIssuer")?,
                target: name("Deputy::Target")?,
                exchange: uid(&name("Deputy::Action")?, "exchange"),
            },
            facts: FACTS.iter().filter(|fact| is_looked_at(fact.name)).collect(),
            has_hierarchy: looks.at_hierarchy,
        })
    }

    /// The request, and the one entity that has a parent: the agent in its class. The rules were checked
    /// against the schema when they were loaded; the facts are put together here and not checked again.
    ///
    /// # Errors
    /// In words; Cedar refuses what we put together.
    pub fn request(&self, facts: &Facts) -> Result<(Request, Entities), String> {
        let actor = uid(&self.names.agent, facts.actor.as_str());
        let entities = if self.has_hierarchy {
            let class = uid(&self.names.class, &facts.class);
            let agent = Entity::new_no_attrs(actor.clone(), HashSet::from([class]));
            Entities::from_entities([agent], None).map_err(|error| error.to_string())?
        } else {
            Entities::empty()
        };
        let known = self.facts.iter().filter_map(|fact| {
            let value = (fact.value)(facts)?;
            Some((fact.name.to_owned(), self.expression(value)))
        });
        let context = Context::from_pairs(known).map_err(|error| error.to_string())?;
        let resource = uid(&self.names.target, facts.target.as_str());
        let request = Request::new(actor, self.names.exchange.clone(), resource, context, None)
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

    /// The resource and every fact that a rule of the set looks at, as bytes: the same for two exchanges only
    /// if all of these are the same. The principal is not in it, so it tells nothing of rules that look at it.
    pub fn key(&self, facts: &Facts) -> Vec<u8> {
        let mut key = Key(Vec::with_capacity(256));
        key.text(facts.target.as_str());
        for fact in &self.facts {
            let Some(value) = (fact.value)(facts) else {
                key.0.push(0);
                continue;
            };
            key.0.push(1);
            match value {
                Known::Bool(value) => key.0.push(value.into()),
                Known::Long(value) => key.0.extend_from_slice(&value.to_be_bytes()),
                Known::Text(text) | Known::Entity(_, text) => key.text(text),
                Known::Texts(texts) => key.texts(texts.iter().map(AsRef::as_ref)),
                Known::Entities(_, ids) => key.texts(ids.into_iter()),
            }
        }
        key.0
    }
}

/// Facts as bytes. Each is of one type, so whether it is there and how long it is is all that has to be told.
struct Key(Vec<u8>);

impl Key {
    fn text(&mut self, text: &str) {
        self.0.extend_from_slice(&(text.len() as u64).to_be_bytes());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn texts<'a>(&mut self, texts: impl ExactSizeIterator<Item = &'a str>) {
        self.0.extend_from_slice(&(texts.len() as u64).to_be_bytes());
        texts.for_each(|text| self.text(text));
    }
}

/// What rules look at, read from Cedar's JSON form of them. In doubt: at everything.
#[derive(Default)]
struct Looks {
    at: BTreeSet<String>,
    at_all: bool,
    at_hierarchy: bool,
    at_principal: bool,
}

impl Looks {
    fn add(&mut self, rule: &Value) {
        match rule {
            Value::Object(members) => {
                self.at_hierarchy |= members.contains_key("in");
                // In a condition a variable, in the head of a rule a member: any agent, or a given one.
                self.at_principal |= members.get("Var").is_some_and(|var| var == "principal")
                    || members
                        .get("principal")
                        .is_some_and(|head| head.get("op").is_none_or(|op| op != "All" && op != "is"));
                if members.get("Var").is_some_and(|var| var == "context") {
                    // The record itself, in a comparison or a set.
                    self.at_all = true;
                }
                for (name, member) in members {
                    match attribute_of_context(name, member) {
                        Some(attribute) => {
                            self.at.insert(attribute.to_owned());
                        }
                        None => self.add(member),
                    }
                }
            }
            Value::Array(members) => members.iter().for_each(|member| self.add(member)),
            // The scope of a rule says `"op": "in"`.
            Value::String(text) => self.at_hierarchy |= text == "in",
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// The attribute, where this is `context.attribute` or `context has attribute`.
fn attribute_of_context<'a>(operator: &str, operands: &'a Value) -> Option<&'a str> {
    let is_access = matches!(operator, "." | "has");
    let is_of_context = operands.get("left")?.get("Var")? == "context";
    if is_access && is_of_context { operands.get("attr")?.as_str() } else { None }
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
