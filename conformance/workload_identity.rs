//! What an agent presents as its own credential: the requirements WLI-01 to WLI-20, as far as Deputy has them.

mod platforms;

use serde_json::{Value, json};

use crate::definition::{DEFINITION, UNLIMITED, replaced};
use crate::expect::{self, ACTOR, Wire, actors, refuses, refuses_config};
use crate::harness::{Cases, case, skip};
use crate::logs;
use crate::world::{Answer, Jwt, Key, Setup, World, claims_of, hmac_signed, unsigned};

/// The cases of this file.
pub fn cases() -> Cases {
    vec![
        case("WLI-01", an_unknown_issuer_costs_no_request),
        case("WLI-02", keys_come_from_the_configuration_alone),
        case("WLI-03", deputy_is_the_only_audience),
        case("WLI-03", platforms::an_audience_beside_deputy_is_refused_on_each_platform),
        case("WLI-04", an_agent_is_recorded_at_its_first_sight),
        case("WLI-05", one_id_at_two_issuers_is_two_agents),
        case("WLI-06", an_account_that_is_made_again_is_another_agent),
        case("WLI-06", two_pods_of_one_account_are_two_instances_and_one_principal),
        case("WLI-06", platforms::what_is_made_again_under_its_name_is_another_agent),
        case("WLI-07", what_the_caller_chooses_decides_nothing),
        case("WLI-07", platforms::what_the_caller_types_in_decides_nothing),
        case("WLI-08", a_proof_beside_a_credential_binds_it_to_the_key),
        case("WLI-08", a_platform_that_hands_one_credential_to_many_may_turn_the_pin_off),
        case("WLI-08", where_the_key_is_the_instance_each_process_is_an_agent),
        case("WLI-08", of_agents_named_by_keys_only_the_right_one_revokes),
        case("WLI-09", a_credential_that_comes_again_with_another_key_is_refused),
        case("WLI-10", the_issuer_of_every_cluster_needs_pinned_keys),
        case("WLI-11", workflows_are_known_by_numbers_and_not_for_pull_requests),
        case("WLI-12", platforms::a_person_who_signs_in_with_google_is_no_agent),
        case("WLI-12", platforms::a_person_of_another_platform_is_no_agent_either),
        case("WLI-13", quotas_limit_the_new_agents_of_a_minute),
        case("WLI-13", quotas_limit_the_agents_that_live),
        case("WLI-14", an_instance_that_was_idle_does_not_come_back),
        case("WLI-14", an_agent_that_was_killed_does_not_come_back),
        case("WLI-15", the_credential_of_a_platform_is_kept_nowhere),
        case("WLI-16", keys_that_rotate_are_found_and_old_ones_serve_for_a_while),
        case("WLI-17", a_platform_is_one_line),
        case("WLI-17", platforms::a_platform_is_one_line),
        skip("WLI-18", "attestation-based client authentication is planned, and not there yet"),
        skip("WLI-19", "WIT and WPT are planned, and not there yet"),
        case("WLI-20", an_agent_that_is_given_a_profile_stays_the_same),
        case("AGD-12", an_agent_is_recorded_at_its_first_sight),
        case("AGD-13", an_unknown_issuer_costs_no_request),
        case("AGD-14", keys_come_from_the_configuration_alone),
    ]
}

/// A pinned credential without its key.
const PINNED: Wire = (400, "invalid_request", "credential_pinned");
const HEAD: &str = "[[workload_issuer]]\nissuer = \"https://workloads.example\"\njwks_file = \"workloads.json\"\n\
                    stable_id_claim = \"sub\"\ninstance_id_claim = \"instance\"\n";
const CLUSTER: &str = "[[workload_issuer]]\nissuer = \"https://workloads.example\"\npreset = \"kubernetes\"\n\
                       jwks_file = \"workloads.json\"\n";
const GITHUB: &str = "[[workload_issuer]]\nissuer = \"https://workloads.example\"\npreset = \"github\"\n\
                      algorithms = [\"ES256\"]\njwks_file = \"workloads.json\"\n";

/// A world whose agents are pods of a cluster. Those of the class `planner` live so.
fn cluster(lifetime: &str) -> Setup {
    Setup::default()
        .replace(HEAD, CLUSTER)
        .replace("lifetime = \"principal\"", &format!("lifetime = \"{lifetime}\""))
}

/// A world whose agents are workflows of one owner.
fn github() -> Setup {
    let of_kind = |kind: &str| format!("when = {{ claim = \"kind\", equals = \"{kind}\" }}");
    let of_owner = |kind: &str| {
        format!(
            "when = {{ all = [{{ claim = \"repository_owner_id\", equals = \"4411\" }}, \
             {{ claim = \"environment\", equals = \"{kind}\" }}] }}"
        )
    };
    Setup::default()
        .replace(HEAD, GITHUB)
        .replace(&of_kind("age"), &of_owner("age"))
        .replace(&of_kind("planner"), &of_owner("planner"))
        .replace(&of_kind("courier"), &of_owner("courier"))
}

/// The token of a pod, as a cluster projects it.
fn pod(world: &World, account: &str, pod: &str) -> Jwt {
    let io = json!({
        "namespace": "shop", "serviceaccount": {"name": "planner", "uid": account},
        "pod": {"name": "planner-7f", "uid": pod}, "node": {"name": "n3", "uid": "91aa"},
    });
    let token = world.workload_token("planner").without("instance");
    token.claim("sub", "system:serviceaccount:shop:planner").claim("kubernetes.io", io)
}

/// The token of a job.
fn job(world: &World, changes: Value) -> Jwt {
    let mut token = world.workload_token("planner").without("instance").without("kind");
    let claims = json!({
        "sub": "repo:acme@4411/shop@88120:ref:refs/heads/main", "actor": "ada", "actor_id": "1",
        "repository": "acme/shop", "repository_id": "88120", "repository_owner": "acme",
        "repository_owner_id": "4411", "ref": "refs/heads/main", "head_ref": "", "event_name": "push",
        "environment": "planner", "workflow_ref": "acme/shop/.github/workflows/agent.yml@refs/heads/main",
        "job_workflow_ref": "acme/shop/.github/workflows/agent.yml@refs/heads/main",
        "run_id": "71", "run_attempt": "1", "scope": "not a mark of an access token here",
    });
    for (name, value) in claims.as_object().unwrap().iter().chain(changes.as_object().unwrap()) {
        token = token.claim(name, value.clone());
    }
    token
}

async fn sent(world: &World, credential: &Jwt) -> Answer {
    world.tx().actor(&credential.sign()).send().await
}

/// The agent that this credential names, by the token that it gets.
async fn agent(world: &World, credential: &Jwt) -> String {
    actors(&sent(world, credential).await.claims()).swap_remove(0)
}

async fn is_refused(world: &World, what: &str, credential: &str, cause: &str) {
    refuses(world, what, world.tx().actor(credential), ACTOR, cause).await;
}

async fn an_unknown_issuer_costs_no_request() {
    let world = World::start(Setup::default()).await;
    let issuer = world.other_provider.issuer.clone();
    let token = world.workload_token("planner").claim("iss", issuer).sign();
    is_refused(&world, "an issuer that is not configured", &token, "issuer_untrusted").await;
    assert_eq!((world.other_provider.discovery_fetches(), world.other_provider.jwks_fetches()), (0, 0));
}

async fn keys_come_from_the_configuration_alone() {
    let world = World::start(Setup::default()).await;
    let good = world.workload_token("planner");
    let other = Key::new("workload");
    for (name, value) in [
        ("jwk", other.jwk()),
        ("jku", json!(format!("{}/jwks", world.other_provider.issuer))),
        ("x5u", json!(format!("{}/jwks", world.other_provider.issuer))),
        ("x5c", json!(["MIIB"])),
    ] {
        let forged = good.clone().header(name, value).signed_by(&other).sign();
        is_refused(&world, name, &forged, "signature").await;
    }
    assert_eq!(world.other_provider.jwks_fetches(), 0);
    let (_, claims) = good.texts();
    is_refused(&world, "none", &unsigned(r#"{"alg":"none"}"#, &claims), "algorithm").await;
    let mac = hmac_signed(b"a secret", r#"{"alg":"HS256"}"#, &claims);
    is_refused(&world, "HMAC", &mac, "algorithm").await;
    let only_rsa = Setup::default().replace(HEAD, &format!("{HEAD}algorithms = [\"RS256\"]\n"));
    let world = World::start(only_rsa).await;
    is_refused(&world, "ES256", &world.workload_token("planner").sign(), "algorithm").await;
}

async fn deputy_is_the_only_audience() {
    let world = World::start(cluster("principal")).await;
    let good = pod(&world, "account-1", "pod-1");
    sent(&world, &good.clone().claim("aud", json!([world.issuer]))).await.granted();
    for aud in [json!("https://workloads.example"), json!([world.issuer, "https://other.example"]), json!([])]
    {
        is_refused(&world, &aud.to_string(), &good.clone().claim("aud", aud.clone()).sign(), "audience")
            .await;
    }
}

async fn an_agent_is_recorded_at_its_first_sight() {
    let world = World::start(cluster("principal")).await;
    let shown = async |agent: &str| world.admin("GET", &format!("/agents/{agent}"), Value::Null).await.body;
    let first = agent(&world, &pod(&world, "account-1", "pod-1")).await;
    let then = shown(&first).await;
    assert_eq!((&then["class"], &then["workload_id"]), (&json!("planner"), &json!("account-1")));
    assert_eq!(then["first_seen"], then["last_seen"]);
    world.advance(60);

    assert_eq!(agent(&world, &pod(&world, "account-1", "pod-1")).await, first);

    let now = shown(&first).await;
    assert_eq!(now["first_seen"], then["first_seen"]);
    assert_ne!(now["last_seen"], then["last_seen"]);
}

async fn one_id_at_two_issuers_is_two_agents() {
    let second = "[[workload_issuer]]\nissuer = \"https://other.example\"\njwks_file = \"workloads.json\"\n\
                  [[workload_issuer.class]]\nname = \"other\"\nlifetime = \"principal\"\nclients = [\"assistant\"]\n\
                  scopes = [\"tickets:search\"]\ntargets = [\"tickets\"]";
    let world = World::start(Setup::default().add(second)).await;
    let token = || world.workload_token("planner");
    let here = agent(&world, &token()).await;
    assert_ne!(here, agent(&world, &token().claim("iss", "https://other.example")).await);
    assert_eq!(here, agent(&world, &token()).await);
}

/// The answer where a quota is used up.
const QUOTA: Wire = (429, "temporarily_unavailable", "agent_quota");

/// A world whose workload issuer has these quotas.
fn limited(quotas: &str) -> Setup {
    cluster("instance").replace(CLUSTER, &format!("{CLUSTER}quotas = {{ {quotas} }}\n"))
}

async fn quotas_limit_the_new_agents_of_a_minute() {
    let world = World::start(limited("new_per_minute = 2")).await;
    let named = |number: u8| pod(&world, "account-1", &format!("pod-{number}"));
    let first = agent(&world, &named(1)).await;
    agent(&world, &named(2)).await;
    let refused = sent(&world, &named(3)).await;
    expect::is_refused("a third pod in a minute", &refused, QUOTA);
    assert_eq!(refused.header("retry-after"), Some("60"));
    assert_eq!(agent(&world, &named(1)).await, first, "a known agent is left alone");
    world.advance(60);
    agent(&world, &named(3)).await;
}

async fn quotas_limit_the_agents_that_live() {
    let world = World::start(limited("live = 2")).await;
    let named = |number: u8| pod(&world, "account-1", &format!("pod-{number}"));
    let first = agent(&world, &named(1)).await;
    agent(&world, &named(2)).await;
    let refused = sent(&world, &named(3)).await;
    expect::is_refused("a third pod that lives", &refused, QUOTA);
    assert_eq!(refused.header("retry-after"), Some("15"));
    assert_eq!(agent(&world, &named(1)).await, first, "a known agent is left alone");
}

async fn an_account_that_is_made_again_is_another_agent() {
    let world = World::start(cluster("principal")).await;
    let before = agent(&world, &pod(&world, "account-1", "pod-1")).await;
    let after = agent(&world, &pod(&world, "account-2", "pod-1")).await;
    assert_ne!(before, after, "the name is the same, and the account is not");
}

async fn two_pods_of_one_account_are_two_instances_and_one_principal() {
    for (lifetime, is_one) in [("principal", true), ("instance", false), ("task", false)] {
        let world = World::start(cluster(lifetime)).await;
        let first = agent(&world, &pod(&world, "account-1", "pod-1")).await;
        let second = agent(&world, &pod(&world, "account-1", "pod-2")).await;
        assert_eq!(first == second, is_one, "{lifetime}");
    }
}

async fn what_the_caller_chooses_decides_nothing() {
    let world = World::start(github()).await;
    let claims = async |changes: Value| sent(&world, &job(&world, changes)).await.claims();
    let known = claims(json!({})).await;
    for changes in [
        json!({"actor": "admin", "actor_id": "0", "head_ref": "planner"}),
        json!({"workflow": "planner", "base_ref": "main", "repository": "acme/other"}),
    ] {
        let other = claims(changes).await;
        assert_eq!((&other["act"], &other["scope"]), (&known["act"], &known["scope"]));
    }
    for claim in ["actor", "head_ref", "base_ref"] {
        let when = format!("claim = \"{claim}\", equals = \"planner\"");
        let words = format!("checks `{claim}`, whose value the caller chooses");
        refuses_config(&world, "claim = \"environment\", equals = \"planner\"", &when, &words);
        let id = format!("preset = \"github\"\nstable_id_claim = [\"repository_id\", \"{claim}\"]");
        refuses_config(&world, "preset = \"github\"", &id, "whose value the caller chooses");
    }
}

/// A pod's exchange with a proof by this key.
async fn proving(world: &World, credential: &Jwt, key: &Key) -> Answer {
    world.tx().actor(&credential.sign()).header("DPoP", &world.proof(key).sign()).send().await
}

/// The next credential that a platform gives.
type Fresh = fn(&World) -> Jwt;

async fn a_proof_beside_a_credential_binds_it_to_the_key() {
    let platforms: [(Setup, Fresh); 2] = [
        (cluster("instance"), |world| pod(world, "account-1", "pod-1")),
        (github(), |world| job(world, json!({}))),
    ];
    for (setup, fresh) in platforms {
        let world = World::start(setup).await;
        let (key, other) = (Key::new("agent"), Key::new("other"));
        let credential = fresh(&world);
        let token = proving(&world, &credential, &key).await;
        assert_eq!(token.claims()["cnf"]["jkt"], key.thumbprint(), "the token is bound too");
        proving(&world, &credential, &key).await.granted();
        expect::is_refused("another key", &proving(&world, &credential, &other).await, PINNED);
        expect::is_refused("no key", &sent(&world, &credential).await, PINNED);
        proving(&world, &fresh(&world), &other).await.granted();
    }
}

async fn a_platform_that_hands_one_credential_to_many_may_turn_the_pin_off() {
    let off = cluster("principal").replace(CLUSTER, &format!("{CLUSTER}pin = \"off\"\n"));
    let world = World::start(off).await;
    let credential = pod(&world, "account-1", "pod-1");
    for process in ["one", "other"] {
        let key = Key::new(process);
        let answer = proving(&world, &credential, &key).await;
        assert_eq!(answer.claims()["cnf"]["jkt"], key.thumbprint());
    }
}

/// The usual issuer, whose agents are named by the keys that they prove.
pub fn keyed() -> Setup {
    Setup::default()
        .replace("instance_id_claim = \"instance\"", "instance_id_claim = \"key\"")
        .replace("lifetime = \"principal\"", "lifetime = \"instance\"")
}

async fn where_the_key_is_the_instance_each_process_is_an_agent() {
    let world = World::start(keyed()).await;
    let [one, other] = ["one", "other"].map(Key::new);
    let cached = world.workload_token("planner");
    let by = async |credential: &Jwt, key: &Key| actors(&proving(&world, credential, key).await.claims());
    let first = by(&cached, &one).await;
    let second = by(&cached, &other).await;
    assert_ne!(first, second, "two processes share the credential, and are two agents");
    assert_eq!(by(&cached, &one).await, first);
    assert_eq!(by(&world.workload_token("planner"), &one).await, first, "the key is the agent");
    let shown = world.admin("GET", &format!("/agents/{}", first[0]), Value::Null).await.body;
    let ids = [&shown["stable_id"], &shown["workload_id"]];
    assert_eq!(ids, [&json!("workload-planner"), &json!(one.thumbprint())]);
    let without = world.tx().actor(&cached.sign());
    refuses(&world, "no key", without, (400, "invalid_dpop_proof", "proof_missing"), "proof_missing").await;

    world.operate("kill", &first[0]).await;

    expect::is_refused("its agent is banned", &proving(&world, &cached, &one).await, ACTOR);
    assert_eq!(by(&cached, &other).await, second, "the other process is not concerned");
}

async fn of_agents_named_by_keys_only_the_right_one_revokes() {
    let world = World::start(keyed()).await;
    let [one, other] = ["one", "other"].map(Key::new);
    let cached = world.workload_token("courier").sign();
    let token = world.tx().with_assertion(&cached).header("DPoP", &world.proof(&one).sign()).send().await;
    let token = token.granted();
    let revoke = || world.form("/revoke").set("token", &token).with_assertion(&cached);
    let at = format!("{}/revoke", world.issuer);
    let proof = |key: &Key| world.proof(key).claim("htu", at.as_str()).sign();

    let missing = (400, "invalid_dpop_proof", "proof_missing");
    expect::is_refused("no key", &revoke().send().await, missing);
    let elsewhere = revoke().header("DPoP", &world.proof(&one).sign()).send().await;
    expect::is_refused("a proof for `/token`", &elsewhere, (400, "invalid_dpop_proof", "proof_invalid"));
    let foreign = revoke().header("DPoP", &proof(&other)).send().await;
    expect::is_refused("another process", &foreign, (400, "invalid_request", "token_of_other_client"));
    assert!(world.is_active(&token).await);

    let used = proof(&one);
    assert_eq!(revoke().header("DPoP", &used).send().await.status, 200);

    assert!(!world.is_active(&token).await);
    let again = revoke().header("DPoP", &used).send().await;
    expect::is_refused("a proof that was used", &again, (400, "invalid_dpop_proof", "proof_invalid"));
}

/// Until it expires, by itself and whatever else the request asks for. That it may come again with its own key is where
/// Deputy differs: platforms hand the same credential out many times.
async fn a_credential_that_comes_again_with_another_key_is_refused() {
    let world = World::start(cluster("instance")).await;
    let (key, thief) = (Key::new("agent"), Key::new("thief"));
    let credential = pod(&world, "account-1", "pod-1");
    proving(&world, &credential, &key).await.granted();
    let task = world.task_tx().set("scope", "tickets:search").actor(&credential.sign());
    let stolen = task.header("DPoP", &world.proof(&thief).sign());
    let told = stolen.send().await;
    expect::is_refused("for a task token", &told, PINNED);
    assert_eq!(told.body["retry_after"], 300);
    world.advance(299);
    proving(&world, &credential, &key).await.granted();
    expect::is_refused("a second before it expires", &proving(&world, &credential, &thief).await, PINNED);
    world.advance(61);
    let expired = proving(&world, &credential, &thief).await;
    expect::is_refused("expired", &expired, ACTOR);
}

async fn the_issuer_of_every_cluster_needs_pinned_keys() {
    let world = World::start(cluster("principal")).await;
    let pinned =
        "issuer = \"https://workloads.example\"\npreset = \"kubernetes\"\njwks_file = \"workloads.json\"";
    for name in ["https://kubernetes.default.svc", "https://kubernetes.default.svc.cluster.local"] {
        let fetched =
            format!("issuer = \"{name}\"\npreset = \"kubernetes\"\njwks_uri = \"https://keys.example\"");
        refuses_config(&world, pinned, &fetched, "is the issuer of every cluster that was not given another");
        let named =
            replaced(&world.toml, "issuer = \"https://workloads.example\"", &format!("issuer = \"{name}\""));
        deputy::testing::Config::parse(&named, world.directory.path())
            .expect("pinned keys are those of one cluster");
    }
    let own = format!("{pinned}\naudience = \"https://workloads.example\"");
    refuses_config(&world, pinned, &own, "the audience of the cluster's own API server");
}

async fn workflows_are_known_by_numbers_and_not_for_pull_requests() {
    let world = World::start(github()).await;
    let known = agent(&world, &job(&world, json!({}))).await;
    let renamed = json!({"repository": "acme/store", "sub": "repo:acme/store:ref:refs/heads/main"});
    assert_eq!(agent(&world, &job(&world, renamed)).await, known);
    assert_ne!(agent(&world, &job(&world, json!({"repository_id": "9"}))).await, known);
    for event in ["pull_request", "pull_request_target"] {
        let token = job(&world, json!({"event_name": event})).sign();
        is_refused(&world, event, &token, "event").await;
    }
    let stranger = job(&world, json!({"repository_owner_id": "5"})).sign();
    is_refused(&world, "the same names of another owner", &stranger, "no_class").await;

    let world = World::start(
        github().replace("name = \"planner\"", "name = \"planner\"\nevents = [\"pull_request\"]"),
    )
    .await;
    sent(&world, &job(&world, json!({"event_name": "pull_request"}))).await.granted();
    is_refused(&world, "an event that is not listed", &job(&world, json!({})).sign(), "event").await;
}

async fn an_instance_that_was_idle_does_not_come_back() {
    let idle =
        cluster("instance").replace("lifetime = \"instance\"", "lifetime = \"instance\"\nidle_seconds = 600");
    let world = World::start(idle).await;
    let token = || pod(&world, "account-1", "pod-1");
    let access = sent(&world, &token()).await.granted();
    let instance = actors(&claims_of(&access)).swap_remove(0);
    world.advance(600);
    assert_eq!(agent(&world, &token()).await, instance);
    world.advance(615);
    is_refused(&world, "idle for too long, and not swept", &token().sign(), "agent_ended").await;

    world.server().sweep().await.unwrap();

    let shown = world.admin("GET", &format!("/agents/{instance}"), Value::Null).await.body;
    assert_eq!((&shown["state"], &shown["ended"]["why"]), (&json!("retired"), &json!("idle")));
    let is_end = |row: &&Value| row["event"] == "agent_state" && row["agent"] == json!(instance);
    let rows = world.audit().await;
    let ends: Vec<&Value> = rows.iter().filter(is_end).collect();
    assert_eq!(ends.len(), 1, "{ends:?}");
    assert_eq!((&ends[0]["state"], &ends[0]["why"]), (&json!("retired"), &json!("idle")));
    is_refused(&world, "idle for too long", &token().sign(), "agent_ended").await;
    let other = agent(&world, &pod(&world, "account-1", "pod-2")).await;
    assert_ne!(other, instance, "another pod is another agent");
}

async fn an_agent_that_was_killed_does_not_come_back() {
    let world = World::start(cluster("principal")).await;
    let known = agent(&world, &pod(&world, "account-1", "pod-1")).await;
    world.operate("kill", &known).await;
    world.advance(90_000);
    is_refused(&world, "a killed agent", &pod(&world, "account-1", "pod-2").sign(), "agent_ended").await;
}

async fn an_agent_that_is_given_a_profile_stays_the_same() {
    let world = World::start(cluster("principal")).await;
    let credential = pod(&world, "account-1", "pod-1");
    let token = sent(&world, &credential).await.granted();
    let known = actors(&claims_of(&token)).swap_remove(0);
    let path = format!("/agents/{known}");
    assert_eq!(world.admin("GET", &path, Value::Null).await.body["profile"], "minimal");

    let profile = json!({"owner": "team-travel", "contact": "travel@example.com", "purpose": "books trips"});
    let answer = world.admin("POST", &format!("{path}/profile"), profile.clone()).await;
    assert_eq!((answer.status, &answer.body["changed"]), (200, &json!(true)), "{}", answer.text);

    let shown = world.admin("GET", &path, Value::Null).await.body;
    assert_eq!((&shown["agent"], &shown["profile"]), (&json!(known), &json!("full")));
    for (member, text) in profile.as_object().unwrap() {
        assert_eq!(shown[member], *text);
    }
    let checked = world.introspect_as("tickets-api", &token).await;
    assert_eq!(checked.body["active"], json!(true), "what it has is not touched");
    assert_eq!(agent(&world, &pod(&world, "account-1", "pod-2")).await, known);
}

async fn the_credential_of_a_platform_is_kept_nowhere() {
    let world = World::start(cluster("principal")).await;
    let token = pod(&world, "account-1", "pod-1").sign();
    let refused = pod(&world, "account-1", "pod-1").claim("aud", "https://other.example").sign();
    let issued = world.tx().actor(&token).send().await.granted();
    let answer = world.tx().actor(&refused).send().await;
    for credential in [&token, &refused] {
        let signature = credential.rsplit('.').next().unwrap();
        assert!(!answer.text.contains(signature) && !claims_of(&issued).to_string().contains(signature));
        assert!(!logs::hold(signature) && !world.is_on_disk(signature));
    }
}

async fn keys_that_rotate_are_found_and_old_ones_serve_for_a_while() {
    let fetched = "[[workload_issuer]]\nissuer = \"https://workloads.example\"\npreset = \"kubernetes\"\n\
                   jwks_uri = \"@other_provider@/jwks\"\nnetwork = \"private\"\n";
    let world = World::start(Setup::of(&(replaced(DEFINITION, HEAD, fetched) + UNLIMITED))).await;
    let provider = &world.other_provider;
    provider.publish(world.workload_key.jwks());
    sent(&world, &pod(&world, "account-1", "pod-1")).await.granted();
    assert_eq!(provider.jwks_fetches(), 1);

    let new = Key::new("new");
    let rotated = pod(&world, "account-1", "pod-1").header("kid", "new").signed_by(&new);
    for _ in 0..3 {
        is_refused(&world, "a key that is not published", &rotated.sign(), "key_unknown").await;
    }
    assert_eq!(provider.jwks_fetches(), 1, "fetched less than a minute ago");
    provider.publish(json!({"keys": [new.jwk()]}));
    world.advance(60);
    let rotated = pod(&world, "account-1", "pod-1").header("kid", "new").signed_by(&new);
    sent(&world, &rotated).await.granted();
    assert_eq!(provider.jwks_fetches(), 2);

    provider.answer_keys_with(500, &[], "");
    world.advance(3600);
    let rotated = pod(&world, "account-1", "pod-1").header("kid", "new").signed_by(&new);
    sent(&world, &rotated).await.granted();
}

async fn a_platform_is_one_line() {
    for (setup, preset) in [(cluster("principal"), "kubernetes"), (github(), "github")] {
        let world = World::start(setup).await;
        let preset_line = format!("preset = \"{preset}\"");
        assert!(world.toml.contains(&preset_line));
        let words = "write `generic` or `kubernetes` or `github` or `gitlab` or `aws` or `gcp` or `azure`";
        refuses_config(&world, &preset_line, "preset = \"mainframe\"", words);
    }
}
