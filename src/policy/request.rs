//! Facts as Cedar reads them. The schema is their description; a test holds the two together.

use std::collections::{BTreeSet, HashSet};

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet, Request, RestrictedExpression,
};
use serde_json::{Map, Value};

use super::Facts;

/// One fact: its name in the schema, and its value where it has one.
type Fact = (&'static str, fn(&Names, &Facts<'_>) -> Option<RestrictedExpression>);

/// Every attribute of the schema's context.
const FACTS: &[Fact] = &[
    ("client", |names, facts| Some(entity(&names.client, facts.client.as_str()))),
    ("hop", |_, facts| Some(long(facts.hop.into()))),
    ("is_task_token", |_, facts| Some(boolean(facts.is_task_token))),
    ("scopes", |_, facts| Some(strings(facts.scope.tokens()))),
    ("lifetime_seconds", |_, facts| Some(long(facts.lifetime_seconds))),
    ("depth", |_, facts| Some(long(facts.depth.into()))),
    ("prior_actors", |names, facts| {
        let prior = facts.prior_actors.iter().map(|prior| entity(&names.agent, prior.as_str()));
        Some(RestrictedExpression::new_set(prior))
    }),
    ("workload_issuer", |names, facts| {
        facts.workload_issuer.map(|issuer| entity(&names.workload_issuer, issuer.as_str()))
    }),
    ("onward_from", |names, facts| facts.onward_from.map(|from| entity(&names.target, from.as_str()))),
    ("is_listed_onward", |_, facts| Some(boolean(facts.is_listed_onward))),
    ("answers", |_, facts| Some(set_of(facts.answers))),
    ("class_answers", |_, facts| Some(set_of(facts.class_answers))),
    ("fresh_scopes", |_, facts| Some(set_of(facts.fresh_scopes))),
    ("sensitive_scopes", |_, facts| Some(set_of(facts.sensitive_scopes))),
    ("max_age_seconds", |_, facts| facts.max_age_seconds.map(long)),
    ("has_purpose", |_, facts| Some(boolean(facts.has_purpose))),
    ("purpose", |_, facts| facts.purpose.map(string)),
    ("provider", |names, facts| Some(entity(&names.provider, facts.provider.as_str()))),
    ("levels", |_, facts| Some(set_of(facts.levels))),
    ("login_age_seconds", |_, facts| Some(long(facts.login_age_seconds))),
    ("acr", |_, facts| facts.acr.map(string)),
    ("amr", |_, facts| Some(strings(facts.amr.iter().map(String::as_str)))),
    ("claims", |_, facts| Some(claims(facts.claims))),
    ("now_seconds", |_, facts| Some(long(facts.now.seconds()))),
    ("hour", |_, facts| Some(long(facts.now.seconds().rem_euclid(86_400) / 3600))),
    // 1 January 1970 was a Thursday.
    ("weekday", |_, facts| Some(long((facts.now.seconds().div_euclid(86_400) + 3).rem_euclid(7) + 1))),
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

/// How the facts of one exchange are put to one set.
pub struct Vocabulary {
    names: Names,
    /// Those that some rule of the set looks at: putting them together is half of what a decision costs.
    facts: Vec<Fact>,
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
            facts: FACTS.iter().filter(|(name, _)| is_looked_at(name)).copied().collect(),
            has_hierarchy: looks.at_hierarchy,
        })
    }

    /// The request, and the one entity that has a parent: the agent in its class. The rules were checked
    /// against the schema when they were loaded; the facts are put together here and not checked again.
    ///
    /// # Errors
    /// In words; Cedar refuses what we put together.
    pub fn request(&self, facts: &Facts<'_>) -> Result<(Request, Entities), String> {
        let actor = uid(&self.names.agent, facts.actor.as_str());
        let entities = if self.has_hierarchy {
            let class = uid(&self.names.class, facts.class);
            let agent = Entity::new_no_attrs(actor.clone(), HashSet::from([class]));
            Entities::from_entities([agent], None).map_err(|error| error.to_string())?
        } else {
            Entities::empty()
        };
        let known = self.facts.iter().filter_map(|(name, fact)| {
            let value = fact(&self.names, facts)?;
            Some(((*name).to_owned(), value))
        });
        let context = Context::from_pairs(known).map_err(|error| error.to_string())?;
        let resource = uid(&self.names.target, facts.target.as_str());
        let request = Request::new(actor, self.names.exchange.clone(), resource, context, None)
            .map_err(|error| error.to_string())?;
        Ok((request, entities))
    }
}

/// What rules look at, read from Cedar's JSON form of them. In doubt: at everything.
#[derive(Default)]
struct Looks {
    at: BTreeSet<String>,
    at_all: bool,
    at_hierarchy: bool,
}

impl Looks {
    fn add(&mut self, rule: &Value) {
        match rule {
            Value::Object(members) => {
                self.at_hierarchy |= members.contains_key("in");
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
fn claims(claims: &Map<String, Value>) -> RestrictedExpression {
    let named = claims.iter().filter(|(name, _)| !name.contains('='));
    RestrictedExpression::new_set(named.flat_map(|(name, value)| {
        let values = match value {
            Value::Array(values) => values.as_slice(),
            single => std::slice::from_ref(single),
        };
        values.iter().filter_map(move |value| match value {
            Value::String(text) => Some(string(&format!("{name}={text}"))),
            Value::Number(_) | Value::Bool(_) => Some(string(&format!("{name}={value}"))),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        })
    }))
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn entity(kind: &EntityTypeName, id: &str) -> RestrictedExpression {
    RestrictedExpression::new_entity_uid(uid(kind, id))
}

fn string(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn strings<'a>(texts: impl Iterator<Item = &'a str>) -> RestrictedExpression {
    RestrictedExpression::new_set(texts.map(string))
}

fn set_of(texts: &BTreeSet<String>) -> RestrictedExpression {
    strings(texts.iter().map(String::as_str))
}

fn long(value: i64) -> RestrictedExpression {
    RestrictedExpression::new_long(value)
}

fn boolean(value: bool) -> RestrictedExpression {
    RestrictedExpression::new_bool(value)
}
