//! RFC 8693 §2.2.1: the answer to an exchange.

use crate::expect::{DETAILS, names, refuses, scope};
use crate::harness::{Cases, case};
use crate::strict;
use crate::world::{ACCESS_TOKEN_TYPE, Answer, Setup, World};

pub fn cases() -> Cases {
    vec![
        case("8693-2.2.1-01", every_success_is_json_that_nobody_keeps),
        case("8693-2.2.1-02", the_issued_token_is_in_access_token),
        case("8693-2.2.1-03", issued_token_type_is_on_every_success),
        case("8693-2.2.1-04", token_type_says_how_the_token_is_used),
        case("8693-2.2.1-05", expires_in_is_the_life_of_the_token),
        case("8693-2.2.1-06", scope_is_always_told_and_is_what_was_asked),
        case("8693-2.2.1-07", there_is_never_a_refresh_token),
        case("8693-2.2.1-08", authorization_details_are_told_where_attached),
        case("8693-2.2.1-09", every_member_comes_once_and_correctly_typed),
    ]
}

/// One success of every kind: for a target at hop 0, a task token, continued, and onward.
async fn successes(world: &World) -> Vec<(&'static str, Answer)> {
    let task = world.task_tx().send().await;
    let files =
        world.onward("assistant", &task.granted(), "https://files.example/", "files.read").send().await;
    let onward = world.onward_tx(&files.granted()).send().await;
    let all = vec![
        ("hop 0", world.tx().send().await),
        ("task token", task),
        ("continued", files),
        ("onward", onward),
    ];
    for (_, answer) in &all {
        answer.granted();
    }
    all
}

async fn every_success_is_json_that_nobody_keeps() {
    let world = World::start(Setup::default()).await;
    for (what, answer) in successes(&world).await {
        assert_eq!(answer.status, 200, "{what}");
        assert!(
            answer.header("content-type").is_some_and(|value| value.starts_with("application/json")),
            "{what}: {answer:?}"
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
        assert!(answer.body.is_object(), "{what}: {}", answer.text);
    }
}

async fn the_issued_token_is_in_access_token() {
    let world = World::start(Setup::default()).await;
    for (what, answer) in successes(&world).await {
        let token = answer.granted();
        assert_eq!(token.split('.').filter(|segment| !segment.is_empty()).count(), 3, "{what}");
        for other in ["token", "id_token", "issued_token", "task_token"] {
            assert!(answer.body.get(other).is_none(), "{what}: {other}");
        }
    }
}

async fn issued_token_type_is_on_every_success() {
    let world = World::start(Setup::default()).await;
    for (what, answer) in successes(&world).await {
        assert_eq!(answer.body["issued_token_type"], ACCESS_TOKEN_TYPE, "{what}");
    }
    let asked = world.tx().set("requested_token_type", ACCESS_TOKEN_TYPE).send().await;
    asked.granted();
    assert_eq!(asked.body["issued_token_type"], ACCESS_TOKEN_TYPE);
}

/// `DPoP` and `N_A` wait: sender constraint is not built yet, and no type but an access token is
/// issued (8693-2.1-17), so every answer says `Bearer`.
async fn token_type_says_how_the_token_is_used() {
    let world = World::start(Setup::default()).await;
    for (what, answer) in successes(&world).await {
        assert_eq!(answer.body["token_type"], "Bearer", "{what}");
    }
}

async fn expires_in_is_the_life_of_the_token() {
    let world = World::start(Setup::default()).await;
    for (what, answer) in successes(&world).await {
        let expires_in = answer.body["expires_in"].as_i64().expect("a whole number");
        let claims = answer.claims();
        let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        assert!(expires_in > 0 && (expires_in - life).abs() <= 1, "{what}: {expires_in}, {life}");
    }
}

/// The requested scope is granted as a whole, or the request is refused.
async fn scope_is_always_told_and_is_what_was_asked() {
    let world = World::start(Setup::default()).await;
    for asked in ["tickets:search", "tickets:book tickets:search"] {
        let answer = world.tx().set("scope", asked).send().await;
        assert_eq!(answer.body["scope"], asked);
        assert_eq!(answer.claims()["scope"], asked);
    }
    let too_much = world.tx().set("scope", "tickets:search tickets:refund");
    let wire = scope("scope_unknown_at_target");
    refuses(&world, "one word too many", too_much, wire, "scope_unknown_at_target").await;
    // Nothing is granted that was not asked for.
    let wire = scope("scope_missing");
    refuses(&world, "no scope", world.tx().without("scope"), wire, "scope_missing").await;
}

async fn there_is_never_a_refresh_token() {
    let world = World::start(Setup::default()).await;
    for (what, answer) in successes(&world).await {
        assert!(answer.body.get("refresh_token").is_none(), "{what}: {}", answer.text);
    }
    let offline = world.tx().set("scope", "offline_access");
    let wire = scope("scope_unknown_at_target");
    refuses(&world, "offline_access", offline, wire, "scope_unknown_at_target").await;
}

/// No type is registered yet, so none is ever attached: no answer has the member, and asking for one
/// is refused rather than answered without it.
async fn authorization_details_are_told_where_attached() {
    let world = World::start(Setup::default()).await;
    for (what, answer) in successes(&world).await {
        assert!(answer.body.get("authorization_details").is_none(), "{what}");
        assert!(answer.claims().get("authorization_details").is_none(), "{what}");
    }
    let asked = world.tx().set("authorization_details", "[{\"type\":\"booking\"}]");
    refuses(&world, "asked for", asked, DETAILS, "authorization_details").await;
}

async fn every_member_comes_once_and_correctly_typed() {
    let world = World::start(Setup::default()).await;
    for (what, answer) in successes(&world).await {
        let body = strict::parse(&answer.text).unwrap_or_else(|error| panic!("{what}: {error}"));
        let mut expected = vec!["access_token", "expires_in", "issued_token_type", "scope", "token_type"];
        if ["hop 0", "task token"].contains(&what) {
            expected.push("task");
            expected.sort_unstable();
        }
        assert_eq!(names(&body), expected, "{what}");
        for name in expected {
            let value = &body[name];
            assert_eq!(name == "expires_in", value.is_u64(), "{what}: {name}");
            assert_eq!(name != "expires_in", value.is_string(), "{what}: {name}");
        }
    }
}
