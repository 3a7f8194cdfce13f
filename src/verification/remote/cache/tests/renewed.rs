//! A provider that was set up anew: it signs with a new key under an old name.

use super::*;
use crate::jose::UnverifiedToken;

/// A token of this key, verified as the provider's.
async fn verified(world: &World, key: &SigningKey, seconds: i64) -> Result<(), JoseError> {
    let token = key.sign_compact(&key.header_segment("JWT"), b"{}").unwrap();
    let token = UnverifiedToken::scan(&token).unwrap();
    let known = world.cache.get(world.spec(), token.header(), at(seconds)).await.expect("a key of this name");
    // Remembered, so that every test here shows that a memory of signatures changes nothing.
    world.cache.verify(world.spec(), (&token, Remember::Yes), &known, at(seconds)).await.map(drop)
}

/// Another key under the same `kid`.
fn named_like(key: &SigningKey) -> SigningKey {
    SigningKey::generate(Algorithm::ES256).unwrap().named(key.kid())
}

#[tokio::test]
async fn a_new_key_under_an_old_name_is_found_when_it_signs_a_token() {
    let world = World::new();
    assert_eq!(verified(&world, &world.key, 0).await, Ok(()));
    let new = named_like(&world.key);
    world.server.set("/jwks", Answer::json(key_set(&[&new])));
    assert_eq!(verified(&world, &new, 4).await, Err(JoseError::Signature), "asked a moment ago");
    assert_eq!(verified(&world, &new, 5).await, Ok(()));
    assert_eq!(world.fetches(), 2);
    assert_eq!(verified(&world, &new, 6).await, Ok(()));
    assert_eq!(verified(&world, &world.key, 20).await, Err(JoseError::Signature), "the old key is withdrawn");
}

#[tokio::test]
async fn forged_signatures_cause_one_fetch_a_minute_and_change_nothing() {
    let world = World::new();
    assert_eq!(verified(&world, &world.key, 0).await, Ok(()));
    let forger = named_like(&world.key);
    for seconds in [10, 11, 20, 40, 69] {
        assert_eq!(verified(&world, &forger, seconds).await, Err(JoseError::Signature));
        assert_eq!(verified(&world, &world.key, seconds).await, Ok(()));
    }
    assert_eq!(world.fetches(), 2);
    world.server.set("/jwks", Answer::Status(503));
    assert_eq!(verified(&world, &forger, 70).await, Err(JoseError::Signature), "a new key has a new name");
    assert_eq!(verified(&world, &world.key, 71).await, Ok(()));
    assert_eq!(world.fetches(), 3);
}

#[tokio::test]
async fn what_was_fetched_by_the_settings_before_a_reload_does_not_count_as_new() {
    let world = World::new();
    assert_eq!(world.known(0).await, Ok(()));
    let place = place(world.spec()).unwrap();
    let under_way = world.cache.source(&place, &world.reach);

    world.cache.put_in_force(KeyCache::read_files(std::iter::empty()).unwrap(), at(1));
    world.cache.fetch::<Header>(world.spec(), &place, None).look(&under_way, at(1)).await;

    assert_eq!(world.known(2).await, Ok(()));
    assert_eq!(world.fetches(), 3, "asked again by the settings in force");
}
