//! NEG-CX-30, 40, 41, 44: policy, and the shape of the chain.

use serde_json::json;

use crate::expect::{POLICY, is_unavailable, malformed, refuses};
use crate::harness::{Cases, case};
use crate::world::{Setup, World};

pub fn cases() -> Cases {
    vec![
        case("NEG-CX-30", policy_says_no),
        case("NEG-CX-40", a_chain_deeper_than_the_cap),
        case("NEG-CX-41", an_actor_already_in_the_chain),
        case("NEG-CX-44", a_policy_engine_that_cannot_decide),
    ]
}

const NO_FILES: &str = r#"
@id("exchange")
permit (principal, action == Deputy::Action::"exchange", resource);
@id("no-files")
@reason("anything but files would be allowed")
forbid (principal, action == Deputy::Action::"exchange", resource)
when { context.scopes.contains("files.read") };
"#;

async fn policy_says_no() {
    let world = World::start(Setup::default().policy(NO_FILES)).await;
    world.tx().send().await.granted();
    let request = world.tx().set("audience", "https://files.example/").set("scope", "files.read");
    let answer = refuses(&world, "forbidden", request, POLICY, "policy_denied").await;
    // The rule and what would have passed are the operator's to see.
    assert!(!answer.text.contains("no-files") && !answer.text.contains("anything but"), "{}", answer.text);
    let row = world.audit_of(answer.request_id()).await.remove(0);
    assert_eq!(row["policy"]["policies"], json!(["no-files"]));
}

async fn a_chain_deeper_than_the_cap() {
    let world = World::start(Setup::default().add("[tasks]\nmax_chain_depth = 1")).await;
    let files = world.files_token().await;
    let wire = malformed("chain_too_deep");
    refuses(&world, "two levels of one", world.onward_tx(&files), wire, "chain_too_deep").await;
}

async fn an_actor_already_in_the_chain() {
    let setup =
        Setup::default().replace("exchange_client = \"svc1\"", "exchange_client = \"assistant\"").replace(
            "targets = [\"tickets\", \"age-agent\",",
            "targets = [\"deep2\", \"tickets\", \"age-agent\",",
        );
    let world = World::start(setup).await;
    let task = world.task_token().await;
    let token = world.onward("assistant", &task, "deep1", "deep").send().await.granted();
    let request = world.onward("assistant", &token, "deep2", "deep");
    refuses(&world, "the assistant again", request, malformed("chain_loop"), "chain_loop").await;
}

/// Cedar runs inside Deputy: it is down where it cannot evaluate, and where its set does not load.
const OVERFLOWS: &str = r#"
@id("exchange")
permit (principal, action == Deputy::Action::"exchange", resource);
@id("overflows")
forbid (principal, action == Deputy::Action::"exchange", resource)
when { context.lifetime_seconds * 9223372036854775807 > 0 };
"#;

async fn a_policy_engine_that_cannot_decide() {
    let world = World::start(Setup::default().policy(OVERFLOWS)).await;
    let answer = is_unavailable("a rule that errs", world.tx()).await;
    assert_eq!(world.minted().await, 0);
    let row = world.audit_of(answer.request_id()).await.remove(0);
    assert_eq!((&row["event"], &row["outcome"]), (&json!("exchange"), &json!("failed")));
    let policy = &row["policy"];
    assert_eq!((&policy["decision"], &policy["policies"]), (&json!("error"), &json!(["overflows"])));
    is_unavailable("a task token too", world.task_tx()).await;

    // Without a set that loads, nothing is served at all.
    let mut world = World::start(Setup::default().policy(NO_FILES)).await;
    world.halt().await;
    std::fs::write(world.directory.path().join("policies/test.cedar"), "permit (").unwrap();
    assert!(world.boot().await.is_err());
}
