//! Facts as Cedar reads them. The schema is their description; a test holds the two together.

use std::collections::HashSet;

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
};
use serde_json::{Map, Value};

use super::Facts;

/// The names of the schema, parsed once a set.
pub struct Vocabulary {
    agent: EntityTypeName,
    class: EntityTypeName,
    client: EntityTypeName,
    provider: EntityTypeName,
    workload_issuer: EntityTypeName,
    target: EntityTypeName,
    exchange: EntityUid,
}

impl Vocabulary {
    /// # Errors
    /// In words; none in a build whose tests passed.
    pub fn new() -> Result<Self, String> {
        let name = |text: &str| -> Result<EntityTypeName, String> {
            text.parse().map_err(|error| format!("`{text}`: {error}"))
        };
        Ok(Self {
            agent: name("Deputy::Agent")?,
            class: name("Deputy::AgentClass")?,
            client: name("Deputy::Client")?,
            provider: name("Deputy::Provider")?,
            workload_issuer: name("Deputy::WorkloadIssuer")?,
            target: name("Deputy::Target")?,
            exchange: uid(&name("Deputy::Action")?, "exchange"),
        })
    }

    /// The request, and the one entity that has a parent: the agent in its class. It was the schema's
    /// business to check the rules; the facts are put together here and are not checked again.
    ///
    /// # Errors
    /// In words; Cedar refuses what we put together.
    pub fn request(&self, facts: &Facts<'_>) -> Result<(Request, Entities), String> {
        let actor = uid(&self.agent, facts.actor.as_str());
        let class = uid(&self.class, facts.class);
        let agent = Entity::new_no_attrs(actor.clone(), HashSet::from([class]));
        let entities = Entities::from_entities([agent], None).map_err(|error| error.to_string())?;
        let context = Context::from_pairs(self.context(facts)).map_err(|error| error.to_string())?;
        let resource = uid(&self.target, facts.target.as_str());
        let request = Request::new(actor, self.exchange.clone(), resource, context, None)
            .map_err(|error| error.to_string())?;
        Ok((request, entities))
    }

    fn context(&self, facts: &Facts<'_>) -> Vec<(String, RestrictedExpression)> {
        let now = facts.now.seconds();
        let mut pairs = Vec::with_capacity(28);
        let mut put = |name: &str, value| pairs.push((name.to_owned(), value));

        put("client", entity(&self.client, facts.client.as_str()));
        put("hop", long(facts.hop.into()));
        put("is_task_token", boolean(facts.is_task_token));
        put("scopes", strings(facts.scope.tokens()));
        put("lifetime_seconds", long(facts.lifetime_seconds));

        put("depth", long(facts.depth.into()));
        let prior = facts.prior_actors.iter().map(|prior| entity(&self.agent, prior.as_str()));
        put("prior_actors", RestrictedExpression::new_set(prior));
        if let Some(issuer) = facts.workload_issuer {
            put("workload_issuer", entity(&self.workload_issuer, issuer.as_str()));
        }

        if let Some(target) = facts.onward_from {
            put("onward_from", entity(&self.target, target.as_str()));
        }
        put("is_listed_onward", boolean(facts.is_listed_onward));

        put("answers", strings(facts.answers.iter().map(String::as_str)));
        put("class_answers", strings(facts.class_answers.iter().map(String::as_str)));

        put("fresh_scopes", strings(facts.fresh_scopes.iter().map(String::as_str)));
        put("sensitive_scopes", strings(facts.sensitive_scopes.iter().map(String::as_str)));
        if let Some(seconds) = facts.max_age_seconds {
            put("max_age_seconds", long(seconds));
        }

        put("has_purpose", boolean(facts.has_purpose));
        if let Some(purpose) = facts.purpose {
            put("purpose", string(purpose));
        }

        put("provider", entity(&self.provider, facts.provider.as_str()));
        put("levels", strings(facts.levels.iter().map(String::as_str)));
        put("login_age_seconds", long(facts.login_age_seconds));
        if let Some(acr) = facts.acr {
            put("acr", string(acr));
        }
        put("amr", strings(facts.amr.iter().map(String::as_str)));
        put("claims", claims(facts.claims));

        put("now_seconds", long(now));
        put("hour", long(now.rem_euclid(86_400) / 3600));
        // 1 January 1970 was a Thursday.
        put("weekday", long((now.div_euclid(86_400) + 3).rem_euclid(7) + 1));
        pairs
    }
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

fn long(value: i64) -> RestrictedExpression {
    RestrictedExpression::new_long(value)
}

fn boolean(value: bool) -> RestrictedExpression {
    RestrictedExpression::new_bool(value)
}
