//! `deputy sandbox`

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::{CliError, Output};
use crate::base::nearest::nearest;
use crate::sandbox::{self, Drill, Options};

/// How the story is played.
#[derive(Debug, Args)]
#[command(after_help = "\
On a terminal, each step is told when you press Enter, and the clock of the sandbox stands still meanwhile. In a pipe \
and with --json, everything is told at once.

Example: deputy sandbox              plays the story, then stays up with commands to copy
         deputy sandbox --once       ends after the story; exit 1 if a step is not as it should be
         deputy sandbox --drill 5    plays the story without telling it, tells one drill, and ends")]
pub struct Sandbox {
    /// End after the story and its drills
    #[arg(long)]
    once: bool,
    /// Wait for Enter after each step, also where standard input is no terminal
    #[arg(long, overrides_with = "no_step")]
    step: bool,
    /// Do not wait, also on a terminal
    #[arg(long, overrides_with = "step")]
    no_step: bool,
    /// Tell this drill alone, and end; the story is played before it, but not told
    #[arg(long, value_name = "NUMBER|NAME", value_parser = read_drill)]
    drill: Option<Drill>,
    /// List the drills, and play nothing
    #[arg(long, conflicts_with_all = ["drill", "once", "step", "policy"])]
    list_drills: bool,
    /// Cedar policies of your own in place of the built-in set
    #[arg(long, value_name = "DIR")]
    policy: Option<PathBuf>,
}

fn read_drill(named: &str) -> Result<Drill, String> {
    Drill::find(named).ok_or_else(|| {
        let drills = Drill::ALL.len();
        let like = nearest(named, Drill::ALL.iter().map(|drill| drill.word())).unwrap_or_default();
        format!("no such drill; they have the numbers 1 to {drills}, and the nearest name is `{like}`")
    })
}

impl Sandbox {
    /// Plays the story. A step with an unexpected result has reported it already.
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        if self.list_drills {
            list(output);
            return Ok(());
        }
        if self.policy.is_some() && self.drill == Some(Drill::PolicyDenies) {
            let text = "the drill `policy-denies` writes a rule, and nothing is written into the directory of `--policy`";
            return Err(CliError::Usage(text.to_owned()));
        }
        if self.step && output.is_json() {
            return Err(CliError::Usage(
                "`--json` is for programs, which nothing waits for: leave out `--step`".to_owned(),
            ));
        }
        let is_watched = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let options = Options {
            once: self.once,
            json: output.is_json(),
            policy: self.policy,
            steps: self.step || (is_watched && !self.no_step && !output.is_json()),
            drill: self.drill,
        };
        match sandbox::run(&options).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(CliError::Reported),
            Err(error) => Err(CliError::Failed(format!("{error:#}"))),
        }
    }
}

fn list(output: &mut Output) {
    if output.is_json() {
        let drills = Drill::ALL
            .iter()
            .map(|drill| json!({ "number": drill.number(), "name": drill.word(), "title": drill.title() }));
        return output.json(&drills.collect::<Value>());
    }
    for drill in Drill::ALL {
        output.line(format!("{:>2}  {:<18} {}", drill.number(), drill.word(), drill.title()));
    }
}
