use std::sync::Arc;

use oxide_auth::primitives::registrar::PasswordPolicy as _;

use super::*;
use crate::base::time::Lifetime;
use crate::client_auth::secret::KeyedSecret;

fn with_secrets(world: &mut World, id: &str, secrets: Vec<crate::registry::ClientSecret>) {
    let client = client(id, ClientAuthentication::ClientSecretBasic(secrets));
    world.config.registry.clients.insert(client.id.clone(), Arc::new(client));
}

async fn id(world: &World, header: &str) -> Result<String, Plain> {
    let outcome = authenticate_with(world, &[header], "").await;
    outcome.map(|proven| proven.client().id.as_str().to_owned())
}

#[tokio::test]
async fn the_right_secret_by_the_registered_method_proves_the_client() {
    let world = World::new();
    let proven = authenticate_with(&world, &[&basic("basic:s3cret-of-basic")], "").await.unwrap();
    assert_eq!((proven.client().id.as_str(), proven.one_time().len()), ("basic", 0));
    let body = "client_id=post&client_secret=s3cret-of-post";
    assert_eq!(authenticate_with(&world, &[], body).await.unwrap().client().id.as_str(), "post");
}

#[tokio::test]
async fn the_scheme_is_read_without_regard_to_case() {
    let world = World::new();
    for scheme in ["basic", "BASIC", "bAsIc"] {
        let header = format!("{scheme} {}", STANDARD.encode("basic:s3cret-of-basic"));
        assert_eq!(id(&world, &header).await.as_deref(), Ok("basic"), "{scheme}");
    }
}

#[tokio::test]
async fn id_and_secret_are_split_at_the_first_colon_and_then_decoded() {
    let mut world = World::new();
    with_secrets(&mut world, "a:b", vec![secret("c:d", None)]);
    with_secrets(&mut world, "space", vec![secret("p w", None)]);
    with_secrets(&mut world, "signs", vec![secret("100%+é", None)]);
    for (credentials, expected) in [
        ("a%3Ab:c:d", Ok("a:b")),
        ("a%3Ab:c%3Ad", Ok("a:b")),
        ("a%3ab:c%3ad", Ok("a:b")),
        ("a:b:c:d", Err(Plain::ClientUnknown)),
        ("space:p+w", Ok("space")),
        ("space:p%20w", Ok("space")),
        ("space:p w", Ok("space")),
        ("signs:100%25%2B%C3%A9", Ok("signs")),
        ("signs:100%25+%C3%A9", Err(Plain::SecretWrong)),
        ("signs:100%+é", Err(Plain::BasicMalformed)),
    ] {
        let outcome = id(&world, &basic(credentials)).await;
        assert_eq!(outcome.as_deref().map_err(|cause| *cause), expected, "{credentials}");
    }
}

#[tokio::test]
async fn a_header_that_cannot_be_read_is_told_from_a_wrong_credential() {
    let world = World::new();
    let malformed = [
        "Basic".to_owned(),
        "Basic ".to_owned(),
        "Basic ***".to_owned(),
        "Basic YmFzaWM6c2VjcmV0=".to_owned(),
        basic("no-colon"),
        basic("basic:%zz"),
        basic("basic:%0"),
        basic("basic:%00"),
        basic("basic:a%0Ab"),
        basic("ba\tsic:a"),
        basic("basic:%ff"),
        format!("Basic {}", STANDARD.encode(b"basic:\xff")),
        format!("Basic {}", STANDARD.encode("a".repeat(4096))),
    ];
    for header in &malformed {
        assert_eq!(id(&world, header).await, Err(Plain::BasicMalformed), "{header:.40}");
    }
    let good = basic("basic:s3cret-of-basic");
    let twice = authenticate_with(&world, &[&good, &good], "").await;
    assert_eq!(twice.unwrap_err(), Plain::BasicMalformed);
    for (header, expected) in [
        (basic("basic:wrong"), Plain::SecretWrong),
        (basic("basic:"), Plain::SecretWrong),
        (basic(":s3cret-of-basic"), Plain::ClientUnknown),
        (basic(":"), Plain::ClientUnknown),
        (basic("nobody:s3cret-of-basic"), Plain::ClientUnknown),
        (basic("BASIC:s3cret-of-basic"), Plain::ClientUnknown),
        (basic("basic:s3cret-of-other"), Plain::SecretWrong),
        ("Bearer abc".to_owned(), Plain::MethodNotRegistered),
    ] {
        assert_eq!(id(&world, &header).await, Err(expected), "{header}");
    }
}

#[tokio::test]
async fn another_method_than_the_registered_one_is_refused_with_the_right_secret() {
    let world = World::new();
    assert_eq!(id(&world, &basic("post:s3cret-of-post")).await, Err(Plain::MethodNotRegistered));
    assert_eq!(id(&world, &basic("assistant:x")).await, Err(Plain::MethodNotRegistered));
    let body = "client_id=basic&client_secret=s3cret-of-basic";
    let outcome = authenticate_with(&world, &[], body).await;
    assert_eq!(outcome.unwrap_err(), Plain::MethodNotRegistered);
}

#[tokio::test]
async fn a_client_id_in_the_body_names_the_same_client() {
    let world = World::new();
    let header = basic("basic:s3cret-of-basic");
    assert!(authenticate_with(&world, &[&header], "client_id=basic").await.is_ok());
    for body in ["client_id=other", "client_id=nobody", "client_id=BASIC"] {
        let outcome = authenticate_with(&world, &[&header], body).await;
        assert_eq!(outcome.unwrap_err(), Plain::ClientIdMismatch, "{body}");
    }
}

#[tokio::test]
async fn two_secrets_live_side_by_side_until_one_expires() {
    let mut world = World::new();
    let second = Lifetime::from_seconds(1);
    with_secrets(&mut world, "rotating", vec![secret("old", Some(NOW.plus(second))), secret("new", None)]);
    with_secrets(&mut world, "late", vec![secret("old", Some(NOW)), secret("new", None)]);
    assert!(id(&world, &basic("rotating:old")).await.is_ok());
    assert!(id(&world, &basic("rotating:new")).await.is_ok());
    assert_eq!(id(&world, &basic("late:old")).await, Err(Plain::SecretExpired));
    assert!(id(&world, &basic("late:new")).await.is_ok());
}

#[test]
fn a_secret_is_stored_as_a_keyed_hash_and_an_empty_one_never_matches() {
    let world = World::new();
    let policy = KeyedSecret(&world.secrets);
    let stored = policy.store("c", b"secret");
    assert_eq!(stored, world.secrets.secret_hash(b"secret"));
    assert!(policy.check("c", b"secret", &stored).is_ok());
    assert!(policy.check("c", b"Secret", &stored).is_err());
    assert!(policy.check("c", b"", &policy.store("c", b"")).is_err());
}
