//! Two processes on one PostgreSQL: a change made at one takes effect at the other at once.

use deputy::testing::{Endpoint, Exchange};
use serde_json::Value;

use crate::jose::claims_of;
use crate::process_support::{Backend, Server, World};

/// A world with two running processes; `None` where there is no PostgreSQL.
async fn two_nodes() -> Option<(World, [Server; 2])> {
    if !Backend::is_postgres_there() {
        return None;
    }
    let mut world = World::new(Backend::Postgres).await;
    let second = world.add_node();
    let nodes = [world.start().await, world.start_node(second, &[]).await.expect("a second process")];
    Some((world, nodes))
}

async fn end(world: World, nodes: [Server; 2]) {
    for mut node in nodes {
        node.stop().await;
    }
    world.finish().await;
}

/// The key ids that a process publishes.
async fn published(node: &Server) -> Vec<String> {
    let keys: Value = reqwest::get(format!("{}/jwks", node.base))
        .await
        .expect("an answer")
        .json()
        .await
        .expect("a key set");
    let keys = keys["keys"].as_array().expect("keys").clone();
    keys.iter().map(|key| key["kid"].as_str().expect("kid").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_assertion_spent_at_one_process_is_spent_at_the_other_on_postgres() {
    let Some((world, nodes)) = two_nodes().await else { return };
    let assistant = world.caller("assistant");
    let task = assistant
        .sign_in(&nodes[0].base, &world.id_token("ann"), world.issuer(), "tickets:search")
        .await
        .token();
    let exchange = Exchange::of_access_token(&task).audience("tickets").scope("tickets:search");
    let form = exchange.params();
    let bases = [&nodes[0].base, &nodes[1].base];

    let assertion = assistant.assertion();
    let first =
        assistant.try_post_with(bases[0], Endpoint::Token, &assertion, form).await.expect("an answer");
    let replay =
        assistant.try_post_with(bases[1], Endpoint::Token, &assertion, form).await.expect("an answer");
    assert_eq!(first.status, 200, "{}", first.text);
    assert_eq!((replay.status, replay.refusal().1), (401, "invalid_client"), "{}", replay.text);

    for _ in 0..10 {
        let assertion = assistant.assertion();
        let (one, two) = tokio::join!(
            assistant.try_post_with(bases[0], Endpoint::Token, &assertion, form),
            assistant.try_post_with(bases[1], Endpoint::Token, &assertion, form),
        );
        let mut statuses = [one, two].map(|answer| answer.expect("an answer").status);
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401], "one assertion at both processes at once");
    }
    end(world, nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_at_one_process_holds_at_the_other_on_postgres() {
    let Some((world, nodes)) = two_nodes().await else { return };
    let [assistant, b, api] = ["assistant", "agent-b", "tickets-api"].map(|id| world.caller(id));
    let id_token = world.id_token("ann");
    for round in 0..5 {
        let [here, there] =
            if round % 2 == 0 { [0, 1] } else { [1, 0] }.map(|node: usize| nodes[node].base.clone());
        let at_b = assistant.sign_in(&here, &id_token, "agent-b", "tickets:search").await.token();
        let onward = b.exchange(&there, &at_b, "tickets", "tickets:search").await.token();
        assert!(api.introspect(&here, &onward).await.is_active());

        assert_eq!(assistant.revoke(&here, &at_b).await.status, 200);

        assert!(!api.introspect(&there, &onward).await.is_active(), "round {round}");
        let seeded = b.exchange(&there, &at_b, "tickets", "tickets:search").await;
        assert_eq!(
            seeded.refusal(),
            (400, "invalid_request", "subject_token_unacceptable"),
            "{}",
            seeded.text
        );
    }
    end(world, nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_rotated_or_revoked_at_one_process_is_so_at_the_other_on_postgres() {
    let Some((world, nodes)) = two_nodes().await else { return };
    let [assistant, api] = ["assistant", "tickets-api"].map(|id| world.caller(id));
    let before = published(&nodes[0]).await;
    assert_eq!(before, published(&nodes[1]).await);
    let token =
        assistant.sign_in(&nodes[1].base, &world.id_token("ann"), "tickets", "tickets:search").await.token();

    let rotated = world.deputy(&["key", "rotate"]).await;
    assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    let after = published(&nodes[1]).await;
    assert_eq!(after, published(&nodes[0]).await);
    assert_eq!(after.len(), before.len() + 1, "the prepared key is not published at the other process");
    assert!(api.introspect(&nodes[1].base, &token).await.is_active(), "a rotation ended a token");

    let revoked = world.deputy(&["key", "revoke", &before[0]]).await;
    assert!(revoked.status.success(), "{}", String::from_utf8_lossy(&revoked.stderr));
    for node in &nodes {
        assert!(!published(node).await.contains(&before[0]), "a revoked key is still published");
        assert!(
            !api.introspect(&node.base, &token).await.is_active(),
            "a token of a revoked key is still active"
        );
        let fresh =
            assistant.sign_in(&node.base, &world.id_token("bob"), "tickets", "tickets:search").await.token();
        assert!(api.introspect(&node.base, &fresh).await.is_active());
        assert!(claims_of(&fresh)["jti"].is_string());
    }
    end(world, nodes).await;
}
