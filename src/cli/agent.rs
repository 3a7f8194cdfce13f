//! `deputy agent …`

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::admin::{call, segment};
use super::kill::ask_about_agent;
use super::{CliError, ConfigArg, Output};

/// The verbs about agents. All need the running server.
#[derive(Debug, Subcommand)]
pub enum Agent {
    /// List agents, newest first
    #[command(after_help = "Example: deputy agent list --config deputy.toml")]
    List(ConfigArg),
    /// Show one agent as recorded
    #[command(after_help = "Example: deputy agent show agent_mfrggzdfmztwq2lknnwg23tpoa")]
    Show(One),
    /// Answer five questions: who is it, who authorised it, what was it allowed, what did it do, when and why did it end
    #[command(after_help = "Example: deputy agent explain agent_mfrggzdfmztwq2lknnwg23tpoa")]
    Explain(One),
    /// Say who answers for an agent and what it is for; its identifier and its tokens stay as they are
    #[command(after_help = "Replaces what was said before. None of it decides anything.

Example: deputy agent promote agent_mfrggzdfmztwq2lknnwg23tpoa --owner team-travel \\
             --contact travel@example.com --purpose 'books trips'")]
    Promote(Promote),
    /// Retire an agent whose work is done; final
    #[command(after_help = "Example: deputy agent retire agent_mfrggzdfmztwq2lknnwg23tpoa")]
    Retire(Final),
    /// Stop an agent at once and for good: its tokens die, its earlier logins start nothing more
    #[command(after_help = "Example: deputy agent kill agent_mfrggzdfmztwq2lknnwg23tpoa")]
    Kill(Final),
    /// Suspend an agent: its tokens die, it gets no new ones until resumed
    #[command(after_help = "Example: deputy agent suspend agent_mfrggzdfmztwq2lknnwg23tpoa")]
    Suspend(One),
    /// Let a suspended agent get new tokens
    #[command(after_help = "Example: deputy agent resume agent_mfrggzdfmztwq2lknnwg23tpoa")]
    Resume(One),
}

#[derive(Debug, Args)]
pub struct One {
    /// The agent: `act.sub` of a token, `agent_…`
    agent: String,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Debug, Args)]
pub struct Promote {
    #[command(flatten)]
    one: One,
    /// Who answers for it: a user reference, or the name of a team
    #[arg(long, value_name = "TEXT")]
    owner: String,
    /// Where the owner can be reached
    #[arg(long, value_name = "TEXT")]
    contact: Option<String>,
    /// What the agent is for
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
    /// Anything else, at most 2048 bytes
    #[arg(long, value_name = "TEXT")]
    notes: Option<String>,
}

#[derive(Debug, Args)]
pub struct Final {
    #[command(flatten)]
    one: One,
    /// Do not ask. Without a terminal nothing is asked either
    #[arg(long)]
    yes: bool,
}

const FIRST: [&str; 7] = ["agent", "state", "may_act", "stopped_by", "class", "client", "first_seen"];

impl Agent {
    /// Calls the server and prints what it says.
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        match self {
            Self::List(config) => {
                let answer = call(&config.load()?, Method::GET, "/agents", None).await?;
                output.rows(&answer, &FIRST);
            }
            Self::Show(one) => output.object(&one.call(Method::GET, "", None).await?, &FIRST),
            Self::Explain(one) => {
                let answer = one.call(Method::GET, "/explain", None).await?;
                match answer.get("text").and_then(Value::as_str) {
                    Some(text) if !output.is_json() => {
                        for line in text.lines() {
                            output.line(super::output::printable(line));
                        }
                    }
                    _ => output.json(&answer),
                }
            }
            Self::Promote(promote) => output.object(&promote.call().await?, &FIRST[..1]),
            Self::Retire(ending) => ending.run("/retire", output).await?,
            Self::Kill(ending) => ending.run("/kill", output).await?,
            Self::Suspend(one) => output.object(&one.call(Method::POST, "/suspend", None).await?, &[]),
            Self::Resume(one) => output.object(&one.call(Method::POST, "/resume", None).await?, &[]),
        }
        Ok(())
    }
}

impl One {
    async fn call(&self, method: Method, what: &str, body: Option<Value>) -> Result<Value, CliError> {
        let path = format!("/agents/{}{what}", segment(&self.agent));
        call(&self.config.load()?, method, &path, body.as_ref()).await
    }
}

impl Promote {
    async fn call(&self) -> Result<Value, CliError> {
        let body = json!({
            "owner": self.owner, "contact": self.contact, "purpose": self.purpose, "notes": self.notes,
        });
        self.one.call(Method::POST, "/profile", Some(body)).await
    }
}

impl Final {
    async fn run(&self, what: &str, output: &mut Output) -> Result<(), CliError> {
        if !self.yes {
            ask_about_agent(&self.one.config.load()?, &self.one.agent, output).await?;
        }
        output.object(&self.one.call(Method::POST, what, None).await?, &[]);
        Ok(())
    }
}
