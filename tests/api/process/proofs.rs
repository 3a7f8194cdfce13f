//! Bound tokens, spent proofs and pinned credentials, when the power goes and on two nodes at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use deputy::testing::Exchange;
use serde_json::Value;

use crate::jose::{Key, claims_of};
use crate::process_support::{Answer, Backend, Caller, Plan, World, on_both_databases};

const CYCLES: usize = 4;
const CLIENTS: usize = 6;
/// After so many acknowledged answers the power goes.
const ENOUGH: usize = 60;
const SCOPE: &str = "age_over_18";

/// One exchange that was acknowledged: by which credential, with which key and which proof.
struct Pinned {
    credential: String,
    key: Key,
    proof: String,
    /// The token that the audience exchanged.
    from: String,
}

/// The age agent's exchange onward by this credential.
async fn onward(age: &Caller, base: &str, from: &str, credential: &str, proof: &str) -> Option<Answer> {
    let exchange = Exchange::of_access_token(from).audience("tickets").scope(SCOPE).actor(credential);
    age.try_exchange_proving(base, &exchange, proof).await
}

/// Works with one fresh credential and key after another until the server is gone.
async fn work(world: Arc<World>, base: String, user: String, acknowledged: Arc<AtomicUsize>) -> Vec<Pinned> {
    let (assistant, age) = (world.caller("assistant"), world.caller("age-agent"));
    let mut log = Vec::new();
    let Some(first) = assistant.try_sign_in(&base, &world.id_token(&user), "age-agent", SCOPE).await else {
        return log;
    };
    let from = first.token();
    loop {
        let (credential, key) = (world.workload_token(), Key::new("agent"));
        let proof = age.proof(&key);
        let Some(answer) = onward(&age, &base, &from, &credential, &proof).await else { return log };
        assert_eq!(claims_of(&answer.token())["cnf"]["jkt"], key.thumbprint());
        log.push(Pinned { credential, key, proof, from: from.clone() });
        acknowledged.fetch_add(1, Ordering::SeqCst);
    }
}

/// Everything that the restarted server has forgotten.
async fn check(age: &Caller, base: &str, log: &[Pinned]) -> Vec<String> {
    let mut broken = Vec::new();
    for (number, Pinned { credential, key, proof, from }) in log.iter().enumerate() {
        let mut expect = |what: &str, answer: &Answer, wire: (u16, &str, &str)| {
            if answer.refusal() != wire {
                broken.push(format!("{number}: {what}: {}", answer.text));
            }
        };
        let replayed = onward(age, base, from, credential, proof).await.expect("an answer");
        expect("the spent proof", &replayed, (400, "invalid_dpop_proof", "proof_invalid"));
        let stolen = age.proof(&Key::new("thief"));
        let stolen = onward(age, base, from, credential, &stolen).await.expect("an answer");
        expect("another key", &stolen, (400, "invalid_request", "credential_pinned"));
        let own = onward(age, base, from, credential, &age.proof(key)).await.expect("an answer");
        if own.status != 200 {
            broken.push(format!("{number}: its own key: {}", own.text));
        }
    }
    broken
}

on_both_databases! {
    async fn kill_9_loses_no_pin_and_no_spent_proof(backend: Backend) {
        let world = Arc::new(World::new(backend).await);
        for cycle in 0..CYCLES {
            let mut server = world.start().await;
            let acknowledged = Arc::new(AtomicUsize::new(0));
            let began = world.witness.now();
            let clients: Vec<_> = (0..CLIENTS)
                .map(|number| {
                    let user = format!("user-{cycle}-{number}");
                    let base = server.base.clone();
                    tokio::spawn(work(Arc::clone(&world), base, user, Arc::clone(&acknowledged)))
                })
                .collect();
            while acknowledged.load(Ordering::SeqCst) < ENOUGH {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                assert!(!clients.iter().all(tokio::task::JoinHandle::is_finished), "every client ended early");
            }
            server.kill_9().await;
            let mut log = Vec::new();
            for client in clients {
                log.extend(client.await.expect("a client"));
            }
            let mut server = world.start().await;
            let broken = check(&world.caller("age-agent"), &server.base.clone(), &log).await;
            assert!(broken.is_empty(), "cycle {cycle}:\n{}", broken.join("\n"));
            assert!(log.len() >= ENOUGH);
            // A proof that is older than a minute would be refused without any record of it.
            assert!(world.witness.now() - began < 60, "the machine is too slow for this test to mean something");
            server.stop().await;
        }
        Arc::into_inner(world).expect("no client is left").finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_first_keys_at_two_processes_one_wins_on_postgres() {
    if !Backend::is_postgres_there() {
        return;
    }
    let mut world = World::new(Backend::Postgres).await;
    let second = world.add_node();
    let mut nodes = [world.start().await, world.start_node(second, &[]).await.expect("a second process")];
    let bases = [nodes[0].base.clone(), nodes[1].base.clone()];
    let (assistant, age) = (world.caller("assistant"), world.caller("age-agent"));
    let from = assistant.sign_in(&bases[0], &world.id_token("ann"), "age-agent", SCOPE).await.token();
    for _ in 0..10 {
        let (credential, keys) = (world.workload_token(), [Key::new("one"), Key::new("other")]);
        let proofs = [age.proof(&keys[0]), age.proof(&keys[1])];
        let (one, other) = tokio::join!(
            onward(&age, &bases[0], &from, &credential, &proofs[0]),
            onward(&age, &bases[1], &from, &credential, &proofs[1]),
        );
        let answers = [one, other].map(|answer| answer.expect("an answer"));
        let winner = usize::from(answers[1].status == 200);
        assert_eq!(answers[winner].status, 200, "{answers:?}");
        let lost = answers[1 - winner].refusal();
        assert_eq!(lost, (400, "invalid_request", "credential_pinned"), "{answers:?}");
        for base in &bases {
            let again = onward(&age, base, &from, &credential, &age.proof(&keys[winner])).await;
            assert_eq!(again.expect("an answer").status, 200, "both agree on which was first");
        }
        // One proof at both at once is taken once.
        let proof = age.proof(&keys[winner]);
        let (one, other) = tokio::join!(
            onward(&age, &bases[0], &from, &credential, &proof),
            onward(&age, &bases[1], &from, &credential, &proof),
        );
        let mut statuses = [one, other].map(|answer| answer.expect("an answer").status);
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400], "one proof at both processes at once");
    }
    for node in &mut nodes {
        node.stop().await;
    }
    world.finish().await;
}

/// Runs a verb that needs no configuration; gives its JSON.
async fn run(arguments: &[&str]) -> Value {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_deputy"));
    let output = command.args(arguments).output().await.expect("deputy can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_binds_a_token_to_a_key_that_it_made_and_sends_the_nonce_that_is_demanded() {
    let change = |toml: String| format!("{toml}\n[dpop]\nnonce = \"required\"\n");
    let world = World::of(Backend::Sqlite, Plan { change, ..Plan::default() }).await;
    let mut server = world.start().await;
    let file = |name: &str| world.path(name).to_str().expect("a path").to_owned();
    let made = run(&["key", "make", "agent", "--json", "--dir", &file("keys")]).await;
    std::fs::write(world.path("id-token"), world.id_token("ann")).expect("a file");
    let (secret, id_token, key) = (file("secrets/basic-app"), file("id-token"), file("keys/agent.pem"));
    let who = ["--issuer", world.issuer(), "--client-id", "basic-app", "--client-secret-file", &secret];
    let what = ["--subject-token-file", &id_token, "--audience", "tickets", "--scope", "tickets:search"];
    let arguments = [&["token", "exchange", "--json", "--dpop-key", &key][..], &who, &what].concat();
    let answer = run(&arguments).await;
    assert_eq!(answer["token_type"], "DPoP");
    // The `kid` of a key that Deputy made is its thumbprint.
    assert_eq!(claims_of(answer["access_token"].as_str().expect("a token"))["cnf"]["jkt"], made["kid"]);
    server.stop().await;
    world.remove().await;
}
