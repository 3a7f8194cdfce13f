use serde_json::{Value, json};

use crate::base::entropy::uuid_v7;
use crate::base::time::Lifetime;
use crate::jose::{Algorithm, UnverifiedToken};
use crate::keys::{KeyRing, KeyRow, NodeSecrets, new_key, revoke, rotate};
use crate::oauth::{Jti, TokenFault};
use crate::testing::doubles::SeededEntropy;
use crate::verification::fixtures::*;
use crate::verification::{Compared, Presented, PresentedOwn};

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

fn read<'a>(world: &World, token: &'a str) -> Result<PresentedOwn<'a>, TokenFault> {
    PresentedOwn::read(&world.config, &world.secrets, Presented::read(token), NOW)
}

/// What is wrong with a token whose `jti` has no record.
fn verify(world: &World, ring: &KeyRing, token: &str) -> Result<(), TokenFault> {
    read(world, token)?.verify(ring)
}

fn signed(ring: &KeyRing, typ: &str, claims: &Value) -> String {
    ring.sign(typ, claims.to_string().as_bytes(), NOW).unwrap().token
}

#[test]
fn the_recorded_token_is_recognised_by_all_its_bytes() {
    let world = World::new();
    let ring = ring(&world, &[row(&world, 1)]);
    for typ in ["at+jwt", "task+jwt", "application/AT+JWT"] {
        let token = signed(&ring, typ, &claims());
        let again = signed(&ring, typ, &claims());
        let recorded = world.secrets.token_hash(&token);
        let read = |token| read(&world, token).unwrap();

        // The key signs the same text differently every time, so this is another token.
        let Compared::Other(other) = read(&again).compare(&world.secrets, &recorded) else { panic!("{typ}") };
        assert_eq!((other.jti().to_string(), other.verify(&ring)), (JTI.to_owned(), Ok(())));

        let Compared::Same(own) = read(&token).compare(&world.secrets, &recorded) else { panic!("{typ}") };
        assert_eq!(own.jti().to_string(), JTI);
        assert!(own.is_recorded_as(&recorded) && !own.is_recorded_as(&world.secrets.token_hash(&again)));
        assert_eq!(Value::Object(own.into_claims()), claims());
    }
}

#[test]
fn a_recorded_token_is_recognised_without_its_key() {
    let world = World::new();
    let token = sign(&world.provider_key, "at+jwt", &claims());
    let recorded = world.secrets.token_hash(&token);
    let presented = read(&world, &token).unwrap();
    let compared = presented.compare(&world.secrets, &recorded);
    assert!(matches!(compared, Compared::Same(_)), "its key is judged by the record");
}

#[test]
fn the_other_valid_signature_is_seen_for_what_it_is() {
    let world = World::new();
    let ring = ring(&world, &[row(&world, 1)]);
    let token = signed(&ring, "at+jwt", &claims());
    let recorded = world.secrets.token_hash(&token);
    let varied = UnverifiedToken::scan(&token).unwrap().with_the_other_signature().unwrap();
    let presented = read(&world, &varied).unwrap();
    assert_eq!(presented.verify(&ring), Ok(()), "verifiers elsewhere take it");
    assert!(matches!(presented.compare(&world.secrets, &recorded), Compared::Varied));
}

#[test]
fn what_has_expired_by_its_own_words_is_not_looked_up() {
    let world = World::new();
    let ring = ring(&world, &[row(&world, 1)]);
    let until = |exp| signed(&ring, "at+jwt", &but(claims(), json!({"exp": exp})));
    let now = NOW.seconds();
    for past in [now, now - 1, 0] {
        assert_eq!(verify(&world, &ring, &until(past)), Err(TokenFault::Expired), "{past}");
    }
    assert_eq!(verify(&world, &ring, &until(now + 1)), Ok(()));
    // The signature of an expired token is not worth a verification.
    let forged = sign(&world.provider_key, "at+jwt", &but(claims(), json!({"exp": now})));
    assert_eq!(verify(&world, &ring, &forged), Err(TokenFault::Expired));
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
fn a_retired_key_is_ours_still_and_a_revoked_key_is_named_as_such() {
    let world = World::new();
    let first = row(&world, 1);
    let token = signed(&ring(&world, std::slice::from_ref(&first)), "at+jwt", &claims());
    let rows = rotate(std::slice::from_ref(&first), row(&world, 2));
    assert_eq!(verify(&world, &ring(&world, &rows), &token), Ok(()));
    let mut revoked = revoke(&rows, &first.kid, NOW, row(&world, 3)).unwrap();
    revoked.push(rows[1].clone());
    assert_eq!(verify(&world, &ring(&world, &revoked), &token).unwrap_err(), TokenFault::KeyRevoked);
}

/// An opaque token that was made at `NOW`.
fn opaque(world: &World, seed: u64) -> String {
    let entropy = SeededEntropy::new(seed);
    let jti = Jti::new(uuid_v7(&entropy, NOW).unwrap());
    world.secrets.opaque_token(jti, &entropy).unwrap().to_text()
}

#[test]
fn the_recorded_opaque_token_is_recognised_by_all_its_bytes() {
    let world = World::new();
    let (token, other) = (opaque(&world, 1), opaque(&world, 2));
    let recorded = world.secrets.token_hash(&token);

    let Compared::Same(own) = read(&world, &token).unwrap().compare(&world.secrets, &recorded) else {
        panic!("it is the recorded one")
    };
    assert!(own.is_recorded_as(&recorded));
    assert_eq!(own.into_claims(), serde_json::Map::new(), "it says nothing of itself");
    let Compared::Other(other) = read(&world, &other).unwrap().compare(&world.secrets, &recorded) else {
        panic!("it is another one")
    };
    assert!(!other.is_jwt(), "no alarm is raised for it");
}

#[test]
fn a_guessed_opaque_token_is_not_looked_up() {
    let world = World::new();
    let token = opaque(&world, 1);
    let (head, last) = token.split_at(token.len() - 1);
    let other = if last == "A" { "B" } else { "A" };
    // Another check, another secret, another `jti`, and one that another master key made.
    for guess in [
        format!("{head}{other}"),
        format!("{}{}{}", &token[..40], if &token[40..41] == "A" { "B" } else { "A" }, &token[41..]),
        format!("{}{}{}", &token[..20], if &token[20..21] == "A" { "B" } else { "A" }, &token[21..]),
        {
            let elsewhere = NodeSecrets::from_master(&[9; 32]);
            let jti = read(&world, &token).unwrap().jti();
            elsewhere.opaque_token(jti, &SeededEntropy::new(1)).unwrap().to_text()
        },
    ] {
        assert_eq!(read(&world, &guess).unwrap_err(), TokenFault::NotRecorded, "{guess}");
    }
    for malformed in [&token[..62], "dpt_at_", "dpt_at_a.b.c"] {
        assert_eq!(read(&world, malformed).unwrap_err(), TokenFault::Malformed, "{malformed}");
    }
}

#[test]
fn an_opaque_token_that_is_older_than_any_may_become_is_not_looked_up() {
    let world = World::new();
    let token = opaque(&world, 1);
    let after = |seconds| {
        let now = NOW.plus(Lifetime::from_seconds(seconds));
        PresentedOwn::read(&world.config, &world.secrets, Presented::read(&token), now).map(|_| ())
    };
    assert_eq!(after(899), Ok(()));
    assert_eq!(after(900), Err(TokenFault::Expired));
}
