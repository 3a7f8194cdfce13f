//! Agents that work without a user, and what of it leads nowhere.

use super::super::world::World;
use super::{Case, faults, run, show};
use crate::doctor::Status::Warning;
use crate::testing::definition::NIGHTLY;

const NOWHERE: &[Case] = &[
    (
        "agents that get tokens about themselves, and no scope that lets them in",
        |w| {
            w.text.push_str(NIGHTLY);
            w.edit("scopes = [\"reports:read\"]\ntargets", "scopes = [\"reports:mine\"]\ntargets");
        },
        "without_user",
        Warning,
        "write `subjects = [\"agent\"]`",
    ),
    (
        "a scope for agents alone that no agent may have",
        |w| {
            w.text.push_str(NIGHTLY);
            w.edit(
                "\"reports:mine\" = {}",
                "\"reports:mine\" = {}, \"reports:drop\" = { subjects = [\"agent\"] }",
            );
        },
        "scopes",
        Warning,
        "take `agent` out of its `subjects`",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_without_a_user_that_leads_nowhere_is_found() {
    run(NOWHERE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_get_tokens_without_a_user_are_named() {
    let mut world = World::migrated().await;
    world.text.push_str(NIGHTLY);

    let findings = world.check().await;

    let told = show(&findings);
    for (of, what) in [
        ("class `nightly`", "get tokens about themselves, which no user is behind"),
        ("class `nightly`", "begin tasks that no user is behind"),
        ("class `sensor`", "get tokens about themselves, which no user is behind"),
        ("client `nightly-jobs`", "get tokens about themselves, which no user is behind"),
    ] {
        assert!(told.contains(&format!("agents of {of} {what}")), "{of} {what}:\n{told}");
    }
    // Its client has no login, and yet something to exchange.
    let faults = faults(&findings);
    assert!(!faults.contains("nothing to exchange"), "{faults}");
}
