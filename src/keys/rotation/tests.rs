use super::*;
use crate::keys::KeyRing;
use crate::testing::doubles::SeededEntropy;

const T0: Timestamp = Timestamp::from_seconds(1_795_328_000);

fn secrets() -> NodeSecrets {
    NodeSecrets::from_master(&[7; 32])
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(T0.seconds() + seconds)
}

fn key(published_at: Timestamp, active_from: Timestamp) -> KeyRow {
    new_key(Algorithm::ES256, published_at, active_from, &secrets(), &SeededEntropy::new(1)).unwrap()
}

/// Writes what a change gives back over what there is, as the store does.
fn apply(rows: &[KeyRow], written: Vec<KeyRow>) -> Vec<KeyRow> {
    let mut rows = rows.to_vec();
    for new in written {
        match rows.iter_mut().find(|row| row.kid == new.kid) {
            Some(row) => *row = new,
            None => rows.push(new),
        }
    }
    rows
}

fn signer(rows: &[KeyRow], now: Timestamp) -> Option<String> {
    KeyRing::from_rows(rows, &secrets()).unwrap().sign("at+jwt", b"{}", now).ok().map(|signed| signed.kid)
}

fn published(rows: &[KeyRow], now: Timestamp) -> Vec<String> {
    let jwks = KeyRing::from_rows(rows, &secrets()).unwrap().jwks(now, Lifetime::from_seconds(3600));
    let jwks: serde_json::Value = serde_json::from_str(&jwks).unwrap();
    jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_key_is_announced_one_cache_age_and_a_margin_before_it_signs() {
    assert_eq!(announce(T0, Lifetime::from_seconds(300)), at(360));
}

#[test]
fn a_rotation_never_leaves_a_moment_without_a_signer_nor_uses_a_key_before_it_is_announced() {
    let first = key(T0, T0);
    let rows = vec![first.clone()];
    let second = key(at(1000), at(1360));
    let rows = apply(&rows, rotate(&rows, second.clone()));
    assert_eq!(signer(&rows, at(999)).as_ref(), Some(&first.kid));
    assert_eq!(signer(&rows, at(1359)).as_ref(), Some(&first.kid));
    assert_eq!(signer(&rows, at(1360)).as_ref(), Some(&second.kid));
    assert_eq!(published(&rows, at(999)), [first.kid.as_str()]);
    assert_eq!(published(&rows, at(1000)), [first.kid.as_str(), second.kid.as_str()]);
    // The last token of the first key could live 3600 s, and others allow 60 s of leeway.
    assert_eq!(published(&rows, at(1360 + 3659)), [first.kid.as_str(), second.kid.as_str()]);
    assert_eq!(published(&rows, at(1360 + 3660)), [second.kid.as_str()]);
    assert_eq!(state(&rows[0], at(1360)), KeyState::Retired);
    assert_eq!(state(&rows[1], at(1359)), KeyState::Prepared);
}

#[test]
fn rotating_twice_in_a_row_hands_over_twice() {
    let first = key(T0, T0);
    let rows = vec![first.clone()];
    let second = key(at(1000), at(1360));
    let rows = apply(&rows, rotate(&rows, second.clone()));
    let third = key(at(1100), at(1460));
    let rows = apply(&rows, rotate(&rows, third.clone()));
    for (seconds, expected) in [
        (1359, &first.kid),
        (1360, &second.kid),
        (1459, &second.kid),
        (1460, &third.kid),
        (99_999, &third.kid),
    ] {
        assert_eq!(signer(&rows, at(seconds)).as_ref(), Some(expected), "{seconds}");
    }
}

#[test]
fn a_revoked_key_is_gone_at_once_and_its_private_part_with_it() {
    let first = key(T0, T0);
    let rows = vec![first.clone()];
    let spare = key(at(50), at(410));
    let rows = apply(&rows, revoke(&rows, &first.kid, at(50), spare.clone()).unwrap());
    let gone = rows.iter().find(|row| row.kid == first.kid).unwrap();
    assert_eq!((gone.revoked_at, gone.sealed.is_empty()), (Some(at(50)), true));
    // Also with the clock set back to before the revocation.
    for now in [at(50), at(0), at(99_999)] {
        assert_eq!(state(gone, now), KeyState::Revoked);
        assert!(!published(&rows, now).contains(&first.kid));
    }
    let ring = KeyRing::from_rows(&rows, &secrets()).unwrap();
    assert!(ring.verifying_key(&first.kid).is_none() && ring.is_revoked(&first.kid));
    assert_eq!(signer(&rows, at(50)).as_ref(), Some(&spare.kid), "the spare signs at once");
}

#[test]
fn a_key_already_announced_takes_the_place_of_a_revoked_one_before_a_fresh_one_does() {
    let first = key(T0, T0);
    let rows = vec![first.clone()];
    let second = key(at(1000), at(1360));
    let rows = apply(&rows, rotate(&rows, second.clone()));
    let spare = key(at(1100), at(1460));
    let rows = apply(&rows, revoke(&rows, &first.kid, at(1100), spare.clone()).unwrap());
    assert_eq!(signer(&rows, at(1100)).as_ref(), Some(&second.kid));
    assert!(rows.iter().all(|row| row.kid != spare.kid));
}

#[test]
fn revoking_a_prepared_key_lets_the_signing_one_go_on() {
    let first = key(T0, T0);
    let rows = vec![first.clone()];
    let second = key(at(1000), at(1360));
    let rows = apply(&rows, rotate(&rows, second.clone()));
    let spare = key(at(1100), at(1460));
    let rows = apply(&rows, revoke(&rows, &second.kid, at(1100), spare).unwrap());
    for now in [at(1100), at(1360), at(99_999)] {
        assert_eq!(signer(&rows, now).as_ref(), Some(&first.kid));
    }
}

#[test]
fn revoking_a_retired_key_changes_nothing_else() {
    let first = key(T0, T0);
    let rows = vec![first.clone()];
    let rows = apply(&rows, rotate(&rows, key(at(1000), at(1360))));
    let written = revoke(&rows, &first.kid, at(2000), key(at(2000), at(2360))).unwrap();
    assert_eq!(written.iter().map(|row| &row.kid).collect::<Vec<_>>(), [&first.kid]);
}

#[test]
fn revoking_again_writes_nothing_and_an_unknown_key_is_told() {
    let first = key(T0, T0);
    let rows = vec![first.clone()];
    let rows = apply(&rows, revoke(&rows, &first.kid, at(50), key(at(50), at(50))).unwrap());
    let spare = key(at(60), at(60));
    assert_eq!(revoke(&rows, &first.kid, at(60), spare.clone()), Some(Vec::new()));
    assert_eq!(revoke(&rows, "unknown", at(60), spare), None);
}
