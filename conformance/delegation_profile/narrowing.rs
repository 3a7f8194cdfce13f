//! Scope and lifetime never grow.

use std::collections::BTreeSet;

use crate::expect::{SUBJECT, Wire, refuses, scope};
use crate::harness::{Cases, case};
use crate::world::{Setup, World, claims_of};

pub fn cases() -> Cases {
    vec![
        case("8693-F-01", scope_is_within_each_of_its_bounds),
        case("8693-F-01", scope_does_not_grow_along_any_chain),
        case("8693-F-02", lifetime_does_not_grow),
        case("8693-F-02", a_task_is_bound_by_the_session_of_its_login),
        case("8693-F-03", a_token_about_to_end_is_not_exchanged),
        case("AGD-06", scope_is_within_each_of_its_bounds),
        case("AGD-06", scope_does_not_grow_along_any_chain),
        case("AGD-06", lifetime_does_not_grow),
    ]
}

/// On the first hop, policy decides whether the user is entitled to the scope.
const STAFF_READS: &str = r#"
@id("exchange")
permit (principal, action == Deputy::Action::"exchange", resource);

@id("files-are-for-staff")
forbid (principal, action == Deputy::Action::"exchange", resource)
when { context.scopes.contains("files.read") }
unless { context.claims.contains("groups=staff") };
"#;

async fn scope_is_within_each_of_its_bounds() {
    let world = World::start(Setup::default()).await;
    let narrow = world.task_tx().set("scope", "tickets:search deep").send().await.granted();
    let planner = || world.workload_token("planner").sign();
    let table: Vec<(&str, crate::world::Request<'_>, Wire, &str)> = vec![
        (
            "not in the subject token",
            world.onward("assistant", &narrow, "tickets", "tickets:book"),
            scope("scope_not_in_subject"),
            "scope_not_in_subject",
        ),
        (
            "not among the client's",
            world.tx().basic("basic-app").set("scope", "tickets:book"),
            scope("scope_not_allowed"),
            "scope_not_in_client",
        ),
        (
            "not among the agent class's",
            world.tx().actor(&planner()).set("scope", "tickets:book"),
            scope("scope_not_allowed"),
            "scope_not_in_class",
        ),
        (
            "not at the target",
            world.tx().set("scope", "files.read"),
            scope("scope_unknown_at_target"),
            "scope_unknown_at_target",
        ),
        (
            "all but one word within",
            world.onward("assistant", &narrow, "tickets", "tickets:search tickets:book"),
            scope("scope_not_in_subject"),
            "scope_not_in_subject",
        ),
    ];
    for (what, request, wire, cause) in table {
        refuses(&world, what, request, wire, cause).await;
    }
    world.onward("assistant", &narrow, "tickets", "tickets:search").send().await.granted();
    world.tx().actor(&planner()).send().await.granted();

    let world = World::start(Setup::default().policy(STAFF_READS)).await;
    let files = |groups: &str| {
        let token = world.id_token().claim("groups", serde_json::json!([groups])).sign();
        let request = world.tx().set("subject_token", &token);
        request.set("audience", "https://files.example/").set("scope", "files.read")
    };
    files("staff").send().await.granted();
    let guest = files("guests");
    refuses(&world, "not the user's", guest, crate::expect::POLICY, "policy_denied").await;
}

/// Every chain assistant -> svc1 -> svc2 -> svc3 over every choice of two words, more than held included.
async fn scope_does_not_grow_along_any_chain() {
    let world = World::start(Setup::default()).await;
    let choices = ["deep", "deeper", "deep deeper"];
    let words = |text: &str| -> BTreeSet<String> { text.split(' ').map(str::to_owned).collect() };
    let mut granted = 0;
    let mut refused = 0;
    for first in choices {
        let task = world.task_tx().set("scope", first).send().await.granted();
        let mut held = vec![(task, first.to_owned())];
        for (client, target) in [("assistant", "deep1"), ("svc1", "deep2"), ("svc2", "deep3")] {
            let mut next = Vec::new();
            for (token, has) in &held {
                for asked in choices {
                    let request = world.onward(client, token, target, asked);
                    if words(asked).is_subset(&words(has)) {
                        let answer = request.send().await;
                        let claims = answer.claims();
                        assert_eq!(words(claims["scope"].as_str().unwrap()), words(asked));
                        assert!(claims["exp"].as_i64() <= claims_of(token)["exp"].as_i64());
                        granted += 1;
                        next.push((answer.granted(), asked.to_owned()));
                    } else {
                        let wire = scope("scope_not_in_subject");
                        refuses(&world, asked, request, wire, "scope_not_in_subject").await;
                        refused += 1;
                    }
                }
            }
            held = next;
        }
        // deep4 does not define `deeper`: what is held is not enough, it has to mean something there.
        for (token, has) in &held {
            let request = world.onward("svc3", token, "deep4", has);
            if has == "deep" {
                request.send().await.granted();
            } else {
                let wire = scope("scope_unknown_at_target");
                refuses(&world, has, request, wire, "scope_unknown_at_target").await;
            }
        }
    }
    assert_eq!((granted, refused), (5 + 7 + 9, 4 + 8 + 12));
}

async fn lifetime_does_not_grow() {
    let setup = Setup::default().add("[tasks]\nmax_lifetime_seconds = 200");
    let world = World::start(setup).await;
    let exp = |token: &str| claims_of(token)["exp"].as_i64().unwrap();
    let task = world.task_token().await;
    assert_eq!(exp(&task), world.now() + 200);
    let mut token = task.clone();
    // Five exchanges, the task token's own included; each time a token would live 300 s by itself.
    for (client, target) in [("assistant", "deep1"), ("svc1", "deep2"), ("svc2", "deep3"), ("svc3", "deep4")]
    {
        world.advance(10);
        let next = world.onward(client, &token, target, "deep").send().await.granted();
        assert!(exp(&next) <= exp(&token) && exp(&next) <= world.now() + 300, "{target}");
        token = next;
    }
    assert_eq!(exp(&token), exp(&task));

    // The configured maximum, and a target's own, bound it too; an ID token's own `exp` does not.
    let setup = Setup::default()
        .add("[tokens]\nlifetime_seconds = 100")
        .replace("[tokens]\nsubject = \"pairwise\"", "")
        .replace(
            "identifier = \"tickets\"",
            "identifier = \"tickets\"\nsubject = \"pairwise\"\nlifetime_seconds = 50",
        );
    let world = World::start(setup).await;
    let short_lived = world.id_token().claim("exp", world.now() + 20).sign();
    let tickets = world.tx().set("subject_token", &short_lived).send().await.granted();
    assert_eq!(exp(&tickets), world.now() + 50);
    let files = world.files_token().await;
    assert_eq!(exp(&files), world.now() + 100);
}

async fn a_task_is_bound_by_the_session_of_its_login() {
    let world = World::start(Setup::default()).await;
    // 8 hours of session, of which ten minutes are left.
    let old = world.id_token().claim("auth_time", world.now() - 28_800 + 600).sign();
    let task = world.task_tx().set("subject_token", &old).set("scope", "tickets:search").send().await;
    assert_eq!(task.claims()["exp"], world.now() + 600);
    let fresh = world.task_tx().send().await;
    assert_eq!(fresh.claims()["exp"], world.now() + 3600, "tasks.max_lifetime_seconds");

    let over = world.id_token().claim("auth_time", world.now() - 28_800).sign();
    let request = world.tx().set("subject_token", &over);
    refuses(&world, "the session is over", request, SUBJECT, "session_too_old").await;
    // Renewing the ID token does not renew the session.
    world.advance(595);
    let token = task.granted();
    world.onward("assistant", &token, "tickets", "tickets:search").send().await.granted();
    world.advance(6);
    let request = world.onward("assistant", &token, "tickets", "tickets:search");
    refuses(&world, "the session ended meanwhile", request, SUBJECT, "expired").await;
}

/// The minimum applies only to Deputy's own tokens, because the `exp` of an ID token limits what it may start.
async fn a_token_about_to_end_is_not_exchanged() {
    let world = World::start(Setup::default()).await;
    let files = world.files_token().await;
    world.advance(295);
    let answer = world.onward_tx(&files).send().await;
    assert_eq!(answer.body["expires_in"], 5);
    world.advance(1);
    refuses(&world, "4 s left", world.onward_tx(&files), SUBJECT, "too_little_life").await;
    assert_eq!(world.introspect_as("files-api", &files).await.body["active"], true, "it lives still");

    let about_to_end = world.id_token().claim("exp", world.now() + 1).sign();
    world.tx().set("subject_token", &about_to_end).send().await.granted();
}
