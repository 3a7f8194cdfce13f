//! `deputy init`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{CliError, Output};
use crate::base::entropy::SystemEntropy;
use crate::base::time::{Clock as _, SystemClock};
use crate::setup::init::{Options, init};

/// Where, and for whom.
#[derive(Debug, Args)]
#[command(after_help = "\
Overwrites nothing. Without `--issuer` the configuration is for this machine alone.

Example: deputy init --dir /etc/deputy --issuer https://deputy.example
         deputy init --dev-certs       TLS on localhost, certificates in certs/")]
pub struct Init {
    /// Directory to write to; made if it is not there
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Deputy's issuer, `https://…`
    #[arg(long, value_name = "URL", conflicts_with = "dev_certs")]
    issuer: Option<String>,
    /// Also make a certificate for localhost, signed by a CA of its own
    #[arg(long)]
    dev_certs: bool,
    /// Keep a configuration that is there, and make only what it lacks
    #[arg(long)]
    missing: bool,
}

impl Init {
    /// Writes the files and says what comes next.
    pub(super) fn run(self, output: &mut Output) -> Result<(), CliError> {
        let options = Options {
            directory: self.dir,
            issuer: self.issuer,
            dev_certs: self.dev_certs,
            only_missing: self.missing,
        };
        let made = init(&options, SystemClock.now(), &SystemEntropy::default())
            .map_err(|error| CliError::Failed(error.to_string()))?;
        if output.is_json() {
            output.json(&json!({"made": made.files, "next": made.next}));
            return Ok(());
        }
        for file in &made.files {
            output.line(format!("made {}", file.display()));
        }
        if made.files.is_empty() {
            output.line("nothing is missing");
        }
        output.line("");
        output.line("Next:");
        for step in &made.next {
            output.line(format!("  {step}"));
        }
        Ok(())
    }
}
