//! A job of every night that no user is behind: it gets a token about itself, begins a task of its own and brings in a
//! courier, and does not get what is for users.

use reqwest::Method;
use serde_json::Value;

use super::agents::Job;
use super::evidence::{Grant, granted, refused};
use super::handover::{DESK, part};
use super::stage::Stage;
use super::tickets::TARGET;
use crate::sdk::{Decoded, Exchange};

/// The service account of its pod.
pub const ROLE: &str = "nightly-report";
/// Its name in the telling.
const JOB: &str = "the nightly job";
const COUNT: &str = "sales:count";
const CARRY: &str = "report:carry";

/// Plays it, as far as it goes: what comes out otherwise than it should is told in its step.
pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let job = stage.pods.start_job("nightly job", ROLE).await?;
    ask_for_itself(stage, &job).await?;
    let Some(handover) = begin_own_task(stage, &job).await? else { return Ok(()) };
    bring_in_a_courier(stage, &handover).await?;
    ask_for_a_users(stage, &job).await
}

async fn ask_for_itself(stage: &mut Stage, job: &Job) -> anyhow::Result<()> {
    let started = stage.tape.take();
    let call = job.asks.exchange(&Exchange::of_agent().audience(TARGET).scope(COUNT)).await?;
    stage.tape.take();
    let mut step = part("9a", "A nightly job gets a token about itself")
        .saying("Nobody signs in at night. The job has the token of its pod and a key, and nothing of it is registered. The token is")
        .saying("about the job itself: sub is the agent, and there is no act, because it acts for nobody. The tickets API lets agents")
        .saying("count its sales (subjects in deputy.toml), and tells such a token from one of a user's by introspection too.")
        .after(started)
        .with_call(&call);
    let agent = call.token().and_then(Decoded::read).map(|token| token.text("sub").to_owned());
    stage.names.learn(&agent.unwrap_or_default(), JOB);
    let grant =
        Grant { kind: "at+jwt", audience: TARGET, scope: COUNT, behind: JOB, chain: &[], seconds: 300 };
    granted(&mut step, &call, &grant, &mut stage.names, &stage.records).await?;
    if let Some(token) = &step.token {
        let (subject, txn) = (token.text("sub").to_owned(), token.claims.get("txn").cloned());
        step.expect_that("sub is the agent", subject.starts_with("agent_"), &subject);
        step.expect("no task", Value::Null, txn.unwrap_or_default());
    }
    let url = format!("{}/sales", stage.assistant.tickets);
    let token = call.token().unwrap_or_default();
    let counted = job.deputy.use_token("tickets API", Method::GET, &url, token, None).await?;
    let asked = stage.tape.take().into_iter().find(|call| call.path == "/introspect");
    let kind = asked.map(|call| call.text("delegator_kind").to_owned()).unwrap_or_default();
    step.text.push(format!("at the tickets API: {} sold {}", counted.status, counted.body["sold"]));
    step.text.push(format!("introspection: delegator_kind {kind}"));
    step.expect("the API takes it", 200, counted.status);
    step.expect("introspection tells who is behind it", "agent", kind);
    stage.tell(step).await;
    Ok(())
}

async fn begin_own_task(stage: &mut Stage, job: &Job) -> anyhow::Result<Option<String>> {
    let issuer = stage.issuer.clone();
    let request = Exchange::of_agent().audience(&issuer).scope(CARRY);
    let call = job.asks.exchange(&request.with("purpose", "Carry the report of the night")).await?;
    stage.tape.take();
    let mut step = part("9b", "It begins a task of its own")
        .saying("For work that takes several tokens, or other agents, the job begins a task. The one behind it is the job.")
        .with_call(&call);
    let grant =
        Grant { kind: "task+jwt", audience: &issuer, scope: CARRY, behind: JOB, chain: &[], seconds: 3600 };
    granted(&mut step, &call, &grant, &mut stage.names, &stage.records).await?;
    let row = step.audit.clone().unwrap_or_default();
    let of_row = |member: &str| row.get(member).cloned().unwrap_or_default();
    step.expect("begins a task", true, of_row("task_begun"));
    step.expect("who is behind it is on record", "agent", of_row("delegator_kind"));
    stage.tell(step).await;
    let Some(task_token) = call.token() else { return Ok(None) };
    let handed = job.deputy.hand_over(task_token, CARRY, "class:courier", None).await?;
    Ok(handed.token().map(str::to_owned))
}

async fn bring_in_a_courier(stage: &mut Stage, handover: &str) -> anyhow::Result<()> {
    let courier = stage.pods.start("courier", "courier").await?.deputy;
    let started = stage.tape.take();
    let call = courier.accept(handover, DESK, CARRY).await?;
    stage.tape.take();
    let mut step = part("9c", "A courier carries the report for the job")
        .saying("The job handed over, and a courier accepts. It acts for the job: sub is the job, act is the courier.")
        .after(started)
        .with_call(&call);
    let grant = Grant {
        kind: "at+jwt",
        audience: DESK,
        scope: CARRY,
        behind: JOB,
        chain: &["the job's courier"],
        seconds: 300,
    };
    granted(&mut step, &call, &grant, &mut stage.names, &stage.records).await?;
    let subject = step.token.as_ref().map(|token| token.text("sub").to_owned()).unwrap_or_default();
    step.expect("sub is the job", JOB, stage.names.name_of(&subject));
    stage.tell(step).await;
    Ok(())
}

async fn ask_for_a_users(stage: &mut Stage, job: &Job) -> anyhow::Result<()> {
    let search = "tickets:search";
    let call = job.asks.exchange(&Exchange::of_agent().audience(TARGET).scope(search)).await?;
    stage.tape.take();
    let mut step = part("9d", "What is for users it does not get").with_call(&call).denied(
        JOB,
        "a token for tickets:search, which its class and its client may have",
        "a scope is for tokens that a user is behind, unless its subjects in deputy.toml let agents in",
        "the same for an agent that a user lets act, as in step 3a",
    );
    let refusal = ["invalid_scope", "scope_needs_user", "scope_needs_user"];
    refused(&mut step, &call, refusal, &stage.records).await?;
    stage.tell(step).await;
    Ok(())
}
