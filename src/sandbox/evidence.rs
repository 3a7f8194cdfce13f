//! What a step has to show, checked against what came back and against Deputy's own record.

use serde_json::Value;

use super::records::Records;
use super::step::{Granted, Step};
use super::wire::Call;
use crate::sdk::Decoded;

/// Who is who: identifiers learnt on the way, with the names used in the telling.
#[derive(Clone, Debug, Default)]
pub struct Names(Vec<(String, String)>);

impl Names {
    /// From now on this identifier has this name.
    pub fn learn(&mut self, id: &str, name: &str) {
        self.0.push((id.to_owned(), name.to_owned()));
    }

    /// The identifier of a name.
    pub fn id_of(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(_, known)| known == name).map(|(id, _)| id.as_str())
    }

    /// The name of an identifier.
    pub fn name_of<'a>(&'a self, id: &'a str) -> &'a str {
        self.0.iter().rev().find(|(known, _)| known == id).map_or(id, |(_, name)| name)
    }
}

/// What a granted token should be.
pub struct Grant<'a> {
    /// `typ`
    pub kind: &'a str,
    pub audience: &'a str,
    pub scope: &'a str,
    /// The name of the party behind it.
    pub behind: &'a str,
    /// Names of the agents, current actor first. One never met before is learnt.
    pub chain: &'a [&'a str],
    /// Greatest life in seconds.
    pub seconds: i64,
}

/// The `typ` of a handover.
pub const HANDOVER: &str = "handover+jwt";

/// `act.sub` of every level, current actor first (RFC 8693 §4.1).
pub fn chain_of(token: &Decoded) -> Vec<String> {
    let mut chain = Vec::new();
    let mut level = token.claims.get("act");
    while let Some(act) = level {
        chain.push(act.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned());
        level = act.get("act");
    }
    chain
}

/// Expects a token as it should be, with its audit row.
pub async fn granted(
    step: &mut Step,
    call: &Call,
    grant: &Grant<'_>,
    names: &mut Names,
    records: &Records,
) -> anyhow::Result<()> {
    step.expect("status", 200, call.status);
    step.audit = records.row_of(call).await?;
    let Some(token) = call.token().and_then(Decoded::read) else {
        tell_unexpected(step, call, records);
        return Ok(());
    };
    let chain = chain_of(&token);
    for (id, name) in chain.iter().zip(grant.chain) {
        if names.id_of(name).is_none() && names.name_of(id) == id {
            names.learn(id, name);
        }
    }
    let named: Vec<&str> = chain.iter().map(|id| names.name_of(id)).collect();
    let number = |claim: &str| token.claims.get(claim).and_then(Value::as_i64).unwrap_or_default();
    let lives = number("exp") - number("iat");

    step.expect("typ", grant.kind, token.typ());
    step.expect("aud", grant.audience, token.text("aud"));
    step.expect("scope", grant.scope, token.text("scope"));
    step.expect("act", grant.chain.join(" < "), named.join(" < "));
    let bound_to = token.claims.pointer("/cnf/jkt").cloned().unwrap_or_default();
    if grant.kind == HANDOVER {
        step.expect("not bound to the giver's key", Value::Null, bound_to);
        step.expect("token_type", "N_A", call.text("token_type"));
    } else {
        step.expect("bound to the key that the agent proved", call.proof_by.clone(), bound_to);
        step.expect("token_type", "DPoP", call.text("token_type"));
    }
    step.expect_that(&format!("at most {} s", grant.seconds), (1..=grant.seconds).contains(&lives), lives);
    step.expect_that("no birthdate", !has_birthdate(call, &token), "there is one");
    let of_row =
        |member: &str| step.audit.as_ref().and_then(|row| row.get(member)).cloned().unwrap_or_default();
    let (outcome, jti) = (of_row("outcome"), of_row("jti"));
    step.expect(
        "on record",
        format!("granted {}", token.text("jti")),
        format!("{} {}", bare(&outcome), bare(&jti)),
    );

    let (kind, at) = match grant.kind {
        "task+jwt" => ("a task token", "Deputy"),
        HANDOVER => ("a handover", "Deputy"),
        _ => ("an access token", grant.audience),
    };
    let may = format!("good at: {at}; may: {}; {lives}\u{a0}s", grant.scope);
    step.means = Some(match &named[..] {
        [] => format!("about {} itself; {may}", grant.behind),
        actors => format!("for {}; acts: {}; {may}", grant.behind, actors.join(", asked by ")),
    });
    let who = grant.chain.first().copied().unwrap_or(grant.behind).to_owned();
    step.granted = Some(Granted { who, what: format!("{kind}; {may}") });
    step.token = Some(token);
    Ok(())
}

fn bare(value: &Value) -> String {
    value.as_str().unwrap_or("nothing").to_owned()
}

/// Whether a birthdate, or a claim of that name, is in a token or its answer.
fn has_birthdate(call: &Call, token: &Decoded) -> bool {
    let in_text = |text: &str| text.contains("birthdate") || text.contains(super::BIRTHDATE);
    in_text(&call.body.to_string()) || in_text(&token.claims.to_string())
}

/// Expects a 400 with this error and reason and without a token, and the true cause in the audit row, which the caller
/// does not see.
pub async fn refused(
    step: &mut Step,
    call: &Call,
    [error, reason, cause]: [&str; 3],
    records: &Records,
) -> anyhow::Result<()> {
    step.audit = records.row_of(call).await?;
    let recorded = step.audit.as_ref().and_then(|row| row.get("cause")).map(bare).unwrap_or_default();
    step.expect(
        "refused as it should be",
        format!("400 {error} {reason}"),
        format!("{} {} {}", call.status, call.text("error"), call.text("reason")),
    );
    step.expect("nothing issued", Value::Null, call.body.get("access_token").cloned().unwrap_or_default());
    step.expect("true cause on record", cause, recorded);
    Ok(())
}

/// A refusal that nobody expected, told like any other.
fn tell_unexpected(step: &mut Step, call: &Call, records: &Records) {
    let asked = |name: &str| {
        call.params.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    };
    let by = step.audit.as_ref().and_then(|row| row.pointer("/policy/policies")).and_then(Value::as_array);
    let by: Vec<&str> = by.into_iter().flatten().filter_map(Value::as_str).collect();
    let passes = match records.reasons_of(&by) {
        reasons if call.text("reason") == "policy_denied" && !reasons.is_empty() => reasons,
        _ => call.text("error_description").to_owned(),
    };
    let (asked, rule) = (
        format!("{} at {}", asked("scope"), asked("audience")),
        format!("{} ({})", call.text("reason"), call.text("error")),
    );
    *step = step.clone().denied(&format!("the {}", call.from), &asked, &rule, &passes);
}
