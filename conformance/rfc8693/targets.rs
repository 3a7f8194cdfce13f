//! RFC 8693 §2.1, §2.1.1: `resource`, `audience` and `scope`.

use crate::expect::{NO_TARGET, NO_URI, SEVERAL, refuses, scope};
use crate::harness::{Cases, case};
use crate::world::{Setup, World};

pub fn cases() -> Cases {
    vec![
        case("8693-2.1-09", resource_and_audience_may_come_more_than_once),
        case("8693-2.1-12", a_resource_is_an_absolute_uri_without_fragment),
        case("8693-2.1-13", an_audience_is_compared_exactly),
        case("8693-2.1-14", scope_is_words_between_single_spaces),
        case("8693-2.1-15", every_scope_has_to_mean_something_at_the_target),
    ]
}

/// Both parameters are read when they are repeated. Several targets are answered with `invalid_target`; one that is named
/// more than once is one target.
async fn resource_and_audience_may_come_more_than_once() {
    let world = World::start(Setup::default()).await;
    let one = world.tx().without("audience").set("scope", "files.read");
    one.clone().set("resource", "https://files.example/").send().await.granted();
    let twice = one.clone().by_assertion("assistant").set("resource", "https://files.example/");
    twice.also("resource", "https://files.example").send().await.granted();
    for (resources, audiences) in [
        (&["https://files.example/", "https://archive.example/"][..], &["tickets"][..]),
        (&["https://files.example/"], &["tickets"]),
        (&["https://files.example/", "https://archive.example/"], &[]),
        (&[], &["tickets", "age-agent"]),
        (&[], &["tickets", &world.issuer]),
    ] {
        let mut request = one.clone().by_assertion("assistant");
        for resource in resources {
            request = request.also("resource", resource);
        }
        for audience in audiences {
            request = request.also("audience", audience);
        }
        let what = format!("{resources:?} {audiences:?}");
        refuses(&world, &what, request, SEVERAL, "target_several").await;
    }
}

async fn a_resource_is_an_absolute_uri_without_fragment() {
    let query = "https://files.example/?tenant=1";
    let setup = Setup::default()
        .replace("\"https://files.example/\", \"deep1\"]", &format!("\"{query}\", \"deep1\"]"))
        .add(&format!("[[target]]\nidentifier = \"{query}\"\nscopes = {{ \"files.read\" = {{}} }}"));
    let world = World::start(setup).await;
    let to =
        |resource: &str| world.tx().without("audience").set("scope", "files.read").set("resource", resource);
    for resource in [
        "/calendar",
        "calendar",
        "https://api.example/x#frag",
        "https://files.example/?tenant=1#",
        "//files.example/",
        "",
        "https://files.example/ x",
        "https://files.example/\n",
        "files.example/?tenant=1",
    ] {
        let (wire, cause) = if resource.is_empty() {
            (crate::expect::TARGET_MISSING, "target_missing")
        } else {
            (NO_URI, "target_malformed")
        };
        refuses(&world, resource, to(resource), wire, cause).await;
    }
    let answer = to(query).send().await;
    assert_eq!(answer.claims()["aud"], query);
}

async fn an_audience_is_compared_exactly() {
    let world = World::start(Setup::default()).await;
    world.tx().set("audience", "tickets").send().await.granted();
    for other in ["Tickets", "TICKETS", "tickets ", " tickets", "ticket", "tickets/", "tıckets"] {
        let request = world.tx().set("audience", other);
        refuses(&world, other, request, NO_TARGET, "target_unknown").await;
    }
}

async fn scope_is_words_between_single_spaces() {
    let world = World::start(Setup::default()).await;
    let malformed = scope("scope_malformed");
    for (what, text) in [
        ("a double quote", "tickets:search \"x\""),
        ("a backslash", "tickets:search x\\y"),
        ("a line break", "tickets:search\ntickets:book"),
        ("a tab", "tickets:search\ttickets:book"),
        ("DEL", "tickets:search\u{7f}"),
        ("a letter that is not ASCII", "tickets:séarch"),
        ("two spaces", "tickets:search  tickets:book"),
        ("a space before", " tickets:search"),
        ("a space behind", "tickets:search "),
        ("only a space", " "),
    ] {
        refuses(&world, what, world.tx().set("scope", text), malformed, "scope_malformed").await;
    }

    // Case matters: it is another word.
    let request = world.tx().set("scope", "Tickets:search");
    let unknown = scope("scope_unknown_at_target");
    refuses(&world, "another case", request, unknown, "scope_unknown_at_target").await;

    // Order does not.
    let ab = world.tx().set("scope", "tickets:search tickets:book").send().await;
    let ba = world.tx().set("scope", "tickets:book tickets:search").send().await;
    assert_eq!(ab.claims()["scope"], ba.claims()["scope"]);
    assert_eq!(ab.body["scope"], ba.body["scope"]);
}

/// With several targets the answer is `invalid_target`. With one target every scope has to be defined there,
/// and none is silently dropped.
async fn every_scope_has_to_mean_something_at_the_target() {
    let world = World::start(Setup::default()).await;
    let unknown = scope("scope_unknown_at_target");
    let request = world.tx().set("scope", "tickets:search files.read");
    refuses(&world, "a scope of another target", request, unknown, "scope_unknown_at_target").await;

    let both = world.tx().set("scope", "files.read").also("audience", "https://files.example/");
    refuses(&world, "two targets, one defines it", both, SEVERAL, "target_several").await;
}
