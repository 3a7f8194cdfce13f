//! A restart with the clock a year back: refused, and after the reset nothing that ended is alive again. And nodes on one
//! PostgreSQL whose clocks differ.

use crate::process_support::{Answer, Backend, Server, World, on_both_databases};

const YEAR: i64 = 365 * 24 * 3600;

on_both_databases! {
    async fn a_restart_a_year_back_is_refused_and_after_the_reset_nothing_comes_back_to_life(backend: Backend) {
        let world = World::new(backend).await;
        let mut server = world.start().await;
        let base = server.base.clone();
        let [assistant, api] = ["assistant", "tickets-api"].map(|id| world.caller(id));
        let id_token = world.id_token("ann");
        let expiring = assistant.sign_in(&base, &id_token, "tickets", "tickets:search").await.token();
        let revoked = assistant.sign_in(&base, &id_token, "tickets", "tickets:search").await.token();
        assert_eq!(assistant.revoke(&base, &revoked).await.status, 200);
        let other_login = world.id_token("bob");
        let task = assistant.sign_in(&base, &other_login, world.issuer(), "tickets:search").await.token();
        let of_task = assistant.exchange(&base, &task, "tickets", "tickets:search").await.token();
        assert_eq!(assistant.revoke(&base, &task).await.status, 200);
        let long_task = assistant.sign_in(&base, &world.id_token("cyd"), world.issuer(), "tickets:search").await.token();
        assert!(api.introspect(&base, &expiring).await.is_active());
        server.stop().await;

        // Two hours on, everything is past its time, and that time is on record.
        let later = world.set_every_clock(2 * 3600).await;
        let mut server = world.start_node(0, &later).await.expect("a start");
        let id_token = world.id_token("dan");
        let short = assistant.sign_in(&base, &id_token, "tickets", "tickets:search").await.token();
        assert!(!api.introspect(&base, &expiring).await.is_active());
        server.stop().await;

        // Ten minutes later this token is past its time too, but its task is not.
        let later = world.set_every_clock(2 * 3600 + 600).await;
        let mut server = world.start_node(0, &later).await.expect("a start");
        assistant.sign_in(&base, &world.id_token("fay"), "tickets", "tickets:search").await.token();
        assert!(!api.introspect(&base, &short).await.is_active());
        server.stop().await;

        let back = world.set_every_clock(-YEAR).await;
        let ended = world.start_node(0, &back).await.err().expect("a refused start");
        assert_ne!(ended.code, Some(0));
        assert!(ended.log.contains("clock reset"), "the fix is not named:\n{}", ended.log);
        let check = world.deputy_with(&["check"], &back).await;
        assert!(!check.status.success(), "`deputy check` passes with the clock a year back");

        let reset = world.deputy_with(&["clock", "reset"], &back).await;
        assert!(reset.status.success(), "{}", String::from_utf8_lossy(&reset.stderr));
        let mut server = world.start_node(0, &back).await.expect("a start after the reset");
        for (what, token) in [("expired", &expiring), ("expired in a live task", &short), ("revoked", &revoked), ("of an ended task", &of_task)] {
            assert!(!api.introspect(&base, token).await.is_active(), "a token that was {what} is active again");
        }
        for (what, token) in [("ended", &task), ("expired", &long_task)] {
            let answer = assistant.exchange(&base, token, "tickets", "tickets:search").await;
            assert_eq!(
                answer.refusal(),
                (400, "invalid_request", "subject_token_unacceptable"),
                "the {what} task goes on: {}", answer.text
            );
        }
        let fresh = assistant.sign_in(&base, &world.id_token("eve"), "tickets", "tickets:search").await;
        assert_eq!(fresh.status, 200, "nothing new can begin after the reset: {}", fresh.text);
        let verified = world.deputy_with(&["audit", "verify"], &back).await;
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));

        server.stop().await;
        world.finish().await;
    }
}

/// The status of the readiness, within a second or two.
async fn is_ready(server: &Server) -> bool {
    let url = format!("{}/readyz", server.management);
    reqwest::get(url).await.expect("an answer").status() == 200
}

async fn sign_in(world: &World, server: &Server, user: &str) -> Answer {
    let assistant = world.caller("assistant");
    assistant.sign_in(&server.base, &world.id_token(user), "tickets", "tickets:search").await
}

/// What is refused for a while, with the time after which to ask again.
fn assert_unavailable(answer: &Answer) {
    assert_eq!((answer.status, answer.refusal().1), (503, "temporarily_unavailable"), "{}", answer.text);
    assert!(answer.retry_after.is_some(), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_two_days_ahead_issues_nothing_and_does_no_harm_to_others_on_postgres() {
    if !Backend::is_postgres_there() {
        return;
    }
    let mut world = World::new(Backend::Postgres).await;
    let nodes = [world.add_node(), world.add_node()];
    let mut right = world.start().await;
    let slow = world.set_clock_offset(-59);
    let mut slow = world.start_node(nodes[0], &slow).await.expect("a start");
    let at_slow = sign_in(&world, &slow, "ann").await;
    assert_eq!((at_slow.status, is_ready(&slow).await), (200, true), "{}", at_slow.text);

    let ahead = world.set_clock_offset(2 * 86_400);
    let mut ahead = world.start_node(nodes[1], &ahead).await.expect("a start");
    assert!(!is_ready(&ahead).await);
    assert_unavailable(&sign_in(&world, &ahead, "ben").await);
    let token = at_slow.token();
    let api = world.caller("tickets-api");
    assert_unavailable(&api.introspect(&ahead.base, &token).await);
    let reset = world.deputy_of(nodes[1], &["clock", "reset"]).await;
    assert!(!reset.status.success(), "its time is no time to go back to");
    // It stops by itself, and whatever it still writes is written.
    ahead.stop().await;

    world.set_clock_offset(0);
    for round in 0..2 {
        assert!(is_ready(&right).await);
        let answer = sign_in(&world, &right, "cyd").await;
        assert_eq!(answer.status, 200, "round {round}: {}", answer.text);
        assert!(api.introspect(&right.base, &token).await.is_active(), "nothing was swept");
        right.stop().await;
        right = world.start().await;
    }
    right.stop().await;
    slow.stop().await;
    let slow_again = world.set_clock_offset(-59);
    let mut slow = world.start_node(nodes[0], &slow_again).await.expect("a start after the others");
    assert_eq!(sign_in(&world, &slow, "dan").await.status, 200);
    slow.stop().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_two_days_behind_serves_nothing_on_postgres() {
    if !Backend::is_postgres_there() {
        return;
    }
    let world = World::new(Backend::Postgres).await;
    let behind = world.set_clock_offset(-2 * 86_400);
    let mut server = world.start_node(0, &behind).await.expect("a start: nothing is recorded yet");
    assert!(!is_ready(&server).await);
    assert_unavailable(&sign_in(&world, &server, "ann").await);
    server.stop().await;
    world.set_clock_offset(0);
    let mut server = world.start().await;
    assert_eq!(sign_in(&world, &server, "ann").await.status, 200);
    server.stop().await;
    let ended = world.start_node(0, &behind).await.err().expect("a refused start");
    assert!(ended.log.contains("clock"), "{}", ended.log);
    world.finish().await;
}
