//! `deputy policy …`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{CliError, Output};
use crate::base::text::why_unread;
use crate::config::Config;
use crate::policy::testing::{BUILTIN_CASES, run_cases};
use crate::policy::{self, PolicySet};

/// The verbs about policy. None needs a server.
#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Validate a set of policies against the schema, as the server would
    #[command(after_help = "Example: deputy policy check ./policy")]
    Check(Set),
    /// Put cases from a file to a set of policies
    #[command(after_help = "Example: deputy policy test ./policy --cases ./policy/tests.toml")]
    Test(Test),
}

/// Which set.
#[derive(Debug, Args)]
pub struct Set {
    /// Directory of `*.cedar` files; else that of `--config`; else the built-in set
    #[arg(value_name = "DIR", conflicts_with_all = ["policy", "config"])]
    directory: Option<PathBuf>,
    /// The same as DIR
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    policy: Option<PathBuf>,
    /// Configuration file whose `policy.directory` is taken; words of the rules that it lacks are told
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Which set, and which cases.
#[derive(Debug, Args)]
pub struct Test {
    #[command(flatten)]
    set: Set,
    /// File of cases; else `tests.toml` in the directory; for the built-in set its own
    #[arg(long, value_name = "FILE")]
    cases: Option<PathBuf>,
}

/// Cases beside the policies they are for.
const CASES: &str = "tests.toml";

impl Policy {
    /// Checks or tests, and prints.
    pub(super) fn run(self, output: &mut Output) -> Result<(), CliError> {
        match self {
            Self::Check(set) => {
                let (directory, config) = set.read()?;
                let summary = policy::check::check(directory.as_deref(), config.as_ref())
                    .map_err(|error| CliError::Failed(error.to_string()))?;
                if output.is_json() {
                    output.json(&summary.to_json());
                } else {
                    output.line(summary.to_string());
                }
                Ok(())
            }
            Self::Test(test) => {
                let (directory, _) = test.set.read()?;
                let set = directory.as_deref().map_or_else(PolicySet::builtin, PolicySet::load);
                let set = set.map_err(|error| CliError::Failed(error.to_string()))?;
                let file = test.cases.or_else(|| directory.map(|directory| directory.join(CASES)));
                let text = match &file {
                    None => BUILTIN_CASES.to_owned(),
                    Some(file) => std::fs::read_to_string(file).map_err(|error| {
                        CliError::Failed(format!(
                            "cannot read cases from `{}`: {}; name their file with `--cases`",
                            file.display(),
                            why_unread(&error)
                        ))
                    })?,
                };
                let report = run_cases(&set, &text).map_err(|error| CliError::Failed(error.to_string()))?;
                if output.is_json() {
                    output.json(&report.to_json());
                } else {
                    output.line(report.to_string());
                }
                if report.is_passed() { Ok(()) } else { Err(CliError::Reported) }
            }
        }
    }
}

impl Set {
    /// The directory, and the configuration if one was named.
    fn read(&self) -> Result<(Option<PathBuf>, Option<Config>), CliError> {
        let config = self.config.as_deref().map(super::load).transpose()?;
        let configured = config.as_ref().and_then(|config| config.policy.directory.clone());
        Ok((self.directory.clone().or_else(|| self.policy.clone()).or(configured), config))
    }
}
