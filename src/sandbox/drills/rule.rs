//! The operator writes a rule while Deputy runs: it refuses what was granted a moment before, until it is removed.

use std::time::Duration;

use anyhow::Context as _;

use super::super::stage::{POLICIES, Stage};
use super::super::tickets::TARGET;
use super::super::wire::Call;
use super::Drill;

/// The name of the file that the rule is written to.
const FILE: &str = "bookings-closed.cedar";
/// The `@id` of the rule.
const ID: &str = "bookings-closed";
/// The rule.
const RULE: &str = include_str!("bookings-closed.cedar");

/// How often Deputy is asked whether it decides by the new files.
const ASK_EVERY: Duration = Duration::from_millis(250);
/// After so many questions it is told that it does not. It takes up new files within two seconds.
const MOST_QUESTIONS: usize = 40;

pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let drill = Drill::PolicyDenies;
    let Some(directory) = stage.policies.clone() else {
        let mut step = drill.step();
        step.text
            .push("left out: --policy names a directory of yours, and nothing is written into it".into());
        stage.tell(step).await;
        return Ok(());
    };
    let task_token = stage.new_task("tickets:search tickets:book").await?;
    let before = book(stage, &task_token).await?;
    stage.directory.write(&format!("{POLICIES}/{FILE}"), RULE)?;
    let mut step = drill
        .part("a", "the operator writes a rule; Deputy is not restarted")
        .saying("Until now the rules that ship with Deputy permitted every exchange that was refused nowhere else. This file")
        .saying("is new in the directory that deputy.toml names under [policy]. Deputy looks at the files once a second.");
    step.text.push(format!("{POLICIES}/{FILE}:"));
    step.text.extend(RULE.trim_end().lines().map(|line| format!("  {line}")));
    step.text.push(format!("a token for tickets:book, before Deputy has read it: {}", before.status));
    step.expect("granted before", 200, before.status);
    stage.tell(step).await;

    let call = until(stage, &task_token, 400).await?;
    let search = stage.assistant.deputy.narrow(&task_token, TARGET, "tickets:search").await?;
    let reason = stage.records.reasons_of(&[ID]);
    let mut step = drill.part("b", "the operator's rule denies a booking").with_call(&call).denied(
        "the assistant, with a task token that allows tickets:book",
        "an access token for tickets:book",
        &format!("{ID}, in {POLICIES}/{FILE}: no tickets:book at tickets for the class assistant"),
        &format!("what the rule gives as its @reason: {reason}. Tried, and granted"),
    );
    step.text
        .push("the caller is told policy_denied alone; the rule and its @reason are for operators".into());
    step.expect("a search passes", 200, search.status);
    step.expect_that("the rule has a reason", !reason.is_empty(), "it has none");
    stage.tell_refused(step, &call, ["invalid_request", "policy_denied", "policy_denied"]).await?;

    let file = directory.join(FILE);
    std::fs::remove_file(&file).with_context(|| format!("remove `{}`", file.display()))?;
    let after = until(stage, &task_token, 200).await?;
    let mut step = drill
        .part("c", "the operator removes the rule again")
        .saying("The file is removed. The task token is the same as before: policies are asked about every exchange.")
        .with_call(&after);
    step.expect("granted again", 200, after.status);
    stage.tape.take();
    stage.tell(step).await;
    Ok(())
}

async fn book(stage: &Stage, task_token: &str) -> anyhow::Result<Call> {
    stage.assistant.deputy.narrow(task_token, TARGET, "tickets:book").await
}

/// Asks for a token that can book until the answer has this status, and gives the last answer.
async fn until(stage: &Stage, task_token: &str, status: u16) -> anyhow::Result<Call> {
    let mut call = book(stage, task_token).await?;
    for _ in 0..MOST_QUESTIONS {
        if call.status == status {
            break;
        }
        tokio::time::sleep(ASK_EVERY).await;
        call = book(stage, task_token).await?;
    }
    Ok(call)
}
