mod cases;
mod load;
mod memory;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::testing::{self, BUILTIN_CASES, run_cases};
use super::*;
use crate::oauth::AgentId;

const PERMIT: &str = "@id(\"p\") permit(principal, action, resource);\n";

/// A set of one file that has this text.
fn set(text: &str) -> Result<PolicySet, PolicyError> {
    PolicySet::from_sources("", [("a.cedar", text)])
}

/// The decision of a set that permits everything and has this rule, with a memory and without.
fn decide(rule: &str, facts: &str) -> Decision {
    let text = format!("{PERMIT}{rule}");
    let (plain, remembering) = (set(&text).unwrap(), set(&text).unwrap().remembering().unwrap());
    let case =
        testing::parse(&format!("[[case]]\nname = \"x\"\nexpect = \"permit\"\n[case.facts]\n{facts}\n"));
    let facts = case.unwrap()[0].facts();
    assert_eq!(plain.decide(&facts), remembering.decide(&facts), "{rule}");
    plain.decide(&facts)
}

/// Whether a forbid with this condition fires.
fn fires(condition: &str, facts: &str) -> bool {
    let rule = format!("@id(\"f\") forbid(principal, action, resource) when {{ {condition} }};");
    let decision = decide(&rule, facts);
    assert!(!decision.is_error, "{condition}: {decision:?}");
    !decision.is_permit
}

fn refusal(text: &str) -> String {
    set(text).unwrap_err().to_string()
}

#[test]
fn every_case_of_the_default_set_comes_out_as_expected() {
    let report = run_cases(&PolicySet::builtin().unwrap(), BUILTIN_CASES).unwrap();
    assert!(report.is_passed(), "{report}");
    assert_eq!(report.untested, Vec::<String>::new());
}

#[test]
fn a_default_rule_left_out_is_missed_by_a_case() {
    let files: Vec<&str> = BUILTIN_FILES.iter().map(|(_, text)| *text).collect();
    let all: cedar_policy::PolicySet = files.concat().parse().unwrap();
    let rules: Vec<String> = all.policies().map(ToString::to_string).collect();
    assert_eq!(rules.len(), PolicySet::builtin().unwrap().rules().len());
    for left_out in &rules {
        let rest: Vec<&str> = rules.iter().filter(|rule| *rule != left_out).map(String::as_str).collect();
        let set = set(&rest.concat()).unwrap();
        assert!(!run_cases(&set, BUILTIN_CASES).unwrap().is_passed(), "no case misses {left_out}");
    }
}

#[test]
fn the_default_set_has_six_named_forbids_that_say_what_would_have_passed() {
    let builtin = PolicySet::builtin().unwrap();
    let forbids: Vec<_> = builtin.rules().iter().filter(|(_, rule)| rule.effect == "forbid").collect();
    assert!(forbids.len() >= 6, "{forbids:?}");
    for (id, rule) in forbids {
        assert!(rule.reason.is_some(), "{id}");
    }
}

#[test]
fn the_word_of_a_decision_its_policies_and_the_set_go_to_the_record() {
    let set = set(&format!(
        "{PERMIT}@id(\"q\") permit(principal, action, resource);
         @id(\"f\") @reason(\"at hop 0\") forbid(principal, action, resource) when {{ context.hop > 0 }};
         @id(\"e\") forbid(principal, action, resource) when {{ context.hop > 0 }};"
    ))
    .unwrap();
    let cases = "[[case]]\nname = \"a\"\nexpect = \"permit\"\n[[case]]\nname = \"b\"\nexpect = \"deny\"\nfacts.hop = 1\n";
    let cases = testing::parse(cases).unwrap();

    let permit = set.decide(&cases[0].facts());
    assert!(permit.is_permit && !permit.is_error);
    assert_eq!(permit.record.decision, "permit");
    assert_eq!(permit.record.policies, ["p", "q"]);
    assert_eq!(permit.record.set, set.hash()[..16]);
    assert_eq!(permit.objections, []);

    let deny = set.decide(&cases[1].facts());
    assert!(!deny.is_permit && !deny.is_error);
    assert_eq!(deny.record.decision, "deny");
    assert_eq!(deny.record.policies, ["e", "f"]);
    let told: Vec<_> =
        deny.objections.iter().map(|told| (told.policy.as_str(), told.reason.as_deref())).collect();
    assert_eq!(told, [("e", None), ("f", Some("at hop 0"))]);
    assert_eq!(permit.record.reasons, BTreeMap::new());
    assert_eq!(deny.record.reasons, BTreeMap::from([("f".to_owned(), "at hop 0".to_owned())]));
    assert_eq!(deny.record.in_words(), "e, f: at hop 0");
}

#[test]
fn so_many_reasons_of_such_a_length_go_to_the_record() {
    let long = "é".repeat(1000);
    let rules = (0..20).map(|number| {
        format!("@id(\"f{number:02}\") @reason(\"{long}\") forbid(principal, action, resource);")
    });
    let decision = decide(&rules.collect::<String>(), "hop = 0");
    assert_eq!((decision.record.policies.len(), decision.record.reasons.len()), (20, PolicyRecord::REASONS));
    assert!(
        decision.record.reasons.values().all(|reason| reason.chars().count() == PolicyRecord::REASON_LENGTH)
    );
}

#[test]
fn what_nothing_permits_is_denied() {
    let set = set("@id(\"p\") permit(principal, action, resource) when { context.hop > 0 };").unwrap();
    let cases = testing::parse("[[case]]\nname = \"a\"\nexpect = \"deny\"\n").unwrap();
    let decision = set.decide(&cases[0].facts());
    assert!(!decision.is_permit && !decision.is_error);
    assert_eq!(decision.record.policies, [NO_PERMIT]);
    assert_eq!(decision.record.decision, "deny");
}

#[test]
fn a_rule_that_cannot_be_evaluated_denies_though_another_permits() {
    let overflow = "context.login_age_seconds * 9223372036854775807 > 0";
    for effect in ["forbid", "permit"] {
        let rule = format!("@id(\"e\") {effect}(principal, action, resource) when {{ {overflow} }};");
        let decision = decide(&rule, "login_age_seconds = 2");
        assert!(!decision.is_permit && decision.is_error, "{effect}");
        assert_eq!(decision.record.decision, "error");
        assert_eq!(decision.record.policies, ["e"]);
    }
}

#[test]
fn every_fact_reaches_the_rules_under_the_name_in_the_schema() {
    let facts = r#"
        actor = "agent_b"
        class = "age"
        workload_issuer = "https://w.example"
        client = "c"
        prior_actors = ["agent_a"]
        target = "https://t.example/\"quoted\""
        accepted_from = "agent_a"
        onward_from = "from"
        is_listed_onward = false
        scope = "a b"
        answers = ["x"]
        class_answers = ["y"]
        fresh_scopes = ["f"]
        sensitive_scopes = ["s"]
        depth = 3
        hop = 2
        purpose = "why"
        provider = "https://i.example"
        levels = ["mfa"]
        acr = "phr"
        amr = ["hwk"]
        login_age_seconds = -5
        max_age_seconds = 900
        lifetime_seconds = 77
        now = "2026-11-22T23:59:59Z"
        [case.facts.claims]
        groups = ["staff", "a=b", 3, { deep = "x" }]
        tier = "gold"
        verified = true
        level = 7
        "odd=name" = "x"
        nested = { a = "b" }
    "#;
    for condition in [
        r#"principal == Deputy::Agent::"agent_b""#,
        r#"principal in Deputy::AgentClass::"age""#,
        r#"context has workload_issuer && context.workload_issuer == Deputy::WorkloadIssuer::"https://w.example""#,
        r#"context.client == Deputy::Client::"c""#,
        r#"context.prior_actors.contains(Deputy::Agent::"agent_a")"#,
        r#"resource == Deputy::Target::"https://t.example/\"quoted\"""#,
        r#"context has onward_from && context.onward_from == Deputy::Target::"from""#,
        r#"context has accepted_from && context.accepted_from == Deputy::Agent::"agent_a""#,
        "!context.is_listed_onward",
        r#"context.scopes == ["b", "a"]"#,
        r#"context.answers == ["x"]"#,
        r#"context.class_answers == ["y"]"#,
        r#"context.fresh_scopes == ["f"]"#,
        r#"context.sensitive_scopes == ["s"]"#,
        "context.depth == 3",
        "context.hop == 2",
        r#"context.has_purpose && context has purpose && context.purpose == "why""#,
        r#"context has provider && context.provider == Deputy::Provider::"https://i.example""#,
        r#"context.levels == ["mfa"]"#,
        r#"context has acr && context.acr == "phr""#,
        r#"context.amr == ["hwk"]"#,
        "context.login_age_seconds == -5",
        "context has max_age_seconds && context.max_age_seconds == 900",
        "context.lifetime_seconds == 77",
        "!context.is_task_token",
        "!context.is_agent_twice",
        "context.is_login_fresh",
        r#"context.claims == ["groups=staff", "groups=a=b", "groups=3", "tier=gold", "verified=true", "level=7"]"#,
        "context.now_seconds == 1795391999 && context.hour == 23 && context.weekday == 7",
    ] {
        assert!(fires(condition, facts), "{condition}");
    }
}

#[test]
fn what_is_worked_out_from_passing_facts_follows_them() {
    for (condition, facts) in [
        ("context.is_agent_twice", "actor = \"agent_b\"\nprior_actors = [\"agent_a\", \"agent_b\"]"),
        ("!context.is_agent_twice", "actor = \"agent_b\"\nprior_actors = [\"agent_a\"]"),
        ("context.is_login_fresh", "login_age_seconds = 900\nmax_age_seconds = 900"),
        ("!context.is_login_fresh", "login_age_seconds = 901\nmax_age_seconds = 900"),
        ("context.is_login_fresh", "login_age_seconds = 901"),
    ] {
        assert!(fires(condition, facts), "{condition}: {facts}");
    }
}

#[test]
fn facts_that_are_absent_are_absent_to_the_rules() {
    for condition in [
        "context has workload_issuer",
        "context has onward_from",
        "context has accepted_from",
        "context has max_age_seconds",
        "context has purpose",
        "context has acr",
        "context.has_purpose",
        r#"principal in Deputy::AgentClass::"other""#,
        "!context.claims.isEmpty()",
    ] {
        assert!(!fires(condition, ""), "{condition}");
    }
}

#[test]
fn who_may_act_for_a_user_and_who_may_bring_in_whom_are_two_questions() {
    let rules = "@id(\"act\") permit (principal, action == Deputy::Action::\"exchange\", resource);
        @id(\"bring-in\") permit (principal in Deputy::AgentClass::\"planner\", action == Deputy::Action::\"delegate\",
            resource in Deputy::AgentClass::\"courier\");
        @id(\"not-this-one\") forbid (principal, action == Deputy::Action::\"delegate\",
            resource == Deputy::Agent::\"agent_9\");";
    for set in [PolicySet::of_text(rules), PolicySet::of_text(rules).remembering().unwrap()] {
        let decided = |facts: &str| {
            let case = format!("[[case]]\nname = \"a\"\nexpect = \"permit\"\n[case.facts]\n{facts}");
            let decision = set.decide(&testing::parse(&case).unwrap()[0].facts());
            (decision.is_permit, decision.record.policies.join(" "))
        };
        let of_planner = |to: &str| decided(&format!("class = \"planner\"\n{to}"));
        let by = |is_permit, rule: &str| (is_permit, rule.to_owned());
        assert_eq!(of_planner(""), by(true, "act"));
        assert_eq!(of_planner("delegate_to = \"class:courier\""), by(true, "bring-in"));
        assert_eq!(of_planner("delegate_to = \"class:planner\""), by(false, "no-permit"));
        assert_eq!(of_planner("delegate_to = \"agent_1\"\nto_class = \"courier\""), by(true, "bring-in"));
        assert_eq!(of_planner("delegate_to = \"agent_1\"\nto_class = \"planner\""), by(false, "no-permit"));
        assert_eq!(
            of_planner("delegate_to = \"agent_9\"\nto_class = \"courier\""),
            by(false, "not-this-one")
        );
        assert_eq!(decided("delegate_to = \"class:courier\""), by(false, "no-permit"));
        assert_eq!(
            of_planner(""),
            by(true, "act"),
            "what handing over was told is not remembered for exchanges"
        );
    }
}

#[test]
fn where_nobody_signed_in_the_facts_say_which_agent_acts_for_itself() {
    let facts =
        "actor = \"agent_b\"\nprior_actors = [\"agent_a\"]\ndelegator = \"agent_a\"\nmax_age_seconds = 900";
    for condition in [
        r#"context.delegator_kind == "agent""#,
        r#"context has delegator && context.delegator == Deputy::Agent::"agent_a""#,
        "!(context has provider) && !(context has acr)",
        "context.levels.isEmpty() && context.amr.isEmpty() && context.claims.isEmpty()",
        "context.login_age_seconds == context.now_seconds && !context.is_login_fresh",
    ] {
        assert!(fires(condition, facts), "{condition}");
    }
    assert!(fires(r#"context.delegator_kind == "user" && !(context has delegator)"#, ""));
}

#[test]
fn the_facts_we_put_together_fit_the_schema() {
    let (schema, warnings) = cedar_policy::Schema::from_cedarschema_str(super::load::SCHEMA).unwrap();
    assert_eq!(warnings.count(), 0);
    let vocabulary = Vocabulary::whole().unwrap();
    for case in testing::parse(BUILTIN_CASES).unwrap() {
        let (request, entities) = vocabulary.request(&case.facts()).unwrap();
        let checked = cedar_policy::Request::new(
            request.principal().unwrap().clone(),
            request.action().unwrap().clone(),
            request.resource().unwrap().clone(),
            request.context().unwrap().clone(),
            Some(&schema),
        );
        assert!(checked.is_ok(), "{}: {checked:?}", case.name);
        let entities: Vec<_> = entities.iter().cloned().collect();
        let brings_in_an_agent = matches!(case.facts().brings_in, Some(BroughtIn::Agent { .. }));
        assert_eq!(entities.len(), 1 + usize::from(brings_in_an_agent), "{}", case.name);
        assert!(cedar_policy::Entities::from_entities(entities, Some(&schema)).is_ok(), "{}", case.name);
    }
}

#[test]
fn a_fact_is_put_wherever_in_a_rule_it_is_looked_at() {
    for condition in [
        "context[\"hop\"] == 2",
        "if context.hop == 2 then true else false",
        "[context.hop].contains(2)",
        "{ \"a\": context.hop }.a == 2",
        "{ \"Var\": context.hop, \"left\": 1 }.Var == 2",
        "!(context.hop < 2)",
        "context has hop && context.hop + 0 == 2",
        "[context].contains(context) && context.hop == 2",
    ] {
        assert!(fires(condition, "hop = 2"), "{condition}");
    }
    let in_scope = "@id(\"f\") forbid(principal in Deputy::AgentClass::\"age\", action, resource);";
    let is_in =
        "@id(\"f\") forbid(principal is Deputy::Agent in Deputy::AgentClass::\"age\", action, resource);";
    let unless = "@id(\"f\") forbid(principal, action, resource) unless { context.hop == 2 };";
    for rule in [in_scope, is_in, unless] {
        assert!(!decide(rule, "class = \"age\"").is_permit, "{rule}");
        assert!(decide(rule, "class = \"other\"\nhop = 2").is_permit, "{rule}");
    }
    assert!(fires(
        "[Deputy::AgentClass::\"x\", Deputy::AgentClass::\"age\"].contains(Deputy::AgentClass::\"age\") && principal in [Deputy::AgentClass::\"age\"]",
        "class = \"age\""
    ));
}

#[test]
fn a_summary_lists_the_rules_by_file() {
    let summary = check::check(None, None).unwrap();
    let printed = summary.to_string();
    assert!(printed.contains("permit  exchange-with-evidence"), "{printed}");
    assert!(printed.contains("forbid  onward-only-where-listed"), "{printed}");
    assert_eq!(summary.to_json()["rules"].as_array().unwrap().len(), summary.rules.len());
}
