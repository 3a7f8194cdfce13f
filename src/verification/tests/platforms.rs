//! What only one platform has in its tokens, and what an operator is told of them.

mod clouds;
mod gitlab;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::jose::{Algorithm, UnverifiedToken};
use crate::keys::AgentOf;
use crate::oauth::{AgentId, Jkt, TokenFault};
use crate::registry::*;
use crate::verification::fixtures::*;
use crate::verification::{Build, NotVerified, VerifiedCredential, VerifiedWorkload};

/// A world whose workload issuer has this preset, with the classes of `change`.
fn world_of(preset: Preset, change: impl FnOnce(&mut WorkloadIssuer)) -> World {
    let mut world = World::with_algorithm(Algorithm::RS256);
    let mut issuer = WorkloadIssuer::clone(&world.config.registry.workload_issuers[WORKLOADS]);
    issuer.preset = preset;
    issuer.stable_id = preset.stable_id();
    issuer.instance_id = preset.instance_id();
    issuer.max_token_lifetime = preset.max_token_lifetime();
    change(&mut issuer);
    add_workload_issuer(&mut world.config, issuer);
    world
}

/// The workload of the agent that presents these claims and proves no key.
async fn verify(world: &World, claims: Value) -> Result<VerifiedWorkload, TokenFault> {
    Ok(credential(world, claims).await?.presented_with(None).unwrap())
}

async fn credential(world: &World, claims: Value) -> Result<VerifiedCredential, TokenFault> {
    let token = sign(&world.workload_key, "JWT", &claims);
    match world.verifier.workload(&world.config, &UnverifiedToken::scan(&token), NOW).await {
        Ok(verified) => Ok(verified),
        Err(NotVerified::Fault(fault)) => Err(fault),
        Err(NotVerified::Unavailable(why)) => panic!("{why}"),
    }
}

fn agent(world: &World, verified: &VerifiedWorkload) -> AgentId {
    world.secrets.agent_id(AgentOf::Workload(verified.issuer(), verified.id()))
}

/// The token of a pod.
fn pod(account: &str, pod: &str) -> Value {
    let io = json!({
        "namespace": "shop",
        "serviceaccount": {"name": "age", "uid": account},
        "pod": {"name": "age-7f", "uid": pod},
        "node": {"name": "n3", "uid": "91aa"},
        "warnafter": NOW.seconds() + 480,
    });
    but(workload_claims(), json!({"kubernetes.io": io, "jti": "5d2c", "exp": NOW.seconds() + 86_000}))
}

fn cluster(lifetime: AgentLifetime) -> World {
    world_of(Preset::Kubernetes, |issuer| {
        let class = AgentClass { lifetime, ..AgentClass::clone(&issuer.classes[0]) };
        issuer.classes = vec![Arc::new(class)];
    })
}

#[tokio::test]
async fn two_pods_of_one_account_are_two_instances_and_one_principal() {
    for (lifetime, is_one) in
        [(AgentLifetime::Task, false), (AgentLifetime::Instance, false), (AgentLifetime::Principal, true)]
    {
        let world = cluster(lifetime);
        let first = verify(&world, pod("account-1", "pod-1")).await.unwrap();
        let second = verify(&world, pod("account-1", "pod-2")).await.unwrap();
        let again = verify(&world, pod("account-1", "pod-1")).await.unwrap();
        assert_eq!(agent(&world, &first) == agent(&world, &second), is_one, "{lifetime:?}");
        assert_eq!(agent(&world, &first), agent(&world, &again));
        assert_eq!((first.workload(), second.workload()), ("account-1", "account-1"));
        assert_eq!(first.instance(), (!is_one).then(|| "pod-1".to_owned()));
    }
}

#[tokio::test]
async fn an_account_that_was_made_again_under_its_name_is_another_agent() {
    let world = cluster(AgentLifetime::Principal);
    let before = verify(&world, pod("account-1", "pod-1")).await.unwrap();
    let after = verify(&world, pod("account-2", "pod-1")).await.unwrap();
    assert_eq!(before.subject(), after.subject());
    assert_ne!(agent(&world, &before), agent(&world, &after));
}

#[tokio::test]
async fn where_the_key_is_the_instance_each_key_is_an_agent() {
    let keys = [1, 2].map(|byte| Jkt::new([byte; 32]));
    for (lifetime, is_one) in
        [(AgentLifetime::Task, false), (AgentLifetime::Instance, false), (AgentLifetime::Principal, true)]
    {
        let world = world_of(Preset::Kubernetes, |issuer| {
            issuer.instance_id = Some(InstanceId::Key);
            issuer.classes = vec![Arc::new(AgentClass { lifetime, ..AgentClass::clone(&issuer.classes[0]) })];
        });
        let credential = credential(&world, pod("account-1", "pod-1")).await.unwrap();
        assert_eq!(credential.presented_with(None).is_some(), is_one, "{lifetime:?}");
        let [first, second] = keys.map(|key| credential.presented_with(Some(key)).unwrap());
        assert_eq!(agent(&world, &first) == agent(&world, &second), is_one, "{lifetime:?}");
        assert_eq!(first.instance(), (!is_one).then(|| keys[0].to_string()));
        assert_eq!(first.workload(), "account-1");
    }
}

#[tokio::test]
async fn a_workload_whose_agents_keys_name_is_named_by_its_issuer() {
    let world = world_of(Preset::Kubernetes, |issuer| {
        issuer.instance_id = Some(InstanceId::Key);
        issuer.classes.truncate(1);
    });
    let nameless = json!({"namespace": "shop", "pod": {"uid": "pod-1"}});
    let claims = but(pod("account-1", "pod-1"), json!({"kubernetes.io": nameless}));
    assert_eq!(credential(&world, claims).await.unwrap_err(), TokenFault::Claim);
}

#[tokio::test]
async fn legacy_tokens_of_clusters_are_refused() {
    let world = cluster(AgentLifetime::Principal);
    let secret = json!({"kubernetes.io/serviceaccount/secret.name": "age-token-x"});
    assert_eq!(verify(&world, but(pod("a", "p"), secret)).await.unwrap_err(), TokenFault::LegacyToken);
    let endless = but(pod("a", "p"), json!({"exp": null}));
    assert_eq!(verify(&world, endless).await.unwrap_err(), TokenFault::Claim);
    let issuer = but(pod("a", "p"), json!({"iss": "kubernetes/serviceaccount"}));
    assert_eq!(verify(&world, issuer).await.unwrap_err(), TokenFault::IssuerUntrusted);
}

/// The token of a job.
fn job(changes: Value) -> Value {
    let now = NOW.seconds();
    let claims = json!({
        "iss": WORKLOADS, "aud": DEPUTY, "exp": now + 300, "iat": now - 5, "nbf": now - 305, "jti": "j",
        "sub": "repo:acme@4411/shop@88120:ref:refs/heads/main",
        "actor": "ada", "actor_id": "1", "repository": "acme/shop", "repository_id": "88120",
        "repository_owner": "acme", "repository_owner_id": "4411", "ref": "refs/heads/main",
        "event_name": "push", "workflow": "agent",
        "workflow_ref": "acme/shop/.github/workflows/agent.yml@refs/heads/main",
        "job_workflow_ref": "acme/shop/.github/workflows/agent.yml@refs/heads/main",
        "run_id": "71", "run_attempt": "1", "runner_environment": "github-hosted", "environment": "prod",
    });
    but(claims, changes)
}

fn check(claim: &str, value: &str) -> ClaimCheck {
    ClaimCheck { claim: claim.to_owned(), test: ClaimMatch::Equals(json!(value)) }
}

fn github(events: Option<&[&str]>) -> World {
    world_of(Preset::Github, |issuer| {
        let events =
            events.map(|events| events.iter().map(|&event| event.to_owned()).collect::<BTreeSet<_>>());
        let class = |name: &str, lifetime| {
            let when = When { all: vec![check("repository_owner_id", "4411"), check("environment", name)] };
            AgentClass {
                name: name.to_owned(),
                when: Some(when),
                events: events.clone(),
                lifetime,
                ..AgentClass::clone(&issuer.classes[0])
            }
        };
        let classes = [class("prod", AgentLifetime::Principal), class("ci", AgentLifetime::Instance)];
        issuer.classes = classes.map(Arc::new).to_vec();
    })
}

#[tokio::test]
async fn a_workflow_is_known_by_numbers_and_its_file_and_not_by_names() {
    let world = github(None);
    let known = verify(&world, job(json!({}))).await.unwrap();
    assert_eq!(known.workload(), "4411:88120:acme/shop/.github/workflows/agent.yml");
    for same in [
        json!({"sub": "repo:acme/shop:environment:prod", "actor": "eve", "actor_id": "9"}),
        json!({"job_workflow_ref": "acme/shop/.github/workflows/agent.yml@refs/heads/other"}),
        json!({"job_workflow_ref": null}),
        json!({"run_id": "72", "run_attempt": "3"}),
    ] {
        let verified = verify(&world, job(same.clone())).await.unwrap();
        assert_eq!(agent(&world, &verified), agent(&world, &known), "{same}");
    }
    for other in [
        json!({"repository_id": "99"}),
        json!({"job_workflow_ref": "acme/shop/.github/workflows/other.yml@refs/heads/main"}),
    ] {
        let verified = verify(&world, job(other.clone())).await.unwrap();
        assert_ne!(agent(&world, &verified), agent(&world, &known), "{other}");
    }
    let of_another =
        json!({"repository_owner_id": "5", "repository": "acme/shop", "repository_owner": "acme"});
    assert_eq!(verify(&world, job(of_another)).await.unwrap_err(), TokenFault::NoClass);
}

#[tokio::test]
async fn a_run_of_a_workflow_is_an_instance() {
    let world = github(None);
    let ci = |changes: Value| job(but(json!({"environment": "ci"}), changes));
    let first = verify(&world, ci(json!({}))).await.unwrap();
    assert_eq!(first.instance(), Some("71:1".to_owned()));
    let mut agents = BTreeSet::from([agent(&world, &first).to_string()]);
    for changes in [
        json!({"run_attempt": "2"}),
        json!({"run_id": "72"}),
        json!({"check_run_id": "5"}),
        json!({"check_run_id": "6"}),
    ] {
        agents.insert(agent(&world, &verify(&world, ci(changes)).await.unwrap()).to_string());
    }
    assert_eq!(agents.len(), 5);
    let without = verify(&world, job(json!({"environment": "ci", "run_id": null}))).await;
    assert_eq!(without.unwrap_err(), TokenFault::Claim);
}

#[tokio::test]
async fn pull_requests_get_no_class_unless_it_lists_them() {
    let events = ["push", "workflow_dispatch", "pull_request", "pull_request_target", "pull_request_review"];
    let taken = async |listed: Option<&[&str]>| {
        let world = github(listed);
        let mut taken = Vec::new();
        for event in events {
            match verify(&world, job(json!({"event_name": event}))).await {
                Ok(_) => taken.push(event),
                Err(fault) => assert_eq!(fault, TokenFault::Event),
            }
        }
        taken
    };
    assert_eq!(taken(None).await, ["push", "workflow_dispatch"]);
    assert_eq!(taken(Some(&["pull_request", "push"])).await, ["push", "pull_request"]);
    let world = github(None);
    let unknown = verify(&world, job(json!({"event_name": null}))).await;
    assert_eq!(unknown.unwrap_err(), TokenFault::Claim);
}

#[tokio::test]
async fn what_marks_an_access_token_does_not_mark_the_credential_of_a_workload() {
    let marks = json!({"scope": "openid", "scp": "x", "client_id": "a", "azp": "a"});
    assert!(verify(&github(None), job(marks.clone())).await.is_ok());
    let token = but(pod("account-1", "pod-1"), marks);
    assert!(verify(&cluster(AgentLifetime::Principal), token).await.is_ok());
}

#[tokio::test]
async fn what_a_workload_runs_is_read_from_the_claims_that_its_class_names() {
    let world = world_of(Preset::Generic, |issuer| {
        let build = BuildClaims {
            software: Some("app.name".to_owned()),
            version: Some("app.version".to_owned()),
            image: Some("image".to_owned()),
        };
        let class =
            AgentClass { build, lifetime: AgentLifetime::Principal, ..AgentClass::clone(&issuer.classes[0]) };
        issuer.classes = vec![Arc::new(class)];
    });
    let build =
        async |changes: Value| verify(&world, but(workload_claims(), changes)).await.unwrap().build().clone();
    let longest = "x".repeat(256);
    let said = build(json!({"app": {"name": "age", "version": "1.2"}, "image": longest})).await;
    let expected =
        Build { software: Some("age".to_owned()), version: Some("1.2".to_owned()), image: Some(longest) };
    assert_eq!(said, expected);
    for unfit in [json!("x".repeat(257)), json!(7), json!(""), json!("a\u{202e}b"), json!(["a"]), json!(null)]
    {
        assert_eq!(build(json!({"image": unfit.clone()})).await.image, None, "{unfit}");
    }
}

#[tokio::test]
async fn an_operator_is_told_what_was_read_and_what_to_change() {
    let world = github(None);
    let explain = async |claims: Value| {
        let token = sign(&world.workload_key, "JWT", &claims);
        world.verifier.explain_workload(&world.config, &token, NOW).await
    };
    let taken = explain(job(json!({}))).await;
    assert_eq!(taken.outcome.unwrap().class().name, "prod");
    let read =
        |name: &str| taken.claims.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    assert_eq!(read("repository_id"), Some(Some(json!("88120"))));
    assert_eq!(read("event_name"), Some(Some(json!("push"))));
    assert_eq!(read("check_run_id"), Some(None), "what is missing is named");
    assert_eq!(read("actor"), None, "what decides nothing is not");
    for (changes, fault, fix) in [
        (
            json!({"aud": "https://other.example"}),
            TokenFault::Audience,
            "request a token whose only audience is",
        ),
        (json!({"event_name": "pull_request"}), TokenFault::Event, "list the event under `events`"),
        (json!({"environment": "x"}), TokenFault::NoClass, "whose `when` fits"),
        (json!({"iss": "https://other.example"}), TokenFault::IssuerUntrusted, "add `[[workload_issuer]]`"),
        (json!({"exp": NOW.seconds() - 900}), TokenFault::Expired, "get a new token"),
    ] {
        let problem = explain(job(changes)).await.outcome.unwrap_err();
        assert_eq!(problem.fault, Some(fault));
        assert!(problem.fix.contains(fix), "{}", problem.fix);
    }
}
