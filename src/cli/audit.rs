//! `deputy audit …`

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::admin::{call, segment};
use super::output::printable;
use super::{CliError, ConfigArg, Output};
use crate::store::verify::{ChainReport, Report, verify};

/// The verbs about the audit log.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Recompute every chain and compare it with its signed checkpoints; needs no server
    #[command(after_help = "Example: deputy audit verify --config deputy.toml")]
    Verify(ConfigArg),
    /// Show the rows about one agent, task, token or request; needs the running server
    #[command(after_help = "Example: deputy audit trace --task 019f5b1e-7a10-7c3e-8a52-0d6a4f2b9c11")]
    Trace(Trace),
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

impl Audit {
    /// Verifies or traces, and prints.
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        match self {
            Self::Verify(config) => {
                let report =
                    verify(&config.load()?).await.map_err(|error| CliError::Failed(error.to_string()))?;
                told(&report, output);
                if report.faults.is_empty() { Ok(()) } else { Err(CliError::Reported) }
            }
            Self::Trace(trace) => {
                let about = &trace.about;
                let (name, value) = [
                    ("agent", &about.agent),
                    ("task", &about.task),
                    ("jti", &about.jti),
                    ("request", &about.request),
                ]
                .into_iter()
                .find_map(|(name, value)| value.as_deref().map(|value| (name, value)))
                .unwrap_or(("request", ""));
                let path = format!("/audit/trace?{name}={}", segment(value));
                let answer = call(&trace.config.load()?, Method::GET, &path, None).await?;
                rows(&answer, output);
                Ok(())
            }
        }
    }
}

fn rows(answer: &Value, output: &mut Output) {
    if output.is_json() {
        return output.json(answer);
    }
    let rows = answer.get("rows").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if rows.is_empty() {
        return output.line("none");
    }
    for stored in rows {
        let members = stored.get("row").and_then(Value::as_object);
        let members =
            members.into_iter().flatten().filter(|(_, value)| !is_empty(value)).map(|(name, value)| {
                let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
                format!("{name}={}", printable(&text))
            });
        let seq = stored.get("seq").and_then(Value::as_i64).unwrap_or(0);
        output.line(format!("{seq:>6}  {}", members.collect::<Vec<_>>().join(" ")));
    }
    output.left_out(answer);
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

fn told(report: &Report, output: &mut Output) {
    if output.is_json() {
        let chains: Vec<Value> = report.chains.iter().map(chain_json).collect();
        let faults: Vec<Value> = report
            .faults
            .iter()
            .map(|fault| json!({"chain": fault.chain, "seq": fault.seq, "what": fault.what.to_string()}))
            .collect();
        return output.json(&json!({"ok": report.faults.is_empty(), "chains": chains, "faults": faults}));
    }
    for chain in &report.chains {
        let anchored = match chain.anchored_at {
            Some(at) => format!("anchored up to row {} at {at}", chain.anchored),
            None => "not anchored yet".to_owned(),
        };
        let open = match chain.unanchored {
            0 => String::new(),
            rows => format!("; {rows} rows after it could still be cut unseen"),
        };
        output.line(format!("chain {}: {} rows, {anchored}{open}", printable(&chain.chain), chain.rows));
        if let Some(key) = &chain.public_key {
            output.line(format!("  checkpoint key {key}"));
        }
    }
    for fault in &report.faults {
        let place = match (fault.chain.as_str(), fault.seq) {
            ("", 0) => "checkpoint file".to_owned(),
            ("", line) => format!("checkpoint file line {line}"),
            (chain, row) => format!("chain {} row {row}", printable(chain)),
        };
        output.line(format!("FAULT {place}: {}", fault.what));
    }
    output.line(if report.faults.is_empty() {
        "the audit log is whole"
    } else {
        "the audit log was tampered with"
    });
}

fn chain_json(chain: &ChainReport) -> Value {
    json!({
        "chain": chain.chain,
        "rows": chain.rows,
        "last": chain.last,
        "anchored": chain.anchored,
        "anchored_at": chain.anchored_at.map(|at| at.to_string()),
        "unanchored": chain.unanchored,
        "public_key": chain.public_key,
    })
}
