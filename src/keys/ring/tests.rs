use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;
use crate::jose::{KeySet, UnverifiedToken};
use crate::keys::new_key;
use crate::testing::doubles::SeededEntropy;

const NOW: Timestamp = Timestamp::from_seconds(1_795_328_000);
const ALGORITHMS: [Algorithm; 3] = [Algorithm::ES256, Algorithm::RS256, Algorithm::EdDSA];

fn secrets() -> NodeSecrets {
    NodeSecrets::from_master(&[7; 32])
}

fn row(algorithm: Algorithm) -> KeyRow {
    new_key(algorithm, NOW, NOW, &secrets(), &SeededEntropy::new(1)).unwrap()
}

fn ring(rows: &[KeyRow]) -> KeyRing {
    KeyRing::from_rows(rows, &secrets()).unwrap()
}

#[test]
fn a_signed_token_has_typ_alg_and_kid_and_verifies_with_the_published_key() {
    for algorithm in ALGORITHMS {
        let ring = ring(&[row(algorithm)]);
        for typ in ["at+jwt", "task+jwt", "other+jwt"] {
            let signed = ring.sign(typ, br#"{"sub":"a"}"#, NOW).unwrap();
            let header = URL_SAFE_NO_PAD.decode(signed.token.split('.').next().unwrap()).unwrap();
            let header: Value = serde_json::from_slice(&header).unwrap();
            assert_eq!(header, json!({"alg": algorithm.as_str(), "kid": signed.kid, "typ": typ}));
            let published = KeySet::parse(ring.jwks(NOW, Lifetime::from_seconds(300)).as_bytes()).unwrap();
            let scanned = UnverifiedToken::scan(&signed.token).unwrap();
            let key = published.choose(scanned.header()).unwrap();
            assert_eq!(scanned.verify(key).unwrap().get("sub"), Some(&json!("a")));
        }
    }
}

#[test]
fn the_key_set_has_public_members_only() {
    for algorithm in ALGORITHMS {
        let jwks: Value =
            serde_json::from_str(&ring(&[row(algorithm)]).jwks(NOW, Lifetime::from_seconds(300))).unwrap();
        let key = jwks["keys"][0].as_object().unwrap();
        for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
            assert!(!key.contains_key(member), "{member}");
        }
        assert_eq!((&key["use"], &key["alg"]), (&json!("sig"), &json!(algorithm.as_str())));
        assert_eq!(key["kid"].as_str().map(str::len), Some(43));
    }
}

#[test]
fn no_signature_is_made_without_an_active_key() {
    let mut prepared = row(Algorithm::ES256);
    prepared.active_from = NOW.plus(Lifetime::from_seconds(1));
    let signed = ring(&[prepared]).sign("at+jwt", b"{}", NOW);
    assert!(matches!(signed, Err(KeyError::NoActiveKey)));
    assert!(matches!(ring(&[]).sign("at+jwt", b"{}", NOW), Err(KeyError::NoActiveKey)));
    assert_eq!(ring(&[]).jwks(NOW, Lifetime::from_seconds(300)), r#"{"keys":[]}"#);
}

#[test]
fn rows_of_another_master_key_or_damaged_ones_do_not_open() {
    let row = row(Algorithm::ES256);
    let other = NodeSecrets::from_master(&[8; 32]);
    assert!(matches!(KeyRing::from_rows(std::slice::from_ref(&row), &other), Err(KeyError::Sealed)));
    let renamed = KeyRow { kid: "other".to_owned(), ..row.clone() };
    assert!(matches!(KeyRing::from_rows(&[renamed], &secrets()), Err(KeyError::Sealed)));
    let relabelled = KeyRow { algorithm: "RS256".to_owned(), ..row };
    assert!(matches!(KeyRing::from_rows(&[relabelled], &secrets()), Err(KeyError::Crypto)));
}

#[test]
fn an_edited_public_key_in_the_row_is_not_published() {
    let mut edited = row(Algorithm::ES256);
    let kid = edited.kid.clone();
    edited.public_jwk = row(Algorithm::ES256).public_jwk;
    let jwks: Value = serde_json::from_str(&ring(&[edited]).jwks(NOW, Lifetime::from_seconds(300))).unwrap();
    assert_eq!(jwks["keys"][0]["kid"], json!(kid));
}

#[test]
fn a_key_is_unsealed_once_and_dropped_when_it_is_revoked() {
    let rows = [row(Algorithm::ES256), row(Algorithm::RS256)];
    let first = ring(&rows);
    // With these secrets nothing can be unsealed.
    let others = NodeSecrets::from_master(&[8; 32]);
    let again = first.renewed(1, &rows, &others).unwrap();
    assert_eq!(again.jwks(NOW, Lifetime::from_seconds(300)), first.jwks(NOW, Lifetime::from_seconds(300)));
    let resealed = KeyRow { sealed: row(Algorithm::ES256).sealed, ..rows[0].clone() };
    assert!(matches!(first.renewed(1, &[resealed], &others), Err(KeyError::Sealed)));
    let revoked = KeyRow { revoked_at: Some(NOW), sealed: Vec::new(), ..rows[0].clone() };
    let parsed = Arc::downgrade(&first.keys[0].parsed);
    let after = first.renewed(1, &[revoked, rows[1].clone()], &others).unwrap();
    assert!(after.is_revoked(&rows[0].kid) && after.verifying_key(&rows[0].kid).is_none());
    drop((first, again));
    assert_eq!(parsed.strong_count(), 0, "nothing holds the private key any longer");
}
