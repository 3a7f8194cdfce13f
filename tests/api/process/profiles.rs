//! An operator says who answers for an agent.

use serde_json::{Value, json};

use crate::jose::claims_of;
use crate::process_support::{Backend, World, on_both_databases};

/// A verb of the program: its exit code, and what it printed.
async fn verb(world: &World, arguments: &[&str]) -> (i32, String) {
    let output = world.deputy(arguments).await;
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.code().expect("an exit code"), text)
}

async fn promote(world: &World, agent: &str, more: &[&str]) -> (i32, String) {
    verb(world, &[&["agent", "promote", agent, "--json"][..], more].concat()).await
}

async fn shown(world: &World, agent: &str) -> Value {
    let (code, text) = verb(world, &["agent", "show", agent, "--json"]).await;
    assert_eq!(code, 0, "{text}");
    serde_json::from_str(&text).expect("JSON")
}

#[track_caller]
fn is_changed((code, text): (i32, String)) -> bool {
    assert_eq!(code, 0, "{text}");
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    answer["changed"].as_bool().expect("changed")
}

on_both_databases! {
    async fn an_agent_that_is_given_a_profile_keeps_its_identifier_and_its_tokens(backend: Backend) {
        let world = World::new(backend).await;
        let mut server = world.start().await;
        let base = server.base.clone();
        let [assistant, api] = ["assistant", "tickets-api"].map(|id| world.caller(id));
        let sign_in = async |user: &str| {
            assistant.sign_in(&base, &world.id_token(user), "tickets", "tickets:search").await.token()
        };
        let token = sign_in("ann").await;
        let agent = claims_of(&token)["act"]["sub"].as_str().expect("act.sub").to_owned();
        assert_eq!(shown(&world, &agent).await["profile"], "minimal");

        let full = ["--owner", "team-travel", "--contact", "travel@example.com", "--purpose", "books trips"];
        assert!(is_changed(promote(&world, &agent, &full).await));
        assert!(!is_changed(promote(&world, &agent, &full).await), "it said so before");

        let after = shown(&world, &agent).await;
        assert_eq!((&after["profile"], &after["owner"]), (&json!("full"), &json!("team-travel")));
        assert_eq!((&after["contact"], &after["purpose"]), (&json!("travel@example.com"), &json!("books trips")));
        assert!(api.introspect(&base, &token).await.is_active());
        assert_eq!(claims_of(&sign_in("bob").await)["act"]["sub"], agent.as_str());
        let explained = verb(&world, &["agent", "explain", &agent]).await.1;
        let line = "owned by team-travel, to be reached at travel@example.com, for books trips";
        assert!(explained.contains(line) && explained.contains("was given a profile"), "{explained}");

        // It is durable, and another text replaces all of it.
        server.kill_9().await;
        let mut server = world.start().await;
        assert_eq!(shown(&world, &agent).await["owner"], "team-travel");
        assert!(is_changed(promote(&world, &agent, &["--owner", "team-tickets"]).await));
        let after = shown(&world, &agent).await;
        assert_eq!((&after["owner"], &after["contact"]), (&json!("team-tickets"), &Value::Null));

        // Every act is on record, and the texts, which may name people, are not.
        let (_, rows) = verb(&world, &["audit", "list", "--event", "agent_profile", "--json"]).await;
        let found: Value = serde_json::from_str(&rows).expect("JSON");
        assert_eq!(found["rows"].as_array().expect("rows").len(), 3, "{rows}");
        assert!(!rows.contains("team-") && !rows.contains("example.com"), "{rows}");

        // What cannot be: no owner that is shown, an agent that nobody met, and one that is over.
        for text in ["", "a\u{1b}[2J", "a\nb"] {
            assert_eq!(promote(&world, &agent, &["--owner", text]).await.0, 2, "{text:?}");
        }
        assert_eq!(promote(&world, "agent_nobody", &full).await.0, 3);
        assert_eq!(verb(&world, &["agent", "retire", &agent, "--yes"]).await.0, 0);
        let (code, text) = promote(&world, &agent, &full).await;
        assert!(code == 1 && text.contains("retired, and stays so"), "{text}");
        assert_eq!(shown(&world, &agent).await["owner"], "team-tickets", "the record of it stays");
        for (event, cause) in
            [("verb", "invalid_request"), ("verb", "not_found"), ("agent_profile", "agent_final")]
        {
            let (_, rows) = verb(&world, &["audit", "list", "--event", event, "--refused", "--json"]).await;
            let found: Value = serde_json::from_str(&rows).expect("JSON");
            let has_cause = |row: &Value| row["row"]["cause"] == cause;
            assert!(found["rows"].as_array().expect("rows").iter().any(has_cause), "{cause}: {rows}");
        }

        server.stop().await;
        world.finish().await;
    }
}
