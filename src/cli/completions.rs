//! `deputy completions`

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, CliError, Output};

/// Which shell.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: deputy completions bash > ~/.local/share/bash-completion/completions/deputy"
)]
pub struct Completions {
    shell: Shell,
}

impl Completions {
    /// Prints the script, as it is: it has no JSON form.
    pub(super) fn run(&self, output: &mut Output) -> Result<(), CliError> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "deputy", &mut script);
        output.line(String::from_utf8_lossy(&script).trim_end());
        Ok(())
    }
}
