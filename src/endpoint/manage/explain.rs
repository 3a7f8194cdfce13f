//! `deputy agent explain`: who is it, who authorised it, what was it allowed, what did it do, when and
//! why did it end. From the record alone, in under 40 lines.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::show::{MOST, Oldest, cut};
use super::{NotDone, answer, profile, show};
use crate::app::App;
use crate::audit::{Event, ExchangeEvent, Outcome, Row};
use crate::base::time::Timestamp;
use crate::delegation::profile::Profile;
use crate::delegation::record::{Agent, AgentState, DelegatorKind, EndReason, Ended, Provenance, TokenWord};
use crate::delegation::standing::{Over, agent_over};
use crate::delegation::stops::Stoppable;
use crate::oauth::{AgentId, TaskId};
use crate::store::AuditFilter;

/// How many tasks are described one by one.
const TASKS_TOLD: usize = 3;
/// How many grants are described one by one.
const GRANTS_TOLD: usize = 6;
/// How many agents that it brought in are named.
const BROUGHT_IN_TOLD: usize = 5;
/// How many acts are described one by one.
const ACTS_TOLD: usize = 8;

/// `GET /agents/{id}/explain`
pub async fn agent(app: web::Data<App>, id: web::Path<String>) -> HttpResponse {
    answer(explain(&app, &AgentId::new(id.as_str())).await)
}

async fn explain(app: &App, id: &AgentId) -> Result<Value, NotDone> {
    let agent = app.store.find_agent(id).await?.ok_or(NotDone::NotFound("agent"))?;
    crate::endpoint::introspect::record_counted(app, app.latest()).await?;
    let filter = AuditFilter { agent: Some(id.clone()), newest: Some(MOST + 1), ..AuditFilter::default() };
    let mut rows = app.store.list_audit(&filter).await?;
    let is_cut = cut(&mut rows, Oldest::First);
    let mut by_task: BTreeMap<TaskId, Vec<Row>> = BTreeMap::new();
    for task in rows.iter().filter_map(Row::task) {
        by_task.entry(task).or_default();
    }
    for (task, story) in by_task.iter_mut().rev().take(TASKS_TOLD) {
        let filter = AuditFilter { task: Some(*task), newest: Some(MOST), ..AuditFilter::default() };
        *story = app.store.list_audit(&filter).await?;
        if story.len() == MOST as usize {
            // Its end is among the newest, and its beginning may not be.
            let place = |row: &Row| (row.envelope.chain.clone(), row.envelope.seq);
            let mut beginning = app.store.list_beginning(*task).await?;
            beginning.retain(|row| story.iter().all(|known| place(known) != place(row)));
            story.splice(0..0, beginning);
        }
    }
    let now = app.latest();
    let mut tasks = Vec::new();
    for task in by_task.keys().rev().take(TASKS_TOLD) {
        tasks.extend(app.store.find_task(*task).await?);
    }
    let around = app.store.find_surroundings(&tasks, std::slice::from_ref(&agent)).await?;
    let over = agent_over(&agent, &around.stops, now);
    let ends =
        tasks.iter().map(|task| (task.id, show::over(task, &around, now).ok_or(task.expires_at))).collect();
    let profile = app.store.find_profile(&agent.id).await?;
    let mut json = show::agent_json(&agent, over.as_ref());
    if let Some(json) = json.as_object_mut() {
        json.extend(profile::shown(profile.as_ref()));
    }
    let mut text = tell(&Standing { agent, profile, over, ends }, &rows, &by_task);
    if is_cut {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "It has more rows than these: this is told from the newest {MOST} of them.");
    }
    Ok(json!({"agent": json, "text": text}))
}

/// An agent, with what it and its last tasks have come to.
pub(super) struct Standing {
    pub(super) agent: Agent,
    pub(super) profile: Option<Profile>,
    /// Why an agent that is on record as active may not act.
    pub(super) over: Option<Over>,
    /// Why each task is over, or until when it goes on.
    pub(super) ends: BTreeMap<TaskId, Result<Over, Timestamp>>,
}

/// The life of an agent, in words.
pub(super) fn tell(standing: &Standing, rows: &[Row], by_task: &BTreeMap<TaskId, Vec<Row>>) -> String {
    let agent = &standing.agent;
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}", agent.id);
    who_is_it(&mut text, standing);
    who_authorised_it(&mut text, agent, rows, by_task);
    what_was_it_allowed(&mut text, agent, rows);
    what_did_it_do(&mut text, agent, rows, by_task);
    when_did_it_end(&mut text, standing, by_task);
    text
}

fn who_is_it(text: &mut String, standing: &Standing) {
    let Standing { agent, profile, .. } = standing;
    let _ = writeln!(text, "Who is it?");
    let _ = match &agent.provenance {
        Provenance::Client => writeln!(text, "  the own agent of client `{}`", agent.client),
        Provenance::Workload { issuer, workload, instance } => {
            let instance = instance.as_ref().map(|id| format!(", instance `{id}`")).unwrap_or_default();
            writeln!(
                text,
                "  a workload of class `{}`, vouched for by {issuer} as `{workload}`{instance}, presented by client `{}`",
                agent.class, agent.client
            )
        }
    };
    let runs = [&agent.build.software, &agent.build.version, &agent.build.image];
    let runs: Vec<&str> = runs.into_iter().flatten().map(String::as_str).collect();
    if !runs.is_empty() {
        let _ = writeln!(text, "  runs {}, as its platform said", runs.join(", "));
    }
    if let Some(profile) = profile {
        let _ = write!(text, "  owned by {}", profile.owner.as_str());
        for (what, line) in [("to be reached at", &profile.contact), ("for", &profile.purpose)] {
            let _ = line.as_ref().map_or(Ok(()), |line| write!(text, ", {what} {}", line.as_str()));
        }
        let _ = writeln!(text);
    }
    let _ = writeln!(text, "  first seen {}, last seen {}", agent.first_seen, agent.last_seen);
}

fn who_authorised_it(text: &mut String, agent: &Agent, rows: &[Row], by_task: &BTreeMap<TaskId, Vec<Row>>) {
    let _ = writeln!(text, "Who authorised it?");
    if by_task.is_empty() {
        let _ = writeln!(text, "  nobody: it never worked in a task");
    }
    for (task, story) in by_task.iter().rev().take(TASKS_TOLD) {
        let begun = story.iter().find_map(|row| {
            row.exchange().filter(|exchange| exchange.task_begun).map(|exchange| (row, exchange))
        });
        let subject = story.iter().find_map(Row::subject);
        let kind = story.iter().find_map(|row| row.exchange()?.delegator_kind);
        let _ = match (kind, begun.and_then(|(_, begun)| begun.agent.as_ref())) {
            (Some(DelegatorKind::Agent), Some(first)) if *first != agent.id => {
                write!(text, "  no user: {first} acts for itself")
            }
            (Some(DelegatorKind::Agent), _) => write!(text, "  no user: it acts for itself"),
            _ => {
                write!(text, "  user {}", subject.map_or("unknown".to_owned(), |subject| subject.to_string()))
            }
        };
        if let Some((_, begun)) = begun.filter(|_| kind != Some(DelegatorKind::Agent)) {
            let _ = write!(
                text,
                " of {}, signed in with {}",
                begun.provider.as_deref().unwrap_or("an unknown provider"),
                if begun.levels.is_empty() { "no level met".to_owned() } else { begun.levels.join(" and ") },
            );
        }
        let _ = writeln!(text);
        let _ = write!(text, "    task {task}");
        if let Some((row, begun)) = begun {
            let _ = write!(
                text,
                ", begun {} by client `{}`",
                row.envelope.at,
                row.client().map_or("", |client| client.as_str())
            );
            if let Some(purpose) = &begun.purpose {
                let _ = write!(text, ", for: {}", purpose.as_str());
            }
        }
        let _ = writeln!(text);
    }
    if by_task.len() > TASKS_TOLD {
        let _ = writeln!(text, "  and {} earlier tasks", by_task.len() - TASKS_TOLD);
    }
    let chains = rows.iter().rev().filter(|row| row.outcome == Outcome::Granted).map(Row::actors);
    let before = chains.into_iter().find_map(|chain| chain.strip_prefix(std::slice::from_ref(&agent.id)));
    // In a task of an agent's own, that agent is in no chain.
    let giver = || granted(agent, rows).filter_map(|row| row.accepted_from.as_ref()).last();
    let before: Vec<&str> = match before {
        Some(before) if !before.is_empty() => before.iter().map(AgentId::as_str).collect(),
        _ => giver().into_iter().map(AgentId::as_str).collect(),
    };
    if !before.is_empty() {
        let _ = writeln!(text, "  it was brought in by {}", before.join(", for "));
    }
    let mut brought_in: Vec<&AgentId> = rows
        .iter()
        .filter_map(Row::exchange)
        .filter(|row| row.accepted_from.as_ref() == Some(&agent.id))
        .filter_map(|row| row.agent.as_ref())
        .collect();
    brought_in.sort_unstable();
    brought_in.dedup();
    if !brought_in.is_empty() {
        let more = brought_in.len().saturating_sub(BROUGHT_IN_TOLD);
        let told: Vec<&str> = brought_in.into_iter().take(BROUGHT_IN_TOLD).map(AgentId::as_str).collect();
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let _ = writeln!(text, "  it brought in {}{more}, by handing over", told.join(", "));
    }
}

fn what_was_it_allowed(text: &mut String, agent: &Agent, rows: &[Row]) {
    let _ = writeln!(text, "What was it allowed?");
    let mut allowed: BTreeMap<(String, String), (u64, i64)> = BTreeMap::new();
    for row in granted(agent, rows) {
        let target = row.target.as_ref().map(ToString::to_string).unwrap_or_default();
        let scope = row.scope.as_ref().map(ToString::to_string).unwrap_or_default();
        let what = match row.token_kind {
            Some(TokenWord::Task) => "as a task token, to slice".to_owned(),
            Some(TokenWord::Handover) => "to hand over".to_owned(),
            Some(TokenWord::Agent) => format!("about itself, at {target}"),
            Some(TokenWord::Access) | None => format!("at {target}"),
        };
        let entry = allowed.entry((what, scope)).or_default();
        entry.0 += 1;
        entry.1 = entry.1.max(row.expires_at.unwrap_or(0));
    }
    if allowed.is_empty() {
        let _ = writeln!(text, "  nothing");
    }
    for ((what, scope), (count, until)) in allowed.iter().take(GRANTS_TOLD) {
        let until = Timestamp::from_seconds(*until);
        let times = if *count == 1 { "once".to_owned() } else { format!("{count} times") };
        let _ = writeln!(text, "  {what}: {scope} ({times}, last until {until})");
    }
    if allowed.len() > GRANTS_TOLD {
        let _ = writeln!(text, "  and {} more kinds of grant", allowed.len() - GRANTS_TOLD);
    }
}

fn granted<'a>(agent: &'a Agent, rows: &'a [Row]) -> impl Iterator<Item = &'a ExchangeEvent> {
    let granted = rows.iter().filter(|row| row.outcome == Outcome::Granted);
    granted.filter_map(Row::exchange).filter(|exchange| exchange.agent.as_ref() == Some(&agent.id))
}

fn what_did_it_do(text: &mut String, agent: &Agent, rows: &[Row], by_task: &BTreeMap<TaskId, Vec<Row>>) {
    let own: Vec<&Row> = rows.iter().filter(|row| row.agent() == Some(&agent.id)).collect();
    let count = |is: fn(&Outcome) -> bool| {
        own.iter().filter(|row| row.exchange().is_some() && is(&row.outcome)).count()
    };
    let tokens: std::collections::BTreeSet<_> = granted(agent, rows).filter_map(|row| row.jti).collect();
    let used: u64 = by_task
        .values()
        .flatten()
        .filter_map(|row| match &row.event {
            Event::Introspection(event) if event.jti.is_some_and(|jti| tokens.contains(&jti)) => {
                Some(event.count.unwrap_or(1))
            }
            _ => None,
        })
        .sum();
    let _ = writeln!(text, "What did it do?");
    let _ = writeln!(
        text,
        "  {} exchanges granted, {} refused; its tokens were checked {used} times by resource servers",
        count(|outcome| *outcome == Outcome::Granted),
        count(|outcome| matches!(outcome, Outcome::Refused { .. }))
    );
    for row in own.iter().rev().take(ACTS_TOLD).rev() {
        let _ = writeln!(text, "  {} {}", row.envelope.at, act(row));
    }
    if own.len() > ACTS_TOLD {
        let _ = writeln!(text, "  and {} earlier acts", own.len() - ACTS_TOLD);
    }
}

fn act(row: &Row) -> String {
    match &row.event {
        Event::Exchange(exchange) | Event::Handover(exchange) | Event::Accept(exchange) => {
            exchanged(row, exchange)
        }
        Event::Revocation(event) => format!("gave back a token; {} died", event.died.unwrap_or(0)),
        Event::AgentState(event) => {
            let state = match event.state {
                AgentState::Active => "active again".to_owned(),
                state => format!("{} ({})", state.word(), event.why.in_words()),
            };
            if row.outcome != Outcome::Granted || event.changed == Some(false) {
                format!("was to be made {state}, which changed nothing")
            } else {
                format!("was made {state}")
            }
        }
        Event::AgentProfile(_) => "was given a profile".to_owned(),
        Event::TaskEnd(event) => format!("had its task ended ({})", event.why.in_words()),
        Event::Pin(_) => "had its credential pinned to a key".to_owned(),
        Event::PinRefused(_) => {
            "was refused: its credential came without the key that it is pinned to".to_owned()
        }
        event => event.kind().word().replace('_', " "),
    }
}

fn exchanged(row: &Row, exchange: &ExchangeEvent) -> String {
    let target = exchange.target.as_ref().map_or("?", |target| target.as_str());
    let scope = exchange.scope.as_ref().or(exchange.scope_asked.as_ref());
    let scope = scope.map(ToString::to_string).unwrap_or_default();
    let rule = exchange.policy.as_ref().map(|policy| format!(" [{}]", policy.in_words()));
    let rule = rule.unwrap_or_default();
    let what = match (&row.event, &exchange.handed_to, &exchange.accepted_from) {
        (Event::Handover(_), Some(to), _) => format!("{scope} to hand over to {to}"),
        (Event::Handover(_), None, _) => format!("{scope} to hand over"),
        (_, _, Some(from)) => format!("{scope} at {target}, handed over by {from}"),
        _ => format!("{scope} at {target}"),
    };
    match &row.outcome {
        Outcome::Granted => format!("got {what}{rule}"),
        Outcome::Refused { cause, .. } => format!("was refused {what}: {cause}{rule}"),
        Outcome::Failed => format!("was refused {what}: failed{rule}"),
    }
}

/// How many tokens ended with a row, where it counts them.
const fn died(row: &Row) -> Option<u64> {
    match &row.event {
        Event::TaskEnd(event) => event.died,
        Event::Revocation(event) => event.died,
        _ => None,
    }
}

fn when_did_it_end(text: &mut String, standing: &Standing, by_task: &BTreeMap<TaskId, Vec<Row>>) {
    let Standing { agent, over, ends, .. } = standing;
    let _ = writeln!(text, "When and why did it end?");
    let _ = match (agent.state, agent.ended, over) {
        (AgentState::Suspended, ..) => {
            writeln!(text, "  suspended, not ended: `deputy agent resume` lets it act again")
        }
        (AgentState::Retired | AgentState::Banned, Some(ended), _) => {
            writeln!(text, "  {} {} ({})", agent.state.word(), ended.at, ended.why.in_words())
        }
        (_, _, Some(Over::Ended(ended))) => {
            writeln!(text, "  retired {} ({})", ended.at, ended.why.in_words())
        }
        (_, _, Some(Over::Stopped(party))) => {
            writeln!(text, "  it may not act until the stop of the {} is lifted", named(party))
        }
        _ => match agent.end_by_itself() {
            Some(Ended { at, why: EndReason::Idle }) => {
                writeln!(text, "  it has not ended; it does at {at}, if it is idle until then")
            }
            Some(end) => writeln!(text, "  it has not ended; it does at {}, when its time is up", end.at),
            None => writeln!(text, "  it has not ended"),
        },
    };
    for (task, story) in by_task.iter().rev().take(TASKS_TOLD) {
        let on_record = story.iter().rev().find_map(|row| Some((row, row.end_of(*task)?)));
        let _ = match (on_record, ends.get(task)) {
            (Some((row, why)), _) => {
                let died = died(row).map(|died| format!(", {died} tokens died")).unwrap_or_default();
                writeln!(text, "  task {task} ended {} ({}){died}", row.envelope.at, why.in_words())
            }
            (None, Some(Ok(Over::Ended(ended)))) => {
                writeln!(text, "  task {task} ended {} ({})", ended.at, ended.why.in_words())
            }
            (None, Some(Ok(Over::Stopped(party)))) => {
                writeln!(text, "  task {task} is over: the {} was stopped", named(party))
            }
            (None, Some(Err(until))) => writeln!(text, "  task {task} goes on, until {until} at most"),
            (None, None) => writeln!(text, "  task {task} is over, and its record was removed"),
        };
    }
}

/// A party in words.
fn named(party: &Stoppable) -> String {
    format!("{} {}", party.kind().word().replace('_', " "), party.name())
}
