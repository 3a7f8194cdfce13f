//! `deputy check`

use clap::Args;
use serde_json::{Value, json};

use super::{CliError, ConfigArg, Output};
use crate::base::time::process_clock;
use crate::doctor::{Finding, Status, Surroundings, check};

#[derive(Debug, Args)]
#[command(after_help = "\
Reads only; needs no server, and may run beside one. Ends with 1 if anything failed; warnings pass.

Example: deputy check --config deputy.toml")]
pub struct Check {
    #[command(flatten)]
    config: ConfigArg,
    /// Ask neither identity providers nor key servers
    #[arg(long)]
    offline: bool,
}

impl Check {
    /// Runs every check and prints a line for each.
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        let surroundings = Surroundings {
            environment: super::environment(),
            now: process_clock().now(),
            is_offline: self.offline,
        };
        let findings = check(&self.config.config, surroundings).await;
        let failed = findings.iter().filter(|finding| finding.status == Status::Failed).count();
        let warnings = findings.iter().filter(|finding| finding.status == Status::Warning).count();
        if output.is_json() {
            let rows: Vec<Value> = findings.iter().map(Finding::to_json).collect();
            output
                .json(&json!({"ok": failed == 0, "failed": failed, "warnings": warnings, "findings": rows}));
        } else {
            for finding in &findings {
                output.line(finding.to_string());
            }
            output.line(format!("{} findings; failed: {failed}, warnings: {warnings}", findings.len()));
        }
        if failed == 0 { Ok(()) } else { Err(CliError::Reported) }
    }
}
