use serde_json::{Value, json};

use crate::base::time::{Lifetime, Timestamp};
use crate::config::DpopNonce;
use crate::jose::{Algorithm, SigningKey};
use crate::oauth::{Cause, Jkt, OneTime, Plain};
use crate::verification::VerifiedProof;
use crate::verification::fixtures::*;

fn read(world: &World, headers: &[&str]) -> Result<Option<VerifiedProof>, Cause> {
    let headers: Vec<Vec<u8>> = headers.iter().map(|header| header.as_bytes().to_vec()).collect();
    VerifiedProof::of_request(&world.config, &world.secrets, (&headers, "/token"), NOW)
}

fn header(key: &SigningKey) -> Value {
    json!({"typ": "dpop+jwt", "alg": key.algorithm().as_str(), "jwk": key.jwk()})
}

fn claims() -> Value {
    json!({"jti": "proof-1", "htm": "POST", "htu": "https://deputy.example/token", "iat": NOW.seconds()})
}

/// A good proof but for these changes.
fn changed(key: &SigningKey, in_header: Value, in_claims: Value) -> String {
    sign_with_header(key, &but(header(key), in_header), &but(claims(), in_claims))
}

fn key() -> SigningKey {
    SigningKey::generate(Algorithm::ES256).unwrap()
}

#[track_caller]
fn refused(world: &World, proof: &str) -> Plain {
    match read(world, &[proof]) {
        Err(Cause::Plain(cause)) => cause,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_proof_gives_the_thumbprint_of_its_key_and_a_jti_to_use_up() {
    let (world, key) = (World::new(), key());
    let proof = read(&world, &[&changed(&key, json!({}), json!({}))]).unwrap().unwrap();
    // The `kid` of a key is its thumbprint (RFC 7638) too.
    assert_eq!(proof.thumbprint().to_string(), key.kid());
    let OneTime::Proof { key: owner, until, .. } = proof.used() else { panic!("{proof:?}") };
    assert_eq!((*owner, *until), (proof.thumbprint(), NOW.plus(Lifetime::from_seconds(60))));
    assert!(read(&world, &[]).unwrap().is_none());
}

#[test]
fn the_thumbprint_is_that_of_rfc_7638() {
    // RFC 7638 §3.1.
    let jwk = json!({
        "kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    });
    let key = crate::jose::PublicKey::from_jwk(jwk.as_object().unwrap()).unwrap().pop().unwrap();
    let thumbprint = Jkt::new(key.thumbprint().unwrap());
    assert_eq!(thumbprint.to_string(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

#[test]
fn one_header_with_one_proof_is_taken_and_an_empty_one_is_a_bad_proof() {
    let (world, key) = (World::new(), key());
    let proof = changed(&key, json!({}), json!({}));
    let several = read(&world, &[&proof, &proof]);
    assert_eq!(several.unwrap_err(), Plain::ProofRepeated.into());
    let joined = format!("{proof}, {proof}");
    let long = changed(&key, json!({}), json!({"more": "x".repeat(4096)}));
    for bad in ["", " ", "garbage", "a.b.c", &joined, &long] {
        assert_eq!(refused(&world, bad), Plain::ProofMalformed, "{bad:.40}");
    }
    assert!(read(&world, &[&format!(" {proof} ")]).unwrap().is_some());
}

#[test]
fn the_header_says_what_it_is_and_has_a_public_key_that_signed_it() {
    let (world, key) = (World::new(), key());
    let cases = [
        (json!({"typ": null}), Plain::ProofType),
        (json!({"typ": "JWT"}), Plain::ProofType),
        (json!({"alg": "none"}), Plain::ProofAlgorithm),
        (json!({"alg": "HS256"}), Plain::ProofAlgorithm),
        (json!({"alg": null}), Plain::ProofAlgorithm),
        (json!({"jwk": null}), Plain::ProofKey),
        (json!({"jwk": "text"}), Plain::ProofKey),
        (json!({"jwk": {"kty": "oct", "k": "AAAA"}}), Plain::ProofKey),
        (json!({"jwk": but(key.jwk().clone().into(), json!({"d": "AAAA"}))}), Plain::ProofKey),
        (json!({"jwk": SigningKey::generate(Algorithm::ES384).unwrap().jwk()}), Plain::ProofKey),
        (json!({"jwk": self::key().jwk()}), Plain::ProofSignature),
        (json!({"crit": ["exp"]}), Plain::ProofMalformed),
    ];
    for (change, cause) in cases {
        assert_eq!(refused(&world, &changed(&key, change.clone(), json!({}))), cause, "{change}");
    }
    assert!(read(&world, &[&changed(&key, json!({"typ": "application/DPoP+jwt"}), json!({}))]).is_ok());
}

#[test]
fn each_configured_algorithm_is_taken_and_no_other() {
    let mut world = World::new();
    let algorithms =
        [Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA, Algorithm::PS256, Algorithm::RS256];
    for algorithm in algorithms {
        let key = SigningKey::generate(algorithm).unwrap();
        let proof = changed(&key, json!({}), json!({}));
        world.config.dpop.algorithms = [algorithm].into();
        assert!(read(&world, &[&proof]).unwrap().is_some(), "{algorithm:?}");
        world.config.dpop.algorithms = algorithms.into_iter().filter(|other| *other != algorithm).collect();
        assert_eq!(refused(&world, &proof), Plain::ProofAlgorithm, "{algorithm:?}");
    }
}

#[test]
fn the_claims_are_about_this_request() {
    let (world, key) = (World::new(), key());
    let cases = [
        (json!({"jti": null}), Plain::ProofJti),
        (json!({"jti": ""}), Plain::ProofJti),
        (json!({"jti": "x".repeat(257)}), Plain::ProofJti),
        (json!({"jti": 7}), Plain::ProofMalformed),
        (json!({"htm": null}), Plain::ProofMethod),
        (json!({"htm": "GET"}), Plain::ProofMethod),
        (json!({"htm": "post"}), Plain::ProofMethod),
        (json!({"htm": 1}), Plain::ProofMalformed),
        (json!({"htu": null}), Plain::ProofUrl),
        (json!({"htu": ["https://deputy.example/token"]}), Plain::ProofMalformed),
        (json!({"iat": null}), Plain::ProofTime),
        (json!({"iat": "now"}), Plain::ProofMalformed),
        (json!({"exp": NOW.seconds() - 60}), Plain::ProofTime),
        (json!({"nbf": NOW.seconds() + 61}), Plain::ProofTime),
    ];
    for (change, cause) in cases {
        assert_eq!(refused(&world, &changed(&key, json!({}), change.clone())), cause, "{change}");
    }
    assert!(read(&world, &[&changed(&key, json!({}), json!({"jti": "é".repeat(256)}))]).is_ok());
}

#[test]
fn the_time_of_a_proof_is_within_a_minute() {
    let (world, key) = (World::new(), key());
    for seconds in [-60, -59, 0, 10, 60] {
        let proof = changed(&key, json!({}), json!({"iat": NOW.seconds() + seconds}));
        assert!(read(&world, &[&proof]).is_ok(), "{seconds}");
    }
    for seconds in [-61, 61] {
        let proof = changed(&key, json!({}), json!({"iat": NOW.seconds() + seconds}));
        assert_eq!(refused(&world, &proof), Plain::ProofTime, "{seconds}");
    }
}

#[test]
fn the_url_is_that_of_the_token_endpoint_in_whatever_way_it_is_written() {
    let (mut world, key) = (World::new(), key());
    world.config.issuer = crate::oauth::Issuer::new("https://deputy.example/~a/b%2Fc");
    let with_url = |url: &str| changed(&key, json!({}), json!({"htu": url}));
    for same in [
        "https://deputy.example/~a/b%2Fc/token",
        "HTTPS://DEPUTY.example:443/~a/b%2fc/token",
        "https://deputy.example/%7Ea/b%2Fc/token?query=1",
        "https://deputy.example/%7ea/./x/../b%2Fc/token#fragment",
    ] {
        assert!(read(&world, &[&with_url(same)]).is_ok(), "{same}");
    }
    for other in [
        "http://deputy.example/~a/b%2Fc/token",
        "https://deputy.example:8443/~a/b%2Fc/token",
        "https://deputy.example/~a/b/c/token",
        "https://deputy.example/~a/b%2Fc/Token",
        "https://deputy.example/~a/b%2Fc/token/",
        "https://deputy.example/~a/b%252Fc/token",
        "https://deputy.example.evil.example/~a/b%2Fc/token",
        "https://user@deputy.example/~a/b%2Fc/token",
        "https://deputy.example/~a/b%2Fc/introspect",
        "/~a/b%2Fc/token",
        "%",
        "",
    ] {
        assert_eq!(refused(&world, &with_url(other)), Plain::ProofUrl, "{other}");
    }
}

#[test]
fn a_nonce_that_is_demanded_is_good_on_every_node_for_five_minutes() {
    let (mut world, key) = (World::new(), key());
    let with_nonce = |nonce: &Value| changed(&key, json!({}), json!({"nonce": nonce}));
    assert!(read(&world, &[&with_nonce(&json!("anything"))]).is_ok(), "nobody looks at it");
    world.config.dpop.nonce = DpopNonce::Required;
    let seconds = Lifetime::from_seconds;
    let made_at = |time: Timestamp| json!(world.secrets.dpop_nonce(time));
    let elsewhere = crate::keys::NodeSecrets::from_master(&[8; 32]);
    for current in [made_at(NOW), made_at(NOW.minus(seconds(299))), made_at(NOW.plus(seconds(60)))] {
        assert!(read(&world, &[&with_nonce(&current)]).is_ok(), "{current}");
    }
    for bad in [
        Value::Null,
        json!(""),
        json!(7),
        json!("x".repeat(32)),
        made_at(NOW.minus(seconds(300))),
        made_at(NOW.plus(seconds(61))),
        json!(elsewhere.dpop_nonce(NOW)),
    ] {
        let Err(Cause::NonceDemanded { nonce }) = read(&world, &[&with_nonce(&bad)]) else { panic!("{bad}") };
        assert!(read(&world, &[&with_nonce(&json!(&*nonce))]).is_ok());
        // RFC 9449 §8.1: NQCHAR.
        assert!(nonce.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "{nonce}");
    }
}
