//! RFC 8693 §2.1: the request, but for `resource`, `audience` and `scope`.

use crate::expect::{ACTOR, CLIENT, SUBJECT, malformed, refuses};
use crate::harness::{Cases, case};
use crate::world::{ACCESS_TOKEN_TYPE, GRANT_TYPE, ID_TOKEN_TYPE, JWT_TYPE, Setup, World};

pub fn cases() -> Cases {
    vec![
        case("8693-2.1-01", an_exchange_is_a_form_posted_to_the_token_endpoint),
        case("8693-2.1-02", other_methods_and_other_bodies_are_refused),
        case("8693-2.1-03", the_grant_type_is_compared_exactly),
        case("8693-2.1-04", a_subject_token_is_required),
        case("8693-2.1-05", a_subject_token_type_is_required),
        case("8693-2.1-06", an_actor_token_needs_its_type),
        case("8693-2.1-07", an_actor_token_type_needs_its_token),
        case("8693-2.1-08", an_empty_value_counts_as_not_sent),
        case("8693-2.1-10", a_parameter_sent_twice_is_refused),
        case("8693-2.1-11", an_unknown_parameter_is_ignored),
        case("8693-2.1-16", without_a_requested_type_an_access_token_is_issued),
        case("8693-2.1-17", a_type_that_is_not_issued_here_is_never_answered_with_success),
        case("8693-2.1-18", a_token_is_judged_by_its_declared_type_only),
        case("8693-2.1-19", every_exchange_needs_an_authenticated_client),
        case("8693-2.1-20", a_client_without_the_grant_may_not_use_it),
        case("8693-2.1-21", an_exchange_leaves_the_subject_token_as_it_was),
        case("8693-2.1-22", revoking_the_subject_token_ends_what_was_derived_from_it),
    ]
}

async fn an_exchange_is_a_form_posted_to_the_token_endpoint() {
    let world = World::start(Setup::default()).await;

    world.tx().send().await.granted();
    // A charset parameter changes nothing.
    let body = world.tx().encoded();
    world.form("/token").raw("application/x-www-form-urlencoded; charset=UTF-8", body).send().await.granted();

    // Everything in the query: not even the client is known.
    let in_query = format!("/token?{}", world.tx().encoded());
    refuses(&world, "all in the query", world.form(&in_query), CLIENT, "no_credentials").await;
    // The client known by its header, the rest in the query: a required parameter is missing.
    let authenticated = world.form(&in_query).basic("basic-app");
    let missing = malformed("grant_type_missing");
    refuses(&world, "parameters in the query", authenticated, missing, "grant_type_missing").await;
}

async fn other_methods_and_other_bodies_are_refused() {
    let world = World::start(Setup::default()).await;
    let method = (405, "invalid_request", "method_not_allowed");
    for other in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let answer = refuses(&world, other, world.tx().method(other), method, "method_not_allowed").await;
        assert_eq!(answer.header("allow"), Some("POST"), "{other}");
    }

    let pairs = world.tx().encoded();
    let json = serde_json::json!({"grant_type": GRANT_TYPE, "scope": "tickets:search"}).to_string();
    let multipart =
        "--x\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nx\r\n--x--\r\n".to_owned();
    for (content_type, body) in [
        ("application/json", json),
        ("multipart/form-data; boundary=x", multipart),
        ("text/plain", pairs.clone()),
        ("application/x-www-form-urlencoded; charset=iso-8859-1", pairs.clone()),
        ("application/x-www-form-urlencodedx", pairs),
    ] {
        let request = world.tx().raw(content_type, body);
        refuses(&world, content_type, request, malformed("media_type"), "media_type").await;
    }
}

async fn the_grant_type_is_compared_exactly() {
    let world = World::start(Setup::default()).await;
    let unsupported = (400, "unsupported_grant_type", "grant_type_unsupported");
    for other in [
        "urn:ietf:params:oauth:grant-type:Token-Exchange",
        "URN:ietf:params:oauth:grant-type:token-exchange",
        &format!("{GRANT_TYPE} "),
        &format!(" {GRANT_TYPE}"),
        "token-exchange",
        "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange",
    ] {
        let request = world.tx().set("grant_type", other);
        refuses(&world, other, request, unsupported, "grant_type_unsupported").await;
    }
    let request = world.tx().without("grant_type");
    let missing = malformed("grant_type_missing");
    refuses(&world, "no grant_type", request, missing, "grant_type_missing").await;
}

async fn a_subject_token_is_required() {
    let world = World::start(Setup::default()).await;
    let request = world.tx().without("subject_token");
    let wire = malformed("subject_token_missing");
    refuses(&world, "no subject_token", request, wire, "subject_token_missing").await;
}

async fn a_subject_token_type_is_required() {
    let world = World::start(Setup::default()).await;
    let own = world.files_token().await;
    // Both could be recognised by looking at them.
    for request in [world.tx(), world.onward_tx(&own)] {
        let request = request.without("subject_token_type");
        let wire = malformed("subject_token_type_missing");
        refuses(&world, "no subject_token_type", request, wire, "subject_token_type_missing").await;
    }
}

async fn an_actor_token_needs_its_type() {
    let world = World::start(Setup::default()).await;
    let actor = world.workload_token("planner").sign();
    let request = world.tx().set("actor_token", &actor);
    let wire = malformed("actor_token_type_missing");
    refuses(&world, "no actor_token_type", request, wire, "actor_token_type_missing").await;
}

async fn an_actor_token_type_needs_its_token() {
    let world = World::start(Setup::default()).await;
    let request = world.tx().set("actor_token_type", JWT_TYPE);
    let wire = malformed("actor_token_missing");
    refuses(&world, "no actor_token", request, wire, "actor_token_missing").await;
}

async fn an_empty_value_counts_as_not_sent() {
    let world = World::start(Setup::default()).await;

    let request = world.tx().set("subject_token", "");
    let wire = malformed("subject_token_missing");
    refuses(&world, "subject_token=", request, wire, "subject_token_missing").await;

    let answer = world.tx().set("actor_token", "").set("actor_token_type", "").send().await;
    let claims = answer.claims();
    assert_eq!(claims["act"]["sub"], world.agent_of("assistant").as_str(), "no actor: the client acts");

    let request = world.tx().set("actor_token", "").set("actor_token_type", JWT_TYPE);
    let wire = malformed("actor_token_missing");
    refuses(&world, "actor_token= with a type", request, wire, "actor_token_missing").await;
}

async fn a_parameter_sent_twice_is_refused() {
    let world = World::start(Setup::default()).await;
    let full = || {
        let actor = world.workload_token("planner").sign();
        world.tx().actor(&actor).set("requested_token_type", ACCESS_TOKEN_TYPE)
    };
    full().send().await.granted();
    for name in [
        "grant_type",
        "subject_token",
        "subject_token_type",
        "actor_token",
        "actor_token_type",
        "requested_token_type",
        "scope",
        "client_id",
        "client_secret",
        "client_assertion",
        "client_assertion_type",
        "authorization_details",
        "task",
        "purpose",
        "foo",
    ] {
        for second in ["the same", "another"] {
            let request = full();
            let value = request.value(name).unwrap_or("x").to_owned();
            let value_too = if second == "the same" { value.clone() } else { format!("{value}x") };
            let request = request.set(name, &value).also(name, &value_too);
            let what = format!("{name} twice, {second} value");
            let wire = malformed("parameter_repeated");
            refuses(&world, &what, request, wire, "parameter_repeated").await;
        }
    }
}

async fn an_unknown_parameter_is_ignored() {
    let world = World::start(Setup::default()).await;
    let id_token = world.id_token().sign();
    let exchange = || world.tx().set("subject_token", &id_token);

    let plain = exchange().send().await;
    let with_foo = exchange().set("foo", "bar").set("act", "bar").send().await;

    let without_id = |answer: &crate::world::Answer| {
        let mut claims = answer.claims();
        claims.as_object_mut().unwrap().remove("jti").expect("jti differs from token to token");
        claims
    };
    assert_eq!(without_id(&plain), without_id(&with_foo));
    assert_eq!(plain.token_header(), with_foo.token_header());
    for member in ["issued_token_type", "token_type", "expires_in", "scope", "task"] {
        assert_eq!(plain.body[member], with_foo.body[member], "{member}");
    }
    assert!(!with_foo.claims().to_string().contains("foo"));
}

async fn without_a_requested_type_an_access_token_is_issued() {
    let world = World::start(Setup::default()).await;
    for request in [world.tx(), world.task_tx(), world.tx().set("requested_token_type", "")] {
        let answer = request.without("requested_token_type").send().await;
        answer.granted();
        assert_eq!(answer.body["issued_token_type"], ACCESS_TOKEN_TYPE);
    }
}

async fn a_type_that_is_not_issued_here_is_never_answered_with_success() {
    let world = World::start(Setup::default()).await;
    for other in [
        "urn:ietf:params:oauth:token-type:saml2",
        "urn:ietf:params:oauth:token-type:saml1",
        "urn:ietf:params:oauth:token-type:refresh_token",
        ID_TOKEN_TYPE,
        JWT_TYPE,
        "urn:example:unknown",
        "urn:ietf:params:oauth:token-type:Access_Token",
        "access_token",
    ] {
        let request = world.tx().set("requested_token_type", other);
        let wire = malformed("requested_token_type_unsupported");
        refuses(&world, other, request, wire, "requested_token_type_unsupported").await;
    }
}

async fn a_token_is_judged_by_its_declared_type_only() {
    let world = World::start(Setup::default()).await;
    let own = world.files_token().await;
    let task = world.task_token().await;
    let id_token = || world.id_token().sign();
    let workload = || world.workload_token("planner").sign();

    let as_own = world.tx().set("subject_token_type", ACCESS_TOKEN_TYPE);
    refuses(&world, "an ID token as access token", as_own, SUBJECT, "kind").await;
    for token in [own.clone(), task, workload()] {
        let request = world.tx().set("subject_token", &token);
        refuses(&world, "another token as ID token", request, SUBJECT, "issuer_untrusted|kind").await;
    }
    for token in [own.clone(), id_token()] {
        let request = world.tx().actor(&token);
        refuses(&world, "another token as actor token", request, ACTOR, "issuer_untrusted").await;
    }
    // A good workload's credential under a type that names a role it does not have.
    for other in [ACCESS_TOKEN_TYPE, ID_TOKEN_TYPE] {
        let request = world.tx().actor(&workload()).set("actor_token_type", other);
        let wire = malformed("actor_token_type_unsupported");
        refuses(&world, other, request, wire, "actor_token_type_unsupported").await;
    }
}

async fn every_exchange_needs_an_authenticated_client() {
    let world = World::start(Setup::default()).await;
    refuses(&world, "nothing", world.tx().anonymous(), CLIENT, "no_credentials").await;
    // A public client names itself and proves nothing.
    for name in ["assistant", "basic-app", "nobody"] {
        let request = world.tx().anonymous().set("client_id", name);
        refuses(&world, "a public client", request, CLIENT, "no_credentials").await;
    }
    let own = world.files_token().await;
    let request = world.onward_tx(&own).anonymous();
    refuses(&world, "nothing at a later hop", request, CLIENT, "no_credentials").await;
}

async fn a_client_without_the_grant_may_not_use_it() {
    let world = World::start(Setup::default()).await;
    let wire = (400, "unauthorized_client", "grant_not_registered");
    let request = world.tx().basic("no-exchange");
    refuses(&world, "grants = []", request, wire, "grant_not_registered").await;
    world.tx().basic("basic-app").send().await.granted();
}

async fn an_exchange_leaves_the_subject_token_as_it_was() {
    let world = World::start(Setup::default()).await;
    let subject = world.files_token().await;
    let before = world.introspect_as("files-api", &subject).await;
    assert_eq!(before.body["active"], true, "{}", before.text);

    world.onward_tx(&subject).send().await.granted();

    let after = world.introspect_as("files-api", &subject).await;
    assert_eq!(before.body, after.body);
    // It is not consumed: it can be exchanged again.
    world.onward_tx(&subject).send().await.granted();
}

async fn revoking_the_subject_token_ends_what_was_derived_from_it() {
    let world = World::start(Setup::default()).await;
    let subject = world.files_token().await;
    let derived = world.onward_tx(&subject).send().await.granted();
    let unrelated = world.files_token().await;
    assert_eq!(world.introspect_as("files-api", &derived).await.body["active"], true);

    let revoked = world.form("/revoke").set("token", &subject).by_assertion("assistant").send().await;
    assert_eq!(revoked.status, 200, "{}", revoked.text);

    for token in [&subject, &derived] {
        let answer = world.introspect_as("files-api", token).await;
        assert_eq!(answer.body, serde_json::json!({"active": false}));
    }
    assert_eq!(world.introspect_as("files-api", &unrelated).await.body["active"], true);
    refuses(&world, "a revoked subject", world.onward_tx(&subject), SUBJECT, "revoked").await;
}
