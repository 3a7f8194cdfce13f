//! Agents that bring in agents, through the real binary: the assistant hands over to couriers, whose platform's credential is
//! all that they have.

use deputy::testing::{Credential, Endpoint};
use serde_json::Value;

use crate::jose::{Key, claims_of};
use crate::process_support::{Answer, Backend, Server, World, on_both_databases};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const UNACCEPTABLE: (u16, &str, &str) = (400, "invalid_request", "subject_token_unacceptable");
const SCOPE: &str = "tickets:search";

/// A courier in a pod, with the token that its platform gave it.
struct Pod {
    token: String,
}

impl Pod {
    fn new(world: &World, name: &str) -> Self {
        Self { token: world.workload_token_of("courier", name) }
    }

    fn credential(&self) -> Credential {
        Credential::Platform(self.token.as_str().into())
    }

    async fn ask(&self, world: &World, base: &str, form: &[(&str, &str)]) -> Answer {
        world.caller_named("").post_by(base, Endpoint::Token, self.credential(), form).await
    }

    /// Accepts a handover, or continues with a task token.
    async fn exchange(&self, world: &World, base: &str, token: &str, audience: &str) -> Answer {
        self.ask(world, base, &form(token, JWT, audience)).await
    }

    /// Hands over to another courier.
    async fn hand_over(&self, world: &World, base: &str, task: &str) -> Answer {
        let more = [("requested_actor", "class:courier")];
        self.ask(world, base, &[&form(task, ACCESS_TOKEN, world.issuer())[..], &more].concat()).await
    }

    async fn revoke(&self, world: &World, base: &str, token: &str) -> u16 {
        let form = [("token", token)];
        world.caller_named("").post_by(base, Endpoint::Revocation, self.credential(), &form).await.status
    }
}

fn form<'a>(token: &'a str, token_type: &'a str, audience: &'a str) -> [(&'a str, &'a str); 5] {
    [
        ("grant_type", EXCHANGE),
        ("subject_token", token),
        ("subject_token_type", token_type),
        ("audience", audience),
        ("scope", SCOPE),
    ]
}

/// The assistant's task token.
async fn begin(world: &World, base: &str, user: &str) -> String {
    world
        .caller("assistant")
        .sign_in(base, &world.id_token(user), world.issuer(), "tickets:search tickets:book")
        .await
        .token()
}

/// What the assistant is told when it hands over.
async fn hand_over(world: &World, base: &str, task: &str, to: &str, more: &[(&str, &str)]) -> Answer {
    let form = [&form(task, ACCESS_TOKEN, world.issuer())[..], &[("requested_actor", to)], more].concat();
    world.caller("assistant").post(base, Endpoint::Token, &form).await
}

/// The agents of a token, current actor first.
fn chain(token: &str) -> Vec<String> {
    let mut agents = Vec::new();
    let claims = claims_of(token);
    let mut level: &Value = &claims["act"];
    while let Some(agent) = level["sub"].as_str() {
        agents.push(agent.to_owned());
        level = &level["act"];
    }
    agents
}

async fn is_active(world: &World, base: &str, token: &str) -> bool {
    world.caller("tickets-api").introspect(base, token).await.is_active()
}

async fn told(world: &World, arguments: &[&str]) -> String {
    let output = world.deputy(arguments).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn end(world: World, mut server: Server) {
    server.stop().await;
    world.finish().await;
}

on_both_databases! {
    async fn an_agent_brings_in_another_which_brings_in_a_third(backend: Backend) {
        let world = World::new(backend).await;
        let server = world.start().await;
        let base = server.base.clone();
        let task = begin(&world, &base, "ann").await;
        let [b, c, thief] = ["pod-b", "pod-c", "pod-x"].map(|name| Pod::new(&world, name));

        let handed = hand_over(&world, &base, &task, "class:courier", &[]).await;
        assert_eq!((&handed.json["token_type"], &handed.json["issued_token_type"]), (&"N_A".into(), &JWT.into()));
        let handed = handed.token();
        assert_eq!(claims_of(&handed)["exp"], claims_of(&task)["exp"]);
        assert!(!is_active(&world, &base, &handed).await);

        // B accepts for a target, and for a task token of its own.
        let accepted = b.exchange(&world, &base, &handed, "tickets").await;
        assert_eq!(accepted.task(), claims_of(&task)["txn"].as_str().expect("txn"));
        let for_target = accepted.token();
        assert_eq!(accepted.json["act"], claims_of(&for_target)["act"]);
        let own = b.exchange(&world, &base, &handed, world.issuer()).await.token();
        let [agent_b, agent_a] = <[String; 2]>::try_from(chain(&own)).expect("two levels");
        assert_eq!(chain(&task), std::slice::from_ref(&agent_a));

        // Nobody else does: not its giver, not another pod, not at a target that exchanges onward.
        let by_giver = world.caller("assistant").exchange(&base, &handed, "tickets", SCOPE).await;
        let by_other = thief.exchange(&world, &base, &handed, "tickets").await;
        let at_target = world.caller("agent-b").exchange(&base, &handed, "tickets", SCOPE).await;
        for refused in [&by_giver, &by_other, &at_target] {
            assert_eq!(refused.refusal(), UNACCEPTABLE, "{}", refused.text);
            assert_eq!(refused.text_but_request_id(), by_giver.text_but_request_id());
        }

        // B hands over in its turn.
        let further = b.hand_over(&world, &base, &own).await.token();
        let of_c = c.exchange(&world, &base, &further, world.issuer()).await.token();
        let access_of_c = c.exchange(&world, &base, &of_c, "tickets").await.token();
        assert_eq!(chain(&access_of_c)[1..], [agent_b.clone(), agent_a.clone()]);
        let agent_c = chain(&access_of_c)[0].clone();
        assert!(is_active(&world, &base, &access_of_c).await);

        // The record says who brought in whom.
        let explained = told(&world, &["agent", "explain", &agent_b]).await;
        assert!(explained.contains(&format!("it was brought in by {agent_a}")), "{explained}");
        assert!(explained.contains(&format!("it brought in {agent_c}")), "{explained}");
        let shown = told(&world, &["task", "show", accepted.task().as_str(), "--json"]).await;
        assert!(shown.contains("class:courier") && shown.contains(&agent_b), "{shown}");
        let jti = claims_of(&of_c)["jti"].as_str().expect("jti").to_owned();
        let traced = told(&world, &["audit", "trace", "--jti", &jti]).await;
        assert!(traced.contains(&format!("handover of {agent_b} accepted")), "{traced}");

        // What B gives back ends with what came of it, and the task goes on.
        assert_eq!(b.revoke(&world, &base, &own).await, 200);
        assert!(!is_active(&world, &base, &access_of_c).await);
        assert_eq!(c.exchange(&world, &base, &of_c, "tickets").await.refusal(), UNACCEPTABLE);
        let assistant = world.caller("assistant");
        let of_a = assistant.exchange(&base, &task, "tickets", SCOPE).await.token();
        assert!(is_active(&world, &base, &of_a).await);
        let retired = b.exchange(&world, &base, &handed, "tickets").await;
        assert_eq!(retired.status, 400, "B was made for this task: {}", retired.text);

        // What A gives back ends everything.
        let handed = hand_over(&world, &base, &task, "class:courier", &[]).await.token();
        let d = Pod::new(&world, "pod-d");
        let access_of_d = d.exchange(&world, &base, &handed, "tickets").await.token();
        assert!(is_active(&world, &base, &access_of_d).await);
        assert_eq!(assistant.revoke(&base, &task).await.status, 200);
        for token in [&of_a, &access_of_d] {
            assert!(!is_active(&world, &base, token).await);
        }
        assert_eq!(d.exchange(&world, &base, &handed, "tickets").await.refusal(), UNACCEPTABLE);
        end(world, server).await;
    }
}

on_both_databases! {
    async fn a_handover_is_revoked_by_its_giver_with_all_that_came_of_it(backend: Backend) {
        let world = World::new(backend).await;
        let server = world.start().await;
        let base = server.base.clone();
        let task = begin(&world, &base, "ann").await;
        let b = Pod::new(&world, "pod-b");
        let handed = hand_over(&world, &base, &task, "class:courier", &[]).await.token();
        let own = b.exchange(&world, &base, &handed, world.issuer()).await.token();
        let access = b.exchange(&world, &base, &own, "tickets").await.token();
        assert_eq!(b.revoke(&world, &base, &handed).await, 400, "it is its giver's");
        assert!(is_active(&world, &base, &access).await);
        let assistant = world.caller("assistant");
        assert_eq!(assistant.revoke(&base, &handed).await.status, 200);
        assert!(!is_active(&world, &base, &access).await);
        let of_a = assistant.exchange(&base, &task, "tickets", SCOPE).await.token();
        assert!(is_active(&world, &base, &of_a).await, "the task goes on");
        end(world, server).await;
    }
}

on_both_databases! {
    async fn in_a_thiefs_hands_a_handover_is_worthless(backend: Backend) {
        let world = World::new(backend).await;
        let server = world.start().await;
        let base = server.base.clone();
        let task = begin(&world, &base, "ann").await;
        let pod = Pod::new(&world, "pod-b");
        let handed = hand_over(&world, &base, &task, "class:courier", &[]).await.token();
        // Under any client that the class does not list, even with the credential of a courier.
        for client in ["assistant", "agent-b", "agent-c", "stranger", "age-agent"] {
            let caller = world.caller(client);
            assert_eq!(caller.exchange(&base, &handed, "tickets", SCOPE).await.refusal(), UNACCEPTABLE, "{client}");
            let with_pod = caller.exchange_as(&base, &handed, &pod.token, "tickets", SCOPE).await;
            assert_eq!(with_pod.refusal(), (400, "invalid_request", "actor_token_unacceptable"), "{client}");
        }
        // With the thumbprint of a key, under any client at all.
        let (key, other) = (Key::new("b"), Key::new("thief"));
        let jkt = key.thumbprint();
        let handed = hand_over(&world, &base, &task, "class:courier", &[("dpop_jkt", &jkt)]).await.token();
        let none = pod.exchange(&world, &base, &handed, "tickets").await;
        assert_eq!(none.refusal(), (400, "invalid_dpop_proof", "proof_missing"), "{}", none.text);
        let caller = world.caller_named("");
        let form = form(&handed, JWT, "tickets");
        let thief = Pod::new(&world, "pod-x");
        let proof = caller.proof(&other);
        let stolen = caller.try_ask_proving(&base, thief.credential(), &form, &proof).await.expect("an answer");
        assert_eq!(stolen.refusal(), UNACCEPTABLE, "{}", stolen.text);
        let proof = caller.proof(&key);
        let accepted = caller.try_ask_proving(&base, pod.credential(), &form, &proof).await.expect("an answer");
        assert_eq!(claims_of(&accepted.token())["cnf"]["jkt"], jkt);
        end(world, server).await;
    }
}

on_both_databases! {
    async fn whom_an_agent_may_not_bring_in_is_told_in_one_body(backend: Backend) {
        let world = World::new(backend).await;
        let server = world.start().await;
        let base = server.base.clone();
        let task = begin(&world, &base, "ann").await;
        let agent = world.caller("agent-b");
        let at_b = world.caller("assistant").exchange(&base, &task, "agent-b", SCOPE).await.token();
        let agent_b = chain(&agent.exchange(&base, &at_b, "tickets", SCOPE).await.token())[0].clone();

        let unknown = hand_over(&world, &base, &task, "class:nobody", &[]).await;
        assert_eq!(unknown.refusal(), (400, "invalid_request", "requested_actor_unacceptable"));
        for to in ["class:planner", "agent_aaaaaaaaaaaaaaaaaaaaaaaaaa", "courier", "agent_", "class:client"] {
            let refused = hand_over(&world, &base, &task, to, &[]).await;
            assert_eq!(refused.text_but_request_id(), unknown.text_but_request_id(), "{to}");
        }
        let itself = hand_over(&world, &base, &task, &chain(&task)[0], &[]).await;
        assert_eq!(itself.refusal(), (400, "invalid_request", "chain_loop"), "{}", itself.text);
        let jkt = hand_over(&world, &base, &task, "class:courier", &[("dpop_jkt", "short")]).await;
        assert_eq!(jkt.refusal(), (400, "invalid_request", "dpop_jkt_malformed"), "{}", jkt.text);

        // By its identifier: an agent that Deputy has met, and whose client is listed.
        let handed = hand_over(&world, &base, &task, &agent_b, &[]).await.token();
        let out_of_reach = agent.exchange(&base, &handed, "agent-c", SCOPE).await;
        let wire = (400, "invalid_target", "target_unknown");
        assert_eq!(out_of_reach.refusal(), wire, "the assistant could not reach it: {}", out_of_reach.text);
        let own = agent.exchange(&base, &handed, world.issuer(), SCOPE).await.token();
        assert_eq!(agent.exchange(&base, &own, "agent-c", SCOPE).await.refusal(), wire);
        assert!(is_active(&world, &base, &agent.exchange(&base, &own, "tickets", SCOPE).await.token()).await);
        end(world, server).await;
    }
}

on_both_databases! {
    async fn kill_9_loses_no_acceptance(backend: Backend) {
        let world = World::new(backend).await;
        let mut server = world.start().await;
        let task = begin(&world, &server.base, "ann").await;
        let pods: Vec<Pod> = (0..5).map(|number| Pod::new(&world, &format!("pod-{number}"))).collect();
        let mut accepted = Vec::new();
        for pod in &pods {
            let handed = hand_over(&world, &server.base, &task, "class:courier", &[]).await.token();
            let token = pod.exchange(&world, &server.base, &handed, "tickets").await.token();
            accepted.push((handed, token));
        }
        server.kill_9().await;
        let server = world.start().await;
        let base = server.base.clone();
        let thief = Pod::new(&world, "pod-x");
        for (pod, (handed, token)) in pods.iter().zip(&accepted) {
            assert!(is_active(&world, &base, token).await);
            assert_eq!(thief.exchange(&world, &base, handed, "tickets").await.refusal(), UNACCEPTABLE);
            assert_eq!(pod.exchange(&world, &base, handed, "tickets").await.status, 200);
        }
        end(world, server).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_pods_that_accept_at_two_processes_at_once_one_wins_on_postgres() {
    if !Backend::is_postgres_there() {
        return;
    }
    let mut world = World::new(Backend::Postgres).await;
    let second = world.add_node();
    let mut nodes = [world.start().await, world.start_node(second, &[]).await.expect("a second process")];
    let bases = [nodes[0].base.clone(), nodes[1].base.clone()];
    let task = begin(&world, &bases[0], "ann").await;
    for round in 0..10 {
        let handed = hand_over(&world, &bases[round % 2], &task, "class:courier", &[]).await.token();
        let pods = ["a", "b"].map(|name| Pod::new(&world, &format!("pod-{round}-{name}")));
        let (one, two) = tokio::join!(
            pods[0].exchange(&world, &bases[0], &handed, "tickets"),
            pods[1].exchange(&world, &bases[1], &handed, "tickets"),
        );
        let answers = [one, two];
        let winner = usize::from(answers[0].status != 200);
        assert!(is_active(&world, &bases[1 - winner], &answers[winner].token()).await, "round {round}");
        assert_eq!(answers[1 - winner].refusal(), UNACCEPTABLE, "{}", answers[1 - winner].text);
        // Both processes agree on which was first.
        for base in &bases {
            assert_eq!(pods[winner].exchange(&world, base, &handed, "tickets").await.status, 200);
            assert_eq!(
                pods[1 - winner].exchange(&world, base, &handed, "tickets").await.refusal(),
                UNACCEPTABLE
            );
        }
    }
    for node in &mut nodes {
        node.stop().await;
    }
    world.finish().await;
}
