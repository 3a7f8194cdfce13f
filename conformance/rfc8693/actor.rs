//! RFC 8693 §4.1 to §4.3, §5, §6: `act`, `scope`, `client_id`, and what else a token says.

use serde_json::{Value, json};

use crate::expect::{POLICY, SUBJECT, actors, levels, malformed, refuses, refuses_config};
use crate::harness::{Cases, case};
use crate::world::{Setup, World, claims_of};

pub fn cases() -> Cases {
    vec![
        case("8693-4.1-01", act_is_an_object_that_identifies_the_actor),
        case("8693-4.1-02", the_subject_stays_and_the_acting_party_is_in_act),
        case("8693-4.1-03", a_chain_nests_the_newest_actor_outermost),
        case("8693-4.1-04", act_holds_identity_members_only),
        case("8693-4.1-05", nested_actors_are_information_only),
        case("8693-4.1-06", an_exchange_onward_adds_one_level_and_copies_the_rest),
        case("8693-4.1-07", there_is_no_impersonation_token),
        case("8693-4.1-08", act_is_never_taken_from_the_request),
        case("8693-4.1-09", introspection_reports_act_as_it_stands),
        case("8693-4.1-10", the_depth_of_a_chain_is_capped),
        case("8693-4.2-01", granted_scope_is_a_string_claim),
        case("8693-4.3-01", client_id_is_the_client_that_asked),
        case("8693-5-01", a_token_needs_a_rule_that_permits_it),
        case("8693-5-02", plain_http_is_only_for_loopback),
        case("8693-6-01", a_token_holds_only_what_the_target_needs),
        case("AGD-01", act_is_an_object_that_identifies_the_actor),
        case("AGD-01", act_holds_identity_members_only),
        case("AGD-04", an_exchange_onward_adds_one_level_and_copies_the_rest),
        case("AGD-05", the_depth_of_a_chain_is_capped),
        case("AGD-07", there_is_no_impersonation_token),
        case("AGD-15", introspection_reports_act_as_it_stands),
    ]
}

async fn act_is_an_object_that_identifies_the_actor() {
    let world = World::start(Setup::default()).await;
    let claims = world.tx().send().await.claims();
    assert_eq!(levels(&claims), [(world.issuer.clone(), world.agent_of("assistant").to_string())]);

    let workload = world.workload_token("planner").sign();
    let claims = world.tx().actor(&workload).send().await.claims();
    let planner = world.agent_of_workload("workload-planner").to_string();
    assert!(planner.starts_with("agent_"), "{planner}");
    assert_eq!(levels(&claims), [(world.issuer.clone(), planner)]);
}

async fn the_subject_stays_and_the_acting_party_is_in_act() {
    // The mapping `upstream`: the provider's own subject, over every hop.
    let world = World::start(Setup::default().upstream()).await;
    let files = world.files_token().await;
    let onward = world.onward_tx(&files).send().await.granted();
    for (token, actor) in [(files, "assistant"), (onward, "files-service")] {
        let claims = claims_of(&token);
        assert_eq!(claims["sub"], "alice");
        assert_eq!(claims["act"]["sub"], world.agent_of(actor).as_str());
    }

    // With `pairwise`, a target sees the same `sub` for a user, whichever agent acts.
    let world = World::start(Setup::default()).await;
    let direct = world.tx().send().await.claims();
    let by_planner = world.tx().actor(&world.workload_token("planner").sign()).send().await.claims();
    assert!(direct["sub"].as_str().unwrap().starts_with("pw_"), "{direct}");
    assert_eq!(direct["sub"], by_planner["sub"]);
    assert_ne!(direct["act"]["sub"], by_planner["act"]["sub"]);
}

/// The story: assistant, then the age agent, a fresh instance of a workload.
async fn a_chain_nests_the_newest_actor_outermost() {
    let world = World::start(Setup::default()).await;
    let task = world.task_token().await;
    let for_age_agent = world.onward("assistant", &task, "age-agent", "age_over_18").send().await.granted();
    let answer = world.age_tx(&for_age_agent).send().await.claims();

    let chain = actors(&answer);
    assert_eq!(chain.len(), 2, "{answer}");
    assert_eq!(chain[1], world.agent_of("assistant").as_str());
    assert_ne!(chain[0], chain[1]);
    assert_eq!(actors(&claims_of(&for_age_agent)), [chain[1].clone()]);
}

async fn act_holds_identity_members_only() {
    let world = World::start(Setup::default()).await;
    // Members without meaning in an incoming `act` change nothing: not validity, not access, not the
    // token that comes out.
    let odd = json!({
        "sub": "intruder", "exp": 1, "nbf": 9_999_999_999_i64, "aud": "elsewhere", "scope": "admin",
        "cnf": {"jkt": "x"},
    });
    let id_token = world.id_token().claim("act", odd).sign();
    let workload = world.workload_token("planner").sign();
    let claims = world.tx().set("subject_token", &id_token).actor(&workload).send().await.claims();
    assert_eq!(actors(&claims), [world.agent_of_workload("workload-planner").to_string()]);

    let deep = deep_chain(&world, 4).await;
    assert_eq!(levels(&claims_of(&deep)).len(), 4, "checks the members of every level");
}

/// A token of a chain of `depth` actors: assistant, svc1, svc2, svc3.
async fn deep_chain(world: &World, depth: usize) -> String {
    let task = world.task_token().await;
    let mut token = world.onward("assistant", &task, "deep1", "deep").send().await.granted();
    for hop in 1..depth {
        let target = format!("deep{}", hop + 1);
        token = world.onward(&format!("svc{hop}"), &token, &target, "deep").send().await.granted();
    }
    token
}

async fn nested_actors_are_information_only() {
    let world = World::start(Setup::default()).await;
    let task = world.task_token().await;
    let files = world.onward("assistant", &task, "https://files.example/", "files.read").send().await;
    let onward = world.onward_tx(&files.granted()).send().await.granted();
    assert_eq!(actors(&claims_of(&onward))[1], world.agent_of("assistant").as_str());

    // The nested actor has no right to the token that names it.
    let request = world.onward("assistant", &onward, "https://archive.example/", "files.read");
    refuses(&world, "the nested actor", request, SUBJECT, "not_yours").await;
    let request = world.onward("assistant", &onward, "tickets", "tickets:search");
    refuses(&world, "the nested actor, elsewhere", request, SUBJECT, "not_yours").await;

    // No rule of the default set permits by it. (One forbids: an agent twice, 8693-F-09.)
    let builtin = deputy::testing::builtin_policies();
    for (file, text) in builtin {
        for rule in text.split("@id(").filter(|rule| rule.contains("prior_actors")) {
            assert!(rule.contains("forbid ("), "{file}: {rule}");
        }
    }
    assert!(builtin.iter().any(|(_, text)| text.contains("\npermit (")));
}

/// Continuing with a task token adds no level (docs/design/exchange.md).
async fn an_exchange_onward_adds_one_level_and_copies_the_rest() {
    let world = World::start(Setup::default()).await;
    let task = world.task_token().await;
    let first = world.onward("assistant", &task, "deep1", "deep").send().await.granted();
    assert_eq!(claims_of(&first)["act"].to_string(), claims_of(&task)["act"].to_string(), "continued");

    let mut before = first;
    for hop in 1..4 {
        let request = world.onward(&format!("svc{hop}"), &before, &format!("deep{}", hop + 1), "deep");
        let after = request.send().await.granted();
        let (inner, outer) = (claims_of(&before), claims_of(&after));
        assert_eq!(levels(&outer).len(), levels(&inner).len() + 1);
        assert_eq!(outer["act"]["act"].to_string(), inner["act"].to_string(), "hop {hop}");
        assert_eq!(outer["act"]["sub"], world.agent_of(&format!("svc{hop}")).as_str());
        before = after;
    }
}

async fn there_is_no_impersonation_token() {
    let world = World::start(Setup::default()).await;
    let task = world.task_token().await;
    let files = world.files_from(&task).await;
    let onward = world.onward_tx(&files).send().await.granted();
    let basic = world.tx().basic("basic-app").send().await.granted();
    for (token, actor) in
        [(task, "assistant"), (files, "assistant"), (onward, "files-service"), (basic, "basic-app")]
    {
        assert_eq!(claims_of(&token)["act"]["sub"], world.agent_of(actor).as_str());
    }
}

async fn act_is_never_taken_from_the_request() {
    let world = World::start(Setup::default()).await;
    let intruder = json!({"iss": world.issuer, "sub": "agent_intruder"});
    let assertion = world.assertion("assistant").claim("act", intruder.clone()).sign();
    let answer = world
        .tx()
        .with_assertion(&assertion)
        .set("act", &intruder.to_string())
        .set("actor", "agent_intruder")
        .send()
        .await;
    assert_eq!(actors(&answer.claims()), [world.agent_of("assistant").to_string()]);
    assert!(!answer.claims().to_string().contains("intruder"));
}

async fn introspection_reports_act_as_it_stands() {
    let world = World::start(Setup::default()).await;
    let token = deep_chain(&world, 3).await;
    let answer = world.introspect_as("tickets-api", &token).await;
    assert_eq!(answer.body["active"], true, "{}", answer.text);
    assert_eq!(answer.body["act"], claims_of(&token)["act"]);
    assert_eq!(actors(&answer.body).len(), 3);
}

async fn the_depth_of_a_chain_is_capped() {
    let world = World::start(Setup::default()).await;
    let wire = malformed("chain_too_deep");
    let token = deep_chain(&world, 4).await;
    let request = world.onward("svc4", &token, "deep5", "deep");
    refuses(&world, "a fifth level", request, wire, "chain_too_deep").await;

    let setup = Setup::default().add("[tasks]\nmax_chain_depth = 2");
    let world = World::start(setup).await;
    let token = deep_chain(&world, 2).await;
    let request = world.onward("svc2", &token, "deep3", "deep");
    refuses(&world, "a third level of two", request, wire, "chain_too_deep").await;
}

async fn granted_scope_is_a_string_claim() {
    let world = World::start(Setup::default()).await;
    let task = world.task_tx().send().await;
    let two = world.tx().set("scope", "tickets:search tickets:book").send().await;
    for answer in [task, two] {
        let claims = answer.claims();
        let scope = claims["scope"].as_str().expect("a string");
        assert_eq!(answer.body["scope"], scope);
        assert!(scope.split(' ').count() > 1 && !scope.contains("  "), "{scope}");
    }
}

async fn client_id_is_the_client_that_asked() {
    let world = World::start(Setup::default()).await;
    let files = world.files_token().await;
    let onward = world.onward_tx(&files).send().await.granted();
    assert_eq!(claims_of(&files)["client_id"], "assistant");
    assert_eq!(claims_of(&onward)["client_id"], "files-service");
}

const ONLY_SEARCH: &str = r#"
@id("search")
permit (principal, action == Deputy::Action::"exchange", resource == Deputy::Target::"tickets")
when { context.scopes == ["tickets:search"] };

@id("no-planner")
forbid (principal in Deputy::AgentClass::"planner", action == Deputy::Action::"exchange", resource);
"#;

async fn a_token_needs_a_rule_that_permits_it() {
    let world = World::start(Setup::default().policy(ONLY_SEARCH)).await;

    let answer = world.tx().send().await;
    answer.granted();
    let jti = answer.claims()["jti"].as_str().unwrap().to_owned();
    let rows = world.audit().await;
    let row = rows.iter().find(|row| row["jti"] == jti).expect("the grant is on record");
    assert_eq!(
        (&row["policy"]["decision"], &row["policy"]["policies"]),
        (&json!("permit"), &json!(["search"])),
        "a grant's row has the decision"
    );

    let planner = world.workload_token("planner").sign();
    for (what, request, rule) in [
        ("no matching rule", world.tx().set("scope", "tickets:book"), "no-permit"),
        ("no matching rule for another target", world.task_tx(), "no-permit"),
        ("a rule that forbids", world.tx().actor(&planner), "no-planner"),
    ] {
        let answer = refuses(&world, what, request, POLICY, "policy_denied").await;
        let row = world.audit_of(answer.request_id()).await.remove(0);
        let policy = &row["policy"];
        assert_eq!(
            (&policy["decision"], &policy["policies"]),
            (&json!("deny"), &json!([rule])),
            "{what}: a denial's row has the decision"
        );
    }
}

/// Plain HTTP is served only where issuer and listener are on loopback; any other
/// configuration with plain HTTP is refused.
async fn plain_http_is_only_for_loopback() {
    let world = World::start(Setup::default()).await;
    let port = world.issuer.rsplit(':').next().unwrap();
    let issuer = format!("issuer = \"{}\"", world.issuer);
    refuses_config(&world, &issuer, "issuer = \"http://deputy.example\"", "plain HTTP");
    refuses_config(&world, &issuer, "issuer = \"http://localhost.example\"", "plain HTTP");
    refuses_config(&world, &issuer, "issuer = \"https://deputy.example\"", "`tls` is missing");
    let listen = format!("public = \"127.0.0.1:{port}\"");
    refuses_config(&world, &listen, "public = \"0.0.0.0:8443\"", "not loopback");

    // With TLS the listener has no plain side.
    let world = World::start(Setup::default().tls()).await;
    assert!(world.issuer.starts_with("https://"));
    world.tx().send().await.granted();
    let plain = world.issuer.replace("https://", "http://");
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http
        .post(format!("{plain}/token"))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(world.tx().encoded());
    assert!(request.send().await.is_err(), "plain HTTP got an answer");
    assert_eq!(world.minted().await, 1);
}

async fn a_token_holds_only_what_the_target_needs() {
    let world = World::start(Setup::default().upstream()).await;
    let task = world.task_token().await;
    let files = world.files_from(&task).await;
    let onward = world.onward_tx(&files).send().await.granted();
    let known = [
        "act",
        "acr",
        "amr",
        "aud",
        "auth_time",
        "client_id",
        "exp",
        "iat",
        "iss",
        "jti",
        "scope",
        "sub",
        "txn",
    ];
    for token in [task, files, onward] {
        let claims = claims_of(&token);
        for name in crate::expect::names(&claims) {
            assert!(known.contains(&name), "`{name}`: {claims}");
        }
        let text = Value::to_string(&claims);
        for personal in ["alice@example.org", "Alice Example", "1990", "session-1", "staff", "n-"] {
            assert!(!text.contains(personal), "`{personal}` in {text}");
        }
    }
}
