//! `client_secret_basic` (RFC 6749 §2.3.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::expect::{CLIENT, malformed};
use crate::harness::{Cases, case};
use crate::requests::asking;
use crate::world::{Answer, Setup, World, secret_of};

/// The cases of this file.
pub fn cases() -> Cases {
    vec![
        case("6749-2.3.1-B01", the_first_colon_parts_id_and_secret_and_each_is_decoded),
        case("6749-2.3.1-B02", a_plus_is_a_space_and_the_result_is_utf_8),
        case("6749-2.3.1-B03", an_unencoded_value_is_not_read_a_second_way),
        case("6749-2.3.1-B04", a_broken_header_is_told_from_a_wrong_credential),
        case("6749-2.3.1-B05", a_wrong_secret_is_challenged),
        case("6749-2.3.1-B06", the_scheme_has_no_case),
        case("6749-2.3.1-B07", secrets_rotate_and_expire_and_are_not_stored),
    ]
}

const REST: &str = "0123456789abcdefghijklmnopqrstuvwxyz";

/// A world with a client `odd` that has this secret.
async fn with_secret(secret: &str) -> World {
    let client = "\n[[client]]\nid = \"odd\"\nauthentication = \"client_secret_basic\"\nallow_secret = true\n\
                  secret_file = \"secrets/odd\"\n";
    World::start(Setup::default().file("secrets/odd", secret).add(client)).await
}

async fn basic(world: &World, credentials: &str) -> Answer {
    asking(world).basic_with(credentials).send().await
}

async fn the_first_colon_parts_id_and_secret_and_each_is_decoded() {
    // A colon in the secret needs no encoding. A `client_id` has only unreserved characters, which may
    // nevertheless be sent in encoded form.
    let world = with_secret(&format!("a:b:{REST}")).await;
    for credentials in [
        format!("odd:a:b:{REST}"),
        format!("odd:a%3Ab%3a{REST}"),
        format!("o%64d:a:b:{REST}"),
        format!("%6Fdd:%61:b:{REST}"),
    ] {
        assert_eq!(basic(&world, &credentials).await.status, 200, "{credentials}");
    }
    // The first colon is the separator, encoded ones are not.
    let answer = basic(&world, &format!("odd%3Aa:b:{REST}")).await;
    answer.refused_because(&world, CLIENT, "client_unknown").await;

    let world = with_secret(&format!("100%+more{REST}")).await;
    assert_eq!(basic(&world, &format!("odd:100%25%2Bmore{REST}")).await.status, 200);
    basic(&world, &format!("odd:100%+more{REST}")).await.refused(400, "invalid_request");
    basic(&world, &format!("odd:100%25+more{REST}")).await.refused(401, "invalid_client");
}

async fn a_plus_is_a_space_and_the_result_is_utf_8() {
    let world = with_secret(&format!("p w{REST}")).await;
    for secret in ["p+w", "p%20w", "p w"] {
        assert_eq!(basic(&world, &format!("odd:{secret}{REST}")).await.status, 200, "{secret}");
    }
    for broken in ["p%FFw", "p%C3w", "p%ED%A0%80w"] {
        let answer = basic(&world, &format!("odd:{broken}{REST}")).await;
        answer.refused_because(&world, malformed("authorization_malformed"), "basic_malformed").await;
    }
}

async fn an_unencoded_value_is_not_read_a_second_way() {
    // Read raw it would be the secret; read by the rule it is broken, or another.
    let world = with_secret(&format!("a%zz{REST}")).await;
    let answer = basic(&world, &format!("odd:a%zz{REST}")).await;
    answer.refused_because(&world, malformed("authorization_malformed"), "basic_malformed").await;
    assert_eq!(basic(&world, &format!("odd:a%25zz{REST}")).await.status, 200);

    let world = with_secret(&format!("a%41+b{REST}")).await;
    let answer = basic(&world, &format!("odd:a%41+b{REST}")).await;
    answer.refused_because(&world, CLIENT, "secret_wrong").await;
    assert_eq!(basic(&world, &format!("odd:a%2541%2Bb{REST}")).await.status, 200);
}

async fn a_broken_header_is_told_from_a_wrong_credential() {
    let world = World::start(Setup::default()).await;
    let encoded = |text: &str| format!("Basic {}", STANDARD.encode(text));
    let good = encoded(&format!("basic-app:{}", secret_of("basic-app")));
    let unpadded = good.trim_end_matches('=').to_owned();

    let mut broken = vec![
        "Basic".to_owned(),
        "Basic ".to_owned(),
        "Basic !!!".to_owned(),
        "Basic YmFz-WM_".to_owned(),
        encoded("no-colon"),
        encoded("basic-app%zz:x"),
        encoded("basic-app:%0"),
        encoded("basic-app:a\u{0}b"),
        encoded("basic-app:a%00b"),
        encoded("basic-app:a\rb"),
        encoded("basic-app:a%7Fb"),
        encoded("basic\tapp:x"),
    ];
    if unpadded != good {
        broken.push(unpadded);
    }
    for header in broken {
        let answer = asking(&world).header("Authorization", &header).send().await;
        answer.refused_because(&world, malformed("authorization_malformed"), "basic_malformed").await;
    }
    let two = asking(&world).header("Authorization", &good).header("Authorization", &good).send().await;
    two.refused_because(&world, malformed("authorization_malformed"), "basic_malformed").await;

    for (credentials, cause) in
        [("basic-app:", "secret_wrong"), (":secret", "client_unknown"), (":", "client_unknown")]
    {
        let answer = basic(&world, credentials).await;
        answer.refused_because(&world, CLIENT, cause).await;
        assert!(answer.header("www-authenticate").unwrap().starts_with("Basic "));
    }
    assert_eq!(asking(&world).header("Authorization", &good).send().await.status, 200);
}

async fn a_wrong_secret_is_challenged() {
    let world = World::start(Setup::default()).await;

    for wrong in ["x", "", &secret_of("tickets-api"), &secret_of("basic-app")[1..]] {
        let answer = basic(&world, &format!("basic-app:{wrong}")).await;
        answer.refused_because(&world, CLIENT, "secret_wrong").await;
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Basic realm=\"") && challenge.len() > 14, "{challenge}");
    }
}

async fn the_scheme_has_no_case() {
    let world = World::start(Setup::default()).await;
    let value = STANDARD.encode(format!("basic-app:{}", secret_of("basic-app")));

    for scheme in ["Basic", "basic", "BASIC", "bAsIc"] {
        let answer = asking(&world).header("Authorization", &format!("{scheme} {value}")).send().await;
        assert_eq!(answer.status, 200, "{scheme}");
    }
    let other = asking(&world).header("Authorization", &format!("Basics {value}")).send().await;
    other.refused(401, "invalid_client");
}

async fn secrets_rotate_and_expire_and_are_not_stored() {
    let (old, new) = (format!("old-{REST}"), format!("new-{REST}"));
    // An hour after the world begins the old one is over.
    let files = "secret_files = [{ file = \"secrets/old\", expires_at = 2026-11-22T13:00:00Z }, \
                 { file = \"secrets/new\" }]";
    let setup = Setup::default()
        .file("secrets/old", &old)
        .file("secrets/new", &new)
        .replace("secret_file = \"secrets/tickets-api\"", files);
    let world = World::start(setup).await;

    for secret in [&old, &new] {
        assert_eq!(basic(&world, &format!("tickets-api:{secret}")).await.status, 200);
    }
    world.advance(3599);
    assert_eq!(basic(&world, &format!("tickets-api:{old}")).await.status, 200);
    world.advance(1);
    let late = basic(&world, &format!("tickets-api:{old}")).await;
    late.refused_because(&world, CLIENT, "secret_expired").await;
    assert_eq!(basic(&world, &format!("tickets-api:{new}")).await.status, 200);
    for secret in [&old, &new] {
        assert!(!world.is_on_disk(secret), "not in the database");
        assert!(!crate::logs::hold(secret));
    }
    let three = world.toml.replace(
        "{ file = \"secrets/new\" }",
        "{ file = \"secrets/new\" }, { file = \"secrets/files-api\" }",
    );
    assert!(deputy::testing::Config::parse(&three, world.directory.path()).is_err(), "two at most");
}
