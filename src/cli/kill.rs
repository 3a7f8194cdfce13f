//! `deputy kill` and `deputy lift`: one verb for everything that can be stopped, and one that takes a stop back.

use std::io::IsTerminal as _;

use clap::{Args, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};

use super::admin::{call, segment};
use super::{CliError, ConfigArg, Output};
use crate::config::Config;
use crate::oauth::TaskId;

/// What can be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// `act.sub` of its tokens
    Agent,
    /// `ISSUER|ID`, by its stable id or its instance id
    Workload,
    /// A class of agents, by its name
    Class,
    /// A client, by its `client_id`
    Client,
    /// A task, by its id; this cannot be lifted
    Task,
    /// `ISSUER|ID`, by `sub` at the identity provider, or the reference that the audit rows have
    User,
    /// `ISSUER|ID`, by `sid` at the identity provider
    Session,
    /// A workload issuer
    Issuer,
    /// An identity provider, by its issuer
    Provider,
    /// `ISSUER|ID`, by its client id at the identity provider
    RelyingParty,
    /// A target, by its identifier
    Target,
    /// A signing key, by its `kid`; this cannot be lifted
    Key,
}

impl Kind {
    /// The kind as the server names it; `None` for what has a verb of its own there.
    const fn word(self) -> Option<&'static str> {
        Some(match self {
            Self::Agent => "agent",
            Self::Workload => "workload",
            Self::Class => "class",
            Self::Client => "client",
            Self::User => "user",
            Self::Session => "session",
            Self::Issuer => "issuer",
            Self::Provider => "provider",
            Self::RelyingParty => "relying_party",
            Self::Target => "target",
            Self::Task | Self::Key => return None,
        })
    }
}

/// What is stopped.
#[derive(Debug, Args)]
pub struct Kill {
    kind: Kind,
    // The `kid` of a key may begin with a hyphen, and so may other names.
    #[arg(allow_hyphen_values = true)]
    name: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Say what would end, and write nothing
    #[arg(long, conflicts_with = "yes")]
    drill: bool,
    #[command(flatten)]
    config: ConfigArg,
}

/// Whose stop is lifted.
#[derive(Debug, Args)]
pub struct Lift {
    kind: Kind,
    // The `kid` of a key may begin with a hyphen, and so may other names.
    #[arg(allow_hyphen_values = true)]
    name: String,
    #[command(flatten)]
    config: ConfigArg,
}

const FIRST: [&str; 5] = ["changed", "known", "number", "died", "logins_after"];

impl Kill {
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        let is_asked = !self.yes && !self.drill;
        if is_asked && !std::io::stdin().is_terminal() {
            return Err(CliError::Usage("`--yes` is needed where nobody can be asked".to_owned()));
        }
        if self.kind == Kind::Task && TaskId::parse(&self.name).is_none() {
            let what = format!("`{}` cannot be the name of a task", super::output::printable(&self.name));
            return Err(CliError::Usage(what));
        }
        let config = self.config.load()?;
        if let (Some(kind), false) = (self.kind.word(), self.yes) {
            let body = json!({"kind": kind, "name": self.name});
            let count = call(&config, Method::POST, "/stops/count", Some(&body)).await?;
            if self.drill {
                output.object(&count, &["agents", "tasks"]);
                return Ok(());
            }
            output.note(told(&count));
        }
        if is_asked && self.kind.word().is_none() {
            output.note(match self.kind {
                Kind::Task => "This ends the task with all its tokens. It cannot be lifted.",
                _ => "This ends every token that the key signed. It cannot be lifted.",
            });
        }
        if self.drill {
            return Err(CliError::Usage("a drill counts what a stop of this kind cannot".to_owned()));
        }
        if is_asked && !confirmed(output)? {
            return Err(CliError::Failed("nothing was stopped".to_owned()));
        }
        let answer = self.stop(&config).await?;
        output.object(&answer, &FIRST);
        tell_logins(&answer, output);
        Ok(())
    }

    async fn stop(&self, config: &Config) -> Result<Value, CliError> {
        let (path, body) = match self.kind.word() {
            Some(kind) => ("/stops".to_owned(), Some(json!({"kind": kind, "name": self.name}))),
            None if self.kind == Kind::Task => (format!("/tasks/{}/end", segment(&self.name)), None),
            None => (format!("/keys/{}/revoke", segment(&self.name)), None),
        };
        call(config, Method::POST, &path, body.as_ref()).await
    }
}

impl Lift {
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        let Some(kind) = self.kind.word() else {
            return Err(CliError::Failed("the end of a task or a key is final".to_owned()));
        };
        let body = json!({"kind": kind, "name": self.name});
        let answer = call(&self.config.load()?, Method::POST, "/lifts", Some(&body)).await?;
        output.object(&answer, &FIRST);
        tell_logins(&answer, output);
        Ok(())
    }
}

/// Until when logins and credentials are refused although nothing stops what is new, in words.
pub(super) fn tell_logins(answer: &Value, output: &mut Output) {
    if let Some(time) = answer.get("logins_after").and_then(Value::as_str).filter(|_| !output.is_json()) {
        output.line(format!(
            "Sign-ins and credentials up to {} begin nothing. That is 60 s from now, because the clock of their issuer \
             may differ from Deputy's. Later ones begin anew.",
            super::output::printable(time)
        ));
    }
}

/// Lists what was stopped.
pub(super) async fn list(config: &ConfigArg, output: &mut Output) -> Result<(), CliError> {
    let answer = call(&config.load()?, Method::GET, "/stops", None).await?;
    output.rows(&answer, &["kind", "name", "stands", "number", "at", "why"]);
    Ok(())
}

/// What would end, in words.
fn told(count: &Value) -> String {
    let limit = count["limit"].as_u64().unwrap_or(u64::MAX);
    let number = |what: &str| match count[what].as_u64().unwrap_or(0) {
        1 => format!("1 {}", what.trim_end_matches('s')),
        found if found >= limit => format!("{found} or more {what}"),
        found => format!("{found} {what}"),
    };
    format!("This ends {} and stops {}.", number("tasks"), number("agents"))
}

/// Says what the stop of an agent would end, and asks, if somebody is there to be asked.
///
/// # Errors
/// [`CliError::Failed`]: the operator says no.
pub(super) async fn ask_about_agent(
    config: &Config,
    agent: &str,
    output: &mut Output,
) -> Result<(), CliError> {
    if !std::io::stdin().is_terminal() {
        return Ok(());
    }
    let body = json!({"kind": "agent", "name": agent});
    let count = call(config, Method::POST, "/stops/count", Some(&body)).await?;
    output.note(format!("{} It is final.", told(&count)));
    if confirmed(output)? { Ok(()) } else { Err(CliError::Failed("nothing was stopped".to_owned())) }
}

/// Whether the operator says yes.
fn confirmed(output: &mut Output) -> Result<bool, CliError> {
    output.note("Stop? [y/N]");
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    read.map_err(|error| CliError::Failed(error.to_string()))?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}
