//! `deputy audit …`

mod chains;
mod rows;
mod when;

use clap::Subcommand;
use serde_json::{Value, json};

use super::output::printable;
use super::{CliError, ConfigArg, Output};
use crate::store::verify::{ChainReport, Report, verify};

/// The verbs about the audit log. All but `verify` need the running server.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// List the newest rows of a client, a task, an agent, an outcome, an event or a time, newest last
    #[command(after_help = "\
Examples: deputy audit list --refused --since 1h
          deputy audit list --client assistant --outcome refused --limit 20
          deputy audit list --event stop --since 2026-11-27T06:00:00Z")]
    List(rows::List),
    /// Show the newest rows, and with `--follow` each new one as it is written
    #[command(after_help = "Example: deputy audit tail -n 5 --follow")]
    Tail(chains::Tail),
    /// Show the rows about one agent, task, token or request
    #[command(after_help = "Example: deputy audit trace --task 019f5b1e-7a10-7c3e-8a52-0d6a4f2b9c11")]
    Trace(rows::Trace),
    /// Print the rows as they are stored, one JSON object a line, with what verifies the chain offline
    #[command(after_help = "\
Examples: deputy audit export > audit.ndjson
          deputy audit export --after 4f1d2c3b5a697887:1200 >> audit.ndjson
          deputy audit export --since 2026-11-01T00:00:00Z --until 2026-12-01T00:00:00Z > november.ndjson")]
    Export(chains::Export),
    /// Recompute every chain and compare it with its signed checkpoints; needs no server
    #[command(after_help = "Example: deputy audit verify --config deputy.toml")]
    Verify(ConfigArg),
}

impl Audit {
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        match self {
            Self::List(list) => list.run(output).await,
            Self::Tail(tail) => tail.run(output).await,
            Self::Trace(trace) => trace.run(output).await,
            Self::Export(export) => export.run(output).await,
            Self::Verify(config) => {
                let report =
                    verify(&config.load()?).await.map_err(|error| CliError::Failed(error.to_string()))?;
                told(&report, output);
                if report.faults.is_empty() { Ok(()) } else { Err(CliError::Reported) }
            }
        }
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
