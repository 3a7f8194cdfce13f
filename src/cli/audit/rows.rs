//! `deputy audit list` and `deputy audit trace`: rows that are searched for.

use clap::{Args, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};

use super::when::When;
use crate::audit::{Kind, OutcomeKind, Row};
use crate::base::time::process_clock;
use crate::cli::admin::{call, segment};
use crate::cli::output::printable;
use crate::cli::{CliError, ConfigArg, Output};

/// A search asks so often at most. Each answer of the server is about a bounded number of rows.
const QUESTIONS: usize = 50;

/// Which rows.
#[derive(Debug, Args)]
pub struct List {
    /// Only those of this client, or of a caller that said it was this client
    #[arg(long)]
    client: Option<String>,
    #[arg(long)]
    task: Option<String>,
    /// Only those with this agent, `agent_…`, anywhere in the chain
    #[arg(long)]
    agent: Option<String>,
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<Came>,
    /// Short for `--outcome refused`
    #[arg(long, conflicts_with = "outcome")]
    refused: bool,
    /// Only those of this kind, such as `exchange`, `stop` or `policy_load`
    #[arg(long, value_parser = kind)]
    event: Option<Kind>,
    /// Not earlier: a time (RFC 3339), or how long ago (`15m`, `1h`, `2d`)
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// Not later
    #[arg(long, value_name = "TIME")]
    until: Option<When>,
    /// The newest so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    #[command(flatten)]
    config: ConfigArg,
}

/// How something came out.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Came {
    Granted,
    Refused,
    /// Something inside failed
    Failed,
}

impl From<Came> for OutcomeKind {
    fn from(came: Came) -> Self {
        match came {
            Came::Granted => Self::Granted,
            Came::Refused => Self::Refused,
            Came::Failed => Self::Failed,
        }
    }
}

/// What the rows are about.
#[derive(Debug, Args)]
pub struct Trace {
    #[command(flatten)]
    about: About,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct About {
    /// An agent, `agent_…`, anywhere in a chain
    #[arg(long)]
    agent: Option<String>,
    #[arg(long)]
    task: Option<String>,
    /// A token's `jti`
    #[arg(long)]
    jti: Option<String>,
    /// A request's `request_id`
    #[arg(long)]
    request: Option<String>,
}

impl List {
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        let config = self.config.load()?;
        let now = process_clock().now();
        let outcome = self.outcome.map(OutcomeKind::from).or(self.refused.then_some(OutcomeKind::Refused));
        let wanted = [
            ("client", self.client.clone()),
            ("task", self.task.clone()),
            ("agent", self.agent.clone()),
            ("outcome", outcome.map(|outcome| outcome.word().to_owned())),
            ("event", self.event.map(|event| event.word().to_owned())),
            ("since", self.since.map(|since| since.at(now).to_string())),
        ];
        let mut until = self.until.map(|until| until.at(now).to_string());
        let mut found: Vec<Value> = Vec::new();
        for _ in 0..QUESTIONS {
            let missing = (self.limit as usize).saturating_sub(found.len());
            let limit = [("limit", Some(missing.to_string())), ("until", until.clone())];
            let path = format!("/audit/list?{}", query(wanted.iter().chain(&limit)));
            let answer = call(&config, Method::GET, &path, None).await?;
            let older = answer.get("rows").and_then(Value::as_array).cloned().unwrap_or_default();
            found.splice(0..0, older);
            until = answer.get("next_until").and_then(Value::as_str).map(ToOwned::to_owned);
            if until.is_none() || found.len() >= self.limit as usize {
                break;
            }
        }
        let mut answer = json!({"rows": found});
        if let Some(until) = until {
            answer["left_out"] =
                json!(format!("older rows were not looked at; they are found with `--until {until}`"));
        }
        shown(&answer, output);
        Ok(())
    }
}

impl Trace {
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        let About { agent, task, jti, request } = self.about;
        let about = [("agent", agent), ("task", task), ("jti", jti), ("request", request)];
        let path = format!("/audit/trace?{}", query(about.iter()));
        shown(&call(&self.config.load()?, Method::GET, &path, None).await?, output);
        Ok(())
    }
}

/// A query with those members that are given.
fn query<'a>(members: impl Iterator<Item = &'a (&'a str, Option<String>)>) -> String {
    let given = members.filter_map(|(name, value)| Some(format!("{name}={}", segment(value.as_ref()?))));
    given.collect::<Vec<_>>().join("&")
}

fn kind(text: &str) -> Result<Kind, String> {
    let words = || Kind::ALL.iter().map(|kind| kind.word()).collect::<Vec<_>>().join(", ");
    Kind::parse(text).ok_or_else(|| format!("write one of {}", words()))
}

/// The rows of an answer: a block each, or JSON as it came.
fn shown(answer: &Value, output: &mut Output) {
    if output.is_json() {
        return output.json(answer);
    }
    let rows = answer.get("rows").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if rows.is_empty() {
        output.line("none");
    }
    for stored in rows {
        let row = stored.get("row").unwrap_or(&Value::Null);
        match serde_json::from_value::<Row>(row.clone()) {
            Ok(row) => block(&row, output),
            // It was written by a newer server.
            Err(_) => output.line(printable(&row.to_string())),
        }
    }
    output.left_out(answer);
}

/// A row as a block of lines.
pub(super) fn block(row: &Row, output: &mut Output) {
    for line in row.in_words() {
        output.line(printable(&line));
    }
}
