//! RFC 9068 §4: a token of Deputy's own, come back as subject token or at introspection.

use serde_json::json;

use crate::expect::{SUBJECT, refuses};
use crate::harness::{Cases, case};
use crate::requests::with_a_bit_flipped;
use crate::world::{Key, Setup, World, unsigned};

pub fn cases() -> Cases {
    vec![
        case("9068-4-01", only_at_jwt_is_an_access_token),
        case("9068-4-02", iss_is_compared_exactly),
        case("9068-4-03", a_resource_server_sees_its_own_tokens_only),
        case("9068-4-04", the_signature_is_checked_with_a_key_of_the_issuer),
        case("9068-4-05", a_token_ends_at_its_exp),
        case("9068-4-06", a_token_that_was_never_recorded_is_refused_and_alarms),
    ]
}

async fn only_at_jwt_is_an_access_token() {
    let world = World::start(Setup::default()).await;
    let token = world.files_token().await;
    let own = world.taken_apart(&token).await;
    for typ in
        ["JWT", "logout+jwt", "dpop+jwt", "at", "at+jwtx", "text/at+jwt", "", "application/", "x/at+jwt"]
    {
        let forged = own.clone().header("typ", typ).sign();
        refuses(&world, typ, world.onward_tx(&forged), SUBJECT, "kind").await;
        assert_eq!(world.introspect_as("files-api", &forged).await.body, json!({"active": false}), "{typ}");
    }
    let forged = own.clone().without_header("typ").sign();
    refuses(&world, "no typ", world.onward_tx(&forged), SUBJECT, "kind").await;

    // Case and prefix do not matter; these fail only because Deputy never issued them in this form.
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        let other_form = own.clone().header("typ", typ).sign();
        refuses(&world, typ, world.onward_tx(&other_form), SUBJECT, "never_issued").await;
    }
    world.onward_tx(&token).send().await.granted();
}

async fn iss_is_compared_exactly() {
    let world = World::start(Setup::default()).await;
    let token = world.files_token().await;
    let own = world.taken_apart(&token).await;
    let issuer = world.issuer.as_str();
    for other in [
        json!(format!("{issuer}/")),
        json!(issuer.to_uppercase()),
        json!("https://deputy.example"),
        json!(world.provider.issuer),
        json!(""),
        json!([issuer]),
        json!(null),
    ] {
        let forged = own.clone().claim("iss", other.clone()).sign();
        let what = other.to_string();
        refuses(&world, &what, world.onward_tx(&forged), SUBJECT, "issuer_untrusted").await;
        assert_eq!(world.introspect_as("files-api", &forged).await.body, json!({"active": false}), "{what}");
    }
    let forged = own.without("iss").sign();
    refuses(&world, "no iss", world.onward_tx(&forged), SUBJECT, "issuer_untrusted").await;
}

/// As an exchange input a token has its target's audience: that check is 8693-F-06.
async fn a_resource_server_sees_its_own_tokens_only() {
    let world = World::start(Setup::default()).await;
    let files = world.files_token().await;
    let tickets = world.tx().send().await.granted();
    let task = world.task_token().await;
    let is_active = async |server: &str, token: &str| {
        let answer = world.introspect_as(server, token).await;
        assert!(answer.body == json!({"active": false}) || answer.body["active"] == json!(true));
        answer.body["active"] == json!(true)
    };
    assert!(is_active("files-api", &files).await);
    assert!(is_active("tickets-api", &tickets).await);
    assert!(!is_active("tickets-api", &files).await);
    assert!(!is_active("files-api", &tickets).await);
    assert!(!is_active("files-api", &task).await && !is_active("tickets-api", &task).await);
}

async fn the_signature_is_checked_with_a_key_of_the_issuer() {
    let world = World::start(Setup::default()).await;
    let token = world.files_token().await;
    let own = world.taken_apart(&token).await;
    let kid = own.key.kid.clone();
    let stranger = Key::new(&kid);
    let (header, claims) = own.texts();
    let none = unsigned(&header.replace("ES256", "none"), &claims);
    for (what, forged, cause) in [
        ("another key under the same kid", own.clone().signed_by(&stranger).sign(), "signature"),
        ("one bit", with_a_bit_flipped(&token), "signature"),
        ("alg none", none, "algorithm"),
        ("no signature", unsigned(&header, &claims), "malformed"),
        ("another kid", own.clone().header("kid", "provider-1").sign(), "key_unknown"),
        ("no kid", own.clone().without_header("kid").sign(), "key_unknown"),
        ("the provider's key", own.clone().signed_by(&world.provider.key).sign(), "signature"),
    ] {
        refuses(&world, what, world.onward_tx(&forged), SUBJECT, cause).await;
        assert_eq!(world.introspect_as("files-api", &forged).await.body, json!({"active": false}), "{what}");
    }
    world.onward_tx(&token).send().await.granted();
}

/// Deputy's own `exp` has no leeway (docs/design/records.md).
async fn a_token_ends_at_its_exp() {
    let world = World::start(Setup::default()).await;
    let answer = world.files_token().await;
    let exp = crate::world::claims_of(&answer)["exp"].as_i64().unwrap();
    let is_active = async || world.introspect_as("files-api", &answer).await.body["active"] == json!(true);

    world.advance(u32::try_from(exp - world.now() - 6).unwrap());
    world.onward_tx(&answer).send().await.granted();
    world.advance(5);
    assert!(is_active().await, "one second before");
    world.advance(1);
    assert!(!is_active().await, "at exp");
    refuses(&world, "at exp", world.onward_tx(&answer), SUBJECT, "expired").await;
}

async fn a_token_that_was_never_recorded_is_refused_and_alarms() {
    let world = World::start(Setup::default()).await;
    let token = world.files_token().await;
    let own = world.taken_apart(&token).await;
    assert_eq!(world.alarms().await, 0);

    let unknown = "01a20320-a200-7df2-9c03-41a4dfca3200";
    let forged = own.clone().claim("jti", unknown).sign();
    refuses(&world, "an unknown jti", world.onward_tx(&forged), SUBJECT, "never_issued").await;
    assert_eq!(world.alarms().await, 1);
    assert_eq!(world.introspect_as("files-api", &forged).await.body, json!({"active": false}));
    assert_eq!(world.alarms().await, 2, "a resource server that meets it is the first to know");

    // A known `jti` with other content is as unknown.
    let widened = own.claim("scope", "files.read files.write").sign();
    refuses(&world, "other content", world.onward_tx(&widened), SUBJECT, "never_issued").await;
    assert_eq!(world.alarms().await, 3);
}
