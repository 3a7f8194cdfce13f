//! `deputy agent explain`: who is it, who authorised it, what was it allowed, what did it do, when and
//! why did it end. From the record alone, in under 40 lines.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::{NotDone, answer, show};
use crate::app::App;
use crate::audit::{AuditRow, Event, Outcome};
use crate::delegation::record::{Agent, AgentState, Provenance};
use crate::oauth::{AgentId, TaskId};
use crate::store::AuditFilter;

/// Audit rows looked at, newest first.
const MOST_ROWS: u32 = 10_000;
/// Tasks told one by one.
const TASKS_TOLD: usize = 3;
/// Grants told one by one.
const GRANTS_TOLD: usize = 6;
/// Acts told one by one.
const ACTS_TOLD: usize = 8;

/// `GET /agents/{id}/explain`
pub async fn agent(app: web::Data<App>, id: web::Path<String>) -> HttpResponse {
    answer(explain(&app, &AgentId::new(id.as_str())).await)
}

async fn explain(app: &App, id: &AgentId) -> Result<Value, NotDone> {
    let agent = app.store.find_agent(id).await?.ok_or(NotDone::NotFound("agent"))?;
    crate::endpoint::introspect::record_counted(app, app.clock.now()).await?;
    let filter = AuditFilter { agent: Some(id.clone()), newest: Some(MOST_ROWS), ..AuditFilter::default() };
    let rows: Vec<AuditRow> =
        app.store.list_audit(&filter).await?.into_iter().map(|stored| stored.row).collect();
    let mut by_task: BTreeMap<TaskId, Vec<AuditRow>> = BTreeMap::new();
    for task in rows.iter().filter_map(|row| row.task) {
        by_task.entry(task).or_default();
    }
    for (task, story) in by_task.iter_mut().rev().take(TASKS_TOLD) {
        let filter = AuditFilter { task: Some(*task), newest: Some(MOST_ROWS), ..AuditFilter::default() };
        *story = app.store.list_audit(&filter).await?.into_iter().map(|stored| stored.row).collect();
    }
    let text = tell(&agent, &rows, &by_task);
    Ok(json!({"agent": show::agent_json(&agent), "text": text}))
}

/// The life of an agent, in words.
fn tell(agent: &Agent, rows: &[AuditRow], by_task: &BTreeMap<TaskId, Vec<AuditRow>>) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}", agent.id);
    who_is_it(&mut text, agent);
    who_authorised_it(&mut text, agent, rows, by_task);
    what_was_it_allowed(&mut text, agent, rows);
    what_did_it_do(&mut text, agent, rows, by_task);
    when_did_it_end(&mut text, agent, by_task);
    text
}

fn who_is_it(text: &mut String, agent: &Agent) {
    let _ = writeln!(text, "Who is it?");
    let _ = match &agent.provenance {
        Provenance::Client => writeln!(text, "  the own agent of client `{}`", agent.client),
        Provenance::Workload { issuer, id } => writeln!(
            text,
            "  a workload of class `{}`, vouched for by {issuer} as `{id}`, presented by client `{}`",
            agent.class, agent.client
        ),
    };
    let _ = writeln!(text, "  first seen {}", agent.first_seen);
}

fn who_authorised_it(
    text: &mut String,
    agent: &Agent,
    rows: &[AuditRow],
    by_task: &BTreeMap<TaskId, Vec<AuditRow>>,
) {
    let _ = writeln!(text, "Who authorised it?");
    if by_task.is_empty() {
        let _ = writeln!(text, "  nobody: it never worked in a task");
    }
    for (task, story) in by_task.iter().rev().take(TASKS_TOLD) {
        let begun = story.iter().find(|row| row.task_begun && row.outcome == Outcome::Granted);
        let subject = story.iter().find_map(|row| row.subject);
        let _ =
            write!(text, "  user {}", subject.map_or("unknown".to_owned(), |subject| subject.to_string()));
        if let Some(begun) = begun {
            let _ = write!(
                text,
                " of {}, signed in with {}",
                begun.provider.as_deref().unwrap_or("an unknown provider"),
                if begun.levels.is_empty() { "no level met".to_owned() } else { begun.levels.join(" and ") },
            );
        }
        let _ = writeln!(text);
        let _ = write!(text, "    task {task}");
        if let Some(begun) = begun {
            let _ = write!(
                text,
                ", begun {} by client `{}`",
                begun.at,
                begun.client.as_ref().map_or("", |c| c.as_str())
            );
            if let Some(purpose) = &begun.purpose {
                let _ = write!(text, ", for: {purpose}");
            }
        }
        let _ = writeln!(text);
    }
    if by_task.len() > TASKS_TOLD {
        let _ = writeln!(text, "  and {} earlier tasks", by_task.len() - TASKS_TOLD);
    }
    let chain =
        rows.iter().rev().find(|row| row.outcome == Outcome::Granted && row.chain.first() == Some(&agent.id));
    if let Some(row) = chain.filter(|row| row.chain.len() > 1) {
        let before: Vec<&str> = row.chain[1..].iter().map(AgentId::as_str).collect();
        let _ = writeln!(text, "  it was brought in by {}", before.join(", for "));
    }
}

fn what_was_it_allowed(text: &mut String, agent: &Agent, rows: &[AuditRow]) {
    let _ = writeln!(text, "What was it allowed?");
    let mut allowed: BTreeMap<(String, String, bool), (u64, i64)> = BTreeMap::new();
    for row in granted(agent, rows) {
        let target = row.target.as_ref().map(ToString::to_string).unwrap_or_default();
        let scope = row.scope.as_ref().map(ToString::to_string).unwrap_or_default();
        let is_task = row.token_kind.as_deref() == Some("task");
        let entry = allowed.entry((target, scope, is_task)).or_default();
        entry.0 += 1;
        entry.1 = entry.1.max(row.expires_at.unwrap_or(0));
    }
    if allowed.is_empty() {
        let _ = writeln!(text, "  nothing");
    }
    for ((target, scope, is_task), (count, until)) in allowed.iter().take(GRANTS_TOLD) {
        let until = crate::base::time::Timestamp::from_seconds(*until);
        let times = if *count == 1 { "once".to_owned() } else { format!("{count} times") };
        let what = if *is_task { "as a task token, to slice:" } else { "at" };
        let what = if *is_task { what.to_owned() } else { format!("{what} {target}:") };
        let _ = writeln!(text, "  {what} {scope} ({times}, last until {until})");
    }
    if allowed.len() > GRANTS_TOLD {
        let _ = writeln!(text, "  and {} more kinds of grant", allowed.len() - GRANTS_TOLD);
    }
}

fn granted<'a>(agent: &'a Agent, rows: &'a [AuditRow]) -> impl Iterator<Item = &'a AuditRow> {
    rows.iter().filter(|row| {
        row.event == Event::Exchange
            && row.outcome == Outcome::Granted
            && row.agent.as_ref() == Some(&agent.id)
    })
}

fn what_did_it_do(
    text: &mut String,
    agent: &Agent,
    rows: &[AuditRow],
    by_task: &BTreeMap<TaskId, Vec<AuditRow>>,
) {
    let own: Vec<&AuditRow> = rows.iter().filter(|row| row.agent.as_ref() == Some(&agent.id)).collect();
    let count =
        |outcome| own.iter().filter(|row| row.event == Event::Exchange && row.outcome == outcome).count();
    let tokens: std::collections::BTreeSet<_> = granted(agent, rows).filter_map(|row| row.jti).collect();
    let used: u64 = by_task
        .values()
        .flatten()
        .filter(|row| row.event == Event::Introspection && row.jti.is_some_and(|jti| tokens.contains(&jti)))
        .map(|row| row.count.unwrap_or(1))
        .sum();
    let _ = writeln!(text, "What did it do?");
    let _ = writeln!(
        text,
        "  {} exchanges granted, {} refused; its tokens were checked {used} times by resource servers",
        count(Outcome::Granted),
        count(Outcome::Refused)
    );
    for row in own.iter().rev().take(ACTS_TOLD).rev() {
        let _ = writeln!(text, "  {} {}", row.at, act(row));
    }
    if own.len() > ACTS_TOLD {
        let _ = writeln!(text, "  and {} earlier acts", own.len() - ACTS_TOLD);
    }
}

fn act(row: &AuditRow) -> String {
    let target = row.target.as_ref().map_or("?", |target| target.as_str());
    let asked = row.scope.as_ref().or(row.scope_asked.as_ref()).map(ToString::to_string).unwrap_or_default();
    let rule =
        row.policy.as_ref().map(|policy| format!(" [{}]", policy.policies.join(", "))).unwrap_or_default();
    match (row.event, row.outcome) {
        (Event::Exchange, Outcome::Granted) => format!("got {asked} at {target}{rule}"),
        (Event::Exchange, _) => {
            format!("was refused {asked} at {target}: {}{rule}", row.cause.as_deref().unwrap_or("failed"))
        }
        (Event::Revocation, _) => format!("gave back a token; {} died", row.died.unwrap_or(0)),
        (event, _) => format!("{event:?}: {}", row.detail.as_deref().unwrap_or("")),
    }
}

fn when_did_it_end(text: &mut String, agent: &Agent, by_task: &BTreeMap<TaskId, Vec<AuditRow>>) {
    let _ = writeln!(text, "When and why did it end?");
    let _ = match (agent.state, agent.ended) {
        (AgentState::Retired, Some(ended)) => writeln!(text, "  retired {}: {}", ended.at, ended.why.word()),
        (AgentState::Banned, Some(ended)) => writeln!(text, "  banned {}: {}", ended.at, ended.why.word()),
        (AgentState::Suspended, _) => writeln!(text, "  suspended, not ended"),
        _ => writeln!(text, "  it has not ended"),
    };
    for (task, story) in by_task.iter().rev().take(TASKS_TOLD) {
        let end = story.iter().rev().find(|row| {
            row.outcome == Outcome::Granted
                && (row.event == Event::TaskEnd
                    || (row.event == Event::Revocation && row.detail.as_deref() == Some("task_done")))
        });
        let _ = match end {
            Some(row) => writeln!(
                text,
                "  task {task} ended {} ({}), {} tokens died",
                row.at,
                row.detail.as_deref().unwrap_or("ended"),
                row.died.unwrap_or(0)
            ),
            None => writeln!(text, "  task {task} has no end on record: it goes on, or its time ran out"),
        };
    }
}
