//! JWT-SVIDs, and the bundles that have their keys.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::base::time::Lifetime;
use crate::jose::{Algorithm, SigningKey, UnverifiedToken};
use crate::oauth::{Issuer, Jkt, TokenFault, WorkloadIdKind};
use crate::registry::*;
use crate::verification::fixtures::*;
use crate::verification::{NotVerified, VerifiedCredential};

const DOMAIN: &str = "spiffe://agents.example";
const BUYER: &str = "spiffe://agents.example/agents/buyer";

/// Two trust domains, each with a bundle in a file: that of the world's workload key, and that of its client key.
fn world(algorithm: Algorithm) -> World {
    let mut world = World::with_algorithm(algorithm);
    let (directory, ours, theirs) =
        (world.files.path().to_owned(), bundle_of(&world.workload_key), bundle_of(&world.client_key));
    for (name, document) in [("agents.example", ours), ("other.example", theirs)] {
        let file = directory.join(name);
        std::fs::write(&file, document.to_string()).unwrap();
        let issuer = domain(&world, name, &file);
        add_workload_issuer(&mut world.config, issuer);
    }
    world
}

fn bundle_of(key: &SigningKey) -> Value {
    let mut jwk = key.jwk().clone();
    jwk.insert("use".to_owned(), json!("jwt-svid"));
    json!({"keys": [jwk], "spiffe_refresh_hint": 300})
}

fn domain(world: &World, name: &str, bundle: &Path) -> WorkloadIssuer {
    let known = WorkloadIssuer::clone(&world.config.registry.workload_issuers[WORKLOADS]);
    let issuer = format!("spiffe://{name}");
    let under = ClaimMatch::Under(format!("{issuer}/agents/"));
    let class = AgentClass {
        name: format!("agents of {name}"),
        when: Some(When { all: vec![ClaimCheck { claim: "sub".to_owned(), test: under }] }),
        lifetime: AgentLifetime::Instance,
        ..AgentClass::clone(&known.classes[0])
    };
    let preset = Preset::Spiffe;
    WorkloadIssuer {
        issuer: Issuer::new(issuer),
        preset,
        keys: KeySource::BundleFile(bundle.to_owned()),
        algorithms: preset.algorithms().unwrap().iter().copied().collect(),
        stable_id: preset.stable_id(),
        instance_id: preset.instance_id(),
        max_token_lifetime: preset.max_token_lifetime(),
        classes: vec![Arc::new(class)],
        ..known
    }
}

/// The least that an SVID has.
fn svid() -> Value {
    json!({"sub": BUYER, "aud": [DEPUTY], "exp": NOW.seconds() + 300})
}

async fn verify(world: &World, token: &str) -> Result<VerifiedCredential, NotVerified> {
    world.verifier.workload(&world.config, &UnverifiedToken::scan(token), NOW).await
}

async fn fault(world: &World, token: &str) -> TokenFault {
    match verify(world, token).await {
        Err(NotVerified::Fault(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

fn signed(world: &World, changes: Value) -> String {
    sign(&world.workload_key, "JWT", &but(svid(), changes))
}

#[tokio::test]
async fn an_svid_needs_no_issuer_no_identifier_and_no_time_of_issue() {
    let world = world(Algorithm::ES256);
    let key = Some(Jkt::new([7; 32]));
    for (changes, issued_at) in [
        (json!({}), i64::MIN),
        (json!({"iss": "https://spire.example", "jti": "x", "iat": NOW.seconds() - 5}), NOW.seconds() - 5),
        (json!({"iss": WORKLOADS}), i64::MIN),
    ] {
        let credential = verify(&world, &signed(&world, changes)).await.unwrap();
        assert!(credential.presented_with(None).is_none(), "its agent is the one of a key");
        let agent = credential.presented_with(key).unwrap();
        assert_eq!(
            (agent.issuer().as_str(), agent.workload(), agent.subject()),
            (DOMAIN, BUYER, Some(BUYER))
        );
        assert_eq!(
            (agent.id().kind, agent.instance()),
            (WorkloadIdKind::Key, key.map(|key| key.to_string()))
        );
        // After a stop of the workload was lifted, an SVID of unknown age is older than the lift.
        assert_eq!(agent.issued_at(), issued_at);
    }
}

#[tokio::test]
async fn the_trust_domain_is_that_of_the_subject_and_its_bundle_alone_counts() {
    let world = world(Algorithm::ES256);
    let theirs = sign(&world.client_key, "JWT", &svid());
    assert_eq!(fault(&world, &theirs).await, TokenFault::KeyUnknown, "a key of another trust domain");
    let named = sign_with_header(
        &world.client_key,
        &json!({"alg": "ES256", "kid": world.workload_key.kid()}),
        &svid(),
    );
    assert_eq!(fault(&world, &named).await, TokenFault::Signature, "under the name of one of ours");
    let other = signed(&world, json!({"sub": "spiffe://other.example/agents/buyer"}));
    assert_eq!(fault(&world, &other).await, TokenFault::KeyUnknown);
    for (sub, iss) in [("spiffe://elsewhere.example/agents/buyer", DOMAIN), ("buyer", DOMAIN)] {
        let token = signed(&world, json!({"sub": sub, "iss": iss}));
        assert_eq!(fault(&world, &token).await, TokenFault::IssuerUntrusted, "{sub}");
    }
}

#[tokio::test]
async fn a_key_for_anything_but_jwt_svids_is_none() {
    for purpose in ["x509-svid", "wit-svid", "sig"] {
        let world = world(Algorithm::ES256);
        let mut jwk = world.workload_key.jwk().clone();
        jwk.insert("use".to_owned(), json!(purpose));
        let file = world.files.path().join("agents.example");
        std::fs::write(file, json!({"keys": [jwk]}).to_string()).unwrap();
        assert_eq!(fault(&world, &signed(&world, json!({}))).await, TokenFault::KeyUnknown, "{purpose}");
    }
}

#[tokio::test]
async fn the_header_has_no_other_parameters_and_no_other_type() {
    let world = world(Algorithm::ES256);
    let header = |changes: Value| {
        let header = but(json!({"alg": "ES256", "kid": world.workload_key.kid()}), changes);
        sign_with_header(&world.workload_key, &header, &svid())
    };
    for typ in [json!(null), json!("JWT"), json!("JOSE")] {
        assert!(verify(&world, &header(json!({"typ": typ}))).await.is_ok(), "{typ}");
    }
    for changes in [
        json!({"typ": "at+jwt"}),
        json!({"typ": "wit+jwt"}),
        json!({"jku": "https://keys.example"}),
        json!({"jwk": world.workload_key.jwk()}),
        json!({"x5c": []}),
        json!({"x": 1}),
    ] {
        assert_eq!(fault(&world, &header(changes.clone())).await, TokenFault::Kind, "{changes}");
    }
}

#[tokio::test]
async fn every_algorithm_of_svids_is_taken_and_eddsa_is_none() {
    for algorithm in [Algorithm::RS256, Algorithm::PS256, Algorithm::ES384] {
        let world = world(algorithm);
        assert!(verify(&world, &signed(&world, json!({}))).await.is_ok(), "{algorithm:?}");
    }
    let world = world(Algorithm::EdDSA);
    assert_eq!(fault(&world, &signed(&world, json!({}))).await, TokenFault::Algorithm);
}

#[tokio::test]
async fn what_is_left_of_its_life_is_bounded() {
    let world = world(Algorithm::ES256);
    let now = NOW.seconds();
    // With the leeway between clocks.
    for (left, is_taken) in [(-59, true), (3660, true), (3661, false)] {
        let taken = verify(&world, &signed(&world, json!({"exp": now + left, "iat": now - 50_000}))).await;
        assert_eq!(taken.is_ok(), is_taken, "{left}: when it was issued does not count");
    }
    for (changes, expected) in [
        (json!({"exp": now - 60}), TokenFault::Expired),
        (json!({"exp": null}), TokenFault::Claim),
        (json!({"exp": now + 3700}), TokenFault::TooOld),
        (json!({"aud": null}), TokenFault::Audience),
        (json!({"aud": [DEPUTY, "https://other.example"]}), TokenFault::Audience),
        (json!({"aud": "https://deputy.example/token"}), TokenFault::Audience),
    ] {
        assert_eq!(fault(&world, &signed(&world, changes.clone())).await, expected, "{changes}");
    }
}

#[tokio::test]
async fn a_subject_is_a_spiffe_id_of_a_workload_and_below_the_path_of_its_class() {
    let world = world(Algorithm::ES256);
    for sub in ["agents/1", "agents/1/2"] {
        assert!(
            verify(&world, &signed(&world, json!({"sub": format!("{DOMAIN}/{sub}")}))).await.is_ok(),
            "{sub}"
        );
    }
    let longest = format!("{DOMAIN}/agents/{}", "a".repeat(2048 - DOMAIN.len() - 8));
    assert!(verify(&world, &signed(&world, json!({"sub": longest}))).await.is_ok());
    for sub in ["agents", "agents1", "agents1/2", "other/agents/1"] {
        let token = signed(&world, json!({"sub": format!("{DOMAIN}/{sub}")}));
        assert_eq!(fault(&world, &token).await, TokenFault::NoClass, "{sub}");
    }
    for sub in ["agents/", "agents//1", "agents/../agents/1", "agents/%31", "agents/1?a", "agents/1#a", ""] {
        let token = signed(&world, json!({"sub": format!("{DOMAIN}/{sub}")}));
        assert_eq!(fault(&world, &token).await, TokenFault::Subject, "{sub}");
    }
    for sub in [
        DOMAIN,
        "SPIFFE://agents.example/agents/1",
        "spiffe://Agents.example/agents/1",
        &format!("{longest}a"),
    ] {
        assert_eq!(
            fault(&world, &signed(&world, json!({"sub": sub}))).await,
            TokenFault::Subject,
            "{sub:.60}"
        );
    }
}

#[tokio::test]
async fn the_whole_of_a_spiffe_id_names_the_agent_of_a_principal_class() {
    let mut world = world(Algorithm::ES256);
    let mut issuer = WorkloadIssuer::clone(&world.config.registry.workload_issuers[DOMAIN]);
    let class = AgentClass { lifetime: AgentLifetime::Principal, ..AgentClass::clone(&issuer.classes[0]) };
    issuer.classes = vec![Arc::new(class)];
    add_workload_issuer(&mut world.config, issuer);
    let buyer = verify(&world, &signed(&world, json!({}))).await.unwrap().presented_with(None).unwrap();
    assert_eq!((buyer.id().kind, buyer.id().text().as_str()), (WorkloadIdKind::Stable, BUYER));
}

#[tokio::test]
async fn an_operator_is_told_what_to_change_for_an_svid() {
    let world = world(Algorithm::ES256);
    let explain = async |token: &str| world.verifier.explain_workload(&world.config, token, NOW).await;
    let taken = explain(&signed(&world, json!({}))).await;
    assert_eq!(taken.preset, Some(Preset::Spiffe));
    assert!(taken.claims.iter().any(|(name, value)| name == "sub" && *value == Some(json!(BUYER))));
    for (token, words) in [
        (signed(&world, json!({"sub": "spiffe://elsewhere.example/a"})), "this `trust_domain`"),
        (signed(&world, json!({"sub": "spiffe://agents.example/"})), "SPIFFE ID with a path"),
        (sign(&world.client_key, "JWT", &svid()), "the bundle has no key for JWT-SVIDs"),
        (signed(&world, json!({"sub": "spiffe://agents.example/a"})), "takes this SPIFFE ID"),
        (signed(&world, json!({"exp": NOW.plus(Lifetime::from_seconds(7200)).seconds()})), "`jwt_svid_ttl`"),
        (sign(&world.workload_key, "at+jwt", &svid()), "`alg`, `kid` and `typ` alone"),
    ] {
        let fix = explain(&token).await.outcome.unwrap_err().fix;
        assert!(fix.contains(words), "{fix}");
    }
}

#[tokio::test]
async fn a_bundle_that_cannot_be_read_leaves_it_open_whose_key_it_is() {
    let world = world(Algorithm::ES256);
    std::fs::remove_file(world.files.path().join("agents.example")).unwrap();
    let verified = verify(&world, &signed(&world, json!({}))).await;
    assert!(matches!(verified, Err(NotVerified::Unavailable(_))), "{verified:?}");
}
