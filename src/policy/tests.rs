use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use super::testing::{self, BUILTIN_CASES, run_cases};
use super::*;
use crate::oauth::AgentId;

const PERMIT: &str = "@id(\"p\") permit(principal, action, resource);\n";

/// A set of one file, `a.cedar`.
fn set(text: &str) -> Result<PolicySet, PolicyError> {
    PolicySet::from_sources("", [("a.cedar", text)])
}

/// What a permit-all with this rule beside it says of facts that override the defaults.
fn decide(rule: &str, facts: &str) -> Decision {
    let set = set(&format!("{PERMIT}{rule}")).unwrap();
    let case =
        testing::parse(&format!("[[case]]\nname = \"x\"\nexpect = \"permit\"\n[case.facts]\n{facts}\n"));
    set.decide(&case.unwrap()[0].facts())
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
        "!context.is_listed_onward",
        r#"context.scopes == ["b", "a"]"#,
        r#"context.answers == ["x"]"#,
        r#"context.class_answers == ["y"]"#,
        r#"context.fresh_scopes == ["f"]"#,
        r#"context.sensitive_scopes == ["s"]"#,
        "context.depth == 3",
        "context.hop == 2",
        r#"context.has_purpose && context has purpose && context.purpose == "why""#,
        r#"context.provider == Deputy::Provider::"https://i.example""#,
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
fn the_facts_we_put_together_fit_the_schema() {
    let (schema, warnings) = cedar_policy::Schema::from_cedarschema_str(SCHEMA).unwrap();
    assert_eq!(warnings.count(), 0);
    // A rule that looks at the record itself makes every fact be put.
    let all = "permit(principal in Deputy::AgentClass::\"x\", action, resource) when { [context].contains(context) };";
    let vocabulary = request::Vocabulary::of(&all.parse().unwrap()).unwrap();
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
        assert_eq!(entities.len(), 1);
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

/// Decides as if nothing were ever remembered: all rules at once, by Cedar alone.
fn decide_anew(set: &PolicySet, facts: &Facts) -> (String, Vec<String>) {
    let mut all = cedar_policy::PolicySet::new();
    for rule in set.lasting.cedar.policies().chain(set.passing.cedar.policies()) {
        all.add(rule.clone()).unwrap();
    }
    let (request, entities) = request::Vocabulary::of(&all).unwrap().request(facts).unwrap();
    let response = Authorizer::new().is_authorized(&request, &all, &entities);
    let errors = response.diagnostics().errors();
    let mut policies: Vec<String> = errors
        .map(|AuthorizationError::PolicyEvaluationError(error)| error.policy_id().to_string())
        .collect();
    let word = match (policies.is_empty(), response.decision()) {
        (false, _) => "error",
        (true, cedar_policy::Decision::Allow) => "permit",
        (true, cedar_policy::Decision::Deny) => "deny",
    };
    if policies.is_empty() {
        policies = response.diagnostics().reason().map(ToString::to_string).collect();
    }
    if policies.is_empty() {
        policies.push(NO_PERMIT.to_owned());
    }
    policies.sort_unstable();
    (word.to_owned(), policies)
}

#[test]
fn what_is_remembered_of_rules_is_what_they_would_say_again() {
    let others = r#"
        @id("a") forbid(principal == Deputy::Agent::"agent_b", action, resource);
        @id("b") forbid(principal in Deputy::AgentClass::"age", action, resource) when { context.hop == 1 };
        @id("c") permit(principal, action, resource) when { context.login_age_seconds < 100 };
        @id("d") forbid(principal, action, resource) when { context.claims.contains("groups=blocked") };
        @id("e") forbid(principal, action, resource) when { context.lifetime_seconds * 9000000000000000 > 1 };
        @id("f") forbid(principal, action, resource == Deputy::Target::"age-agent");
        @id("g") forbid(principal, action, resource) when { context.purpose like "*gift*" && context.has_purpose };
        @id("h") permit(principal, action, resource) when { context has max_age_seconds };
    "#;
    let others = others.replace("context.purpose like", "context has purpose && context.purpose like");
    let builtin: String = BUILTIN_FILES.iter().map(|(_, text)| *text).collect();
    let mut seen = BTreeSet::new();
    for text in [builtin.clone(), others.clone(), builtin + &others] {
        let set = set(&text).unwrap();
        let cases = testing::parse(BUILTIN_CASES).unwrap();
        let blocked = serde_json::json!({"groups": ["blocked"]});
        let actors = [AgentId::new("agent_a"), AgentId::new("agent_b")];
        // Twice, so that the second time everything that can be is remembered.
        for _ in 0..2 {
            for (case, actor) in cases.iter().flat_map(|case| actors.iter().map(move |actor| (case, actor))) {
                for (age, lifetime, claims) in
                    [(5, 60, None), (5_000, 60, blocked.as_object()), (5, 9_000, None)]
                {
                    let mut facts = case.facts();
                    facts.actor = actor.clone();
                    facts.login_age_seconds = age;
                    facts.lifetime_seconds = lifetime;
                    if let Some(claims) = claims {
                        Arc::make_mut(&mut facts.login).policy_claims = claims.clone();
                    }
                    let record = set.decide(&facts).record;
                    let told = (record.decision, record.policies);
                    assert_eq!(told, decide_anew(&set, &facts), "{}", case.name);
                    seen.insert(told);
                }
            }
        }
    }
    let words: BTreeSet<&str> = seen.iter().map(|(word, _)| word.as_str()).collect();
    assert_eq!(words, BTreeSet::from(["deny", "error", "permit"]), "the cases reach every kind of answer");
    assert!(seen.len() > 20, "{seen:?}");
}

#[test]
fn only_what_hangs_on_lasting_facts_is_remembered() {
    let is_lasting = |head: &str, condition: &str| {
        let text = format!("forbid({head}) when {{ {condition} }};");
        request::is_lasting(&text.parse().unwrap()).unwrap()
    };
    let any = "principal, action, resource";
    for condition in
        ["context.hop == 2", "context.levels.isEmpty()", "resource == Deputy::Target::\"x\"", "true"]
    {
        assert!(is_lasting(any, condition), "{condition}");
    }
    assert!(is_lasting("principal is Deputy::Agent, action, resource is Deputy::Target", "true"));
    assert!(PolicySet::builtin().unwrap().passing.cedar.is_empty(), "the default set costs next to nothing");
    for condition in [
        "principal == Deputy::Agent::\"agent_a\"",
        "principal in Deputy::AgentClass::\"age\"",
        "context.prior_actors.contains(principal)",
        "context.prior_actors.isEmpty()",
        "context.login_age_seconds < 5",
        "context has purpose",
        "context.claims.contains(\"groups=staff\")",
        "context.now_seconds > 5",
        "[context].contains(context)",
        "if context.hop == 2 then principal is Deputy::Agent else false",
    ] {
        assert!(!is_lasting(any, condition), "{condition}");
    }
    for head in [
        "principal == Deputy::Agent::\"agent_a\", action, resource",
        "principal in Deputy::AgentClass::\"age\", action, resource",
        "principal is Deputy::Agent in Deputy::AgentClass::\"age\", action, resource",
    ] {
        assert!(!is_lasting(head, "true"), "{head}");
    }
}

#[test]
fn a_set_is_refused_with_file_line_and_what_is_wrong() {
    let forbid = |condition: &str| {
        format!("\n\n@id(\"f\")\nforbid(principal, action, resource)\nwhen {{\n  {condition}\n}};\n")
    };
    for (text, expected) in [
        ("permit(principal, action, resource)".to_owned(), "a.cedar:1: unexpected end of input"),
        ("\npermit(principal, action);".to_owned(), "a.cedar:2: "),
        ("\n\npermit(principal, action, resource);".to_owned(), "a.cedar:3: the policy has no `@id"),
        (format!("{PERMIT}\n{PERMIT}"), "a.cedar:3: `@id(\"p\")` is already in a.cedar"),
        (forbid("context.hops > 0"), "a.cedar:6: "),
        (forbid("context.hop > \"0\""), "a.cedar:6: "),
        (forbid("context.purpose == \"x\""), "a.cedar:6: "),
        (forbid("principal in Deputy::Klass::\"x\""), "a.cedar:6: "),
        (forbid("context.scopes.contains(1)"), "a.cedar:6: "),
        (forbid("principal is Deputy::Target"), "a.cedar:3: "),
        (
            "@id(\"f\") forbid(principal, action == Deputy::Action::\"introspect\", resource);".to_owned(),
            "a.cedar:1: ",
        ),
        ("@id(\"f\") forbid(principal is Deputy::Client, action, resource);".to_owned(), "a.cedar:1: "),
        ("@id(\"f\") forbid(principal == ?principal, action, resource);".to_owned(), "a.cedar: templates"),
        ("@id(\"a b\") permit(principal, action, resource);".to_owned(), "a.cedar:1: `@id(\"a b\")`"),
        ("@id(\"\") permit(principal, action, resource);".to_owned(), "a.cedar:1: `@id(\"\")`"),
        ("@id permit(principal, action, resource);".to_owned(), "a.cedar:1: `@id(\"\")`"),
        ("@id(\"no-permit\") permit(principal, action, resource);".to_owned(), "a.cedar:1: "),
        ("@id(\"f\") @obligation(\"x\") forbid(principal, action, resource);".to_owned(), "a.cedar:1: "),
        ("// nothing\n".to_owned(), "policies: there is no policy"),
    ] {
        let refusal = refusal(&text);
        assert!(refusal.starts_with(expected), "{text}\n-> {refusal}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let error = PolicySet::from_sources(
        "dir/",
        [("b.cedar", "permit("), ("a.cedar", "permit(principal, action, resource);\n@id(\"x\") forbid(principal, action, resource) when { context.nope };")],
    )
    .unwrap_err();
    let places: Vec<_> = error.problems.iter().map(|problem| (problem.file.as_str(), problem.line)).collect();
    assert_eq!(
        places,
        [("dir/a.cedar", Some(1)), ("dir/a.cedar", Some(2)), ("dir/b.cedar", Some(1))],
        "{error}"
    );
}

#[test]
fn two_files_with_one_id_are_refused() {
    let error = PolicySet::from_sources("", [("a.cedar", PERMIT), ("b.cedar", PERMIT)]).unwrap_err();
    assert_eq!(error.to_string(), "b.cedar:1: `@id(\"p\")` is already in a.cedar");
}

#[test]
fn a_directory_is_read_as_the_same_files_in_the_build_would_be() {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in BUILTIN_FILES {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    std::fs::write(directory.path().join("README.md"), "not a policy").unwrap();
    std::fs::write(directory.path().join(".hidden.cedar"), "not a policy").unwrap();
    let loaded = PolicySet::load(directory.path()).unwrap();
    assert_eq!(loaded.hash(), PolicySet::builtin().unwrap().hash());
    assert!(run_cases(&loaded, BUILTIN_CASES).unwrap().is_passed());

    std::fs::write(directory.path().join("zz.cedar"), PERMIT).unwrap();
    assert_ne!(PolicySet::load(directory.path()).unwrap().hash(), loaded.hash());
}

#[test]
fn the_hash_tells_names_from_contents() {
    let hash = |files: &[(&'static str, &'static str)]| {
        PolicySet::from_sources("", files.iter().copied()).unwrap().hash().to_owned()
    };
    let other = "@id(\"q\") permit(principal, action, resource);\n";
    let both = hash(&[("a.cedar", PERMIT), ("b.cedar", other)]);
    assert_eq!(both, hash(&[("b.cedar", other), ("a.cedar", PERMIT)]));
    assert_ne!(both, hash(&[("a.cedar", other), ("b.cedar", PERMIT)]));
    assert_ne!(both, hash(&[("a.cedar", PERMIT)]));
    assert_eq!(both.len(), 64);
}

#[test]
fn a_directory_without_policies_or_with_one_that_cannot_be_read_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    assert!(PolicySet::load(directory.path()).unwrap_err().to_string().contains("no `*.cedar` file"));
    assert!(
        PolicySet::load(&directory.path().join("gone")).unwrap_err().to_string().contains("cannot be read")
    );
    std::fs::write(directory.path().join("a.cedar"), [0xff, 0xfe]).unwrap();
    assert!(PolicySet::load(directory.path()).unwrap_err().to_string().contains("a.cedar: cannot be read"));
    std::fs::write(directory.path().join("a.cedar"), PERMIT).unwrap();
    std::fs::create_dir(directory.path().join("b.cedar")).unwrap();
    assert!(PolicySet::load(directory.path()).unwrap_err().to_string().contains("b.cedar: cannot be read"));
}

#[test]
fn a_case_that_fails_says_what_came_instead_and_what_would_have_passed() {
    let cases = "[[case]]\nname = \"a case\"\nexpect = \"permit\"\nfacts = { depth = 9 }\n";
    let report = run_cases(&PolicySet::builtin().unwrap(), cases).unwrap();
    assert!(!report.is_passed());
    let printed = report.to_string();
    assert!(printed.starts_with("FAILED  a case  deny by chain-of-eight-at-most\n        expected: permit\n        chain-of-eight-at-most: a chain of eight"), "{printed}");
    assert!(printed.contains("0 of 1 cases passed"), "{printed}");
    assert_eq!(report.to_json()["passed"], false);
}

#[test]
fn a_case_with_the_right_word_by_the_wrong_rule_fails() {
    let cases =
        "[[case]]\nname = \"a\"\nexpect = \"deny\"\nby = [\"no-agent-twice\"]\nfacts = { depth = 9 }\n";
    assert!(!run_cases(&PolicySet::builtin().unwrap(), cases).unwrap().is_passed());
}

#[test]
fn a_file_of_cases_with_a_slip_is_refused_rather_than_passed() {
    let set = PolicySet::builtin().unwrap();
    for (text, expected) in [
        ("[[case]]\nname = \"a\"\nexpect = \"allow\"\n", "allow"),
        ("[[case]]\nname = \"a\"\n", "expect"),
        (
            "[[case]]\nname = \"a\"\nexpect = \"deny\"\nfacts = { dept = 9 }\n",
            "case `a`: unknown field `dept`",
        ),
        ("[facts]\nhop = \"x\"\n[[case]]\nname = \"a\"\nexpect = \"deny\"\n", "case `a`"),
        ("[[case]]\nname = \"a\"\nexpect = \"deny\"\nfacts = { scope = \"a  b\" }\n", "`scope`"),
        ("[[case]]\nname = \"a\"\nexpect = \"deny\"\nfacts = { now = \"noon\" }\n", "`now`"),
        ("[[cases]]\nname = \"a\"\nexpect = \"deny\"\n", "cases"),
    ] {
        let error = run_cases(&set, text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}\n-> {error}");
    }
    assert!(!run_cases(&set, "").unwrap().is_passed());
}

#[test]
fn a_summary_lists_the_rules_by_file() {
    let summary = check::check(None).unwrap();
    let printed = summary.to_string();
    assert!(printed.contains("permit  exchange-with-evidence"), "{printed}");
    assert!(printed.contains("forbid  onward-only-where-listed"), "{printed}");
    assert_eq!(summary.to_json()["rules"].as_array().unwrap().len(), summary.rules.len());
}

/// Prints what a decision costs: `cargo test --release --lib policy::tests::the_cost -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement, not a test"]
fn the_cost_of_a_decision() {
    let set = PolicySet::builtin().unwrap();
    let cases = testing::parse(BUILTIN_CASES).unwrap();
    let facts: Vec<_> = cases.iter().map(testing::Case::facts).collect();
    // The default set is lasting as a whole: this is what the first asking of each kind puts together.
    let vocabulary = &set.lasting.vocabulary;
    let rounds = 2000;
    let per = |total: std::time::Duration| total.as_secs_f64() * 1e6 / (rounds * facts.len()) as f64;
    for _ in 0..3 {
        let begun = Instant::now();
        for _ in 0..rounds {
            for facts in &facts {
                std::hint::black_box(vocabulary.request(facts).unwrap());
            }
        }
        let putting = per(begun.elapsed());
        let begun = Instant::now();
        for _ in 0..rounds {
            for facts in &facts {
                std::hint::black_box(set.decide(facts));
            }
        }
        println!(
            "{} rules: {:.1} us a decision that is remembered; {putting:.1} us to put the facts to Cedar anew",
            set.rules().len(),
            per(begun.elapsed())
        );
    }
}
