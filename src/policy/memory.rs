//! A memory of what rules said, so that Cedar need not evaluate the same rules for the same facts again.
//!
//! Most rules look only at facts that are the same for thousands of exchanges: client, target, scope, levels. What
//! such a rule says is a function of these facts alone, so it is remembered under all of them. The other rules are
//! evaluated every time. Which rules are which is read from Cedar's JSON form of them when a set is loaded, and when
//! that leaves a doubt, a rule is evaluated every time. A test compares the results with those of Cedar alone.
//!
//! `policy.remember_decisions = false` turns the memory off. `docs/performance.md` has what it saves.

use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy::{Policy, PolicySet};
use serde_json::Value;

use super::request::{FACTS, Known, Vocabulary};
use super::{Facts, Part, Said};

/// How many combinations of facts are remembered.
const REMEMBERED: u64 = 4096;

/// The rules of a set in two parts, and what the first of them said.
pub(super) struct Memory {
    /// Rules about lasting facts: what they say is remembered.
    pub(super) lasting: Part,
    /// Rules about who acts, and about facts that differ every time.
    pub(super) passing: Part,
    said: moka::sync::Cache<Vec<u8>, Arc<Said>>,
}

impl Memory {
    /// An empty memory for these rules, which were validated.
    ///
    /// # Errors
    /// In words; none in a build whose tests passed.
    pub(super) fn of(rules: &PolicySet) -> Result<Self, String> {
        let mut sets = [PolicySet::new(), PolicySet::new()];
        for rule in rules.policies() {
            let at = usize::from(!is_lasting(rule)?);
            sets[at].add(rule.clone()).map_err(|error| error.to_string())?;
        }
        let [lasting, passing] = sets;
        let said = moka::sync::Cache::new(REMEMBERED);
        Ok(Self { lasting: part(lasting)?, passing: part(passing)?, said })
    }

    /// What all rules say of an exchange.
    ///
    /// # Errors
    /// As [`Part::ask`].
    pub(super) fn ask(&self, facts: &Facts) -> Result<Said, String> {
        let key = key(&self.lasting.vocabulary, facts);
        let lasting = match self.said.get(&key) {
            Some(said) => said,
            None => {
                let said = Arc::new(self.lasting.ask(facts)?);
                self.said.insert(key, Arc::clone(&said));
                said
            }
        };
        Ok(self.passing.ask(facts)?.and(&lasting))
    }
}

/// A part of these rules, which puts only those facts to Cedar that some rule looks at.
fn part(rules: PolicySet) -> Result<Part, String> {
    let mut looks = Looks::default();
    for rule in rules.policies() {
        looks.add(&rule.to_json().map_err(|error| error.to_string())?);
    }
    let is_looked_at = |name: &str| looks.at_all || looks.at.contains(name);
    let facts = FACTS.iter().filter(|fact| is_looked_at(fact.name)).collect();
    Ok(Part { vocabulary: Vocabulary::of(facts, looks.at_hierarchy)?, cedar: rules })
}

/// Whether the result of `rule` depends only on lasting facts: neither on who acts, nor on a passing fact. If in
/// doubt, it is taken to depend on them.
///
/// # Errors
/// In words; none for a rule that was validated.
pub(super) fn is_lasting(rule: &Policy) -> Result<bool, String> {
    let mut looks = Looks::default();
    looks.add(&rule.to_json().map_err(|error| error.to_string())?);
    let passes = FACTS.iter().any(|fact| fact.is_passing && looks.at.contains(fact.name));
    Ok(!(looks.at_all || looks.at_hierarchy || looks.at_principal || passes))
}

/// The target and every fact that a rule of the part looks at, as bytes: the same for two exchanges only if all of
/// these are the same. The agent is not in it, so it says nothing of rules that look at the agent.
fn key(vocabulary: &Vocabulary, facts: &Facts) -> Vec<u8> {
    let mut key = Key(Vec::with_capacity(256));
    key.text(facts.target.as_str());
    for fact in &vocabulary.facts {
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

/// Facts as bytes. Each fact has one type, so its presence and length suffice to distinguish values.
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

/// What rules look at, read from Cedar's JSON form of them. Where that leaves a doubt, they look at everything.
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
