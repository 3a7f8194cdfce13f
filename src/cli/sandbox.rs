//! `deputy sandbox`

use std::path::PathBuf;

use clap::Args;

use super::{CliError, Output};

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
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        let _ = (self.once, self.policy, output.is_json());
        Err(CliError::Failed("not composed yet".to_owned()))
    }
}
