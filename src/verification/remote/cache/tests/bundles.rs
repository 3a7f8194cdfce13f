//! The bundle of a SPIFFE trust domain, fetched from its bundle endpoint.

use super::*;

/// A world whose keys are in a bundle with this hint.
fn world(hint: Value) -> World {
    let mut world = World::new();
    world.source = KeySource::BundleEndpoint(world.server.url("/bundle"));
    publish(&world, &[&world.key], hint);
    world
}

fn publish(world: &World, keys: &[&SigningKey], hint: Value) {
    let keys: Vec<Value> = keys
        .iter()
        .map(|key| {
            let mut jwk = key.jwk().clone();
            jwk.insert("use".to_owned(), json!("jwt-svid"));
            Value::Object(jwk)
        })
        .collect();
    let bundle = json!({"keys": keys, "spiffe_sequence": 1, "spiffe_refresh_hint": hint});
    // What caches are told does not count.
    let headers = vec![("cache-control", "max-age=86400".to_owned())];
    world.server.set("/bundle", Answer::Body(bundle.to_string(), headers));
}

fn fetches(world: &World) -> usize {
    world.server.count("/bundle")
}

/// Looks, as the server does every second, whether the bundle is due.
async fn tick(world: &World, seconds: i64) {
    world.cache.renew(world.spec(), at(seconds));
    world.cache.settled().await;
}

#[tokio::test]
async fn a_bundle_is_renewed_as_its_publisher_asks_between_a_minute_and_an_hour() {
    for (hint, every) in
        [(json!(120), 120), (json!(1), 60), (json!(86_400), 3600), (json!(null), 300), (json!("x"), 300)]
    {
        let world = world(hint.clone());
        for (seconds, fetched) in [(0, 1), (1, 1), (every - 1, 1), (every, 2), (every + 1, 2)] {
            tick(&world, seconds).await;
            assert_eq!(fetches(&world), fetched, "{hint} after {seconds} s");
        }
    }
}

#[tokio::test]
async fn a_key_that_was_withdrawn_is_gone_after_the_next_look_although_nobody_asked_for_it() {
    let world = world(json!(300));
    tick(&world, 0).await;
    assert_eq!(world.find(world.key.kid(), 1).await, Ok(()));
    let next = SigningKey::generate(Algorithm::ES256).unwrap();
    publish(&world, &[&next], json!(300));
    assert_eq!(world.find(world.key.kid(), 299).await, Ok(()));
    tick(&world, 300).await;
    assert_eq!(world.find(next.kid(), 301).await, Ok(()));
    world.find(world.key.kid(), 306).await.unwrap_err();
    // An empty set revokes all.
    publish(&world, &[], json!(300));
    tick(&world, 606).await;
    world.find(next.kid(), 607).await.unwrap_err();
}

#[tokio::test]
async fn a_fetch_holds_up_no_request_whose_key_is_known() {
    let world = world(json!(300));
    tick(&world, 0).await;
    world.server.set("/bundle", Answer::Silence(Duration::from_secs(3)));
    world.cache.renew(world.spec(), at(300));
    let found = tokio::time::timeout(Duration::from_millis(500), world.find(world.key.kid(), 300)).await;
    assert_eq!(found, Ok(Ok(())));
}

#[tokio::test]
async fn the_last_bundle_serves_for_a_day_and_no_longer() {
    let world = world(json!(300));
    tick(&world, 0).await;
    world.server.set("/bundle", Answer::Status(503));
    for seconds in [400, 40_000, 86_399] {
        tick(&world, seconds).await;
        assert_eq!(world.find(world.key.kid(), seconds).await, Ok(()), "{seconds}");
    }
    unavailable(world.find_and_settle(world.key.kid(), 86_400).await);
    publish(&world, &[&world.key], json!(300));
    tick(&world, 86_500).await;
    assert_eq!(world.find(world.key.kid(), 86_500).await, Ok(()));
}

#[tokio::test]
async fn a_bundle_may_be_a_megabyte_and_no_larger() {
    let world = world(json!(300));
    world.server.set("/bundle", Answer::Zeros(1024 * 1024 + 1));
    let why = unavailable(world.find_and_settle(world.key.kid(), 0).await);
    assert_eq!(why, "body over 1048576 bytes");
}

#[tokio::test]
async fn one_document_is_a_key_set_or_a_bundle_as_it_is_configured() {
    let world = world(json!(300));
    let as_set = KeySource::Uri(world.server.url("/bundle"));
    tick(&world, 0).await;
    let header = Header { algorithm: Algorithm::ES256, kid: Some(world.key.kid().to_owned()), typ: None };
    let found = world.cache.get(KeySpec { source: &as_set, ..world.spec() }, &header, at(1)).await;
    assert_eq!(found.map(drop), Err(KeyFault::Unknown));
    assert_eq!(world.find(world.key.kid(), 1).await, Ok(()));
}
