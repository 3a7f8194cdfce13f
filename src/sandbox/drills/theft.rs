//! A stolen task token in other hands: in another pod, and with the stolen token of the agent's own pod.

use super::super::stage::Stage;
use super::super::tickets::TARGET;
use super::super::wire::Call;
use super::{Drill, UNACCEPTABLE, token_of};
use crate::sandbox::provider::PHISHING_RESISTANT;

/// Another pod of the assistant's own service account, with a key of its own.
pub async fn task_token(stage: &mut Stage) -> anyhow::Result<()> {
    let task_token = stage.new_task("tickets:search").await?;
    let search = stage.cut(&task_token, TARGET, "tickets:search").await?;
    let thief = stage.pods.start("thief", "assistant").await?.deputy;
    let call = thief.narrow(&task_token, TARGET, "tickets:search").await?;
    let (signed, _) = task_token.rsplit_once('.').unwrap_or_default();
    let forged = format!("{signed}.{}", "A".repeat(86));
    let forgery = thief.narrow(&forged, TARGET, "tickets:search").await?;
    let at_api = thief.search(&stage.assistant.tickets, &search).await?;
    let rightful = stage.assistant.deputy.narrow(&task_token, TARGET, "tickets:search").await?;

    let mut step = Drill::StolenTaskToken.step().with_call(&call).denied(
        "a second pod of the assistant's service account, with a key of its own",
        "tickets:search in Alice's name",
        "a task token is exchanged only by the agent it names, with proof of the key it is bound to",
        "the same token shown by the assistant, with its pod's token and its key: tried, and granted",
    );
    step.text.push(
        "to the thief a stolen token and a forged one look the same; the record tells them apart".into(),
    );
    step.text.push(format!(
        "a stolen search token at the tickets API: {} {}",
        at_api.status,
        at_api.text("why")
    ));
    step.expect("told the same as for a forged token", told(&forgery), told(&call));
    step.expect("the API refuses the stolen search token", 401, at_api.status);
    step.expect("the rightful holder passes", 200, rightful.status);
    stage.tell_refused(step, &call, ["invalid_request", UNACCEPTABLE, "not_yours"]).await
}

/// What a caller is told, without the number of the request.
fn told(call: &Call) -> String {
    let mut body = call.body.clone();
    if let Some(members) = body.as_object_mut() {
        members.remove("request_id");
    }
    format!("{} {body}", call.status)
}

/// Somebody who copied everything that the assistant's pod has in its files, and Alice's ID token too. The key is in no
/// file.
pub async fn pod_token(stage: &mut Stage) -> anyhow::Result<()> {
    let id_token = stage.sign_in(PHISHING_RESISTANT).await?;
    let begun = stage.assistant.begin_task(&id_token, "tickets:search", "a drill").await?;
    let task_token = token_of(&begun)?;
    let thief = stage.pods.holder_of(&stage.assistant.pod_token, "thief")?;
    let by_task = thief.narrow(&task_token, TARGET, "tickets:search").await?;
    let call = thief.begin_task(&id_token, "tickets:search", "a drill").await?;
    let rightful = stage.assistant.begin_task(&id_token, "tickets:search", "a drill").await?;

    let mut step = Drill::StolenPodToken.step().with_call(&call).denied(
        "a thief with the assistant's pod token and Alice's ID token, and a key of its own",
        "a task token of its own, in the name of the assistant",
        "a pod's token is pinned to the first key proven beside it, until it expires",
        "the same with the key that the assistant made and never sent: tried, and granted",
    );
    let row = stage.records.row_of(&by_task).await?.unwrap_or_default();
    let cause = row.get("cause").and_then(serde_json::Value::as_str).unwrap_or_default();
    step.text.push(format!(
        "the same thief with the assistant's task token: {} {} [cause {cause}]",
        by_task.status,
        by_task.text("reason"),
    ));
    let alert = stage.records.row_of_event(&call, "pin_refused").await?;
    step.text.push("beside the refusal there is an alert on record: pin_refused".to_owned());
    step.expect("the task token is bound to another key", "other_key", cause);
    step.expect_that("an alert is on record", alert.is_some(), "there is none");
    step.expect("the rightful holder passes", 200, rightful.status);
    stage.tell_refused(step, &call, ["invalid_request", "credential_pinned", "credential_pinned"]).await
}
