//! What was stolen, in other hands: a task token in another pod, the token of the agent's own pod, and a handover.

use super::super::stage::Stage;
use super::super::tickets::TARGET;
use super::super::wire::Call;
use super::{Drill, UNACCEPTABLE, token_of};
use crate::sandbox::handover::{CARRY, DESK};
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

/// Somebody who reads handovers on their way, and runs pods of their own: in another class, and in the very class that
/// the handover is for.
pub async fn handover(stage: &mut Stage) -> anyhow::Result<()> {
    let task_token = stage.new_task(CARRY).await?;
    let assistant = stage.assistant.clone();
    let open = token_of(&assistant.deputy.hand_over(&task_token, CARRY, "class:courier", None).await?)?;
    let stranger = stage.pods.start("thief", "age-verification").await?.deputy;
    let call = stranger.accept(&open, DESK, CARRY).await?;
    let courier = stage.pods.start("courier", "courier").await?.deputy;
    let accepted = courier.accept(&open, DESK, CARRY).await?;
    let second = stage.pods.start("thief", "courier").await?.deputy;
    let too_late = second.accept(&open, DESK, CARRY).await?;

    let child = stage.pods.start("courier", "courier").await?.deputy;
    let (to, key) = ("class:courier", Some(child.thumbprint.as_str()));
    let keyed = token_of(&assistant.deputy.hand_over(&task_token, CARRY, to, key).await?)?;
    let early = second.accept(&keyed, DESK, CARRY).await?;
    let meant = child.accept(&keyed, DESK, CARRY).await?;

    let mut step = Drill::StolenHandover.step().with_call(&call).denied(
        "a thief with a handover that is for a courier, in a pod of the age agent's service account",
        "to carry Alice's ticket, in the assistant's name",
        "a handover is accepted only by the agent, or an agent of the class, that is on record for it",
        "a courier: tried, and granted",
    );
    let mut causes = Vec::new();
    for (what, call) in [
        ("a second courier, after the first has accepted", &too_late),
        ("a courier, before the one whose key the assistant named", &early),
    ] {
        let row = stage.records.row_of(call).await?.unwrap_or_default();
        let cause = row.get("cause").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        step.text.push(format!("{what}: {} {} [cause {cause}]", call.status, call.text("reason")));
        causes.push(cause);
    }
    step.text.push(format!("the courier whose key it is: {}", meant.status));
    step.expect("the first courier passes", 200, accepted.status);
    step.expect("the second one comes too late", "handed_to_another", causes.remove(0));
    step.expect("the named key is needed", "other_key", causes.remove(0));
    step.expect("the courier whose key it is passes", 200, meant.status);
    stage.tell_refused(step, &call, ["invalid_request", UNACCEPTABLE, "handed_to_another"]).await
}
