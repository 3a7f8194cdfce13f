//! NEG-CX-16 to 29: the subject token and the actor token.

use serde_json::json;

use crate::expect::{ACTOR, ASSURANCE, SUBJECT, refuses};
use crate::harness::{Cases, case};
use crate::jwt_parameter::JwtParameter;
use crate::requests::with_a_bit_flipped;
use crate::world::{ACCESS_TOKEN_TYPE, ID_TOKEN_TYPE, Jwt, Setup, World, hmac_signed, unsigned};

pub fn cases() -> Cases {
    vec![
        case("NEG-CX-16", expired),
        case("NEG-CX-17", not_yet_valid),
        case("NEG-CX-18", signature_broken_by_one_bit),
        case("NEG-CX-19", alg_none),
        case("NEG-CX-20", hs256_by_the_public_key),
        case("NEG-CX-21", issuer_not_trusted),
        case("NEG-CX-22", audience_of_another_application),
        case("NEG-CX-23", revoked),
        case("NEG-CX-24", declared_as_another_type),
        case("NEG-CX-26", no_mfa_evidence),
        case("NEG-CX-27", an_actor_token_with_any_of_these_faults),
        case("NEG-CX-28", an_actor_token_of_another_client),
        case("NEG-CX-29", may_act_names_someone_else),
    ]
}

fn expire(jwt: Jwt, now: i64) -> String {
    jwt.claim("iat", now - 400).claim("exp", now - 61).sign()
}

fn without_signature(jwt: &Jwt) -> String {
    let (header, claims) = jwt.clone().header("alg", "none").texts();
    unsigned(&header, &claims)
}

fn by_public_key(jwt: &Jwt) -> String {
    let (header, claims) = jwt.clone().header("alg", "HS256").texts();
    hmac_signed(jwt.key.point(), &header, &claims)
}

async fn expired() {
    let world = World::start(Setup::default()).await;
    let token = expire(world.id_token(), world.now());
    JwtParameter::IdToken.refuses(&world, "expired", &token, "expired").await;
    let own = world.files_token().await;
    world.advance(300);
    JwtParameter::Own.refuses(&world, "expired", &own, "expired").await;
}

async fn not_yet_valid() {
    let world = World::start(Setup::default()).await;
    let token = world.id_token().claim("nbf", world.now() + 300).sign();
    JwtParameter::IdToken.refuses(&world, "in 5 minutes", &token, "not_yet_valid").await;
}

async fn signature_broken_by_one_bit() {
    let world = World::start(Setup::default()).await;
    let id_token = with_a_bit_flipped(&world.id_token().sign());
    JwtParameter::IdToken.refuses(&world, "one bit", &id_token, "signature").await;
    let own = world.files_token().await;
    JwtParameter::Own.refuses(&world, "one bit", &with_a_bit_flipped(&own), "signature").await;
    JwtParameter::Own.request(&world, &own).send().await.granted();
}

async fn alg_none() {
    let world = World::start(Setup::default()).await;
    for parameter in [JwtParameter::IdToken, JwtParameter::Own] {
        let token = without_signature(&parameter.good(&world).await);
        parameter.refuses(&world, "alg none", &token, "algorithm").await;
    }
}

async fn hs256_by_the_public_key() {
    let world = World::start(Setup::default()).await;
    for parameter in [JwtParameter::IdToken, JwtParameter::Own] {
        let token = by_public_key(&parameter.good(&world).await);
        parameter.refuses(&world, "HS256", &token, "algorithm").await;
    }
}

async fn issuer_not_trusted() {
    let world = World::start(Setup::default()).await;
    let other = &world.other_provider;
    let token = world.id_token().claim("iss", other.issuer.as_str());
    let token = token.header("kid", other.key.kid.as_str()).signed_by(&other.key).sign();
    JwtParameter::IdToken.refuses(&world, "a provider nobody configured", &token, "issuer_untrusted").await;
    assert_eq!(other.discovery_fetches(), 0, "it was asked for its keys");
}

async fn audience_of_another_application() {
    let world = World::start(Setup::default()).await;
    let token = world.id_token().claim("aud", "shop-app").sign();
    JwtParameter::IdToken.refuses(&world, "unknown application", &token, "audience|relying_party").await;
    // Known, and no source for this client.
    let token = world.id_token().claim("aud", "other-app").sign();
    JwtParameter::IdToken.refuses(&world, "another client's", &token, "relying_party").await;
    world.tx().set("subject_token", &token).by_assertion("stranger").send().await.granted();
}

async fn revoked() {
    let world = World::start(Setup::default()).await;
    let token = world.files_token().await;
    let answer = world.form("/revoke").set("token", &token).by_assertion("assistant").send().await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    JwtParameter::Own.refuses(&world, "revoked", &token, "revoked").await;
}

async fn declared_as_another_type() {
    let world = World::start(Setup::default()).await;
    let id_token = world.id_token().sign();
    let request = world.tx().set("subject_token", &id_token).set("subject_token_type", ACCESS_TOKEN_TYPE);
    refuses(&world, "an ID token as access token", request, SUBJECT, "kind").await;
    let own = world.files_token().await;
    let request = world.onward_tx(&own).set("subject_token_type", ID_TOKEN_TYPE);
    refuses(&world, "an access token as ID token", request, SUBJECT, "issuer_untrusted|kind").await;
}

async fn no_mfa_evidence() {
    let world = World::start(Setup::default()).await;
    // The `acr` of the usual login would show more than `mfa`.
    let bare = || world.id_token().without("acr");
    for token in [bare().claim("amr", json!(["pwd"])), bare().without("amr")] {
        let request = world.tx().set("subject_token", &token.sign());
        refuses(&world, "no mfa in amr", request, ASSURANCE, "assurance_insufficient").await;
    }
}

async fn an_actor_token_with_any_of_these_faults() {
    let world = World::start(Setup::default()).await;
    let good = || world.workload_token("planner");
    let now = world.now();
    let id_token = world.id_token().sign();
    let own = world.files_token().await;
    let stranger = good().claim("iss", "https://other-workloads.example").sign();
    let elsewhere = good().claim("aud", "https://elsewhere.example").sign();
    let two = good().claim("aud", json!([world.issuer, "https://elsewhere.example"])).sign();
    for (what, token, fault) in [
        ("16 expired", expire(good(), now), "expired"),
        ("17 not yet valid", good().claim("nbf", now + 300).sign(), "not_yet_valid"),
        ("18 one bit", with_a_bit_flipped(&good().sign()), "signature"),
        ("19 alg none", without_signature(&good()), "algorithm"),
        ("20 HS256", by_public_key(&good()), "algorithm"),
        ("21 issuer not trusted", stranger, "issuer_untrusted"),
        ("22 another audience", elsewhere, "audience"),
        ("22 another audience too", two, "audience"),
        ("24 an ID token", id_token, "issuer_untrusted"),
        ("24 an access token", own, "issuer_untrusted"),
    ] {
        JwtParameter::Actor.refuses(&world, what, &token, fault).await;
    }
    // 23: what is revoked of a workload is its agent.
    let token = good().sign();
    world.tx().actor(&token).send().await.granted();
    let agent = world.agent_of_workload("workload-planner");
    world.operate("kill", &agent).await;
    JwtParameter::Actor.refuses(&world, "23 banned", &good().sign(), "agent_ended").await;
}

/// The actor token names an agent whose class does not list this client.
async fn an_actor_token_of_another_client() {
    let world = World::start(Setup::default()).await;
    let token = world.workload_token("age").sign();
    refuses(&world, "another's", world.tx().actor(&token), ACTOR, "class_not_for_client").await;
}

async fn may_act_names_someone_else() {
    let world = World::start(Setup::default()).await;
    for other in [json!({"sub": "someone-else"}), json!({"iss": world.issuer, "sub": "age-agent"})] {
        let token = world.id_token().claim("may_act", other).sign();
        let request = world.tx().set("subject_token", &token);
        refuses(&world, "someone else", request, SUBJECT, "may_act").await;
    }
}
