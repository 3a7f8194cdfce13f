//! The same agent with a DPoP key that it made itself: what its platform gives it can be stolen, and its key cannot.

use deputy::testing::{Credential, Endpoint, Exchange};

use super::{ACCESS_TOKEN, EXCHANGE, ID_TOKEN, WAYS, Way, actor};
use crate::jose::{Key, claims_of};
use crate::process_support::{Answer, Backend, Plan, World, on_both_databases};

const PINNED: (u16, &str, &str) = (400, "invalid_request", "credential_pinned");
const MISSING: (u16, &str, &str) = (400, "invalid_dpop_proof", "proof_missing");

/// A pod: its token of the moment, how it sends it, and the key that it made.
struct Pod<'a> {
    world: &'a World,
    base: &'a str,
    way: Way,
    token: String,
    key: Key,
}

impl<'a> Pod<'a> {
    fn new(world: &'a World, base: &'a str, way: Way, name: &str) -> Self {
        Self { world, base, way, token: world.workload_token_of("courier", name), key: Key::new(name) }
    }

    /// Asks with nothing but its token and its key.
    async fn ask(&self, subject: [&str; 2], audience: &str) -> Answer {
        let form = [
            ("grant_type", EXCHANGE),
            ("subject_token", subject[0]),
            ("subject_token_type", subject[1]),
            ("audience", audience),
            ("scope", "tickets:search"),
        ];
        let caller = self.world.caller_named("");
        let answer =
            caller.try_ask_proving(self.base, (self.way)(&self.token), &form, &caller.proof(&self.key)).await;
        answer.expect("an answer")
    }

    /// Its first request for this user.
    async fn sign_in(&self, id_token: &str) -> Answer {
        self.ask([id_token, ID_TOKEN], "tickets").await
    }

    /// Who has its token and makes a key of their own.
    fn thief(&self) -> Self {
        Self { token: self.token.clone(), key: Key::new("thief"), ..*self }
    }

    /// What is said without a proof.
    async fn without_proof(&self, id_token: &str) -> Answer {
        let credential: Credential = (self.way)(&self.token);
        super::exchange(self.world, self.base, credential, [id_token, ID_TOKEN], "tickets", &[]).await
    }
}

#[track_caller]
fn assert_pinned(answer: &Answer) {
    assert_eq!(answer.refusal(), PINNED, "{}", answer.text);
    let seconds = answer.json["retry_after"].as_i64().expect("when the platform's token expires");
    assert!((1..=300).contains(&seconds), "{}", answer.text);
}

#[track_caller]
fn assert_bound(answer: &Answer, key: &Key) {
    assert_eq!(claims_of(&answer.token())["cnf"]["jkt"], key.thumbprint());
    assert_eq!(answer.json["token_type"], "DPoP");
}

on_both_databases! {
    async fn a_pods_first_token_is_bound_to_the_key_that_it_made_and_so_is_its_credential(backend: Backend) {
        let world = World::new(backend).await;
        let mut server = world.start().await;
        let base = server.base.clone();
        for (user, way) in ["ann", "bob"].into_iter().zip(WAYS) {
            let id_token = world.id_token(user);
            let pod = Pod::new(&world, &base, way, "pod-1");
            assert_bound(&pod.sign_in(&id_token).await, &pod.key);

            assert_pinned(&pod.thief().sign_in(&id_token).await);
            assert_pinned(&pod.without_proof(&id_token).await);
            // The other way in is no way around it.
            for way in WAYS {
                assert_pinned(&Pod { way, ..pod.thief() }.sign_in(&id_token).await);
            }
            assert_bound(&pod.sign_in(&id_token).await, &pod.key);
        }
        server.stop().await;
        world.finish().await;
    }
}

on_both_databases! {
    async fn who_proves_nothing_pins_nothing_and_is_refused_once_the_pod_has_proven_its_key(backend: Backend) {
        let world = World::new(backend).await;
        let mut server = world.start().await;
        let base = server.base.clone();
        let id_token = world.id_token("ann");
        for (way, name) in WAYS.into_iter().zip(["pod-1", "pod-2"]) {
            let pod = Pod::new(&world, &base, way, name);
            let bearer = pod.without_proof(&id_token).await;
            assert_eq!((bearer.status, &bearer.json["token_type"]), (200, &"Bearer".into()), "{}", bearer.text);
            assert_bound(&pod.sign_in(&id_token).await, &pod.key);
            assert_pinned(&pod.without_proof(&id_token).await);
        }
        server.stop().await;
        world.finish().await;
    }
}

on_both_databases! {
    async fn of_two_first_keys_at_once_one_wins_on_every_node(backend: Backend) {
        let mut world = World::new(backend).await;
        // Two processes need a database that they can share.
        let second = (backend == Backend::Postgres).then(|| world.add_node());
        let mut nodes = vec![world.start().await];
        if let Some(second) = second {
            nodes.push(world.start_node(second, &[]).await.expect("a second process"));
        }
        let bases = [nodes[0].base.clone(), nodes[nodes.len() - 1].base.clone()];
        for round in 0..10 {
            let id_token = world.id_token(&format!("user-{round}"));
            let way = WAYS[round % WAYS.len()];
            let pod = Pod::new(&world, &bases[0], way, &format!("pod-{round}"));
            let thief = Pod { base: &bases[1], ..pod.thief() };
            let (own, stolen) = tokio::join!(pod.sign_in(&id_token), thief.sign_in(&id_token));
            let (winner, loser) = if own.status == 200 { (&pod, &thief) } else { (&thief, &pod) };
            assert_pinned(if own.status == 200 { &stolen } else { &own });
            for base in &bases {
                let again = Pod { base, token: winner.token.clone(), key: winner.key.clone(), ..*winner };
                assert_bound(&again.sign_in(&id_token).await, &winner.key);
                let refused = Pod { base, token: loser.token.clone(), key: loser.key.clone(), ..*loser };
                assert_pinned(&refused.sign_in(&id_token).await);
            }
        }
        for node in &mut nodes {
            node.stop().await;
        }
        world.finish().await;
    }
}

on_both_databases! {
    async fn a_pod_that_lost_its_key_gets_its_platforms_next_token_and_goes_on(backend: Backend) {
        let world = World::new(backend).await;
        let mut server = world.start().await;
        let base = server.base.clone();
        for (user, way) in ["ann", "bob"].into_iter().zip(WAYS) {
            let id_token = world.id_token(user);
            let before = Pod::new(&world, &base, way, "pod-1");
            let first = before.ask([&id_token, ID_TOKEN], world.issuer()).await;
            assert_bound(&first, &before.key);

            // The container restarts in the same pod: its key was in memory, and its token is the same for now.
            let restarted = Pod { key: Key::new("made after the restart"), ..before.thief() };
            assert_pinned(&restarted.sign_in(&id_token).await);
            let renewed = Pod { token: world.workload_token_of("courier", "pod-1"), ..restarted };
            let second = renewed.ask([&id_token, ID_TOKEN], world.issuer()).await;
            assert_bound(&second, &renewed.key);
            assert_eq!((second.task(), actor(&second)), (first.task(), actor(&first)), "the same task and agent");

            let access = renewed.ask([&second.token(), ACCESS_TOKEN], "tickets").await;
            assert_bound(&access, &renewed.key);
            assert!(world.caller("tickets-api").introspect(&base, &access.token()).await.is_active());
            let of_lost_key = renewed.ask([&first.token(), ACCESS_TOKEN], "tickets").await;
            assert_eq!(of_lost_key.refusal(), (400, "invalid_request", "subject_token_unacceptable"));
        }
        server.stop().await;
        world.finish().await;
    }
}

on_both_databases! {
    async fn where_the_platform_demands_a_proof_none_comes_in_without(backend: Backend) {
        let change = |toml: String| {
            let issuer = "stable_id_claim = \"sub\"\n";
            crate::definition::replaced(&toml, issuer, &format!("{issuer}proof = \"required\"\n"))
        };
        let world = World::of(backend, Plan { change, ..Plan::default() }).await;
        let mut server = world.start().await;
        let base = server.base.clone();
        let id_token = world.id_token("ann");
        for way in WAYS {
            let pod = Pod::new(&world, &base, way, "pod-1");
            let refused = pod.without_proof(&id_token).await;
            assert_eq!(refused.refusal(), MISSING, "{}", refused.text);
            assert_bound(&pod.sign_in(&id_token).await, &pod.key);
        }
        // Nor beside the credential of a client.
        let (assistant, planner) = (world.caller("assistant"), world.workload_token_of("planner", "one"));
        let exchange = || {
            Exchange::of_id_token(&id_token).audience("tickets").scope("tickets:search").actor(&planner)
        };
        let refused = assistant.post(&base, Endpoint::Token, exchange().params()).await;
        assert_eq!(refused.refusal(), MISSING, "{}", refused.text);
        let key = Key::new("planner");
        let proven = assistant.try_exchange_proving(&base, &exchange(), &assistant.proof(&key)).await;
        assert_bound(&proven.expect("an answer"), &key);
        server.stop().await;
        world.finish().await;
    }
}
