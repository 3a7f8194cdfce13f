mod bundles;
mod renewed;

use std::time::Duration;

use serde_json::{Value, json};

use super::super::HttpKeys;
use super::super::server::{Answer, Server};
use super::*;
use crate::jose::{Algorithm, SigningKey};
use crate::verification::fixtures::{NOW, key_set};

struct World {
    server: Server,
    cache: KeyCache,
    key: SigningKey,
    issuer: Issuer,
    source: KeySource,
    reach: Reach,
}

impl World {
    /// Keys at a URL.
    fn new() -> Self {
        let server = Server::start();
        let key = SigningKey::generate(Algorithm::ES256).unwrap();
        server.set("/jwks", Answer::json(key_set(&[&key])));
        let issuer = Issuer::new(server.origin.clone());
        let source = KeySource::Uri(server.url("/jwks"));
        let cache = KeyCache::new(Box::new(HttpKeys::default()));
        Self { server, cache, key, issuer, source, reach: Reach::default() }
    }

    /// Keys by discovery.
    fn discovering() -> Self {
        let mut world = Self::new();
        world.source = KeySource::Discovery;
        world.set_metadata(json!({}));
        world
    }

    fn set_metadata(&self, changes: Value) {
        let mut metadata = json!({
            "issuer": self.server.origin,
            "authorization_endpoint": self.server.url("/authorize"),
            "jwks_uri": self.server.url("/jwks"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        });
        for (name, value) in changes.as_object().unwrap() {
            metadata[name] = value.clone();
        }
        self.server.set("/.well-known/openid-configuration", Answer::json(metadata.to_string()));
    }

    fn spec(&self) -> KeySpec<'_> {
        KeySpec {
            issuer: Some(&self.issuer),
            source: &self.source,
            reach: &self.reach,
            stale: Lifetime::from_seconds(86_400),
            is_local: true,
        }
    }

    async fn find(&self, kid: &str, seconds: i64) -> Result<(), KeyFault> {
        let header = Header { algorithm: Algorithm::ES256, kid: Some(kid.to_owned()), typ: None };
        self.cache.get(self.spec(), &header, at(seconds)).await.map(drop)
    }

    /// The same, and waits for the fetch that it may have begun.
    async fn find_and_settle(&self, kid: &str, seconds: i64) -> Result<(), KeyFault> {
        let found = self.find(kid, seconds).await;
        self.cache.settled().await;
        found
    }

    async fn known(&self, seconds: i64) -> Result<(), KeyFault> {
        self.find_and_settle(self.key.kid(), seconds).await
    }

    fn fetches(&self) -> usize {
        self.server.count("/jwks")
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(NOW.seconds() + seconds)
}

const fn not_asked_again() -> KeyFault {
    KeyFault::Unavailable(KeysUnknown::NotAskedAgain)
}

fn unavailable(outcome: Result<(), KeyFault>) -> String {
    match outcome {
        Err(KeyFault::Unavailable(KeysUnknown::NotHad(why))) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn keys_are_fetched_once_and_taken_for_five_minutes() {
    let world = World::new();
    for seconds in [0, 1, 299] {
        assert_eq!(world.known(seconds).await, Ok(()));
    }
    assert_eq!(world.fetches(), 1);
    assert_eq!(world.known(300).await, Ok(()));
    assert_eq!(world.fetches(), 2);
}

#[tokio::test]
async fn the_publishers_cache_age_counts_between_five_minutes_and_a_day() {
    for (max_age, fresh) in [(1, 300), (900, 900), (999_999, 86_400)] {
        let world = World::new();
        let headers = vec![("cache-control", format!("max-age={max_age}"))];
        world.server.set("/jwks", Answer::Body(key_set(&[&world.key]), headers));
        assert_eq!(world.known(0).await, Ok(()));
        assert_eq!(world.known(fresh - 1).await, Ok(()));
        assert_eq!(world.fetches(), 1, "{max_age}");
        assert_eq!(world.known(fresh).await, Ok(()));
        assert_eq!(world.fetches(), 2, "{max_age}");
    }
}

#[tokio::test]
async fn a_flood_of_random_key_ids_causes_one_fetch_in_five_seconds_and_keeps_no_new_key_out() {
    let world = World::new();
    assert_eq!(world.known(0).await, Ok(()));
    for n in 0..100 {
        assert_eq!(world.find(&format!("random-{n}"), 4).await, Err(not_asked_again()));
    }
    assert_eq!(world.fetches(), 1, "asked within the five seconds before");
    for n in 0..300 {
        assert!(world.find(&format!("random-{n}"), 10 + n / 30).await.is_err());
    }
    assert_eq!(world.fetches(), 3);
    let new = SigningKey::generate(Algorithm::ES256).unwrap();
    world.server.set("/jwks", Answer::json(key_set(&[&world.key, &new])));
    assert_eq!(world.find("random-again", 20).await, Err(KeyFault::Unknown));
    assert_eq!(world.find(new.kid(), 21).await, Ok(()), "the flood itself has brought it in");
}

#[tokio::test]
async fn one_unknown_key_id_causes_one_fetch_a_minute() {
    let world = World::new();
    assert_eq!(world.known(0).await, Ok(()));
    for seconds in [10, 20, 40, 69] {
        assert_eq!(world.find("unknown", seconds).await, Err(KeyFault::Unknown));
    }
    assert_eq!(world.fetches(), 2);
    assert_eq!(world.find("unknown", 70).await, Err(KeyFault::Unknown));
    assert_eq!(world.fetches(), 3);
}

#[tokio::test]
async fn a_key_that_may_be_new_is_not_refused_while_its_publisher_cannot_be_asked() {
    let world = World::new();
    assert_eq!(world.known(0).await, Ok(()));
    world.server.set("/jwks", Answer::Status(503));
    let new = SigningKey::generate(Algorithm::ES256).unwrap();
    assert_eq!(unavailable(world.find(new.kid(), 10).await), "answered 503");
    assert_eq!(unavailable(world.find(new.kid(), 19).await), "answered 503");
    assert_eq!(world.known(19).await, Ok(()), "what is known serves on");
    assert_eq!(world.fetches(), 2, "a failure is not repeated at once");
    world.server.set("/jwks", Answer::json(key_set(&[&world.key, &new])));
    assert_eq!(world.find(new.kid(), 20).await, Ok(()), "it is back, and so is the new key");
}

#[tokio::test]
async fn many_at_once_cause_one_fetch() {
    let world = World::new();
    let all = (0..50).map(|_| world.known(0));
    assert!(futures_util::future::join_all(all).await.into_iter().all(|found| found.is_ok()));
    assert_eq!(world.fetches(), 1);
    let all = (0..50).map(|n| {
        let kid = format!("random-{n}");
        let world = &world;
        async move { world.find(&kid, 100).await }
    });
    let all = futures_util::future::join_all(all).await;
    assert!(all.iter().all(|found| *found == Err(KeyFault::Unknown)));
    assert_eq!(world.fetches(), 2);
}

#[tokio::test]
async fn a_new_key_is_found_when_a_token_names_it() {
    let world = World::new();
    assert_eq!(world.known(0).await, Ok(()));
    let new = SigningKey::generate(Algorithm::ES256).unwrap();
    world.server.set("/jwks", Answer::json(key_set(&[&world.key, &new])));
    assert_eq!(world.find(new.kid(), 4).await, Err(not_asked_again()), "nobody has asked for it yet");
    assert_eq!(world.find(new.kid(), 5).await, Ok(()));
}

#[tokio::test]
async fn a_key_withdrawn_by_its_issuer_is_refused_within_the_cache_age() {
    let world = World::new();
    assert_eq!(world.known(0).await, Ok(()));
    let other = SigningKey::generate(Algorithm::ES256).unwrap();
    world.server.set("/jwks", Answer::json(key_set(&[&other])));
    // The request after the cache age begins the look that finds it gone.
    assert_eq!(world.known(300).await, Ok(()));
    assert_eq!(world.known(301).await, Err(KeyFault::Unknown));
    world.server.set("/jwks", Answer::json(r#"{"keys":[]}"#));
    assert_eq!(world.find_and_settle(other.kid(), 700).await, Ok(()));
    assert_eq!(world.find(other.kid(), 701).await, Err(KeyFault::Unknown));
}

#[tokio::test]
async fn the_last_good_keys_serve_while_the_publisher_is_down_and_no_longer_than_configured() {
    let world = World::new();
    assert_eq!(world.known(0).await, Ok(()));
    for answer in [Answer::Status(500), Answer::json("not json"), Answer::json(r#"{"keys":1}"#)] {
        world.server.set("/jwks", answer);
        assert_eq!(world.known(400).await, Ok(()));
    }
    assert_eq!(world.fetches(), 2, "one failure, then a pause");
    assert_eq!(world.known(86_399).await, Ok(()));
    assert_eq!(unavailable(world.known(86_400).await), "not a key set within the limits");
    world.server.set("/jwks", Answer::json(key_set(&[&world.key])));
    assert_eq!(world.known(86_411).await, Ok(()), "it comes back by itself");
}

#[tokio::test]
async fn without_any_keys_the_answer_is_unavailable_and_failures_are_not_asked_for_again_at_once() {
    let world = World::new();
    world.server.set("/jwks", Answer::Status(503));
    assert_eq!(unavailable(world.known(0).await), "answered 503");
    for _ in 0..20 {
        assert_eq!(unavailable(world.known(9).await), "answered 503");
    }
    assert_eq!(world.fetches(), 1);
    world.server.set("/jwks", Answer::json(key_set(&[&world.key])));
    assert_eq!(world.known(10).await, Ok(()));
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_make_the_next_one_ask_again_at_once() {
    let world = World::new();
    world.server.set("/jwks", Answer::Silence(Duration::from_secs(30)));
    let short = tokio::time::timeout(Duration::from_millis(300), world.known(0)).await;
    assert!(short.is_err(), "still waiting when it went away");
    assert_eq!(unavailable(world.known(1).await), "a fetch was given up");
    assert_eq!(world.fetches(), 1);
}

#[tokio::test]
async fn a_slow_publisher_delays_nobody_whose_key_is_known() {
    let world = World::new();
    assert_eq!(world.known(0).await, Ok(()));
    world.server.set("/jwks", Answer::Silence(Duration::from_secs(30)));
    let begun = std::time::Instant::now();
    for _ in 0..3 {
        assert_eq!(world.find(world.key.kid(), 400).await, Ok(()));
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn discovery_leads_to_the_keys_and_its_issuer_is_compared_byte_for_byte() {
    let world = World::discovering();
    assert_eq!(world.known(0).await, Ok(()));
    assert_eq!((world.server.count("/.well-known/openid-configuration"), world.fetches()), (1, 1));
    for issuer in [format!("{}/", world.server.origin), "https://op.example".to_owned(), String::new()] {
        let world = World::discovering();
        world.set_metadata(json!({ "issuer": issuer }));
        let why = unavailable(world.known(0).await);
        assert!(why.contains("issuer") || why.contains("metadata"), "{issuer}: {why}");
        assert_eq!(world.fetches(), 0, "{issuer}");
    }
}

#[tokio::test]
async fn nothing_in_the_metadata_but_its_issuer_and_the_place_of_the_keys_can_be_wrong() {
    for (name, value) in [
        ("op_policy_uri", json!("")),
        ("service_documentation", json!("see the wiki")),
        ("authorization_endpoint", json!(null)),
        ("token_endpoint", json!(["a", "b"])),
        ("response_types_supported", json!("code")),
        ("subject_types_supported", json!({})),
        ("id_token_signing_alg_values_supported", json!(["RS256", "new"])),
        ("claims_parameter_supported", json!("true")),
    ] {
        let world = World::discovering();
        world.set_metadata(json!({ name: value.clone() }));
        assert_eq!(world.known(0).await, Ok(()), "{name} = {value}");
    }
    let world = World::discovering();
    let least = json!({"issuer": world.server.origin, "jwks_uri": world.server.url("/jwks")}).to_string();
    let odd = least.replacen('{', r#"{"x": 1e999, "deep": [[[]]], "twice": 1, "twice": 2, "#, 1);
    world.server.set("/.well-known/openid-configuration", Answer::json(odd));
    assert_eq!(world.known(0).await, Ok(()));

    for uri in [json!(null), json!(""), json!("/jwks"), json!(7)] {
        let world = World::discovering();
        world.set_metadata(json!({ "jwks_uri": uri }));
        let why = unavailable(world.known(0).await);
        assert_eq!(why, "provider metadata has no usable `jwks_uri`", "{uri}");
    }
}

#[tokio::test]
async fn metadata_cannot_lead_anywhere_a_configured_url_could_not() {
    let world = World::discovering();
    for uri in ["http://10.0.0.1/jwks", "file:///etc/passwd", "https://169.254.169.254/jwks"] {
        let world = World::discovering();
        world.set_metadata(json!({ "jwks_uri": uri }));
        let why = unavailable(world.known(0).await);
        assert!(["not https", "literal", "not public"].iter().any(|part| why.contains(part)), "{uri}: {why}");
    }
    assert_eq!(world.known(0).await, Ok(()));
}

#[tokio::test]
async fn two_sources_do_not_share_their_faults() {
    let world = World::new();
    let broken = KeySource::Uri(world.server.url("/broken"));
    let spec = KeySpec { source: &broken, ..world.spec() };
    let header = Header { algorithm: Algorithm::ES256, kid: None, typ: None };
    assert!(matches!(world.cache.get(spec, &header, at(0)).await, Err(KeyFault::Unavailable(_))));
    assert_eq!(world.known(0).await, Ok(()));
}

#[tokio::test]
async fn a_pinned_file_is_read_again_by_a_reload_and_by_nothing_else() {
    let mut world = World::new();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jwks.json");
    world.source = KeySource::File(path.clone());
    assert!(unavailable(world.known(0).await).contains("No such file"));
    std::fs::write(&path, key_set(&[&world.key])).unwrap();
    assert_eq!(world.known(10).await, Ok(()));
    std::fs::write(&path, r#"{"keys":[]}"#).unwrap();
    assert_eq!(world.known(80_000).await, Ok(()));

    let read = KeyCache::read_files([(path.as_path(), KeyForm::Jwks)].into_iter()).unwrap();
    world.cache.put_in_force(read, at(80_001));

    assert_eq!(world.known(80_002).await, Err(KeyFault::Unknown));
    std::fs::remove_file(&path).unwrap();
    assert!(KeyCache::read_files([(path.as_path(), KeyForm::Jwks)].into_iter()).is_err());
}

#[tokio::test]
async fn a_reload_asks_again_for_fetched_keys_and_keeps_those_it_has_if_nobody_answers() {
    let world = World::new();
    assert_eq!(world.known(0).await, Ok(()));
    let nothing = || KeyCache::read_files(std::iter::empty()).unwrap();
    world.cache.put_in_force(nothing(), at(1));
    assert_eq!(world.known(2).await, Ok(()));
    assert_eq!(world.fetches(), 2);

    world.server.set("/jwks", Answer::Status(503));
    world.cache.put_in_force(nothing(), at(3));
    assert_eq!(world.known(4).await, Ok(()), "the provider may be down");

    world.cache.forget_fetched();
    assert!(
        matches!(world.known(20).await, Err(KeyFault::Unavailable(_))),
        "what was forgotten is trusted no more"
    );
}

#[tokio::test]
async fn a_clock_set_back_asks_again_and_takes_no_key_for_longer() {
    let world = World::new();
    assert_eq!(world.known(1000).await, Ok(()));
    assert_eq!(world.known(0).await, Ok(()));
    assert_eq!(world.fetches(), 2);
}
