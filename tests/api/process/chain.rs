//! User → A → B → C, and what happens to B and C when A's token is revoked.

use serde_json::{Value, json};

use crate::jose::{claims_of, forged};
use crate::process_support::{Backend, World, on_both_databases};

/// `act.sub` of each level, newest first.
fn chain(token: &str) -> Vec<String> {
    let claims = claims_of(token);
    let mut level = &claims["act"];
    let mut agents = Vec::new();
    while let Some(agent) = level["sub"].as_str() {
        agents.push(agent.to_owned());
        level = &level["act"];
    }
    agents
}

/// The scopes of a token, sorted.
fn scopes(token: &str) -> Vec<String> {
    let claims = claims_of(token);
    let mut scopes: Vec<String> =
        claims["scope"].as_str().expect("scope").split(' ').map(str::to_owned).collect();
    scopes.sort();
    scopes
}

fn number(claims: &Value, name: &str) -> i64 {
    claims[name].as_i64().expect("a number")
}

on_both_databases! {
    async fn a_chain_nests_act_newest_first_and_each_hop_only_shrinks(backend: Backend) {
        let world = World::new(backend).await;
        let mut server = world.start().await;
        let base = server.base.clone();
        let [assistant, b, c] = ["assistant", "agent-b", "agent-c"].map(|id| world.caller(id));

        let at_b = assistant
            .sign_in(&base, &world.id_token("ann"), "agent-b", "tickets:search tickets:hold tickets:book")
            .await.token();
        let at_c = b.exchange(&base, &at_b, "agent-c", "tickets:search tickets:hold").await.token();
        let at_tickets = c.exchange(&base, &at_c, "tickets", "tickets:search").await.token();

        let [one, two, three] = [&at_b, &at_c, &at_tickets].map(|token| chain(token));
        assert_eq!((one.len(), two.len(), three.len()), (1, 2, 3));
        assert_eq!(two[1..], one, "B's token names A below B");
        assert_eq!(three[1..], two, "C's token names B, then A, below C");
        assert_eq!(three.iter().collect::<std::collections::BTreeSet<_>>().len(), 3, "three different agents");

        assert_eq!(scopes(&at_b), ["tickets:book", "tickets:hold", "tickets:search"]);
        assert_eq!(scopes(&at_c), ["tickets:hold", "tickets:search"]);
        assert_eq!(scopes(&at_tickets), ["tickets:search"]);
        let lives = [&at_b, &at_c, &at_tickets].map(|token| number(&claims_of(token), "exp"));
        assert!(lives.is_sorted_by(|earlier, later| earlier >= later), "exp grew along the chain: {lives:?}");

        let wider = c.exchange(&base, &at_c, "tickets", "tickets:book").await;
        assert_eq!(wider.refusal().1, "invalid_scope", "{}", wider.text);
        let elsewhere = c.exchange(&base, &at_c, "age-agent", "tickets:search").await;
        assert_eq!(elsewhere.refusal().1, "invalid_target", "{}", elsewhere.text);

        server.stop().await;
        world.finish().await;
    }

    async fn revoking_the_token_of_a_kills_those_of_b_and_c_and_none_can_be_exchanged(backend: Backend) {
        let world = World::new(backend).await;
        let mut server = world.start().await;
        let base = server.base.clone();
        let [assistant, b, c, api] =
            ["assistant", "agent-b", "agent-c", "tickets-api"].map(|id| world.caller(id));
        let id_token = world.id_token("ann");
        let scope = "tickets:search tickets:book";
        let at_b = assistant.sign_in(&base, &id_token, "agent-b", scope).await.token();
        let at_c = b.exchange(&base, &at_b, "agent-c", scope).await.token();
        let at_tickets = c.exchange(&base, &at_c, "tickets", scope).await.token();
        let beside = assistant.sign_in(&base, &id_token, "agent-b", scope).await.token();
        for token in [&at_b, &at_c, &at_tickets, &beside] {
            assert!(api.introspect(&base, token).await.is_active());
        }

        assert_eq!(assistant.revoke(&base, &at_b).await.status, 200);

        for token in [&at_b, &at_c, &at_tickets] {
            let answer = api.introspect(&base, token).await;
            assert_eq!(answer.json, json!({ "active": false }), "{}", answer.text);
        }
        assert!(api.introspect(&base, &beside).await.is_active(), "a token beside it died too");
        let dead_b = b.exchange(&base, &at_b, "agent-c", scope).await;
        let dead_c = c.exchange(&base, &at_c, "tickets", scope).await;
        for answer in [&dead_b, &dead_c] {
            assert_eq!(answer.refusal(), (400, "invalid_request", "subject_token_unacceptable"), "{}", answer.text);
        }
        assert_eq!(b.exchange(&base, &beside, "agent-c", scope).await.status, 200);

        server.stop().await;
        world.finish().await;
    }

    async fn a_stolen_token_in_other_hands_is_refused_with_the_bytes_of_a_forged_one(backend: Backend) {
        let world = World::new(backend).await;
        let mut server = world.start().await;
        let base = server.base.clone();
        let [assistant, stranger] = ["assistant", "stranger"].map(|id| world.caller(id));
        let id_token = world.id_token("ann");
        let access = assistant.sign_in(&base, &id_token, "agent-b", "tickets:search").await.token();
        let task = assistant.sign_in(&base, &id_token, world.issuer(), "tickets:search").await.token();

        for stolen in [&access, &task] {
            let forged = world.witness.saw(forged(stolen));
            let of_stolen = stranger.exchange(&base, stolen, "agent-c", "tickets:search").await;
            let of_forged = stranger.exchange(&base, &forged, "agent-c", "tickets:search").await;
            assert_eq!(of_stolen.refusal(), (400, "invalid_request", "subject_token_unacceptable"));
            assert_eq!(of_stolen.status, of_forged.status);
            assert_eq!(of_stolen.text_but_request_id(), of_forged.text_but_request_id());
            assert_ne!(of_stolen.json["request_id"], of_forged.json["request_id"]);
        }

        server.stop().await;
        world.finish().await;
    }

    async fn a_sub_agent_born_with_its_token_answers_whether_the_user_is_of_age(backend: Backend) {
        let world = World::new(backend).await;
        let mut server = world.start().await;
        let base = server.base.clone();
        let [assistant, age, api] = ["assistant", "age-agent", "tickets-api"].map(|id| world.caller(id));
        let task = assistant
            .sign_in(&base, &world.id_token("ann"), world.issuer(), "tickets:book age_over_18")
            .await.token();
        let handed_on = assistant.exchange(&base, &task, "age-agent", "age_over_18").await.token();

        let answer = age
            .exchange_as(&base, &handed_on, &world.workload_token(), "tickets", "age_over_18")
            .await.token();

        let said = claims_of(&answer);
        assert_eq!(said["age_over_18"], json!(true), "{said}");
        assert!(said["sub"].as_str().is_some_and(|subject| subject.starts_with("pw_")), "{said}");
        assert!(said.get("birthdate").is_none() && said.get("email").is_none(), "{said}");
        assert_eq!(chain(&answer)[1..], chain(&handed_on)[..]);
        let booking = assistant.exchange(&base, &task, "tickets", "tickets:book").await.token();
        for name in ["sub", "txn"] {
            assert_eq!(claims_of(&booking)[name], said[name], "{name} differs between the two tokens for tickets");
        }
        assert_eq!(api.introspect(&base, &answer).await.json["age_over_18"], json!(true));

        assert_eq!(assistant.revoke(&base, &task).await.status, 200);
        for token in [&handed_on, &answer, &booking] {
            assert!(!api.introspect(&base, token).await.is_active());
        }
        assert_eq!(assistant.exchange(&base, &task, "tickets", "tickets:book").await.status, 400);

        server.stop().await;
        world.finish().await;
    }
}
