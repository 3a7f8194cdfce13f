//! What is remembered of decisions.

use super::*;

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
        let (plain, remembering) = (set(&text).unwrap(), set(&text).unwrap().remembering().unwrap());
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
                    facts.lifetime_seconds = lifetime;
                    let Delegator::User { login, login_age_seconds } = &mut facts.delegator else { continue };
                    *login_age_seconds = age;
                    if let Some(claims) = claims {
                        Arc::make_mut(login).policy_claims = claims.clone();
                    }
                    let decision = remembering.decide(&facts);
                    assert_eq!(decision, plain.decide(&facts), "{}", case.name);
                    seen.insert((decision.record.decision, decision.record.policies));
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
        super::super::memory::is_lasting(&text.parse().unwrap()).unwrap()
    };
    let any = "principal, action, resource";
    for condition in
        ["context.hop == 2", "context.levels.isEmpty()", "resource == Deputy::Target::\"x\"", "true"]
    {
        assert!(is_lasting(any, condition), "{condition}");
    }
    assert!(is_lasting("principal is Deputy::Agent, action, resource is Deputy::Target", "true"));
    let builtin = PolicySet::builtin().unwrap().remembering().unwrap().memory.unwrap();
    assert!(builtin.passing.cedar.is_empty(), "every rule of the default set is remembered");
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
