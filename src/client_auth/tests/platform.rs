//! The credential of a platform as the whole credential of a request.

use serde_json::{Value, json};

use super::*;
use crate::oauth::{AssertionType, ClientId, Issuer, PresentedAs, TokenFault};
use crate::registry::{AgentClass, KeySource, Preset, WorkloadIssuer};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// A world whose class `age-verifier` lists these clients, which authenticate by their platform.
fn world(clients: &[&str]) -> World {
    let mut world = World::new();
    for id in clients {
        let client = client(id, ClientAuthentication::Workload);
        world.config.registry.clients.insert(client.id.clone(), Arc::new(client));
    }
    let mut issuer = workload_issuer();
    issuer.keys = pin(world.files.path(), "workloads.json", &[&world.workload_key]);
    let class = Arc::make_mut(&mut issuer.classes[0]);
    class.clients = clients.iter().map(|id| ClientId::new(*id)).collect();
    add_workload_issuer(&mut world.config, issuer);
    world
}

fn as_assertion(token: &str, more: &[(&str, &str)]) -> String {
    form(&[&[("client_assertion_type", JWT_BEARER), ("client_assertion", token)], more].concat())
}

fn as_actor_token(token: &str, more: &[(&str, &str)]) -> String {
    form(&[&[("actor_token_type", JWT), ("actor_token", token)], more].concat())
}

async fn answer(world: &World, body: &str) -> Result<AuthenticatedClient, Cause> {
    match presented(world, &[], body).await {
        Ok(client) => Ok(client),
        Err(NotAuthenticated::Refused { cause, .. }) => Err(cause),
        Err(other) => panic!("{other:?}"),
    }
}

fn credential(world: &World, changes: Value) -> String {
    sign(&world.workload_key, "JWT", &but(workload_claims(), changes))
}

#[tokio::test]
async fn a_pod_with_nothing_but_its_token_is_its_client_and_its_agent() {
    let world = world(&["pods"]);
    let token = credential(&world, json!({}));
    for (body, way) in [
        (as_assertion(&token, &[]), PlatformWay::Assertion(AssertionType::Jwt)),
        (as_assertion(&token, &[("client_id", "pods")]), PlatformWay::Assertion(AssertionType::Jwt)),
        (as_actor_token(&token, &[]), PlatformWay::ActorToken),
        (as_actor_token(&token, &[("client_id", "pods")]), PlatformWay::ActorToken),
    ] {
        let client = answer(&world, &body).await.unwrap();
        assert_eq!(client.client().id.as_str(), "pods");
        assert!(client.one_time().is_empty(), "it may be used again");
        let platform = client.platform().unwrap();
        assert_eq!(platform.way(), way);
        let presented = platform.credential().presented_with(None).unwrap();
        assert_eq!(presented.instance().as_deref(), Some("pod-uid"));
        assert!(platform.credential().is(&token));
        assert!(!platform.credential().is(&credential(&world, json!({"jti": "another"}))));
    }
}

#[tokio::test]
async fn where_the_class_lists_several_clients_one_has_to_be_named() {
    let world = world(&["pods", "jobs"]);
    let token = credential(&world, json!({}));
    let unnamed = Err(Cause::from(Plain::CredentialNamesNoClient));
    assert_eq!(answer(&world, &as_assertion(&token, &[])).await.map(drop), unnamed);
    assert_eq!(answer(&world, &as_actor_token(&token, &[])).await.map(drop), unnamed);
    let named = answer(&world, &as_assertion(&token, &[("client_id", "jobs")])).await.unwrap();
    assert_eq!(named.client().id.as_str(), "jobs");
}

#[tokio::test]
async fn a_credential_is_no_key_to_a_client_that_its_class_does_not_list() {
    let mut world = world(&["pods"]);
    let other = client("other-pods", ClientAuthentication::Workload);
    world.config.registry.clients.insert(other.id.clone(), Arc::new(other));
    let token = credential(&world, json!({}));
    for (named, cause) in [
        ("other-pods", Plain::CredentialNamesNoClient),
        ("assistant", Plain::MethodNotRegistered),
        ("basic", Plain::MethodNotRegistered),
        ("nobody", Plain::ClientUnknown),
    ] {
        for body in
            [as_assertion(&token, &[("client_id", named)]), as_actor_token(&token, &[("client_id", named)])]
        {
            assert_eq!(answer(&world, &body).await.map(drop), Err(cause.into()), "{named}");
        }
    }
}

#[tokio::test]
async fn every_fault_of_the_credential_is_one_of_the_client() {
    let world = world(&["pods"]);
    let now = NOW.seconds();
    let cases = [
        (credential(&world, json!({"aud": "https://kubernetes.default.svc"})), TokenFault::Audience),
        (credential(&world, json!({"aud": [DEPUTY, "https://other.example"]})), TokenFault::Audience),
        (credential(&world, json!({"exp": now - 61})), TokenFault::Expired),
        (credential(&world, json!({"exp": null})), TokenFault::Claim),
        (credential(&world, json!({"kubernetes.io": {"namespace": "elsewhere"}})), TokenFault::NoClass),
        (sign(&world.client_key, "JWT", &workload_claims()), TokenFault::KeyUnknown),
    ];
    for (token, fault) in cases {
        for body in [as_assertion(&token, &[]), as_actor_token(&token, &[])] {
            let cause = answer(&world, &body).await.map(drop).unwrap_err();
            assert_eq!(cause, Cause::Token(PresentedAs::Credential, fault));
            assert_eq!(cause.wire(), Plain::ClientUnknown.wire(), "the caller learns nothing more");
        }
    }
    // An actor token of nobody that is configured is no credential either.
    let strange = credential(&world, json!({"iss": "https://elsewhere.example"}));
    assert_eq!(
        answer(&world, &as_actor_token(&strange, &[])).await.map(drop),
        Err(Cause::credential(TokenFault::IssuerUntrusted))
    );
}

const SVID: &str = "spiffe://agents.example/ns/agents/sa/booking";

/// The same world with a trust domain, whose bundle has the key of the workload issuer.
fn trusting() -> World {
    let mut world = world(&["pods"]);
    let mut jwk = world.workload_key.jwk().clone();
    jwk.insert("use".to_owned(), json!("jwt-svid"));
    let bundle = world.files.path().join("bundle.json");
    std::fs::write(&bundle, json!({"keys": [jwk]}).to_string()).unwrap();
    let mut domain = WorkloadIssuer::clone(&world.config.registry.workload_issuers[WORKLOADS]);
    domain.issuer = Issuer::new("spiffe://agents.example");
    domain.preset = Preset::Spiffe;
    domain.keys = KeySource::BundleFile(bundle);
    (domain.stable_id, domain.instance_id) = (Preset::Spiffe.stable_id(), Preset::Spiffe.instance_id());
    let mut class = AgentClass::clone(&domain.classes[0]);
    (class.name, class.when) = ("booking".to_owned(), None);
    domain.classes = vec![Arc::new(class)];
    add_workload_issuer(&mut world.config, domain);
    world
}

fn as_svid(token: &str) -> String {
    form(&[("client_assertion_type", AssertionType::Svid.word()), ("client_assertion", token)])
}

#[tokio::test]
async fn an_svid_authenticates_only_as_what_it_is() {
    let world = trusting();
    for changes in
        [json!({"sub": SVID}), json!({"sub": SVID, "iss": null, "jti": null, "iat": null, "nbf": null})]
    {
        let svid = credential(&world, changes);
        let client = answer(&world, &as_svid(&svid)).await.unwrap();
        assert_eq!(client.client().id.as_str(), "pods");
        assert!(client.platform().unwrap().credential().is_named_by_key());
        let alone = answer(&world, &as_actor_token(&svid, &[])).await.unwrap();
        assert_eq!(alone.platform().unwrap().way(), PlatformWay::ActorToken);
        let other = answer(&world, &as_assertion(&svid, &[])).await.map(drop).unwrap_err();
        assert_eq!(other, Cause::credential(TokenFault::Kind), "it has an assertion type of its own");
    }
    let pod = credential(&world, json!({}));
    let other = answer(&world, &as_svid(&pod)).await.map(drop).unwrap_err();
    assert_eq!(other, Cause::credential(TokenFault::Kind), "no SVID");
    let nonsense = answer(&world, &as_svid("a.b.c")).await.map(drop).unwrap_err();
    assert_eq!(nonsense, Cause::credential(TokenFault::Malformed));
    let strange = credential(&world, json!({"sub": "spiffe://elsewhere.example/ns/agents/sa/booking"}));
    let unknown = answer(&world, &as_svid(&strange)).await.map(drop).unwrap_err();
    assert_eq!(unknown, Cause::credential(TokenFault::IssuerUntrusted), "its issuer is not its `iss`");
    let root = credential(&world, json!({"iss": "spiffe://agents.example"}));
    let of_iss = answer(&world, &as_actor_token(&root, &[])).await.map(drop).unwrap_err();
    assert_eq!(of_iss, Cause::credential(TokenFault::IssuerUntrusted), "an `iss` names no trust domain");
}

#[tokio::test]
async fn no_method_falls_through_to_another() {
    let world = world(&["pods"]);
    let token = credential(&world, json!({}));
    // Beside another method, an actor token is no client authentication.
    let wrong = as_actor_token(&token, &[("client_id", "post"), ("client_secret", "wrong")]);
    assert_eq!(answer(&world, &wrong).await.map(drop), Err(Plain::SecretWrong.into()));
    let expired = credential(&world, json!({"exp": NOW.seconds() - 61}));
    let both = as_assertion(&expired, &[("actor_token_type", JWT), ("actor_token", &token)]);
    assert_eq!(answer(&world, &both).await.map(drop), Err(Cause::credential(TokenFault::Expired)));
    // A client of this kind has no assertion of its own.
    let own = but(assertion_claims(), json!({"iss": "pods", "sub": "pods"}));
    let own = as_assertion(&sign(&world.client_key, "JWT", &own), &[]);
    assert_eq!(answer(&world, &own).await.map(drop), Err(Plain::MethodNotRegistered.into()));
    // Where the endpoint takes no actor token, nothing was presented.
    let body = as_actor_token(&token, &[]);
    let params = Params::parse(body.as_bytes()).unwrap();
    let request = Request {
        authorization: &[],
        params: &params,
        kind: RequestKind::Introspection,
        proven: &|| Ok(None),
        certificate: Ok(None),
    };
    let refused = authenticate(&world.config, &world.verifier, &world.secrets, request, NOW).await;
    assert!(matches!(
        refused,
        Err(NotAuthenticated::Refused { cause: Cause::Plain(Plain::NoCredentials), .. })
    ));
}
