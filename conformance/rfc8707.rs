//! RFC 8707: resource indicators.

use crate::expect::{
    IS_DEPUTY, NO_TARGET, NO_URI, NOT_ONWARD, SEVERAL, TARGET_MISSING, Wire, refuses, refuses_config, scope,
};
use crate::harness::{Cases, case};
use crate::requests::to;
use crate::world::{Request, Setup, World, claims_of};

/// The cases of this file.
pub fn cases() -> Cases {
    vec![
        case("8707-2-01", a_resource_is_absolute_and_has_no_fragment),
        case("8707-2-02", a_query_is_part_of_the_identifier),
        case("8707-2-03", a_resource_is_compared_in_its_normal_form),
        case("8707-2-03", targets_with_one_normal_form_are_refused_at_load),
        case("8707-2-04", every_bad_resource_is_an_invalid_target),
        case("8707-2-05", the_audience_is_the_resource_and_nothing_else),
        case("8707-2.2-01", scope_is_that_of_the_resource),
        case("8707-2.2-02", a_hop_does_not_widen_the_targets),
        case("8707-3-01", deputy_is_no_resource),
        case("8707-3-02", a_token_is_for_one_target),
    ]
}

async fn a_resource_is_absolute_and_has_no_fragment() {
    let world = World::start(Setup::default()).await;
    to(&world, "https://files.example/").send().await.granted();
    for bad in [
        "https://files.example/#part",
        "https://files.example/#",
        "/",
        "files.example",
        "//files.example/",
        "https:",
        "https://",
        "?tenant=1",
    ] {
        refuses(&world, bad, to(&world, bad), NO_URI, "target_malformed").await;
    }
}

/// A world with one more target of the assistant's.
async fn with_target(identifier: &str) -> World {
    let setup = Setup::default()
        .replace("\"https://files.example/\", \"deep1\"]", &format!("\"{identifier}\", \"deep1\"]"))
        .add(&format!("[[target]]\nidentifier = \"{identifier}\"\nscopes = {{ \"files.read\" = {{}} }}"));
    World::start(setup).await
}

async fn a_query_is_part_of_the_identifier() {
    let world = with_target("https://api.example/v1?tenant=1").await;
    for spelling in ["https://api.example/v1?tenant=1", "https://api.example/v1?tenant=%31"] {
        to(&world, spelling).send().await.granted();
    }
    for other in [
        "https://api.example/v1",
        "https://api.example/v1?",
        "https://api.example/v1?tenant=2",
        "https://api.example/v1?tenant=1&x=2",
        "https://api.example/v1?Tenant=1",
    ] {
        refuses(&world, other, to(&world, other), NO_TARGET, "target_unknown").await;
    }
}

/// RFC 3986 §6.2.2 and §6.2.3; what the token is for is the configured text.
async fn a_resource_is_compared_in_its_normal_form() {
    let world = with_target("https://api.example").await;
    let spellings = [
        "https://api.example",
        "https://api.example/",
        "https://API.example",
        "HTTPS://api.example",
        "https://api.example:443",
        "https://api.example:443/",
        "https://api.example/./",
        "https://api%2Eexample",
    ];
    for spelling in spellings {
        let claims = to(&world, spelling).send().await.claims();
        assert_eq!(claims["aud"], "https://api.example", "{spelling}");
    }
    for other in [
        "https://api.example/v1",
        "https://api.example//",
        "https://api.example?",
        "https://api.example:8443",
        "https://api.example.evil.example",
        "https://api.exampl",
        "http://api.example",
        "https://x@api.example",
    ] {
        refuses(&world, other, to(&world, other), NO_TARGET, "target_unknown").await;
    }
    // A name is compared byte for byte.
    for name in &spellings[1..] {
        let by_name = world.tx().set("audience", name).set("scope", "files.read");
        refuses(&world, name, by_name, NO_TARGET, "target_unknown").await;
    }
    assert_eq!(world.minted().await, spellings.len());
}

/// Two targets with one normal form could not be told apart, and one that is Deputy's issuer not from Deputy.
async fn targets_with_one_normal_form_are_refused_at_load() {
    let world = with_target("https://api.example").await;
    let identifier = "identifier = \"https://api.example\"";
    for other in ["https://api.example/", "https://API.example", "https://api.example:443"] {
        let second = format!("identifier = \"{other}\"\n\n[[target]]\n{identifier}");
        refuses_config(&world, identifier, &second, "another spelling of the target");
    }
    let own = format!("identifier = \"{}/\"\n\n[[target]]\n{identifier}", world.issuer);
    refuses_config(&world, identifier, &own, "is Deputy's own issuer");
}

async fn every_bad_resource_is_an_invalid_target() {
    let world = World::start(Setup::default()).await;
    let table: [(&str, Request<'_>, Wire, &str); 4] = [
        ("invalid", to(&world, "https://files.example/#x"), NO_URI, "target_malformed"),
        ("missing", world.tx().without("audience"), TARGET_MISSING, "target_missing"),
        ("unknown", to(&world, "https://unknown.example/"), NO_TARGET, "target_unknown"),
        ("malformed", to(&world, "not a uri"), NO_URI, "target_malformed"),
    ];
    for (what, request, wire, cause) in table {
        refuses(&world, what, request, wire, cause).await;
    }
}

async fn the_audience_is_the_resource_and_nothing_else() {
    let world = World::start(Setup::default()).await;
    let by_resource = to(&world, "https://files.example/").send().await.claims();
    assert_eq!(by_resource["aud"], "https://files.example/");
    let by_name = world.tx().send().await.claims();
    assert_eq!(by_name["aud"], "tickets");
    let files = world.files_token().await;
    let onward = world.onward_tx(&files).send().await.claims();
    assert_eq!(onward["aud"], "https://archive.example/");
}

/// A scope of another resource is refused; it is not left out.
async fn scope_is_that_of_the_resource() {
    let world = World::start(Setup::default()).await;
    let task = world.task_token().await;
    // The task token holds scopes of many targets; a token for one holds that one's.
    let answer = world.onward("assistant", &task, "https://files.example/", "files.read").send().await;
    assert_eq!(answer.body["scope"], "files.read");
    assert_eq!(answer.claims()["scope"], "files.read");
    let request = world.onward("assistant", &task, "https://files.example/", "files.read tickets:search");
    let wire = scope("scope_unknown_at_target");
    refuses(&world, "another's scope", request, wire, "scope_unknown_at_target").await;
}

async fn a_hop_does_not_widen_the_targets() {
    let world = World::start(Setup::default()).await;
    let files = world.files_token().await;
    world.onward_tx(&files).send().await.granted();
    // There is a rule files -> archive, and none files -> tickets, archive -> files or archive -> archive.
    for other in ["tickets", "deep1", "https://files.example/"] {
        let request = world.onward_tx(&files).set("audience", other);
        refuses(&world, other, request, NOT_ONWARD, "target_not_onward").await;
    }
    // On the list, but outside the requester's own ceiling.
    let setup = Setup::default().replace(
        "onward = [\"https://archive.example/\"]",
        "onward = [\"https://archive.example/\", \"deep5\"]",
    );
    let wide = World::start(setup).await;
    let files = wide.files_token().await;
    let request = wide.onward_tx(&files).set("audience", "deep5");
    refuses(&wide, "not the requester's", request, NO_TARGET, "target_not_allowed").await;
    // A task token reaches the targets of its agent's ceiling only.
    let task = world.task_token().await;
    let request = world.onward("assistant", &task, "https://archive.example/", "files.read");
    refuses(&world, "beyond the ceiling", request, NO_TARGET, "target_not_allowed").await;
}

/// On the first hop, the issuer as `audience` asks for a task token; as `resource` it is refused.
async fn deputy_is_no_resource() {
    let world = World::start(Setup::default()).await;
    refuses(&world, "the issuer", to(&world, &world.issuer), IS_DEPUTY, "target_is_deputy").await;
    let slash = format!("{}/", world.issuer);
    refuses(&world, "the issuer, spelled otherwise", to(&world, &slash), IS_DEPUTY, "target_is_deputy").await;
    refuses(&world, "by name", world.tx().set("audience", &slash), NO_TARGET, "target_unknown").await;
    for path in ["/token", "/introspect", "/revoke", "/jwks", "/register"] {
        let endpoint = format!("{}{path}", world.issuer);
        refuses(&world, path, to(&world, &endpoint), NO_TARGET, "target_unknown").await;
        let by_name = world.tx().set("audience", &endpoint);
        refuses(&world, path, by_name, NO_TARGET, "target_unknown").await;
    }
    let task = world.task_token().await;
    assert_eq!(claims_of(&task)["aud"], world.issuer.as_str());

    // At a later hop it is no target under any name.
    let again = world.onward("assistant", &task, &world.issuer, "tickets:search");
    refuses(&world, "a task token again", again, IS_DEPUTY, "target_is_deputy").await;
    let files = world.files_token().await;
    for request in [
        world.onward_tx(&files).set("audience", &world.issuer),
        world.onward_tx(&files).without("audience").set("resource", &world.issuer),
    ] {
        refuses(&world, "onward to Deputy", request, IS_DEPUTY, "target_is_deputy").await;
    }
}

async fn a_token_is_for_one_target() {
    let world = World::start(Setup::default()).await;
    let two = to(&world, "https://files.example/").also("resource", "https://archive.example/");
    refuses(&world, "two resources", two, SEVERAL, "target_several").await;
    let task = world.task_token().await;
    let two = world.onward("assistant", &task, "tickets", "tickets:search").also("audience", "age-agent");
    refuses(&world, "two at a later hop", two, SEVERAL, "target_several").await;
    let mixed = world.tx().also("audience", &world.issuer);
    refuses(&world, "a target and a task token", mixed, SEVERAL, "target_several").await;
    // One target that is named twice is one.
    let files = "https://files.example/";
    for (name, again) in [("audience", files), ("resource", "https://FILES.example"), ("resource", files)] {
        let claims = to(&world, files).also(name, again).send().await.claims();
        assert_eq!(claims["aud"], files, "{name}={again}");
    }
    // Nor is one made of many by an array in one value.
    let array = world.tx().set("audience", "[\"tickets\",\"age-agent\"]");
    refuses(&world, "an array", array, NO_TARGET, "target_unknown").await;
    let spaced = world.tx().set("audience", "tickets age-agent");
    refuses(&world, "a list", spaced, NO_TARGET, "target_unknown").await;
}
