//! The verbs that read the record: rows about something, rows by what an operator asks for, and the chains as they are
//! stored.

use actix_web::{HttpResponse, web};
use data_encoding::HEXLOWER;
use serde::Deserialize;
use serde_json::{Value, json};

use super::show::{MOST, Oldest, list};
use super::{NotDone, answer};
use crate::app::App;
use crate::audit::{Kind, OutcomeKind, Row};
use crate::base::time::Timestamp;
use crate::endpoint::introspect::record_counted;
use crate::oauth::{AgentId, ClientId, Jti, RequestId, TaskId};
use crate::store::{AuditFilter, StoredRow, Stretch};

/// As many rows of a chain are given at once at most.
const MOST_OF_CHAIN: u32 = 500;

/// The query of `GET /audit/trace`: exactly one of them.
#[derive(Deserialize)]
pub struct TraceQuery {
    agent: Option<String>,
    task: Option<String>,
    jti: Option<String>,
    request: Option<String>,
}

/// `GET /audit/trace`: the newest rows, oldest first.
pub async fn trace(app: web::Data<App>, query: web::Query<TraceQuery>) -> HttpResponse {
    answer(
        async {
            let filter = AuditFilter {
                agent: query.agent.as_deref().map(AgentId::new),
                task: parsed(query.task.as_deref(), "task", TaskId::parse)?,
                jti: parsed(query.jti.as_deref(), "jti", Jti::parse)?,
                request: parsed(query.request.as_deref(), "request", RequestId::parse)?,
                newest: Some(MOST + 1),
                ..AuditFilter::default()
            };
            // What was counted a moment ago belongs to the story too.
            record_counted(&app, app.latest()).await?;
            Ok(list("rows", app.store.list_audit(&filter).await?, Oldest::First, row_json))
        }
        .await,
    )
}

/// The query of `GET /audit/list`. All that is given must match.
#[derive(Deserialize)]
pub struct ListQuery {
    agent: Option<String>,
    task: Option<String>,
    client: Option<String>,
    outcome: Option<OutcomeKind>,
    event: Option<Kind>,
    since: Option<String>,
    until: Option<String>,
    limit: Option<u32>,
}

/// `GET /audit/list`: the newest rows that match, oldest first. It looks at a bounded number of rows, and says in
/// `next_until` from which time on a further request has to look for older ones.
pub async fn list_rows(app: web::Data<App>, query: web::Query<ListQuery>) -> HttpResponse {
    answer(
        async {
            let filter = AuditFilter {
                agent: query.agent.as_deref().map(AgentId::new),
                task: parsed(query.task.as_deref(), "task", TaskId::parse)?,
                client: query.client.as_deref().map(ClientId::new),
                outcome: query.outcome,
                event: query.event,
                since: parsed(query.since.as_deref(), "since", Timestamp::parse)?,
                until: parsed(query.until.as_deref(), "until", Timestamp::parse)?,
                newest: Some(query.limit.unwrap_or(MOST).clamp(1, MOST)),
                ..AuditFilter::default()
            };
            record_counted(&app, app.latest()).await?;
            let found = app.store.search_audit(&filter).await?;
            Ok(json!({
                "rows": found.rows.iter().map(row_json).collect::<Vec<_>>(),
                "next_until": found.left_at.map(|at| at.to_string()),
            }))
        }
        .await,
    )
}

/// The query of `GET /audit/chains`.
#[derive(Deserialize)]
pub struct ChainsQuery {
    since: Option<String>,
    until: Option<String>,
}

/// `GET /audit/chains`: every chain, with its first and last row between two times.
pub async fn chains(app: web::Data<App>, query: web::Query<ChainsQuery>) -> HttpResponse {
    answer(
        async {
            let since = parsed(query.since.as_deref(), "since", Timestamp::parse)?;
            let until = parsed(query.until.as_deref(), "until", Timestamp::parse)?;
            record_counted(&app, app.latest()).await?;
            let stretches = app.store.list_chains(since, until).await?;
            let shown = |stretch: &Stretch| json!({"chain": stretch.chain, "first": stretch.first, "last": stretch.last});
            Ok(json!({"chains": stretches.iter().map(shown).collect::<Vec<_>>()}))
        }
        .await,
    )
}

/// The query of `GET /audit/rows`.
#[derive(Deserialize)]
pub struct RowsQuery {
    chain: String,
    after: i64,
    limit: Option<u32>,
}

/// `GET /audit/rows`: the rows of a chain after a number, as they are stored.
pub async fn rows(app: web::Data<App>, query: web::Query<RowsQuery>) -> HttpResponse {
    answer(
        async {
            let limit = query.limit.unwrap_or(MOST_OF_CHAIN).clamp(1, MOST_OF_CHAIN);
            let rows = app.store.list_chain(&query.chain, query.after, limit).await?;
            Ok(json!({"rows": rows.iter().map(stored_json).collect::<Vec<_>>()}))
        }
        .await,
    )
}

fn row_json(row: &Row) -> Value {
    json!({"chain": row.envelope.chain, "seq": row.envelope.seq, "row": row})
}

fn stored_json(row: &StoredRow) -> Value {
    json!({
        "chain": row.chain,
        "seq": row.seq,
        "previous": row.previous.map(|hash| HEXLOWER.encode(&hash)),
        "hash": HEXLOWER.encode(&row.hash),
        "body": row.body,
    })
}

/// A member of a query as what it means.
fn parsed<T>(text: Option<&str>, name: &str, parse: fn(&str) -> Option<T>) -> Result<Option<T>, NotDone> {
    let invalid = || {
        let kind = if matches!(name, "since" | "until") {
            "a time (RFC 3339)"
        } else {
            "an identifier of that kind"
        };
        NotDone::Invalid(format!("`{name}` is not {kind}"))
    };
    text.map(|text| parse(text).ok_or_else(invalid)).transpose()
}
