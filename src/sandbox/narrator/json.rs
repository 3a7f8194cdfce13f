//! One JSON object a step: `{"step","title","request","response","token","decision","audit",…}`.

use serde_json::{Map, Value, json};

use super::shown;
use crate::sandbox::step::{Part, Step};
use crate::sandbox::wire::Call;

/// The object of a step. Tokens in it are cut short, and `token` is decoded.
pub fn step(step: &Step) -> Value {
    let id = match step.part {
        Part::Drill => format!("drill-{}", step.id),
        Part::Story | Part::Agents | Part::Limits => step.id.clone(),
    };
    json!({
        "step": id,
        "title": step.title,
        "says": step.words.join(" "),
        "before": step.before.iter().map(|call| json!({
            "request": request(call), "response": response(call),
        })).collect::<Vec<_>>(),
        "request": step.call.as_ref().map(request),
        "response": step.call.as_ref().map(response),
        "token": step.token.as_ref().map(|token| json!({
            "header": token.header, "claims": shown::value(&token.claims), "means": step.means,
        })),
        "decision": decision(step),
        "audit": step.audit,
        "text": step.text,
        "ok": step.differences().next().is_none(),
        "checks": step.checks.iter().map(|check| json!({
            "what": check.what, "expected": check.expected, "actual": check.actual, "ok": check.holds,
        })).collect::<Vec<_>>(),
    })
}

fn request(call: &Call) -> Value {
    let mut params = Map::new();
    for (name, text) in &call.params {
        params.insert(name.clone(), shown::param(name, text).into());
    }
    json!({
        "from": call.from, "to": call.to, "method": call.method, "path": call.path,
        "bearer": call.bearer.as_deref().map(shown::bearer), "proof_by": call.proof_by, "params": params,
    })
}

fn response(call: &Call) -> Value {
    json!({ "status": call.status, "body": shown::body(call) })
}

/// What decided: the outcome and policies of the audit row, and a refusal in words.
fn decision(step: &Step) -> Value {
    let of_row = |member: &str| step.audit.as_ref().and_then(|row| row.get(member)).cloned();
    if step.audit.is_none() && step.denial.is_none() {
        return Value::Null;
    }
    json!({
        "outcome": of_row("outcome"),
        "policy": of_row("policy"),
        "cause": of_row("cause"),
        "reason": of_row("reason"),
        "denied": step.denial.as_ref().map(|denial| json!({
            "who": denial.who, "asked": denial.asked, "rule": denial.rule, "would_pass": denial.passes,
        })),
    })
}
