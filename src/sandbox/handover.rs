//! An agent brings in another that nobody configured: it hands over a part of its task, and the other accepts by its own
//! credential.

use anyhow::Context as _;
use serde_json::Value;

use super::evidence::{Grant, HANDOVER, granted};
use super::provider::PHISHING_RESISTANT;
use super::stage::Stage;
use super::step::{Part, Step};
use super::story::ALICE;
use crate::sdk::Decoded;

/// What is handed over.
pub const CARRY: &str = "ticket:carry";
/// Where it is good.
pub const DESK: &str = "courier-desk";

pub(super) fn part(id: &str, title: &str) -> Step {
    Step::new(Part::Agents, id, title)
}

/// Plays it, as far as it goes: what comes out otherwise than it should is told in its step.
pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let id_token = stage.sign_in(PHISHING_RESISTANT).await?;
    let begun = stage.assistant.begin_task(&id_token, CARRY, "Carry the ticket to Alice").await?;
    let task_token = begun.token().context("no task token")?.to_owned();
    let issuer = stage.issuer.clone();
    let call = stage.assistant.deputy.hand_over(&task_token, CARRY, "class:courier", None).await?;
    stage.tape.take();
    let mut step = part("8a", "The assistant hands over a part of its task")
        .saying("Alice has signed in once more, and her ticket is to be carried to her. The assistant asks Deputy for a handover:")
        .saying("what it holds itself, or less, for any agent of the class courier. No courier runs yet, and deputy.toml names none;")
        .saying("it says that an assistant may bring in one (delegates_to). The handover is good at no API, and nothing in it says")
        .saying("whom it is for: that is on record.")
        .with_call(&call);
    let grant = Grant {
        kind: HANDOVER,
        audience: &issuer,
        scope: CARRY,
        behind: ALICE,
        chain: &["the assistant"],
        seconds: 3600,
    };
    granted(&mut step, &call, &grant, &mut stage.names, &stage.records).await?;
    step.expect("event on record", "handover", event(&step));
    stage.tell(step).await;
    let Some(handover) = call.token().map(str::to_owned) else { return Ok(()) };

    let courier = stage.pods.start("courier", "courier").await?.deputy;
    let started = stage.tape.take();
    let call = courier.accept(&handover, DESK, CARRY).await?;
    stage.tape.take();
    let mut step = part("8b", "A new courier accepts it")
        .saying("The assistant passes the handover on to a pod that has just started. The courier presents it with the token of its own")
        .saying("pod and its own key: no credential goes from one agent to another. The first courier that accepts is the only one.")
        .after(started)
        .with_call(&call);
    let grant = Grant {
        kind: "at+jwt",
        audience: DESK,
        scope: CARRY,
        behind: ALICE,
        chain: &["the courier", "the assistant"],
        seconds: 300,
    };
    granted(&mut step, &call, &grant, &mut stage.names, &stage.records).await?;
    let row = step.audit.clone().unwrap_or_default();
    let of_row = |member: &str| row.get(member).cloned().unwrap_or_default();
    step.expect("event on record", "accept", event(&step));
    step.expect("the agent is new", true, of_row("agent_created"));
    step.expect("the answer names the task", of_row("task"), call.body["task"].clone());
    let act = step.token.as_ref().and_then(|token| token.claims.get("act")).cloned().unwrap_or_default();
    step.expect("the answer names the chain", act, call.body["act"].clone());
    stage.tell(step).await;

    let agent = call
        .token()
        .and_then(Decoded::read)
        .and_then(|token| token.claims.pointer("/act/sub").and_then(Value::as_str).map(str::to_owned));
    let Some(agent) = agent else { return Ok(()) };
    let mut step = part("8c", "Who brought in the courier, as `deputy agent explain` tells it");
    step.text = stage.records.life_of(&agent).await?;
    let life = step.text.join("\n");
    step.expect_that("says who brought it in", life.contains("it was brought in by"), "it does not");
    stage.tell(step).await;
    Ok(())
}

fn event(step: &Step) -> String {
    let event = step.audit.as_ref().and_then(|row| row.get("event")).and_then(Value::as_str);
    event.unwrap_or("nothing").to_owned()
}
