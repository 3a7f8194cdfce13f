//! The verbs: parse, call, print, exit. No decisions.
//!
//! Every verb has `--json`, `--help` with an example, and the exit codes of [`CliError`].

mod admin;
mod agent;
mod audit;
mod check;
mod clock;
mod completions;
mod error;
mod init;
mod key;
mod kill;
mod migrate;
mod output;
mod policy;
mod sandbox;
mod serve;
mod subject;
mod task;
#[cfg(test)]
mod tests;
mod token;
mod workload;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::base::process::hide_memory;
use crate::config::Config;

pub use error::CliError;
pub use output::Output;

/// Gives each of a user's AI agents its own short-lived, narrow token (OAuth 2.0 Token Exchange, RFC 8693).
#[derive(Debug, Parser)]
#[command(
    name = "deputy",
    version,
    max_term_width = 100,
    after_help = "\
Begin with:  deputy sandbox        the whole story on this machine, nothing to set up
Then:        deputy init           a configuration of your own, with the keys it needs
             deputy check          says what is wrong with it, and the fix

Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 refused by policy, 5 server unreachable"
)]
pub struct Cli {
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    verb: Verb,
}

#[expect(clippy::large_enum_variant, reason = "parsed once")]
#[derive(Debug, Subcommand)]
enum Verb {
    /// Play the whole story on this machine: sign in, delegate, ask, revoke
    Sandbox(sandbox::Sandbox),
    /// Run the server
    Serve(serve::Serve),
    /// Say what is wrong with a configuration and its surroundings, and the fix
    Check(check::Check),
    /// Bring the database's schema up to date
    Migrate(migrate::Migrate),
    /// Write a configuration, its directory and its master key
    Init(init::Init),
    /// Exchange, read, introspect or revoke a token as a client
    #[command(subcommand)]
    Token(token::Token),
    /// List, show, explain or stop agents
    #[command(subcommand)]
    Agent(agent::Agent),
    /// List, show or end tasks
    #[command(subcommand)]
    Task(task::Task),
    /// Say who a user of the audit rows is
    #[command(subcommand)]
    Subject(subject::Subject),
    /// Say what Deputy reads in the credential of a workload
    #[command(subcommand)]
    Workload(workload::Workload),
    /// Stop something at once and until it is lifted: everything that names it is dead, and nothing new begins
    #[command(after_help = "\
Examples: deputy kill user 'https://login.example|ada'
          deputy kill issuer https://kubernetes.default.svc --yes
          deputy kill client assistant --drill")]
    Kill(kill::Kill),
    /// Lift a stop: later logins and credentials begin anew
    #[command(after_help = "Example: deputy lift client assistant")]
    Lift(kill::Lift),
    /// List what was stopped, newest first
    #[command(after_help = "Example: deputy stops")]
    Stops(ConfigArg),
    /// Validate a policy set, or put test cases to it
    #[command(subcommand)]
    Policy(policy::Policy),
    /// List, rotate or revoke signing keys
    #[command(subcommand)]
    Key(key::Key),
    /// List, follow, trace, export or verify the audit rows
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Mend what is recorded of the time
    #[command(subcommand)]
    Clock(clock::Clock),
    /// Print a completion script for a shell
    Completions(completions::Completions),
}

/// Which configuration.
#[derive(Debug, Args)]
pub struct ConfigArg {
    /// Configuration file
    #[arg(long, value_name = "FILE", env = "DEPUTY_CONFIG", default_value = "deputy.toml")]
    config: PathBuf,
}

impl ConfigArg {
    /// Reads it, with the `DEPUTY_…` variables of this process.
    fn load(&self) -> Result<Config, CliError> {
        load(&self.config)
    }
}

/// Reads a configuration with the `DEPUTY_…` variables of this process.
fn load(path: &std::path::Path) -> Result<Config, CliError> {
    Config::load(path, environment()).map_err(|error| CliError::Failed(error.to_string()))
}

/// This process's variables. One that is not Unicode is passed on marked, so that it is refused if it is ours.
fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .collect()
}

impl Cli {
    /// Does what was asked and gives the exit code.
    pub async fn run(self) -> u8 {
        let mut output = Output::standard(self.json);
        // Most verbs read a secret, so none begins without it.
        if let Err(error) = hide_memory() {
            output.note(format!(
                "the memory of this process may be written to a file if it breaks off: {error}"
            ));
        }
        let result = match self.verb {
            Verb::Sandbox(verb) => verb.run(&mut output).await,
            Verb::Serve(verb) => verb.run(self.json).await,
            Verb::Check(verb) => verb.run(&mut output).await,
            Verb::Migrate(verb) => verb.run(&mut output).await,
            Verb::Init(verb) => verb.run(&mut output),
            Verb::Token(verb) => verb.run(&mut output).await,
            Verb::Agent(verb) => verb.run(&mut output).await,
            Verb::Task(verb) => verb.run(&mut output).await,
            Verb::Subject(verb) => verb.run(&mut output).await,
            Verb::Workload(verb) => verb.run(&mut output).await,
            Verb::Kill(verb) => verb.run(&mut output).await,
            Verb::Lift(verb) => verb.run(&mut output).await,
            Verb::Stops(config) => kill::list(&config, &mut output).await,
            Verb::Policy(verb) => verb.run(&mut output),
            Verb::Key(verb) => verb.run(&mut output).await,
            Verb::Audit(verb) => verb.run(&mut output).await,
            Verb::Clock(verb) => verb.run(&mut output).await,
            Verb::Completions(verb) => verb.run(&mut output),
        };
        match result {
            Ok(()) => 0,
            Err(error) => {
                output.error(&error);
                error.exit_code()
            }
        }
    }
}
