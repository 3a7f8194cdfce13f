//! `deputy policy …`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{CliError, Output};
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
    /// Configuration file whose `policy.directory` is taken
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
                let directory = set.directory()?;
                let summary = policy::check::check(directory.as_deref())
                    .map_err(|error| CliError::Failed(error.to_string()))?;
                if output.is_json() {
                    output.json(&summary.to_json());
                } else {
                    output.line(summary.to_string());
                }
                Ok(())
            }
            Self::Test(test) => {
                let directory = test.set.directory()?;
                let set = directory.as_deref().map_or_else(PolicySet::builtin, PolicySet::load);
                let set = set.map_err(|error| CliError::Failed(error.to_string()))?;
                let file = test.cases.or_else(|| directory.map(|directory| directory.join(CASES)));
                let text = match &file {
                    None => BUILTIN_CASES.to_owned(),
                    Some(file) => std::fs::read_to_string(file).map_err(|error| {
                        CliError::Failed(format!(
                            "cannot read cases from `{}`: {}; name their file with `--cases`",
                            file.display(),
                            error.kind()
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
    fn directory(&self) -> Result<Option<PathBuf>, CliError> {
        match (self.directory.as_ref().or(self.policy.as_ref()), &self.config) {
            (Some(directory), _) => Ok(Some(directory.clone())),
            (None, Some(config)) => Ok(super::load(config)?.policy.directory),
            (None, None) => Ok(None),
        }
    }
}
