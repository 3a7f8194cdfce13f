//! RFC 7662: token introspection.

use serde_json::{Value, json};

use crate::expect::{CLIENT, THROTTLED, assert_inactive, malformed};
use crate::harness::{Cases, case, skip};
use crate::requests::with_a_bit_flipped;
use crate::world::{Key, Setup, World, claims_of, header_of};

/// The cases of this file.
pub fn cases() -> Cases {
    vec![
        case("7662-2.1-01", introspection_is_a_form_with_one_token),
        case("7662-2.1-02", introspection_by_get_is_refused),
        case("7662-2.1-03", introspection_needs_client_authentication),
        skip(
            "7662-2.1-04",
            "callers authenticate as clients; there is no bearer token for this endpoint (that one does not do is 7662-2.1-03)",
        ),
        case("7662-2.1-05", a_hint_changes_nothing),
        case("7662-2.2-01", active_is_a_boolean),
        case("7662-2.2-02", each_violated_condition_alone_makes_a_token_inactive),
        case("7662-2.2-03", all_inactive_tokens_look_the_same),
        case("AGD-15", all_inactive_tokens_look_the_same),
        case("7662-2.2-04", an_inactive_token_is_no_error),
        case("7662-2.2-05", an_active_token_is_answered_with_its_own_claims),
        case("7662-2.2-06", the_token_type_is_bearer),
        case("7662-2.2-07", actors_and_the_login_stand_at_the_top_level),
        case("7662-2.2-08", a_resource_server_sees_its_own_tokens_alone),
        case("7662-2.2-09", a_username_is_never_told),
        case("7662-2.3-01", a_failed_authentication_says_nothing_of_the_token),
        case("7662-4-01", no_introspection_answer_is_cached),
        case("7662-4-02", a_caller_that_guesses_is_throttled),
        case("7662-4-03", plain_http_is_served_on_literal_loopback_alone),
        case("7662-4-04", a_revocation_shows_in_the_next_answer),
        case("7662-5-01", the_audit_names_caller_and_jti_and_no_token),
    ]
}

async fn introspection_is_a_form_with_one_token() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();
    let request = || world.form("/introspect").set("token", &token).basic("tickets-api");
    assert_eq!(request().send().await.body["active"], true);

    for broken in [request().without("token"), request().set("token", "")] {
        broken.send().await.refused_because(&world, malformed("token_missing"), "token_missing").await;
    }
    let twice = request().also("token", &token).send().await;
    twice.refused_because(&world, malformed("parameter_repeated"), "parameter_repeated").await;
    let as_json = request().raw("application/json", json!({"token": token}).to_string()).send().await;
    as_json.refused_because(&world, malformed("media_type"), "media_type").await;
}

async fn introspection_by_get_is_refused() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();

    let answer =
        world.form(&format!("/introspect?token={token}")).basic("tickets-api").method("GET").send().await;
    answer.refused(405, "invalid_request");
    assert_eq!(answer.header("allow"), Some("POST"));
    assert!(answer.body.get("active").is_none());
}

async fn introspection_needs_client_authentication() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();
    let request = || world.form("/introspect").set("token", &token);

    let without = request().send().await;
    without.refused_because(&world, CLIENT, "no_credentials").await;
    assert_eq!(without.header("www-authenticate"), Some("private_key_jwt realm=\"deputy\""));
    let bearer = request().header("Authorization", &format!("Bearer {token}")).send().await;
    bearer.refused(401, "invalid_client");
    let wrong = request().basic_with("tickets-api:wrong").send().await;
    wrong.refused_because(&world, CLIENT, "secret_wrong").await;
}

async fn a_hint_changes_nothing() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();
    let plain = world.introspect_as("tickets-api", &token).await;
    assert_eq!(plain.body["active"], true);

    for hint in ["access_token", "refresh_token", "banana", "urn:x:y"] {
        let request = world.form("/introspect").set("token", &token).basic("tickets-api");
        let hinted = request.set("token_type_hint", hint).send().await;
        assert_eq!((hinted.status, &hinted.text), (200, &plain.text), "{hint}");
    }
}

async fn active_is_a_boolean() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();

    for (token, is_active) in [(token.as_str(), true), ("garbage", false)] {
        let answer = world.introspect_as("tickets-api", token).await;
        assert_eq!(answer.status, 200);
        assert!(answer.header("content-type").unwrap().starts_with("application/json"));
        assert_eq!(answer.body["active"], Value::Bool(is_active));
    }
}

/// The token with its claims, header `typ` and `kid`, signed by somebody else.
fn forged(token: &str) -> String {
    let attacker = Key::new("attacker");
    attacker.sign_text(&header_of(token).to_string(), &claims_of(token).to_string())
}

async fn each_violated_condition_alone_makes_a_token_inactive() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();
    assert!(world.is_active(&token).await);

    assert_inactive(&world.introspect_as("tickets-api", &forged(&token)).await);
    assert_inactive(&world.introspect_as("tickets-api", &with_a_bit_flipped(&token)).await);
    // Another resource server, and a client that is none.
    assert_inactive(&world.introspect_as("files-api", &token).await);
    assert_inactive(&world.introspect_as("basic-app", &token).await);
    // A task token is for nobody but Deputy itself.
    let task_token = world.task_token().await;
    for caller in ["tickets-api", "files-api", "basic-app"] {
        assert_inactive(&world.introspect_as(caller, &task_token).await);
    }
    // Revoked.
    let revoked = world.tx().send().await.granted();
    assert!(world.is_active(&revoked).await);
    world.form("/revoke").set("token", &revoked).by_assertion("assistant").send().await;
    assert_inactive(&world.introspect_as("tickets-api", &revoked).await);
    // The task it belongs to is over.
    let orphaned = world.onward("assistant", &task_token, "tickets", "tickets:search").send().await.granted();
    assert!(world.is_active(&orphaned).await);
    world.form("/revoke").set("token", &task_token).by_assertion("assistant").send().await;
    assert_inactive(&world.introspect_as("tickets-api", &orphaned).await);
    // The token expires at `exp` itself, without leeway; it is active one second earlier.
    assert!(world.is_active(&token).await);
    world.advance(299);
    assert!(world.is_active(&token).await);
    world.advance(1);
    assert_inactive(&world.introspect_as("tickets-api", &token).await);
}

async fn all_inactive_tokens_look_the_same() {
    let world = World::start(Setup::default()).await;
    let expired = world.tx().send().await.granted();
    world.advance(300);
    let live = world.tx().send().await.granted();
    let revoked = world.tx().send().await.granted();
    world.form("/revoke").set("token", &revoked).by_assertion("assistant").send().await;
    let foreign = world.id_token().sign();

    let mut bodies = Vec::new();
    for token in
        [&expired, &revoked, &forged(&live), &with_a_bit_flipped(&live), &foreign, "malformed", "a.b.c", "."]
    {
        let answer = world.introspect_as("tickets-api", token).await;
        assert_inactive(&answer);
        bodies.push((answer.status, answer.text));
    }
    let not_for_you = world.introspect_as("files-api", &live).await;
    assert_inactive(&not_for_you);
    assert!(bodies.iter().all(|body| body == &(not_for_you.status, not_for_you.text.clone())));
    assert!(world.is_active(&live).await, "the world is valid");
}

async fn an_inactive_token_is_no_error() {
    let world = World::start(Setup::default()).await;

    let unknown = world.introspect_as("tickets-api", "never-issued").await;
    assert_inactive(&unknown);
    assert!(unknown.body.get("error").is_none());
    assert!(unknown.header("content-type").unwrap().starts_with("application/json"));
}

async fn an_active_token_is_answered_with_its_own_claims() {
    let world = World::start(Setup::default()).await;
    let pairwise = world.tx().send().await.granted();
    let upstream = world.files_token().await;

    for (caller, token) in [("tickets-api", &pairwise), ("files-api", &upstream)] {
        let answer = world.introspect_as(caller, token).await;
        // Introspection shows exactly the token's own claims and who is behind it, and numbers stay numbers.
        let mut expected = claims_of(token);
        expected["active"] = Value::Bool(true);
        expected["delegator_kind"] = "user".into();
        expected["token_type"] = "Bearer".into();
        assert_eq!(answer.body, expected);
        for member in ["scope", "client_id", "sub", "aud", "iss", "jti"] {
            assert!(answer.body[member].is_string(), "{member}");
        }
        for member in ["exp", "iat"] {
            assert!(answer.body[member].is_i64(), "{member}");
        }
    }
}

async fn the_token_type_is_bearer() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();

    let answer = world.introspect_as("tickets-api", &token).await;
    assert_eq!(answer.body["token_type"], "Bearer");
}

async fn actors_and_the_login_stand_at_the_top_level() {
    let world = World::start(Setup::default()).await;
    let for_agent =
        world.tx().set("audience", "age-agent").set("scope", "age_over_18").send().await.granted();
    let answered = world.age_tx(&for_agent).send().await.granted();
    let upstream = world.files_token().await;

    let nested = world.introspect_as("tickets-api", &answered).await;
    assert_eq!(nested.body["act"], claims_of(&answered)["act"]);
    assert!(nested.body["act"]["act"]["sub"].is_string(), "both actors: {}", nested.text);
    assert_eq!(nested.body["age_over_18"], true);
    let login = world.introspect_as("files-api", &upstream).await;
    assert_eq!((&login.body["acr"], &login.body["auth_time"]), (&json!("phr"), &json!(world.now() - 30)));
    assert_eq!(login.body["act"], claims_of(&upstream)["act"]);
    // No token of this version has these claims, so the answer does not have them either.
    for member in ["may_act", "cnf", "authorization_details"] {
        assert!(login.body.get(member).is_none(), "{member}");
    }
}

async fn a_resource_server_sees_its_own_tokens_alone() {
    let world = World::start(Setup::default()).await;
    let tickets = world.tx().send().await.granted();
    let files = world.files_token().await;

    let own = world.introspect_as("files-api", &files).await;
    assert_eq!((&own.body["active"], &own.body["scope"]), (&json!(true), &json!("files.read")));
    assert_inactive(&world.introspect_as("tickets-api", &files).await);
    assert_inactive(&world.introspect_as("files-api", &tickets).await);
}

async fn a_username_is_never_told() {
    let world = World::start(Setup::default()).await;
    let id_token = world.id_token().claim("preferred_username", "alice").sign();
    let token = world.tx().set("subject_token", &id_token).send().await.granted();

    let answer = world.introspect_as("tickets-api", &token).await;
    assert_eq!(answer.body["active"], true);
    for member in ["username", "preferred_username", "name", "email", "birthdate"] {
        assert!(answer.body.get(member).is_none(), "{member}");
    }
}

async fn a_failed_authentication_says_nothing_of_the_token() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();

    let answer = world.form("/introspect").set("token", &token).basic_with("tickets-api:wrong").send().await;
    answer.refused(401, "invalid_client");
    assert!(answer.header("www-authenticate").unwrap().starts_with("Basic realm="));
    assert!(answer.body.get("active").is_none());
}

async fn no_introspection_answer_is_cached() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();
    let request = || world.form("/introspect").set("token", &token);

    let answers = [
        request().basic("tickets-api").send().await,
        request().basic("files-api").send().await,
        request().without("token").basic("tickets-api").send().await,
        request().send().await,
        request().method("GET").send().await,
        request().basic("tickets-api").raw("text/plain", "token=x").send().await,
    ];
    assert_eq!(answers.each_ref().map(|answer| answer.status), [200, 200, 400, 401, 405, 400]);
    for answer in answers {
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
    }
}

async fn a_caller_that_guesses_is_throttled() {
    let setup =
        Setup::default().replace("unknown_tokens_per_minute = 1000000", "unknown_tokens_per_minute = 5");
    let world = World::start(setup).await;
    let token = world.tx().send().await.granted();

    for _ in 0..5 {
        assert_inactive(&world.introspect_as("tickets-api", "guess").await);
    }
    let throttled = world.introspect_as("tickets-api", "guess").await;
    throttled.refused_because(&world, THROTTLED, "throttled").await;
    assert!(throttled.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
    assert!(throttled.body.get("active").is_none());
    // Questions about tokens that are the caller's own do not count, nor do other callers.
    assert!(world.is_active(&token).await);
    assert_inactive(&world.introspect_as("files-api", &token).await);
    world.advance(60);
    assert_inactive(&world.introspect_as("tickets-api", "guess").await);
}

/// Plain HTTP is served where issuer and listener are on loopback, TLS everywhere else.
async fn plain_http_is_served_on_literal_loopback_alone() {
    let world = World::start(Setup::default().tls()).await;
    let token = world.tx().send().await.granted();
    assert!(world.is_active(&token).await);

    let plain = world.issuer.replace("https://", "http://");
    let spoken = reqwest::Client::new().post(format!("{plain}/introspect")).body("token=x").send().await;
    assert!(spoken.is_err() || spoken.unwrap().status() != 200, "the TLS port speaks no plain HTTP");

    let config = |toml: &str| deputy::testing::Config::parse(toml, world.directory.path());
    assert!(config(&world.toml).is_ok());
    let without_tls = world.toml.split("\n[tls]").next().unwrap().to_owned();
    for (what, toml) in [
        ("an https issuer without TLS", without_tls.clone()),
        ("an http issuer by name", without_tls.replace(&world.issuer, "http://deputy.example")),
        (
            "an http issuer on every address",
            without_tls
                .replace(&world.issuer, &plain)
                .replace("public = \"127.0.0.1:", "public = \"0.0.0.0:"),
        ),
    ] {
        assert!(config(&toml).is_err(), "{what}");
    }
    assert!(config(&without_tls.replace(&world.issuer, &plain)).is_ok(), "loopback alone may be plain");
}

/// On every node: the database is asked at each call. JWKS-07 runs two nodes.
async fn a_revocation_shows_in_the_next_answer() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();
    assert!(world.is_active(&token).await);

    let revoked = world.form("/revoke").set("token", &token).by_assertion("assistant").send().await;
    assert_eq!(revoked.status, 200);
    assert_inactive(&world.introspect_as("tickets-api", &token).await);
}

async fn the_audit_names_caller_and_jti_and_no_token() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();
    let jti = claims_of(&token)["jti"].as_str().unwrap().to_owned();
    for _ in 0..3 {
        assert!(world.is_active(&token).await);
    }
    world.server().tidy().await.unwrap();

    let rows = world.audit().await;
    let told: Vec<_> = rows.iter().filter(|row| row["event"] == "introspection").collect();
    assert!(
        told.iter().all(|row| {
            row["outcome"] == "granted" && row["client"] == "tickets-api" && row["jti"] == jti
        })
    );
    let counts = told.iter().filter_map(|row| row["count"].as_u64());
    assert_eq!(counts.sum::<u64>(), 3, "{told:?}");
    assert!(!world.is_on_disk(&token));
    let signature = token.rsplit('.').next().unwrap();
    assert!(!world.is_on_disk(signature));
    assert!(world.is_on_disk(&jti), "what is looked for would be found");
}
