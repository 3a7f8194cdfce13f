//! NEG-CX-01 to 15, 38, 39: the request itself.

use crate::expect::{CLIENT, DETAILS, malformed, refuses};
use crate::harness::{Cases, case};
use crate::world::{ASSERTION_TYPE, GRANT_TYPE, JWT_TYPE, Setup, World};

pub fn cases() -> Cases {
    vec![
        case("NEG-CX-01", no_grant_type),
        case("NEG-CX-02", another_grant_type),
        case("NEG-CX-03", a_client_without_this_grant),
        case("NEG-CX-04", no_client_credentials),
        case("NEG-CX-05", wrong_client_credentials),
        case("NEG-CX-06", two_methods_of_client_authentication),
        case("NEG-CX-07", no_subject_token),
        case("NEG-CX-08", no_subject_token_type),
        case("NEG-CX-09", half_an_actor_token),
        case("NEG-CX-10", a_single_valued_parameter_twice),
        case("NEG-CX-11", a_json_body),
        case("NEG-CX-12", parameters_in_the_query),
        case("NEG-CX-13", a_get),
        case("NEG-CX-14", a_body_over_the_limit),
        case("NEG-CX-15", a_form_that_does_not_decode),
        case("NEG-CX-38", a_requested_type_that_is_not_issued),
        case("NEG-CX-39", authorization_details_of_no_known_type),
    ]
}

async fn no_grant_type() {
    let world = World::start(Setup::default()).await;
    let wire = malformed("grant_type_missing");
    refuses(&world, "absent", world.tx().without("grant_type"), wire, "grant_type_missing").await;
    refuses(&world, "empty", world.tx().set("grant_type", ""), wire, "grant_type_missing").await;
}

async fn another_grant_type() {
    let world = World::start(Setup::default()).await;
    let wire = (400, "unsupported_grant_type", "grant_type_unsupported");
    for other in ["password", "implicit", "authorization_code", "refresh_token", "garbage", "\u{1f4a9}"] {
        let request = world.tx().set("grant_type", other);
        refuses(&world, other, request, wire, "grant_type_unsupported").await;
    }
}

async fn a_client_without_this_grant() {
    let world = World::start(Setup::default()).await;
    let wire = (400, "unauthorized_client", "grant_not_registered");
    refuses(&world, "no-exchange", world.tx().basic("no-exchange"), wire, "grant_not_registered").await;
}

async fn no_client_credentials() {
    let world = World::start(Setup::default()).await;
    refuses(&world, "none", world.tx().anonymous(), CLIENT, "no_credentials").await;
}

async fn wrong_client_credentials() {
    let world = World::start(Setup::default()).await;
    let wrong = world.tx().basic_with("basic-app:wrong-secret-0123456789abcdefghijklmnop");
    let answer = refuses(&world, "wrong secret", wrong, CLIENT, "secret_wrong").await;
    assert!(answer.header("www-authenticate").is_some_and(|value| value.starts_with("Basic")), "{answer:?}");
    let unknown = world.tx().basic_with("nobody:wrong-secret-0123456789abcdefghijklmnop");
    refuses(&world, "unknown client", unknown, CLIENT, "client_unknown").await;
    let in_body = world.tx().secret_in_body("post-app").set("client_secret", "wrong");
    refuses(&world, "wrong secret in the body", in_body, CLIENT, "secret_wrong").await;
    let forged = crate::requests::with_a_bit_flipped(&world.assertion("assistant").sign());
    let request = world.tx().with_assertion(&forged);
    refuses(&world, "bad assertion signature", request, CLIENT, "assertion_signature").await;
}

async fn two_methods_of_client_authentication() {
    let world = World::start(Setup::default()).await;
    let wire = malformed("several_authentication_methods");
    let assertion = || world.assertion("assistant").sign();
    let basic_and_post =
        world.tx().basic("basic-app").set("client_id", "basic-app").set("client_secret", "x");
    let basic_and_assertion = world
        .tx()
        .basic("basic-app")
        .set("client_assertion_type", ASSERTION_TYPE)
        .set("client_assertion", &assertion());
    let post_and_assertion = world
        .tx()
        .secret_in_body("post-app")
        .set("client_assertion_type", ASSERTION_TYPE)
        .set("client_assertion", &assertion());
    for (what, request) in [
        ("Basic and body", basic_and_post),
        ("Basic and assertion", basic_and_assertion),
        ("body and assertion", post_and_assertion),
    ] {
        refuses(&world, what, request, wire, "several_methods").await;
    }
}

async fn no_subject_token() {
    let world = World::start(Setup::default()).await;
    let wire = malformed("subject_token_missing");
    refuses(&world, "absent", world.tx().without("subject_token"), wire, "subject_token_missing").await;
}

async fn no_subject_token_type() {
    let world = World::start(Setup::default()).await;
    let wire = malformed("subject_token_type_missing");
    let request = world.tx().without("subject_token_type");
    refuses(&world, "absent", request, wire, "subject_token_type_missing").await;
}

async fn half_an_actor_token() {
    let world = World::start(Setup::default()).await;
    let token = world.workload_token("planner").sign();
    let without_type = world.tx().set("actor_token", &token);
    let wire = malformed("actor_token_type_missing");
    refuses(&world, "no type", without_type, wire, "actor_token_type_missing").await;
    let without_token = world.tx().set("actor_token_type", JWT_TYPE);
    refuses(&world, "no token", without_token, malformed("actor_token_missing"), "actor_token_missing").await;
}

async fn a_single_valued_parameter_twice() {
    let world = World::start(Setup::default()).await;
    let wire = malformed("parameter_repeated");
    for name in ["grant_type", "subject_token", "subject_token_type", "scope", "client_assertion"] {
        let value = world.tx().value(name).unwrap().to_owned();
        let request = world.tx().also(name, &value);
        refuses(&world, name, request, wire, "parameter_repeated").await;
    }
    // The name escaped the second time; the second value empty.
    let body = format!("{}&%73cope=tickets%3Asearch", world.tx().encoded());
    let request = world.tx().raw("application/x-www-form-urlencoded", body);
    refuses(&world, "an escaped name", request, wire, "parameter_repeated").await;
    refuses(&world, "empty", world.tx().also("scope", ""), wire, "parameter_repeated").await;
}

async fn a_json_body() {
    let world = World::start(Setup::default()).await;
    let json = serde_json::json!({"grant_type": GRANT_TYPE}).to_string();
    let request = world.tx().raw("application/json", json);
    refuses(&world, "JSON", request, malformed("media_type"), "media_type").await;
    let disguised = world.tx().raw("application/x-www-form-urlencoded", "{\"grant_type\":\"x\"}");
    refuses(&world, "JSON called a form", disguised, CLIENT, "no_credentials").await;
}

async fn parameters_in_the_query() {
    let world = World::start(Setup::default()).await;
    let query = format!("/token?{}", world.tx().encoded());
    refuses(&world, "all", world.form(&query), CLIENT, "no_credentials").await;
    let known = world.form(&query).basic("basic-app");
    refuses(&world, "the grant", known, malformed("grant_type_missing"), "grant_type_missing").await;
    // A parameter in the query string counts as absent.
    let scope = world.tx().without("scope").path("/token?scope=tickets%3Asearch");
    let wire = crate::expect::scope("scope_missing");
    refuses(&world, "scope alone", scope, wire, "scope_missing").await;
}

async fn a_get() {
    let world = World::start(Setup::default()).await;
    let query = format!("/token?{}", world.tx().encoded());
    let wire = (405, "invalid_request", "method_not_allowed");
    let request = world.form(&query).method("GET");
    let answer = refuses(&world, "GET", request, wire, "method_not_allowed").await;
    assert_eq!(answer.header("allow"), Some("POST"));
}

async fn a_body_over_the_limit() {
    let world = World::start(Setup::default()).await;
    let of_length = |length: usize| {
        let body = format!("{}&padding=", world.tx().encoded());
        let padding = "x".repeat(length - body.len());
        world.tx().raw("application/x-www-form-urlencoded", format!("{body}{padding}"))
    };
    of_length(64 * 1024).send().await.granted();
    let wire = (413, "invalid_request", "body_too_large");
    for length in [64 * 1024 + 1, 1_000_000] {
        refuses(&world, &format!("{length} bytes"), of_length(length), wire, "body_too_large").await;
    }
}

async fn a_form_that_does_not_decode() {
    let world = World::start(Setup::default()).await;
    let good = world.tx().encoded();
    for (what, tail) in [
        ("no hex digit", &b"&purpose=%zz"[..]),
        ("cut short", b"&purpose=%4"),
        ("a bare percent", b"&purpose=100%"),
        ("NUL, escaped", b"&purpose=a%00b"),
        ("NUL", b"&purpose=a\0b"),
        ("invalid UTF-8, escaped", b"&purpose=%ff%fe"),
        ("invalid UTF-8", b"&purpose=\xc3\x28"),
        ("overlong UTF-8", b"&purpose=%c0%af"),
        ("a surrogate", b"&purpose=%ed%a0%80"),
        ("in a name", b"&%ff=x"),
        ("in an unknown parameter", b"&foo=%zz"),
    ] {
        let body = [good.as_bytes(), tail].concat();
        let request = world.tx().raw("application/x-www-form-urlencoded", body);
        refuses(&world, what, request, malformed("form_malformed"), "form_malformed").await;
    }
}

async fn a_requested_type_that_is_not_issued() {
    let world = World::start(Setup::default()).await;
    let wire = malformed("requested_token_type_unsupported");
    for other in ["urn:ietf:params:oauth:token-type:saml2", JWT_TYPE, "garbage"] {
        let request = world.tx().set("requested_token_type", other);
        refuses(&world, other, request, wire, "requested_token_type_unsupported").await;
    }
}

async fn authorization_details_of_no_known_type() {
    let world = World::start(Setup::default()).await;
    for details in [
        "not json",
        "[]",
        "{}",
        "null",
        "[{\"type\":\"unheard-of\"}]",
        "[{\"type\":\"booking\",\"actions\":[\"everything\"]}]",
        "[{\"type\":1}]",
    ] {
        let request = world.tx().set("authorization_details", details);
        refuses(&world, details, request, DETAILS, "authorization_details").await;
    }
    // At a later hop too; empty counts as not sent.
    let files = world.files_token().await;
    let request = world.onward_tx(&files).set("authorization_details", "[{\"type\":\"booking\"}]");
    refuses(&world, "later hop", request, DETAILS, "authorization_details").await;
    world.tx().set("authorization_details", "").send().await.granted();
}
