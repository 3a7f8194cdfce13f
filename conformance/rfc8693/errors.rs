//! RFC 8693 §2.2.2: the answer to what is refused, and to what cannot be decided.

use serde_json::json;

use crate::expect::{
    ASSURANCE, CLIENT, NO_TARGET, NO_URI, POLICY, SUBJECT, TARGET_MISSING, Wire, is_unavailable, refuses,
    scope,
};
use crate::harness::{Cases, case};
use crate::requests::with_a_bit_flipped;
use crate::world::{Answer, JWT_TYPE, Request, Setup, World};

pub fn cases() -> Cases {
    vec![
        case("8693-2.2.2-01", an_unacceptable_token_is_an_invalid_request),
        case("8693-2.2.2-02", a_refused_target_is_an_invalid_target),
        case("8693-2.2.2-03", the_other_codes_mean_what_rfc_6749_says),
        case("8693-2.2.2-04", all_faults_of_one_token_look_the_same),
        case("8693-2.2.2-05", nothing_sent_comes_back_in_an_error),
        case("8693-2.2.2-06", what_cannot_be_decided_is_503),
    ]
}

const NO_BOOKING: &str = r#"
@id("exchange")
permit (principal, action == Deputy::Action::"exchange", resource);

@id("no-booking")
forbid (principal, action == Deputy::Action::"exchange", resource)
when { context.scopes.contains("tickets:book") };
"#;

async fn an_unacceptable_token_is_an_invalid_request() {
    let world = World::start(Setup::default().policy(NO_BOOKING)).await;
    let now = world.now();
    let with = |token: crate::world::Jwt| world.tx().set("subject_token", &token.sign());
    let expired = world.id_token().claim("iat", now - 300).claim("exp", now - 120);
    let forged = world.id_token().signed_by(&world.other_provider.key);
    let stranger = world.id_token().claim("iss", world.other_provider.issuer.as_str());
    let weak = world.id_token().claim("amr", json!(["pwd"])).without("acr");
    let not_them = world.id_token().claim("may_act", json!({"sub": "someone-else"}));
    let revoked = world.files_token().await;
    let answer = world.form("/revoke").set("token", &revoked).by_assertion("assistant").send().await;
    assert_eq!(answer.status, 200, "{}", answer.text);

    let table: Vec<(&str, Request<'_>, Wire, &str)> = vec![
        ("expired", with(expired), SUBJECT, "expired"),
        ("forged", with(forged), SUBJECT, "signature"),
        ("revoked", world.onward_tx(&revoked), SUBJECT, "revoked"),
        ("wrong issuer", with(stranger), SUBJECT, "issuer_untrusted"),
        (
            "wrong audience",
            with(world.id_token().claim("aud", "shop-app")),
            SUBJECT,
            "audience|relying_party",
        ),
        ("wrong type", with(world.id_token().header("typ", "logout+jwt")), SUBJECT, "kind"),
        ("insufficient MFA", with(weak), ASSURANCE, "assurance_insufficient"),
        ("may_act mismatch", with(not_them), SUBJECT, "may_act"),
        ("policy no", world.tx().set("scope", "tickets:book"), POLICY, "policy_denied"),
    ];
    for (what, request, wire, cause) in table {
        refuses(&world, what, request, wire, cause).await;
    }
    world.tx().send().await.granted();
}

async fn a_refused_target_is_an_invalid_target() {
    let world = World::start(Setup::default()).await;
    let files = world.files_token().await;
    let resource = |text: &str| world.tx().without("audience").set("resource", text);
    let table: Vec<(&str, Request<'_>, Wire, &str)> = vec![
        ("unknown audience", world.tx().set("audience", "nowhere"), NO_TARGET, "target_unknown"),
        ("unknown resource", resource("https://nowhere.example"), NO_TARGET, "target_unknown"),
        ("malformed", resource("nowhere"), NO_URI, "target_malformed"),
        ("none", world.tx().without("audience"), TARGET_MISSING, "target_missing"),
        (
            "not among the client's",
            world.tx().set("audience", "https://archive.example/").set("scope", "files.read"),
            NO_TARGET,
            "target_not_allowed",
        ),
        (
            "not on the onward list",
            world.onward_tx(&files).set("audience", "tickets"),
            crate::expect::NOT_ONWARD,
            "target_not_onward",
        ),
    ];
    for (what, request, wire, cause) in table {
        refuses(&world, what, request, wire, cause).await;
    }
}

async fn the_other_codes_mean_what_rfc_6749_says() {
    let world = World::start(Setup::default()).await;
    let foreign = world.assertion("assistant").signed_by(world.key_of("stranger")).sign();
    let table: Vec<(&str, Request<'_>, Wire, &str)> = vec![
        ("bad assertion", world.tx().with_assertion(&foreign), CLIENT, "assertion_signature"),
        (
            "grant not registered",
            world.tx().basic("no-exchange"),
            (400, "unauthorized_client", "grant_not_registered"),
            "grant_not_registered",
        ),
        (
            "another grant",
            world.tx().set("grant_type", "password"),
            (400, "unsupported_grant_type", "grant_type_unsupported"),
            "grant_type_unsupported",
        ),
        (
            "too much scope",
            world.tx().basic("basic-app").set("scope", "tickets:book"),
            scope("scope_not_allowed"),
            "scope_not_in_client",
        ),
    ];
    for (what, request, wire, cause) in table {
        refuses(&world, what, request, wire, cause).await;
    }
}

async fn all_faults_of_one_token_look_the_same() {
    let world = World::start(Setup::default()).await;
    let revoked = world.files_token().await;
    let revocation = world.form("/revoke").set("token", &revoked).by_assertion("assistant").send().await;
    assert_eq!(revocation.status, 200, "{}", revocation.text);
    let good = world.files_token().await;
    let forged = with_a_bit_flipped(&good);

    let mut answers = vec![
        ("revoked", refuses(&world, "revoked", world.onward_tx(&revoked), SUBJECT, "revoked").await),
        ("forged", refuses(&world, "forged", world.onward_tx(&forged), SUBJECT, "signature").await),
        // A client other than the audience presents the token: a fault of binding, with the same answer.
        (
            "stolen",
            refuses(
                &world,
                "stolen",
                world.onward("stranger", &good, "https://files.example/", "files.read"),
                SUBJECT,
                "not_yours",
            )
            .await,
        ),
        ("garbage", refuses(&world, "garbage", world.onward_tx("x"), SUBJECT, "malformed").await),
    ];
    world.advance(301);
    answers.push(("expired", refuses(&world, "expired", world.onward_tx(&good), SUBJECT, "expired").await));

    let shape = |answer: &Answer| {
        let mut headers: Vec<String> = answer
            .headers
            .iter()
            .filter(|(name, _)| *name != "date")
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        headers.sort();
        (answer.status, headers, answer.anonymous_body())
    };
    let first = shape(&answers[0].1);
    for (what, answer) in &answers[1..] {
        assert_eq!(shape(answer), first, "{what}");
    }

    // The same for an actor token.
    let unlike = [
        world.workload_token("planner").signed_by(&world.provider.key),
        world.workload_token("planner").claim("exp", world.now() - 120).claim("iat", world.now() - 200),
        world.workload_token("planner").claim("aud", "elsewhere"),
        world.workload_token("unheard-of"),
        world.workload_token("age"),
    ];
    let mut bodies = Vec::new();
    for token in unlike {
        let answer = world.tx().actor(&token.sign()).send().await;
        crate::expect::is_refused("an actor token", &answer, crate::expect::ACTOR);
        bodies.push(shape(&answer));
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
}

async fn nothing_sent_comes_back_in_an_error() {
    let world = World::start(Setup::default()).await;
    let marks = ["\"canary\"", "can\\ary", "can\r\nary: x", "canäry", "<canary>"];
    for name in [
        "grant_type",
        "subject_token",
        "subject_token_type",
        "actor_token_type",
        "requested_token_type",
        "resource",
        "audience",
        "scope",
        "client_assertion",
        "client_assertion_type",
        "authorization_details",
        "task",
        "purpose",
    ] {
        for mark in marks {
            let mut request = world.tx().set(name, mark);
            if name == "actor_token_type" {
                request = request.set("actor_token", "x");
            }
            let answer = request.send().await;
            if answer.status == 200 {
                // A purpose may hold quotes; it is nowhere in the answer.
                assert_eq!(name, "purpose", "{mark}");
            } else {
                answer.refused(answer.status, answer.body["error"].as_str().expect("error"));
            }
            assert!(!answer.text.contains("ary"), "{name}={mark}: {}", answer.text);
        }
    }
    let actor = world.tx().set("actor_token", "canary").set("actor_token_type", JWT_TYPE).send().await;
    assert!(!actor.text.contains("canary"), "{}", actor.text);
}

const OVERFLOWS: &str = r#"
@id("exchange")
permit (principal, action == Deputy::Action::"exchange", resource);

@id("overflows")
forbid (principal, action == Deputy::Action::"exchange", resource)
when {
  context.scopes.contains("tickets:book")
  && context.lifetime_seconds * 9223372036854775807 > 0
};
"#;

async fn what_cannot_be_decided_is_503() {
    // No key source: the provider is down and its keys were never seen.
    let world = World::start(Setup::default()).await;
    world.provider.stop().await;
    is_unavailable("key source", world.tx()).await;
    assert_eq!(world.minted().await, 0);

    // No policy decision.
    let world = World::start(Setup::default().policy(OVERFLOWS)).await;
    is_unavailable("policy engine", world.tx().set("scope", "tickets:book")).await;
    assert_eq!(world.minted().await, 0);
    world.tx().send().await.granted();

    // No records of what was revoked.
    let world = World::start(Setup::default()).await;
    let subject = world.files_token().await;
    world.onward_tx(&subject).send().await.granted();
    world.sql("ALTER TABLE token RENAME TO token_gone");
    is_unavailable("revocation store, later hop", world.onward_tx(&subject)).await;
    is_unavailable("revocation store, hop 0", world.tx()).await;

    // Nowhere to write the audit.
    let world = World::start(Setup::default()).await;
    world.tx().send().await.granted();
    world.sql("ALTER TABLE audit RENAME TO audit_gone");
    is_unavailable("audit", world.tx()).await;
    world.sql("ALTER TABLE audit_gone RENAME TO audit");
    assert_eq!(world.minted().await, 1, "nothing was minted without its row");

    // A clock that cannot be right.
    let world = World::start(Setup::default()).await;
    world.tx().send().await.granted();
    world.clock.set(world.now() - 61);
    is_unavailable("clock", world.tx()).await;
}
