//! Tokens that are bound to a certificate (RFC 8705 §3).

use serde_json::{Value, json};

use super::{DEMANDED, Parties, setup, world};
use crate::definition::NIGHTLY;
use crate::expect::{SUBJECT, refuses};
use crate::harness::{Cases, case, skip};
use crate::jwt_bearer::JWT_BEARER;
use crate::requests::metadata;
use crate::workload_identity::keyed;
use crate::world::{Answer, Authority, Certified, Key, Request, Setup, World, named};

pub fn cases() -> Cases {
    vec![
        case("8705-3-01", a_token_is_bound_to_the_certificate_of_its_request),
        case("8705-3-01", a_proof_by_dpop_comes_before_the_certificate),
        case("8705-3-01", a_target_that_cannot_check_gets_bearer_tokens),
        case("8705-3-01", what_an_agent_gets_by_its_credential_alone_is_bound_too),
        case("8705-3-02", a_client_that_wants_bound_tokens_gets_no_others),
        skip("8705-3.1-01", "Deputy has no protected API yet; it introspects"),
        case("8705-3.2-01", introspection_tells_the_certificate),
        case("8693-F-08", a_token_of_a_certificate_is_continued_with_that_certificate_alone),
        case("8693-F-08", each_hop_is_bound_to_the_certificate_of_its_own_agent),
        case("AGD-11", a_token_of_a_certificate_is_continued_with_that_certificate_alone),
        case("AGD-11", each_hop_is_bound_to_the_certificate_of_its_own_agent),
        case("DPOP-TASK-01", a_task_token_is_bound_where_the_credential_could_be_stolen),
        case("WLI-08", a_credential_is_pinned_to_the_certificate_that_came_first),
        case("WLI-08", where_the_key_is_the_agent_a_certificate_names_nobody),
    ]
}

#[track_caller]
fn assert_bound(answer: &Answer, certified: &Certified) {
    assert_eq!(answer.claims()["cnf"], json!({"x5t#S256": certified.hash()}));
    assert_eq!(certified.hash().len(), 43);
    assert_eq!(answer.body["token_type"], "Bearer", "as RFC 8705 has it");
}

/// The first hop of a client with a secret for a task token.
fn task_of_secret_client<'a>(world: &'a World, certified: &Certified) -> Request<'a> {
    let audience = world.issuer.clone();
    world.tx().basic("basic-app").set("audience", &audience).over_mtls(Some(certified))
}

async fn a_token_is_bound_to_the_certificate_of_its_request() {
    let (world, Parties { authority, issued, own }) = world().await;
    assert_bound(&world.tx().by_certificate("tls-agent", &issued).send().await, &issued);
    assert_bound(&world.tx().by_certificate("own-agent", &own).send().await, &own);
    // This holds for every authentication method and for a certificate of any issuer.
    let stranger = Authority::new("Stranger").issue(&named("x"));
    for certified in [&stranger, &Certified::self_signed(&named("y")), &authority.issue(&named("z"))] {
        let answer = world.tx().over_mtls(Some(certified)).send().await;
        assert_bound(&answer, certified);
        let rows = world.audit_of(&request_of(&world, &answer).await).await;
        assert_eq!((&rows[0]["x5t"], &rows[0]["bound"]), (&certified.hash().into(), &true.into()));
    }
    let without = world.tx().over_mtls(None).send().await;
    assert_eq!((without.claims().get("cnf"), &without.body["token_type"]), (None, &"Bearer".into()));
}

/// The request that was granted with this answer.
async fn request_of(world: &World, answer: &Answer) -> String {
    let jti = answer.claims()["jti"].clone();
    let rows = world.audit().await;
    let row = rows.iter().find(|row| row["jti"] == jti && row["event"] == "exchange").unwrap();
    row["request"].as_str().unwrap().to_owned()
}

async fn a_proof_by_dpop_comes_before_the_certificate() {
    let (world, Parties { issued, .. }) = world().await;
    let key = Key::new("agent");
    let proof = world.proof(&key).claim("htu", format!("{}/token", world.mtls_base()));
    for proof in [world.proof(&key), proof] {
        let request = world.tx().by_certificate("tls-agent", &issued).header("DPoP", &proof.sign());
        let answer = request.send().await;
        assert_eq!(answer.claims()["cnf"], json!({"jkt": key.thumbprint()}));
        assert_eq!(answer.body["token_type"], "DPoP");
    }
}

async fn what_an_agent_gets_by_its_credential_alone_is_bound_too() {
    let (authority, own) = (Authority::new("Authority"), Certified::self_signed(&named("own")));
    let subject = "tls_client_auth_subject_dn = \"CN=assistant\"";
    let world = World::start(setup(&authority, &own, subject).add(NIGHTLY)).await;
    let credential = world.workload_token("sensor").sign();
    let ask = || {
        let form = world.form("/token").set("grant_type", JWT_BEARER).set("assertion", &credential);
        form.set("audience", "reports").set("scope", "reports:read")
    };
    let [pod, thief] = ["pod", "thief"].map(|name| Certified::self_signed(&named(name)));
    let answer = ask().over_mtls(Some(&pod)).send().await;
    assert_bound(&answer, &pod);
    assert_eq!(answer.claims().get("act"), None);
    // The certificate came first, so that the credential is pinned to it.
    assert_bound(&ask().over_mtls(Some(&pod)).send().await, &pod);
    for other in [Some(&thief), None] {
        let refused = ask().over_mtls(other).send().await;
        assert_eq!(
            (refused.status, &refused.body["reason"]),
            (400, &"credential_pinned".into()),
            "{}",
            refused.text
        );
    }
    // No client is named by a certificate here, so that it is no second way of authentication.
    let registered = authority.issue(&named("assistant"));
    let another = ask().set("client_id", "tls-agent").over_mtls(Some(&registered)).send().await;
    assert_eq!(another.status, 400, "{}", another.text);
}

async fn a_target_that_cannot_check_gets_bearer_tokens() {
    for (proof, has_cnf) in [("none", false), ("optional", true), ("required", true)] {
        let (authority, own) = (Authority::new("Authority"), Certified::self_signed(&named("own")));
        let issued = authority.issue(&named("assistant"));
        let target = "[[target]]\nidentifier = \"tickets\"\n";
        let setup = super::setup(&authority, &own, "tls_client_auth_subject_dn = \"CN=assistant\"")
            .replace(target, &format!("{target}proof = \"{proof}\"\n"));
        let world = World::start(setup).await;
        let answer = world.tx().by_certificate("tls-agent", &issued).send().await;
        assert_eq!(answer.claims().get("cnf").is_some(), has_cnf, "{proof}");
    }
}

async fn a_client_that_wants_bound_tokens_gets_no_others() {
    let authority = Authority::new("Authority");
    let client = "[[client]]\nid = \"assistant\"\n";
    let setup = Setup::default()
        .mtls(&[&authority])
        .replace(client, &format!("{client}tls_client_certificate_bound_access_tokens = true\n"));
    let world = World::start(setup).await;
    let certified = authority.issue(&named("any"));
    refuses(&world, "public", world.tx(), DEMANDED, "certificate_demanded").await;
    refuses(&world, "mutual TLS", world.tx().over_mtls(None), DEMANDED, "certificate_demanded").await;
    let proof = world.proof(&Key::new("agent")).sign();
    refuses(&world, "DPoP", world.tx().header("DPoP", &proof), DEMANDED, "certificate_demanded").await;
    assert_bound(&world.tx().over_mtls(Some(&certified)).send().await, &certified);
    assert_eq!(metadata(&world).await["tls_client_certificate_bound_access_tokens"], true);
}

async fn introspection_tells_the_certificate() {
    let (world, Parties { issued, .. }) = world().await;
    let token = world.tx().by_certificate("tls-agent", &issued).send().await.granted();
    let said = world.introspect_as("tickets-api", &token).await.body;
    assert_eq!(said["cnf"], json!({"x5t#S256": issued.hash()}));
    assert_eq!((&said["active"], &said["token_type"]), (&true.into(), &"Bearer".into()));
}

async fn a_token_of_a_certificate_is_continued_with_that_certificate_alone() {
    let (world, Parties { authority, issued, .. }) = world().await;
    let task = task_of_secret_client(&world, &issued).send().await;
    assert_bound(&task, &issued);
    let task = task.granted();
    let continued = || world.onward("assistant", &task, "tickets", "tickets:search").basic("basic-app");
    assert_bound(&continued().over_mtls(Some(&issued)).send().await, &issued);
    let same_name = authority.issue(&named("assistant"));
    let other = continued().over_mtls(Some(&same_name));
    refuses(&world, "another certificate", other, SUBJECT, "other_key").await;
    let missing = crate::dpop::MISSING;
    refuses(&world, "none", continued().over_mtls(None), missing, "proof_missing").await;
    refuses(&world, "the public listener", continued(), missing, "proof_missing").await;
    let key = continued().header("DPoP", &world.proof(&Key::new("thief")).sign());
    refuses(&world, "a key", key, SUBJECT, "other_key").await;
}

async fn each_hop_is_bound_to_the_certificate_of_its_own_agent() {
    let (world, Parties { authority, issued, .. }) = world().await;
    let to_b = world.tx().set("audience", "agent-b").by_certificate("tls-agent", &issued).send().await;
    assert_bound(&to_b, &issued);
    let own = authority.issue(&named("agent-b"));
    let onward = || world.onward("agent-b", &to_b.granted(), "tickets", "tickets:search");
    assert_bound(&onward().over_mtls(Some(&own)).send().await, &own);
    let unbound = onward().send().await;
    assert_eq!(unbound.claims().get("cnf"), None);
}

async fn a_task_token_is_bound_where_the_credential_could_be_stolen() {
    let (world, Parties { issued, .. }) = world().await;
    assert_bound(&task_of_secret_client(&world, &issued).send().await, &issued);
    // Each request of the others proves a key already.
    let audience = world.issuer.clone();
    for request in [world.tx().by_certificate("tls-agent", &issued), world.tx().over_mtls(Some(&issued))] {
        let answer = request.set("audience", &audience).send().await;
        assert_eq!(answer.claims().get("cnf"), None);
    }
}

async fn a_credential_is_pinned_to_the_certificate_that_came_first() {
    let (world, Parties { authority, issued, .. }) = world().await;
    let credential = world.workload_token("courier").sign();
    let asked = |certified: Option<&Certified>| {
        world.tx().with_assertion(&credential).set("client_id", "couriers").over_mtls(certified)
    };
    assert_bound(&asked(Some(&issued)).send().await, &issued);
    let rows = world.audit().await;
    let pin = rows.iter().find(|row| row["event"] == "pin").unwrap();
    assert_eq!((&pin["x5t"], pin.get("jkt")), (&Value::from(issued.hash()), None));
    let other = authority.issue(&named("assistant"));
    for certified in [None, Some(&other)] {
        let answer = asked(certified).send().await;
        answer.refused(400, "invalid_request");
        assert_eq!(answer.reason(), "credential_pinned");
    }
    assert_bound(&asked(Some(&issued)).send().await, &issued);
}

async fn where_the_key_is_the_agent_a_certificate_names_nobody() {
    let authority = Authority::new("Authority");
    let world = World::start(keyed().mtls(&[&authority])).await;
    let (certified, key) = (authority.issue(&named("any")), Key::new("agent"));
    let cached = world.workload_token("courier").sign();
    let asked = || world.tx().with_assertion(&cached).over_mtls(Some(&certified));
    refuses(&world, "a certificate", asked(), crate::dpop::MISSING, "proof_missing").await;
    let proof = |path: &str| world.proof(&key).claim("htu", format!("{}{path}", world.mtls_base())).sign();
    let answer = asked().header("DPoP", &proof("/token")).send().await;
    assert_eq!(answer.claims()["cnf"], json!({"jkt": key.thumbprint()}));
    let revoking = world.form("/revoke").set("token", &answer.granted()).with_assertion(&cached);
    let revoked = revoking.over_mtls(Some(&certified)).header("DPoP", &proof("/revoke")).send().await;
    assert_eq!(revoked.status, 200, "{}", revoked.body);
}
