//! The proof itself (RFC 9449 §4.3).

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{INVALID, proving, with};
use crate::expect::{CLIENT, assert_unavailable, client, refuses};
use crate::harness::{Cases, case, skip};
use crate::world::{Answer, Jwt, Key, Setup, World, hmac_signed, unsigned};

const NO_API: &str = "Deputy is no resource server for its own tokens yet";

pub fn cases() -> Cases {
    vec![
        case("9449-4.3-01", one_header_holds_one_proof),
        case("9449-4.3-02", the_type_is_that_of_a_proof),
        case("9449-4.3-03", the_algorithm_is_asymmetric_and_listed),
        case("9449-4.3-04", the_key_is_public_and_signed_it),
        case("NEG-CA-19", the_key_is_public_and_signed_it),
        case("9449-4.3-05", every_claim_is_there),
        case("9449-4.3-06", the_method_is_that_of_the_request),
        case("9449-4.3-07", the_url_is_compared_after_normalisation),
        case("9449-4.3-08", no_header_changes_the_url_of_the_endpoint),
        case("9449-4.3-09", the_time_is_within_a_minute),
        case("9449-11.1-01", a_proof_is_used_once_on_every_node_and_after_a_restart),
        case("NEG-CA-20", a_proof_for_something_else_is_refused),
        case("NEG-CX-42", a_bad_proof_comes_before_the_grant),
        case("9449-5.1-01", the_metadata_lists_the_algorithms),
        case("9449-F-02", a_proof_is_no_client_authentication),
        case("CA-STATE-01", without_the_store_no_proof_is_taken),
        case("CA-STATE-02", of_many_copies_of_a_proof_one_succeeds),
        case("CA-STATE-03", a_used_proof_is_kept_until_it_could_not_be_taken),
        case("CA-STATE-04", a_long_jti_of_a_proof_is_refused_and_any_is_kept_as_a_hash),
        skip("9449-9-01", NO_API),
        skip("9449-7.1-01", NO_API),
        skip("9449-7.2-01", NO_API),
        skip("9449-7.1-02", NO_API),
    ]
}

/// Each of these proofs is refused for its cause, and nothing is issued.
async fn each_refused(world: &World, proofs: Vec<(String, String, &str)>) {
    for (what, proof, cause) in proofs {
        refuses(world, &what, world.tx().header("DPoP", &proof), INVALID, cause).await;
    }
}

async fn one_header_holds_one_proof() {
    let world = World::start(Setup::default()).await;
    let key = Key::new("agent");
    let proof = || world.proof(&key).sign();
    let two = world.tx().header("DPoP", &proof()).header("DPoP", &proof());
    refuses(&world, "two headers", two, INVALID, "proof_repeated").await;
    let joined = format!("{}, {}", proof(), proof());
    let long = world.proof(&key).claim("more", "x".repeat(4096)).sign();
    for bad in ["", "garbage", "a.b.c", &joined, &long] {
        refuses(&world, bad, world.tx().header("DPoP", bad), INVALID, "proof_malformed").await;
    }
}

async fn the_type_is_that_of_a_proof() {
    let world = World::start(Setup::default()).await;
    let proof = world.proof(&Key::new("agent"));
    for typ in ["JWT", "at+jwt", "dpop"] {
        let request = with(world.tx(), &proof.clone().header("typ", typ));
        refuses(&world, typ, request, INVALID, "proof_type").await;
    }
    refuses(&world, "absent", with(world.tx(), &proof.without_header("typ")), INVALID, "proof_type").await;
}

async fn the_algorithm_is_asymmetric_and_listed() {
    let world = World::start(Setup::default().add("[dpop]\nalgorithms = [\"EdDSA\"]")).await;
    let proof = world.proof(&Key::new("agent"));
    let (header, claims) = proof.clone().header("alg", "HS256").texts();
    let (none, _) = proof.clone().header("alg", "none").texts();
    each_refused(
        &world,
        vec![
            ("HS256".into(), hmac_signed(b"secret", &header, &claims), "proof_algorithm"),
            // Its signature is empty.
            ("none".into(), unsigned(&none, &claims), "proof_algorithm"),
            ("unlisted".into(), proof.sign(), "proof_algorithm"),
        ],
    )
    .await;
}

async fn the_key_is_public_and_signed_it() {
    let world = World::start(Setup::default()).await;
    let (key, other) = (Key::new("agent"), Key::new("other"));
    let mut private = key.jwk();
    private["d"] = json!("AAAA");
    let with_key = |jwk: Value| world.proof(&key).header("jwk", jwk).sign();
    each_refused(
        &world,
        vec![
            ("no key".into(), world.proof(&key).without_header("jwk").sign(), "proof_key"),
            ("a private key".into(), with_key(private), "proof_key"),
            ("a symmetric key".into(), with_key(json!({"kty": "oct", "k": "AAAA"})), "proof_key"),
            ("another key".into(), with_key(other.jwk()), "proof_signature"),
            ("by another key".into(), world.proof(&key).signed_by(&other).sign(), "proof_signature"),
        ],
    )
    .await;
}

async fn every_claim_is_there() {
    let world = World::start(Setup::default()).await;
    let proof = world.proof(&Key::new("agent"));
    let causes = [("jti", "proof_jti"), ("htm", "proof_method"), ("htu", "proof_url"), ("iat", "proof_time")];
    for (claim, cause) in causes {
        let request = with(world.tx(), &proof.clone().without(claim));
        refuses(&world, claim, request, INVALID, cause).await;
        let request = with(world.tx(), &proof.clone().claim(claim, json!([1])));
        refuses(&world, claim, request, INVALID, "proof_malformed").await;
    }
}

async fn the_method_is_that_of_the_request() {
    let world = World::start(Setup::default()).await;
    for method in ["GET", "post", "POST "] {
        let proof = world.proof(&Key::new("agent")).claim("htm", method);
        refuses(&world, method, with(world.tx(), &proof), INVALID, "proof_method").await;
    }
}

async fn the_url_is_compared_after_normalisation() {
    let world = World::start(Setup::default().issuer_path("/~a")).await;
    let key = Key::new("agent");
    let at = |url: String| world.proof(&key).claim("htu", url);
    let base = world.issuer.clone();
    for same in [
        base.replace("http://", "HTTP://") + "/token",
        base.replace('~', "%7E") + "/token",
        format!("{base}/./x/../token?query#fragment"),
    ] {
        with(world.tx(), &at(same)).send().await.granted();
    }
    for other in [
        format!("{base}/token/"),
        format!("{base}/introspect"),
        base.replace("http://", "https://") + "/token",
        base.replace("127.0.0.1", "127.0.0.2") + "/token",
        base.replace("/~a", "") + "/token",
    ] {
        refuses(&world, &other.clone(), with(world.tx(), &at(other)), INVALID, "proof_url").await;
    }
}

async fn no_header_changes_the_url_of_the_endpoint() {
    let world = World::start(Setup::default()).await;
    let proof = || world.proof(&Key::new("agent")).claim("htu", "http://evil.example/token");
    for name in ["X-Forwarded-Host", "Host"] {
        let request = with(world.tx(), &proof()).header(name, "evil.example");
        refuses(&world, name, request, INVALID, "proof_url").await;
    }
}

async fn the_time_is_within_a_minute() {
    let world = World::start(Setup::default()).await;
    let at = |seconds: i64| world.proof(&Key::new("agent")).claim("iat", world.now() + seconds);
    for seconds in [-60, 0, 10, 60] {
        with(world.tx(), &at(seconds)).send().await.granted();
    }
    for seconds in [-61, 61] {
        let what = seconds.to_string();
        refuses(&world, &what, with(world.tx(), &at(seconds)), INVALID, "proof_time").await;
    }
}

async fn assert_replayed(world: &World, answer: &Answer) {
    answer.refused_because(world, INVALID, "proof_replayed").await;
}

async fn a_proof_is_used_once_on_every_node_and_after_a_restart() {
    let mut world = World::start(Setup::default()).await;
    let proof = world.proof(&Key::new("agent"));
    with(world.tx(), &proof).send().await.granted();
    assert_replayed(&world, &with(world.tx(), &proof).send().await).await;

    let other = world.second_node().await;
    assert_replayed(&world, &with(world.tx(), &proof).at(&other.base).send().await).await;
    other.server.stop().await.unwrap();

    world.halt().await;
    world.boot().await.unwrap();
    assert_replayed(&world, &with(world.tx(), &proof).send().await).await;
    // The same `jti` of another key is another proof.
    let jti = proof.claims["jti"].clone();
    with(world.tx(), &world.proof(&Key::new("other")).claim("jti", jti)).send().await.granted();
    // A request that is refused uses its proof up too.
    let proof = world.proof(&Key::new("agent"));
    with(world.tx().set("scope", "nonsense"), &proof).send().await.refused(400, "invalid_scope");
    assert_replayed(&world, &with(world.tx().set("scope", "nonsense"), &proof).send().await).await;
    assert_replayed(&world, &with(world.tx(), &proof).send().await).await;
}

async fn a_proof_for_something_else_is_refused() {
    let world = World::start(Setup::default()).await;
    let key = Key::new("agent");
    let proof = |change: fn(Jwt, i64) -> Jwt| change(world.proof(&key), world.now()).sign();
    let used = world.proof(&key);
    with(world.tx(), &used).send().await.granted();
    each_refused(
        &world,
        vec![
            ("method".into(), proof(|proof, _| proof.claim("htm", "GET")), "proof_method"),
            ("url".into(), proof(|proof, _| proof.claim("htu", "https://other.example/token")), "proof_url"),
            ("stale".into(), proof(|proof, now| proof.claim("iat", now - 61)), "proof_time"),
            ("future".into(), proof(|proof, now| proof.claim("iat", now + 61)), "proof_time"),
            ("replayed".into(), used.sign(), "proof_replayed"),
        ],
    )
    .await;
}

async fn a_bad_proof_comes_before_the_grant() {
    let world = World::start(Setup::default()).await;
    let request = world.tx().set("grant_type", "nonsense").header("DPoP", "garbage");
    refuses(&world, "with a bad grant", request, INVALID, "proof_malformed").await;
    // The assertion of a refused request is used up, whatever was wrong with the proof.
    let assertion = world.assertion("assistant").sign();
    let request = || world.tx().with_assertion(&assertion).header("DPoP", "garbage");
    refuses(&world, "first", request(), INVALID, "proof_malformed").await;
    let again = request().send().await;
    again.refused_because(&world, client("assertion_replayed"), "assertion_replayed").await;
}

async fn the_metadata_lists_the_algorithms() {
    let world = World::start(Setup::default()).await;
    let metadata = world.get_at_root(crate::requests::WELL_KNOWN).await.body;
    let listed = crate::expect::words(&metadata["dpop_signing_alg_values_supported"]);
    assert_eq!(listed, ["ES256", "ES384", "EdDSA", "PS256"].into());
}

async fn a_proof_is_no_client_authentication() {
    let world = World::start(Setup::default()).await;
    let request = proving(&world, world.tx().anonymous(), &Key::new("agent"));
    refuses(&world, "a proof alone", request, CLIENT, "no_credentials").await;
}

async fn without_the_store_no_proof_is_taken() {
    let world = World::start(Setup::default()).await;
    let request = proving(&world, world.tx(), &Key::new("agent"));
    world.server().close_store().await.unwrap();
    assert_unavailable(&request.send().await);
}

async fn of_many_copies_of_a_proof_one_succeeds() {
    let world = World::start(Setup::default()).await;
    let proof = world.proof(&Key::new("agent"));
    let answers = join_all((0..50).map(|_| with(world.tx(), &proof).send())).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for replayed in answers.iter().filter(|answer| answer.status != 200) {
        assert_replayed(&world, replayed).await;
    }
}

async fn a_used_proof_is_kept_until_it_could_not_be_taken() {
    let world = World::start(Setup::default()).await;
    // Made a minute ahead, it could be taken for two.
    let proof = world.proof(&Key::new("agent")).claim("iat", world.now() + 60);
    with(world.tx(), &proof).send().await.granted();
    for step in [60, 60] {
        world.advance(step);
        world.server().sweep().await.unwrap();
        assert_replayed(&world, &with(world.tx(), &proof).send().await).await;
    }
    world.advance(1);
    world.server().sweep().await.unwrap();
    refuses(&world, "later", with(world.tx(), &proof), INVALID, "proof_time").await;
}

async fn a_long_jti_of_a_proof_is_refused_and_any_is_kept_as_a_hash() {
    let world = World::start(Setup::default()).await;
    let with_jti = |jti: &str| with(world.tx(), &world.proof(&Key::new("agent")).claim("jti", jti));
    with_jti(&"x".repeat(256)).send().await.granted();
    for jti in ["x".repeat(257), String::new()] {
        refuses(&world, "too long, or empty", with_jti(&jti), INVALID, "proof_jti").await;
    }
    assert!(!world.is_on_disk(&"x".repeat(32)));
}
