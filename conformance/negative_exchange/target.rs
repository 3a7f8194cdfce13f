//! NEG-CX-31 to 37: target and scope.

use crate::expect::{NO_TARGET, NO_URI, SEVERAL, TARGET_MISSING, refuses, scope};
use crate::harness::{Cases, case};
use crate::requests::to;
use crate::world::{Setup, World};

pub fn cases() -> Cases {
    vec![
        case("NEG-CX-31", an_unknown_target),
        case("NEG-CX-32", a_resource_that_is_no_absolute_uri_without_fragment),
        case("NEG-CX-33", one_good_and_one_unknown_resource),
        case("NEG-CX-34", no_target),
        case("NEG-CX-35", scope_not_in_the_subject_token),
        case("NEG-CX-36", scope_unknown_at_the_target),
        case("NEG-CX-37", scope_with_illegal_characters),
    ]
}

async fn an_unknown_target() {
    let world = World::start(Setup::default()).await;
    let resource = to(&world, "https://unknown.example/");
    refuses(&world, "resource", resource, NO_TARGET, "target_unknown").await;
    let audience = world.tx().set("audience", "unknown");
    refuses(&world, "audience", audience, NO_TARGET, "target_unknown").await;
}

async fn a_resource_that_is_no_absolute_uri_without_fragment() {
    let world = World::start(Setup::default()).await;
    for bad in ["https://files.example/#x", "https://files.example/#", "/files", "files", "../files"] {
        refuses(&world, bad, to(&world, bad), NO_URI, "target_malformed").await;
    }
}

async fn one_good_and_one_unknown_resource() {
    let world = World::start(Setup::default()).await;
    to(&world, "https://files.example/").send().await.granted();
    let request = to(&world, "https://files.example/").also("resource", "https://unknown.example/");
    refuses(&world, "good, unknown", request, SEVERAL, "target_several").await;
    let request = to(&world, "https://unknown.example/").also("resource", "https://files.example/");
    refuses(&world, "unknown, good", request, SEVERAL, "target_several").await;
    let request = to(&world, "https://files.example/").also("audience", "unknown");
    refuses(&world, "good, unknown audience", request, SEVERAL, "target_several").await;
}

async fn no_target() {
    let world = World::start(Setup::default()).await;
    let absent = world.tx().without("audience");
    refuses(&world, "absent", absent, TARGET_MISSING, "target_missing").await;
    let empty = world.tx().set("audience", "").set("resource", "");
    refuses(&world, "empty", empty, TARGET_MISSING, "target_missing").await;
}

async fn scope_not_in_the_subject_token() {
    let world = World::start(Setup::default()).await;
    let task = world.task_tx().set("scope", "tickets:search").send().await.granted();
    let wire = scope("scope_not_in_subject");
    for asked in ["tickets:book", "tickets:search tickets:book"] {
        let request = world.onward("assistant", &task, "tickets", asked);
        refuses(&world, asked, request, wire, "scope_not_in_subject").await;
    }
}

async fn scope_unknown_at_the_target() {
    let world = World::start(Setup::default()).await;
    let wire = scope("scope_unknown_at_target");
    for asked in ["files.read", "tickets:search files.read", "unheard-of", "TICKETS:SEARCH"] {
        let request = world.tx().set("scope", asked);
        refuses(&world, asked, request, wire, "scope_unknown_at_target").await;
    }
}

async fn scope_with_illegal_characters() {
    let world = World::start(Setup::default()).await;
    let wire = scope("scope_malformed");
    for asked in ["\"", "a\\b", "tickets:search\u{7}", "tickets:sëarch", "tickets:search  x", "\u{a0}"] {
        let request = world.tx().set("scope", asked);
        refuses(&world, asked, request, wire, "scope_malformed").await;
    }
}
