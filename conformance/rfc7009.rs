//! RFC 7009: token revocation.

use serde_json::{Value, json};

use crate::expect::{
    CLIENT, KIND, SUBJECT, THROTTLED, assert_inactive, assert_revoked, assert_unavailable, malformed,
};
use crate::harness::{Cases, case, skip};
use crate::requests::revocation;
use crate::world::{Setup, World, claims_of};

/// The cases of this file.
pub fn cases() -> Cases {
    vec![
        case("7009-2.1-01", revocation_is_a_form_with_one_token),
        case("7009-2.1-02", revocation_needs_client_authentication),
        case("7009-2.1-03", another_clients_token_is_not_revoked),
        case("7009-2.1-04", a_hint_changes_nothing),
        case("7009-2.1-05", a_revocation_takes_effect_at_once),
        skip("7009-2.1-06", "Deputy issues no refresh tokens"),
        case("7009-2.1-07", a_revocation_takes_the_subtree_and_nothing_else),
        case("7009-2.2-01", whatever_is_dead_already_is_a_success),
        case("7009-2.2-02", two_revocations_at_once_are_one_event),
        case("7009-2.2.1-01", a_known_kind_that_is_not_revoked_here_is_named),
        case("7009-2.2.1-02", a_store_that_is_down_is_no_success),
        case("7009-2.3-01", there_is_no_jsonp),
        case("7009-5-01", a_flood_is_cut_and_shuts_no_good_credential_out),
        case("7009-F-01", a_race_leaves_no_child_alive),
    ]
}

/// A token for `deep1`, which `svc1` may exchange onward.
pub async fn deep_token(world: &World) -> String {
    world.tx().set("audience", "deep1").set("scope", "deep").send().await.granted()
}

async fn revocation_is_a_form_with_one_token() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();
    let request = || revocation(&world, "assistant", &token);

    for broken in [request().without("token"), request().set("token", "")] {
        broken.send().await.refused_because(&world, malformed("token_missing"), "token_missing").await;
    }
    let twice = request().also("token", &token).send().await;
    twice.refused_because(&world, malformed("parameter_repeated"), "parameter_repeated").await;
    let get = request().path(&format!("/revoke?token={token}")).method("GET").send().await;
    get.refused(405, "invalid_request");
    assert_eq!(get.header("allow"), Some("POST"));
    assert!(world.is_active(&token).await);
    assert_revoked(&request().send().await);
}

async fn revocation_needs_client_authentication() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();
    let foreign = world.assertion("assistant").signed_by(world.key_of("stranger")).sign();

    let without = revocation(&world, "assistant", &token).anonymous().send().await;
    without.refused_because(&world, CLIENT, "no_credentials").await;
    let forged = revocation(&world, "assistant", &token).with_assertion(&foreign).send().await;
    forged.refused_because(&world, CLIENT, "assertion_signature").await;
    assert!(world.is_active(&token).await);
}

async fn another_clients_token_is_not_revoked() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();
    let task_token = world.task_token().await;

    // The resource server of the token is another client too.
    for request in [
        revocation(&world, "stranger", &token),
        revocation(&world, "assistant", &token).basic("tickets-api"),
        revocation(&world, "stranger", &task_token),
    ] {
        request
            .send()
            .await
            .refused_because(&world, malformed("token_of_other_client"), "token_of_other_client")
            .await;
    }
    assert!(world.is_active(&token).await);
    world.onward("assistant", &task_token, "tickets", "tickets:search").send().await.granted();
}

async fn a_hint_changes_nothing() {
    let world = World::start(Setup::default()).await;

    for hint in ["access_token", "refresh_token", "foo"] {
        let token = world.tx().send().await.granted();
        assert!(world.is_active(&token).await);
        assert_revoked(&revocation(&world, "assistant", &token).set("token_type_hint", hint).send().await);
        assert_inactive(&world.introspect_as("tickets-api", &token).await);
    }
}

async fn a_revocation_takes_effect_at_once() {
    let world = World::start(Setup::default()).await;
    let token = deep_token(&world).await;
    world.onward("svc1", &token, "deep2", "deep").send().await.granted();
    assert!(world.is_active(&token).await);

    assert_revoked(&revocation(&world, "assistant", &token).send().await);
    assert_inactive(&world.introspect_as("tickets-api", &token).await);
    let minted = world.minted().await;
    let exchanged = world.onward("svc1", &token, "deep2", "deep").send().await;
    exchanged.refused_because(&world, SUBJECT, "revoked").await;
    assert_eq!(world.minted().await, minted);
}

async fn a_revocation_takes_the_subtree_and_nothing_else() {
    let world = World::start(Setup::default()).await;
    let task_token = world.task_token().await;
    let a = world.onward("assistant", &task_token, "deep1", "deep").send().await.granted();
    let beside_a = world.onward("assistant", &task_token, "deep1", "deep").send().await.granted();
    let b = world.onward("svc1", &a, "deep2", "deep").send().await.granted();
    let beside_b = world.onward("svc1", &a, "deep2", "deep").send().await.granted();
    let c = world.onward("svc2", &b, "deep3", "deep").send().await.granted();
    let d = world.onward("svc3", &c, "deep4", "deep").send().await.granted();
    for token in [&a, &beside_a, &b, &beside_b, &c, &d] {
        assert!(world.is_active(token).await);
    }

    assert_revoked(&revocation(&world, "svc1", &b).send().await);
    for dead in [&b, &c, &d] {
        assert_inactive(&world.introspect_as("tickets-api", dead).await);
    }
    for alive in [&a, &beside_a, &beside_b] {
        assert!(world.is_active(alive).await);
    }
    let seeded = world.onward("svc2", &b, "deep3", "deep").send().await;
    seeded.refused_because(&world, SUBJECT, "revoked").await;
    let deeper = world.onward("svc3", &c, "deep4", "deep").send().await;
    deeper.refused_because(&world, SUBJECT, "revoked").await;
    world.onward("svc1", &a, "deep2", "deep").send().await.granted();
    let rows = revocations_of(&world, &b).await;
    assert_eq!(
        rows.iter().map(|row| row["died"].as_u64()).collect::<Vec<_>>(),
        [Some(3)],
        "the row counts the dead"
    );
}

/// The audit rows of revocation requests for this token.
async fn revocations_of(world: &World, token: &str) -> Vec<Value> {
    let jti = claims_of(token)["jti"].clone();
    let rows = world.audit().await.into_iter();
    rows.filter(|row| row["event"] == "revocation" && row["jti"] == jti).collect()
}

async fn whatever_is_dead_already_is_a_success() {
    let world = World::start(Setup::default()).await;
    let expired = world.tx().send().await.granted();
    world.advance(300);
    let revoked = world.tx().send().await.granted();
    assert_revoked(&revocation(&world, "assistant", &revoked).send().await);

    let unknown = crate::world::Key::new("unknown").sign(&claims_of(&revoked));
    for token in [&expired, &revoked, &unknown, "garbage", "a.b.c"] {
        assert_revoked(&revocation(&world, "assistant", token).send().await);
    }
}

async fn two_revocations_at_once_are_one_event() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();

    let (one, two) = tokio::join!(
        revocation(&world, "assistant", &token).send(),
        revocation(&world, "assistant", &token).send(),
    );
    assert_revoked(&one);
    assert_revoked(&two);
    assert_revoked(&revocation(&world, "assistant", &token).send().await);
    let rows = revocations_of(&world, &token).await;
    assert_eq!(rows.len(), 3, "every answer has its row");
    let deadly = rows.iter().filter(|row| row["died"].as_u64().is_some_and(|died| died > 0));
    assert_eq!(deadly.count(), 1, "and the token died once: {rows:?}");
}

async fn a_known_kind_that_is_not_revoked_here_is_named() {
    let world = World::start(Setup::default()).await;

    for foreign in [world.id_token().sign(), world.workload_token("age").sign()] {
        let answer = revocation(&world, "assistant", &foreign).send().await;
        answer.refused_because(&world, KIND, "token_kind_not_revocable").await;
    }
}

async fn a_store_that_is_down_is_no_success() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();
    assert!(world.is_active(&token).await);

    world.server().close_store().await.unwrap();
    for request in [
        revocation(&world, "assistant", &token),
        revocation(&world, "assistant", &token).basic("basic-app"),
        revocation(&world, "assistant", "garbage"),
    ] {
        assert_unavailable(&request.send().await);
    }
}

async fn there_is_no_jsonp() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();

    let request = revocation(&world, "assistant", &token).also("callback", "steal");
    let answer = request.path("/revoke?callback=steal").header("Origin", "https://evil.example").send().await;
    assert_revoked(&answer);
    assert_eq!(answer.header("access-control-allow-origin"), None);
    let refused = revocation(&world, "assistant", "")
        .also("callback", "steal")
        .path("/revoke?callback=steal")
        .send()
        .await;
    refused.refused(400, "invalid_request");
    assert!(!refused.text.contains("steal"));
}

async fn a_flood_is_cut_and_shuts_no_good_credential_out() {
    let setup = Setup::default().replace("failures_per_minute = 1000000", "failures_per_minute = 2");
    let world = World::start(setup).await;
    let token = world.tx().send().await.granted();
    let flood = || world.form("/revoke").set("token", &token);

    // Ten times as many per source as per client, then the source is shut out.
    for _ in 0..20 {
        flood().send().await.refused(401, "invalid_client");
    }
    let cut = flood().send().await;
    cut.refused_because(&world, THROTTLED, "no_credentials").await;
    assert!(cut.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
    let shut_out = flood().send().await;
    shut_out.refused_because(&world, THROTTLED, "throttled").await;
    // Nobody behind the same address may keep a client from giving back a token.
    assert!(world.is_active(&token).await);
    assert_revoked(&revocation(&world, "assistant", &token).send().await);
}

async fn a_race_leaves_no_child_alive() {
    let world = World::start(Setup::default()).await;

    let mut refusals = 0;
    for round in 0..12 {
        let parent = deep_token(&world).await;
        let exchange = || world.onward("svc1", &parent, "deep2", "deep").send();
        let (one, two, revoked, three, four) = tokio::join!(
            exchange(),
            exchange(),
            async {
                // Now before, now after the others.
                tokio::time::sleep(std::time::Duration::from_millis(round % 4)).await;
                revocation(&world, "assistant", &parent).send().await
            },
            exchange(),
            exchange(),
        );
        assert_revoked(&revoked);
        for child in [one, two, three, four] {
            if child.status == 200 {
                assert_inactive(&world.introspect_as("tickets-api", &child.granted()).await);
            } else {
                refusals += 1;
                child.refused(400, "invalid_request");
                assert_eq!(child.body["reason"], json!("subject_token_unacceptable"));
            }
        }
    }
    assert!(refusals < 48, "some exchanges were in time");
}
