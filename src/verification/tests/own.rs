use std::sync::Arc;

use serde_json::{Value, json};

use crate::jose::Algorithm;
use crate::keys::{KeyRing, KeyRow, new_key, revoke, rotate};
use crate::oauth::TokenFault;
use crate::testing::doubles::SeededEntropy;
use crate::verification::fixtures::*;
use crate::verification::{NotVerified, VerifiedOwn};

const JTI: &str = "019a0000-0000-7000-8000-000000000001";

fn row(world: &World, seed: u64) -> KeyRow {
    new_key(Algorithm::ES256, NOW, NOW, &world.secrets, &SeededEntropy::new(seed)).unwrap()
}

fn ring(world: &World, rows: &[KeyRow]) -> KeyRing {
    KeyRing::from_rows(rows, &world.secrets).unwrap()
}

fn claims() -> Value {
    json!({"iss": DEPUTY, "sub": "u", "aud": "tickets", "exp": NOW.seconds() + 300, "jti": JTI, "act": {"sub": "agent_x"}})
}

fn verify(world: &World, ring: &KeyRing, token: &str) -> Result<Arc<VerifiedOwn>, TokenFault> {
    match world.verifier.own(&world.config, ring, &world.secrets, token) {
        Ok(own) => Ok(own),
        Err(NotVerified::Fault(fault)) => Err(fault),
        Err(NotVerified::Unavailable(why)) => panic!("{why}"),
    }
}

fn signed(ring: &KeyRing, typ: &str, claims: &Value) -> String {
    ring.sign(typ, claims.to_string().as_bytes(), NOW).unwrap().token
}

#[test]
fn what_the_ring_signs_is_verified() {
    let world = World::new();
    let ring = ring(&world, &[row(&world, 1)]);
    for typ in ["at+jwt", "task+jwt", "application/AT+JWT"] {
        let signed = ring.sign(typ, claims().to_string().as_bytes(), NOW).unwrap();
        let token = signed.token;
        let own = verify(&world, &ring, &token).unwrap();
        assert_eq!(own.jti().to_string(), JTI);
        assert_eq!(*own.hash(), world.secrets.token_hash(&token));
        assert_eq!(own.kid(), signed.kid);
        assert_eq!(Value::Object(own.claims().clone()), claims());
    }
}

#[test]
fn its_life_is_not_judged_here() {
    let world = World::new();
    let ring = ring(&world, &[row(&world, 1)]);
    let expired = signed(&ring, "at+jwt", &but(claims(), json!({"exp": NOW.seconds() - 9999})));
    assert!(verify(&world, &ring, &expired).is_ok());
}

#[test]
fn other_kinds_issuers_and_forms_are_refused() {
    let world = World::new();
    let ring = ring(&world, &[row(&world, 1)]);
    for typ in ["JWT", "logout+jwt", "dpop+jwt", "token-introspection+jwt", "", "at+jwt;x=1"] {
        assert_eq!(
            verify(&world, &ring, &signed(&ring, typ, &claims())).unwrap_err(),
            TokenFault::Kind,
            "{typ}"
        );
    }
    for (changes, expected) in [
        (json!({"iss": "https://deputy.example/"}), TokenFault::IssuerUntrusted),
        (json!({"iss": null}), TokenFault::IssuerUntrusted),
        (json!({"jti": null}), TokenFault::Claim),
        (json!({"jti": "1"}), TokenFault::Claim),
        (json!({"jti": "019A0000-0000-7000-8000-000000000001"}), TokenFault::Claim),
        (json!({"exp": null}), TokenFault::Claim),
        (json!({"sub": null}), TokenFault::Subject),
        (json!({"may_act": []}), TokenFault::MayAct),
    ] {
        let token = signed(&ring, "at+jwt", &but(claims(), changes.clone()));
        assert_eq!(verify(&world, &ring, &token).unwrap_err(), expected, "{changes}");
    }
}

#[test]
fn a_forged_token_is_refused() {
    let world = World::new();
    let ring = ring(&world, &[row(&world, 1)]);
    let kid = ring.sign("at+jwt", b"{}", NOW).unwrap().kid;
    let header = json!({"alg": "ES256", "kid": kid, "typ": "at+jwt"});
    let forged = sign_with_header(&world.provider_key, &header, &claims());
    assert_eq!(verify(&world, &ring, &forged).unwrap_err(), TokenFault::Signature);
    let unknown = sign(&world.provider_key, "at+jwt", &claims());
    assert_eq!(verify(&world, &ring, &unknown).unwrap_err(), TokenFault::KeyUnknown);
    let no_kid = sign_with_header(&world.provider_key, &json!({"alg": "ES256", "typ": "at+jwt"}), &claims());
    assert_eq!(verify(&world, &ring, &no_kid).unwrap_err(), TokenFault::KeyUnknown);
    let header = json!({"alg": "RS256", "kid": kid, "typ": "at+jwt"});
    let mismatch = sign_with_header(&world.provider_key, &header, &claims());
    assert_eq!(verify(&world, &ring, &mismatch).unwrap_err(), TokenFault::Algorithm);
}

#[test]
fn tokens_of_a_retired_key_are_believed_and_of_a_revoked_key_are_not() {
    let world = World::new();
    let first = row(&world, 1);
    let token = signed(&ring(&world, std::slice::from_ref(&first)), "at+jwt", &claims());
    let rows = rotate(std::slice::from_ref(&first), row(&world, 2));
    // Twice, so that the second answer comes from memory.
    for _ in 0..2 {
        assert!(verify(&world, &ring(&world, &rows), &token).is_ok());
    }
    let mut revoked = revoke(&rows, &first.kid, NOW, row(&world, 3)).unwrap();
    revoked.push(rows[1].clone());
    assert_eq!(verify(&world, &ring(&world, &revoked), &token).unwrap_err(), TokenFault::KeyRevoked);
}

#[test]
fn a_token_remembered_as_good_is_refused_by_a_node_without_its_key_or_of_another_issuer() {
    let mut world = World::new();
    let ours = ring(&world, &[row(&world, 1)]);
    let token = signed(&ours, "at+jwt", &claims());
    let first = verify(&world, &ours, &token).unwrap();
    let again = verify(&world, &ours, &token).unwrap();
    assert_eq!((first.jti(), first.claims()), (again.jti(), again.claims()));
    let other = ring(&world, &[row(&world, 2)]);
    assert_eq!(verify(&world, &other, &token).unwrap_err(), TokenFault::KeyUnknown);
    world.config.issuer = crate::oauth::Issuer::new("https://moved.example");
    assert_eq!(verify(&world, &ours, &token).unwrap_err(), TokenFault::IssuerUntrusted);
}
