//! An agent whose platform's credential is all that it has, through the real binary.

mod keys;

use std::time::Duration;

use deputy::testing::{Credential, Endpoint};

use crate::definition::{replaced, write};
use crate::jose::{Key, claims_of};
use crate::process_support::{Answer, Backend, Plan, World, on_both_databases};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
/// How the section of the workload issuer begins.
const ISSUER: &str = "issuer = \"https://workloads.example\"";

const INVALID_CLIENT: (u16, &str, &str) = (401, "invalid_client", "client_authentication_failed");

/// How the pod of a courier sends its token.
type Way = fn(&str) -> Credential;
const WAYS: [Way; 2] =
    [|token| Credential::Platform(token.into()), |token| Credential::PlatformAsActor(token.into())];

/// Exchanges `subject` with nothing but the platform's credential.
async fn exchange(
    world: &World,
    base: &str,
    credential: Credential,
    subject: [&str; 2],
    audience: &str,
    more: &[(&str, &str)],
) -> Answer {
    let form = [
        ("grant_type", EXCHANGE),
        ("subject_token", subject[0]),
        ("subject_token_type", subject[1]),
        ("audience", audience),
        ("scope", "tickets:search"),
    ];
    world.caller_named("").post_by(base, Endpoint::Token, credential, &[&form, more].concat()).await
}

fn actor(answer: &Answer) -> String {
    claims_of(&answer.token())["act"]["sub"].as_str().expect("an actor").to_owned()
}

on_both_databases! {
    async fn a_pod_with_nothing_but_its_token_gets_its_first_token_in_one_request(backend: Backend) {
        let world = World::new(backend).await;
        let mut server = world.start().await;
        let base = server.base.clone();
        for (user, way) in ["ann", "bob"].into_iter().zip(WAYS) {
            let id_token = world.id_token(user);
            let pod = world.workload_token_of("courier", "pod-1");
            let first = exchange(&world, &base, way(&pod), [&id_token, ID_TOKEN], "tickets", &[]).await;
            let agent = actor(&first);
            assert!(world.caller("tickets-api").introspect(&base, &first.token()).await.is_active());
            // Its platform hands the pod a new token; the agent and the task stay the same.
            let renewed = world.workload_token_of("courier", "pod-1");
            let again = exchange(&world, &base, way(&renewed), [&id_token, ID_TOKEN], "tickets", &[]).await;
            assert_eq!((actor(&again), again.task()), (agent.clone(), first.task()));
            // Another pod of the same account is another agent.
            let other = world.workload_token_of("courier", "pod-2");
            let other = exchange(&world, &base, way(&other), [&id_token, ID_TOKEN], "tickets", &[]).await;
            assert_ne!(actor(&other), agent);
        }
        server.stop().await;
        world.finish().await;
    }
}

on_both_databases! {
    async fn a_credential_does_what_its_own_agent_may_and_no_more(backend: Backend) {
        let world = World::new(backend).await;
        let mut server = world.start().await;
        let base = server.base.clone();
        let id_token = world.id_token("ann");
        let [one, two] = ["pod-1", "pod-2"].map(|pod| world.workload_token_of("courier", pod));
        let platform = |token: &str| Credential::Platform(token.into());
        let task = exchange(&world, &base, platform(&one), [&id_token, ID_TOKEN], world.issuer(), &[]).await;
        let task = task.token();

        // The task token is the first pod's, though both authenticate as the same client.
        let stolen = exchange(&world, &base, platform(&two), [&task, ACCESS_TOKEN], "tickets", &[]).await;
        assert_eq!(stolen.refusal(), (400, "invalid_request", "subject_token_unacceptable"), "{}", stolen.text);
        let access = exchange(&world, &base, platform(&one), [&task, ACCESS_TOKEN], "tickets", &[]).await.token();

        // Nor may the second pod end what is the first one's.
        let revoke = async |credential: &str, token: &str| {
            let form = [("token", token)];
            world.caller_named("").post_by(&base, Endpoint::Revocation, platform(credential), &form).await
        };
        let refused = revoke(&two, &access).await;
        assert_eq!(refused.refusal(), (400, "invalid_request", "token_of_other_client"), "{}", refused.text);
        assert!(world.caller("tickets-api").introspect(&base, &access).await.is_active());
        assert_eq!(revoke(&one, &access).await.status, 200);
        assert!(!world.caller("tickets-api").introspect(&base, &access).await.is_active());

        // An actor token beside the credential is the same credential, or is refused.
        let with_actor = async |actor: &str| {
            let more = [("actor_token", actor), ("actor_token_type", JWT)];
            exchange(&world, &base, platform(&one), [&id_token, ID_TOKEN], "tickets", &more).await
        };
        assert_eq!(with_actor(&one).await.status, 200);
        let other = with_actor(&two).await;
        assert_eq!(other.refusal(), (400, "invalid_request", "actor_token_unacceptable"), "{}", other.text);

        // What its class does not hold is out of reach, though the client holds it.
        let more = [("client_id", "couriers")];
        let form = [
            ("grant_type", EXCHANGE), ("subject_token", &*id_token), ("subject_token_type", ID_TOKEN),
            ("audience", "tickets"), ("scope", "tickets:book"), more[0],
        ];
        let wide = world.caller_named("").post_by(&base, Endpoint::Token, platform(&one), &form).await;
        assert_eq!(wide.refusal().1, "invalid_scope", "{}", wide.text);
        server.stop().await;
        world.finish().await;
    }
}

on_both_databases! {
    async fn a_fault_of_the_credential_is_one_of_the_client_and_one_of_its_agent_is_not(backend: Backend) {
        let world = World::new(backend).await;
        let mut server = world.start().await;
        let base = server.base.clone();
        let id_token = world.id_token("ann");
        let first = world.workload_token_of("courier", "pod-1");
        let age = world.workload_token();
        for way in WAYS {
            let pod = exchange(&world, &base, way(&first), [&id_token, ID_TOKEN], "tickets", &[]).await;
            assert_eq!(pod.status, 200, "{}", pod.text);
            // The class of this one lists no client that authenticates so.
            let refused = exchange(&world, &base, way(&age), [&id_token, ID_TOKEN], "tickets", &[]).await;
            assert_eq!(refused.refusal(), (401, "invalid_client", "client_authentication_failed"));
            let nonsense = exchange(&world, &base, way("a.b.c"), [&id_token, ID_TOKEN], "tickets", &[]).await;
            assert_eq!(nonsense.text_but_request_id(), refused.text_but_request_id());
        }
        let agent = {
            let pod = exchange(&world, &base, WAYS[0](&first), [&id_token, ID_TOKEN], "tickets", &[]).await;
            actor(&pod)
        };
        let killed = world.deputy(&["agent", "kill", &agent]).await;
        assert!(killed.status.success(), "{}", String::from_utf8_lossy(&killed.stderr));
        for way in WAYS {
            let banned = exchange(&world, &base, way(&first), [&id_token, ID_TOKEN], "tickets", &[]).await;
            assert_eq!(banned.refusal(), (400, "invalid_request", "actor_token_unacceptable"), "{}", banned.text);
        }
        server.stop().await;
        world.finish().await;
    }
}

on_both_databases! {
    async fn a_credential_that_is_presented_again_is_judged_again_and_falls_with_its_issuers_key(backend: Backend) {
        let world = World::new(backend).await;
        let mut server = world.start().await;
        let base = server.base.clone();
        let id_token = world.id_token("ann");
        let pods = ["pod-1", "pod-2"].map(|pod| world.workload_token_of("courier", pod));
        let ask = async |way: Way, pod: &str| {
            exchange(&world, &base, way(pod), [&id_token, ID_TOKEN], "tickets", &[]).await
        };
        for (way, pod) in WAYS.into_iter().zip(&pods) {
            for _ in 0..3 {
                assert_eq!(ask(way, pod).await.status, 200, "its signature is remembered");
            }
            // The remembered signature under other claims.
            let (signed, signature) = pod.rsplit_once('.').expect("a signature");
            let foreign = world.workload_token_of("courier", "pod-3");
            let spliced = format!("{}.{signature}", foreign.rsplit_once('.').expect("a signature").0);
            assert_eq!(ask(way, &spliced).await.refusal(), INVALID_CLIENT);
            let changed = format!("{signed}.{}", signature.chars().rev().collect::<String>());
            assert_eq!(ask(way, &changed).await.refusal(), INVALID_CLIENT);
        }
        // The platform withdraws its key.
        let other = Key::new("workloads-2");
        write(world.config().parent().expect("a directory"), "workloads.json", other.jwks().to_string());
        server.signal("HUP").await;
        while !server.log().contains("configuration reloaded") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for (way, pod) in WAYS.into_iter().zip(&pods) {
            assert_eq!(ask(way, pod).await.refusal(), INVALID_CLIENT);
        }
        server.stop().await;
        world.finish().await;
    }
}

on_both_databases! {
    async fn quotas_limit_new_agents_and_leave_those_that_are_known_alone(backend: Backend) {
        let change = |toml: String| {
            let toml = (Plan::default().change)(toml);
            replaced(&toml, ISSUER, &format!("{ISSUER}\nquotas = {{ new_per_minute = 2, live = 3 }}"))
        };
        let world = World::of(backend, Plan { change, ..Plan::default() }).await;
        let mut server = world.start().await;
        let id_token = world.id_token("ann");
        let pod = async |base: &str, number: u8| {
            let pod = world.workload_token_of("courier", &format!("pod-{number}"));
            exchange(&world, base, WAYS[0](&pod), [&id_token, ID_TOKEN], "tickets", &[]).await
        };
        let known = actor(&pod(&server.base, 1).await);
        assert_eq!(pod(&server.base, 2).await.status, 200);
        let refused = pod(&server.base, 3).await;
        assert_eq!(refused.refusal(), (429, "temporarily_unavailable", "agent_quota"), "{}", refused.text);
        let seconds: u32 = refused.retry_after.as_deref().expect("Retry-After").parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
        assert_eq!(actor(&pod(&server.base, 1).await), known);

        // After a restart the minute begins anew, and those that live are counted in the database.
        server.stop().await;
        server = world.start().await;
        assert_eq!(pod(&server.base, 3).await.status, 200);
        let refused = pod(&server.base, 4).await;
        assert_eq!(refused.refusal(), (429, "temporarily_unavailable", "agent_quota"), "{}", refused.text);
        server.stop().await;
        world.finish().await;
    }
}
