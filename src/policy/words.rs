//! The words of a configuration that rules name: classes, clients, targets, scopes and others. A rule about a word that
//! the configuration does not have is valid and never applies, so a `forbid` with a slip of the pen forbids nothing.
//!
//! The words are read from the parsed form of the rules, as Cedar gives it in JSON.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use super::PolicySet;
use crate::base::nearest::nearest;
use crate::base::words::words;
use crate::oauth::Issuer;
use crate::oauth::ids::AGENT_PREFIX;
use crate::registry::{MFA, Registry};

words! {
    /// What a word of a rule stands for.
    #[derive(PartialOrd, Ord)]
    Kind {
        Agent => "agent",
        Class => "class",
        Client => "client",
        Provider => "identity provider",
        WorkloadIssuer => "workload issuer",
        Target => "target",
        Scope => "scope",
        Answer => "yes/no scope",
        Level => "assurance level",
        Claim => "claim",
    }
}

/// The class of the agents that clients are themselves.
const OWN_AGENTS: &str = "client";

impl Kind {
    /// By the entity type in the schema.
    fn of_entity(name: &str) -> Option<Self> {
        Some(match name.strip_prefix("Deputy::")? {
            "Agent" => Self::Agent,
            "AgentClass" => Self::Class,
            "Client" => Self::Client,
            "Provider" => Self::Provider,
            "WorkloadIssuer" => Self::WorkloadIssuer,
            "Target" => Self::Target,
            _ => return None,
        })
    }

    /// What the texts in a fact of the schema stand for, where the configuration defines them.
    fn of_fact(name: &str) -> Option<Self> {
        Some(match name {
            "scopes" | "fresh_scopes" | "sensitive_scopes" => Self::Scope,
            "answers" | "class_answers" => Self::Answer,
            "levels" => Self::Level,
            "claims" => Self::Claim,
            _ => return None,
        })
    }

    /// The words of this kind that the configuration has.
    fn known<'a>(self, registry: &'a Registry, own: &'a Issuer) -> BTreeSet<&'a str> {
        let classes = || registry.workload_issuers.values().flat_map(|issuer| &issuer.classes);
        let providers = || registry.identity_providers.values();
        let targets = || registry.targets.values();
        match self {
            Self::Agent => BTreeSet::new(),
            Self::Class => classes().map(|class| class.name.as_str()).chain([OWN_AGENTS]).collect(),
            Self::Client => registry.clients.keys().map(|id| id.as_str()).collect(),
            Self::Provider => registry.identity_providers.keys().map(Issuer::as_str).collect(),
            Self::WorkloadIssuer => registry.workload_issuers.keys().map(Issuer::as_str).collect(),
            Self::Target => registry.targets.keys().map(|id| id.as_str()).chain([own.as_str()]).collect(),
            Self::Scope => {
                let answers = targets().flat_map(|target| target.answers.keys());
                targets()
                    .flat_map(|target| target.scopes.keys())
                    .chain(answers)
                    .map(|scope| scope.as_str())
                    .collect()
            }
            Self::Answer => registry.predicates.keys().map(|scope| scope.as_str()).collect(),
            Self::Level => providers()
                .flat_map(|provider| provider.assurance.keys())
                .map(String::as_str)
                .chain([MFA])
                .collect(),
            Self::Claim => {
                providers().flat_map(|provider| &provider.policy_claims).map(String::as_str).collect()
            }
        }
    }
}

/// A word of a rule that the configuration does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownWord {
    /// The rule's `@id`.
    pub rule: String,
    /// The file that has the rule.
    pub file: String,
    kind: Kind,
    word: String,
    /// The words of that kind that the configuration has.
    known: Vec<String>,
    is_client: bool,
}

impl UnknownWord {
    /// What to write instead, or to add.
    pub fn fix(&self) -> String {
        let Self { kind, word, .. } = self;
        match kind {
            Kind::Agent => {
                format!(
                    "name the agent by the `{AGENT_PREFIX}…` that `deputy agent list` shows, or write a rule about its class"
                )
            }
            Kind::Class if self.is_client => {
                format!(
                    "the agent that a client is itself is in the class `{OWN_AGENTS}`: write that, and \
                     `context.client == Deputy::Client::\"{word}\"` to mean this client alone"
                )
            }
            Kind::Claim => format!("add `{word}` to `policy_claims` of the provider, or correct the rule"),
            _ => match nearest(word, &self.known) {
                Some(near) => {
                    format!("the nearest is `{near}`: correct the rule, or add `{word}` to the configuration")
                }
                None => format!("correct the rule, or add `{word}` to the configuration"),
            },
        }
    }
}

impl fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// As many names are listed.
        const LISTED: usize = 12;
        let Self { rule, kind, word, known, .. } = self;
        write!(f, "`{rule}` names the {} `{word}`", kind.word())?;
        if *kind == Kind::Agent {
            return write!(f, ", which is no identifier of an agent, so the rule never applies to one");
        }
        let listed: Vec<String> = known.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
        match known.len().checked_sub(LISTED) {
            _ if known.is_empty() => f.write_str("; the configuration has none"),
            None | Some(0) => write!(f, "; the configuration has {}", listed.join(", ")),
            Some(more) => write!(f, "; the configuration has {} and {more} more", listed.join(", ")),
        }
    }
}

impl PolicySet {
    /// The words of its rules that the configuration of a Deputy with the issuer `own` does not have, by rule.
    pub fn unknown_words(&self, registry: &Registry, own: &Issuer) -> Vec<UnknownWord> {
        let mut unknown = Vec::new();
        for policy in self.whole.cedar.policies() {
            let rule = policy.id().to_string();
            // Only the form of a linked template could fail, and a set has none.
            let Ok(Value::Object(mut form)) = policy.to_json() else { continue };
            form.remove("annotations");
            let mut named = BTreeSet::new();
            form.values().for_each(|part| collect(part, &mut named));
            for (kind, word) in named {
                let known = kind.known(registry, own);
                let is_known = match kind {
                    Kind::Agent => word.starts_with(AGENT_PREFIX),
                    _ => known.contains(word),
                };
                if !is_known {
                    unknown.push(UnknownWord {
                        file: self.rules.get(&rule).map(|rule| rule.file.clone()).unwrap_or_default(),
                        rule: rule.clone(),
                        kind,
                        word: word.to_owned(),
                        known: known.into_iter().map(str::to_owned).collect(),
                        is_client: registry.clients.contains_key(word),
                    });
                }
            }
        }
        unknown.sort_by(|a, b| (&a.file, &a.rule).cmp(&(&b.file, &b.rule)));
        unknown
    }
}

/// Collects the entities of a part of a rule, and the texts that it compares with a fact.
fn collect<'a>(part: &'a Value, named: &mut BTreeSet<(Kind, &'a str)>) {
    match part {
        Value::Array(parts) => parts.iter().for_each(|part| collect(part, named)),
        Value::Object(members) => {
            let text = |name: &str| members.get(name).and_then(Value::as_str);
            if let (Some(entity), Some(id)) = (text("type"), text("id")) {
                named.extend(Kind::of_entity(entity).map(|kind| (kind, id)));
            }
            for operator in ["==", "!=", "contains", "containsAll", "containsAny"] {
                let side = |name: &str| members.get(operator).and_then(|sides| sides.get(name));
                let (Some(left), Some(right)) = (side("left"), side("right")) else { continue };
                for (fact, other) in [(left, right), (right, left)] {
                    if let Some(kind) = fact_of(fact).and_then(Kind::of_fact) {
                        named.extend(texts(other).map(|text| (kind, name_in(kind, text))));
                    }
                }
            }
            members.values().for_each(|part| collect(part, named));
        }
        _ => {}
    }
}

/// The name of the fact, if this is `context.NAME`.
fn fact_of(part: &Value) -> Option<&str> {
    let access = part.get(".")?;
    let is_context = access.get("left")?.get("Var")? == "context";
    if is_context { access.get("attr")?.as_str() } else { None }
}

/// The literal texts of an operand: one, or those of a set.
fn texts(part: &Value) -> impl Iterator<Item = &str> {
    let set = part.get("Set").and_then(Value::as_array).into_iter().flatten();
    set.chain([part]).filter_map(|part| part.get("Value")?.as_str())
}

/// A claim is compared as `name=value`, and its name is what the configuration has.
fn name_in(kind: Kind, text: &str) -> &str {
    match kind {
        Kind::Claim => text.split('=').next().unwrap_or(text),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Summary;
    use super::*;
    use crate::config::Config;
    use crate::testing::definition::{PINNED, on_loopback, write_files};

    fn config() -> Config {
        let directory = tempfile::tempdir().unwrap();
        write_files(directory.path(), "data");
        let text = on_loopback("https://deputy.example", "https://login.example", PINNED);
        let text = text.replace("127.0.0.1:8443", "0.0.0.0:8443") + crate::testing::definition::TLS;
        Config::parse(&text, directory.path()).map_err(|error| error.to_string()).unwrap()
    }

    /// What is unknown in a rule with this scope and this condition, as it is told.
    fn unknown(scope: &str, condition: &str) -> Vec<String> {
        let rule =
            format!("@id(\"mine\") @type(\"Deputy::Client\") permit ({scope}) when {{ {condition} }};");
        let found = PolicySet::of_text(&rule)
            .unknown_words(&config().registry, &Issuer::new("https://deputy.example"));
        found.iter().map(|word| format!("{}: {}", word.kind.word(), word.word)).collect()
    }

    #[test]
    fn each_kind_of_word_that_the_configuration_lacks_is_found_once() {
        let any = "principal, action, resource";
        let exchange = "principal, action == Deputy::Action::\"exchange\", resource";
        for (scope, condition, expected) in [
            ("principal in Deputy::AgentClass::\"assistant\", action, resource", "true", "class: assistant"),
            ("principal, action, resource == Deputy::Target::\"ticket\"", "true", "target: ticket"),
            ("principal == Deputy::Agent::\"assistant\", action, resource", "true", "agent: assistant"),
            (
                "principal is Deputy::Agent in Deputy::AgentClass::\"planers\", action, resource",
                "true",
                "class: planers",
            ),
            (any, "principal in Deputy::AgentClass::\"planers\"", "class: planers"),
            (any, "context.client == Deputy::Client::\"asistant\"", "client: asistant"),
            (
                any,
                "context has provider && context.provider != Deputy::Provider::\"https://x\"",
                "identity provider: https://x",
            ),
            (
                any,
                "context has workload_issuer && context.workload_issuer == Deputy::WorkloadIssuer::\"https://x\"",
                "workload issuer: https://x",
            ),
            (exchange, "[Deputy::Target::\"ticket\"].contains(resource)", "target: ticket"),
            (any, "context.scopes.contains(\"tickets:bok\")", "scope: tickets:bok"),
            (any, "context.scopes.containsAny([\"tickets:book\", \"tickets:bok\"])", "scope: tickets:bok"),
            (any, "[\"tickets:bok\"].containsAll(context.scopes)", "scope: tickets:bok"),
            (any, "context.scopes == [\"tickets:bok\"]", "scope: tickets:bok"),
            (any, "!(context.fresh_scopes.contains(\"tickets:bok\"))", "scope: tickets:bok"),
            (any, "context.answers.contains(\"age_over_12\")", "yes/no scope: age_over_12"),
            (any, "context.levels.contains(\"phr\")", "assurance level: phr"),
            (any, "context.claims.contains(\"group=finance\")", "claim: group"),
        ] {
            assert_eq!(unknown(scope, condition), [expected], "{scope} {condition}");
        }
    }

    #[test]
    fn words_that_the_configuration_has_and_texts_of_others_are_not_told() {
        for condition in [
            "principal in Deputy::AgentClass::\"client\" || principal in Deputy::AgentClass::\"courier\"",
            "context.client == Deputy::Client::\"assistant\" && resource == Deputy::Target::\"tickets\"",
            "resource == Deputy::Target::\"https://deputy.example\"",
            "context.scopes.containsAll([\"tickets:book\", \"age_over_18\"])",
            "context.levels.contains(\"mfa\") && context.claims.contains(\"groups=finance\")",
            "context.amr.contains(\"hwk\") && context has acr && context.acr == \"phrh\"",
            "context has purpose && context.purpose == \"refund\"",
            "context.prior_actors.contains(Deputy::Agent::\"agent_abc\")",
        ] {
            assert_eq!(unknown("principal, action, resource", condition), [""; 0], "{condition}");
        }
    }

    #[test]
    fn the_built_in_set_names_nothing_that_a_configuration_could_lack() {
        let builtin = PolicySet::builtin().unwrap();
        assert_eq!(builtin.unknown_words(&Registry::default(), &Issuer::new("https://deputy.example")), []);
    }

    #[test]
    fn a_client_in_the_place_of_a_class_is_explained() {
        let rule =
            "@id(\"night\") forbid (principal in Deputy::AgentClass::\"assistant\", action, resource);";
        let set = PolicySet::of_text(rule);
        let summary = Summary::of(&set, Some(&config()));
        let found = &summary.unknown_words;
        assert_eq!(
            found[0].to_string(),
            "`night` names the class `assistant`; the configuration has `age-verification`, `client`, `courier`, `planner`"
        );
        assert!(found[0].fix().contains("`client`"), "{}", found[0].fix());
        let warning = format!("test.cedar: {}; {}", found[0], found[0].fix());
        assert!(summary.to_string().contains(&format!("warning: {warning}\n")), "{summary}");
        assert_eq!(summary.to_json()["warnings"], serde_json::json!([warning]));
        assert_eq!(Summary::of(&set, None).to_json()["warnings"], serde_json::json!([]));
    }
}
