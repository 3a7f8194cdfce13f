//! `deputy sandbox`

use std::path::PathBuf;

use clap::Args;

use super::{CliError, Output};
use crate::sandbox::{self, Options};

/// How the story is played.
#[derive(Debug, Args)]
#[command(after_help = "\
Example: deputy sandbox              plays the story, then stays up with curl lines to copy
         deputy sandbox --once       ends after the story; exit 1 if a step is not as it should be")]
pub struct Sandbox {
    /// End after the story and its drills
    #[arg(long)]
    once: bool,
    /// Cedar policies of your own in place of the built-in set
    #[arg(long, value_name = "DIR")]
    policy: Option<PathBuf>,
}

impl Sandbox {
    /// Plays the story. A step with an unexpected result has reported it already.
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        let options = Options { once: self.once, json: output.is_json(), policy: self.policy };
        match sandbox::run(&options).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(CliError::Reported),
            Err(error) => Err(CliError::Failed(format!("{error:#}"))),
        }
    }
}
