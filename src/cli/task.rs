//! `deputy task …`

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::json;

use super::admin::{call, segment};
use super::{CliError, ConfigArg, Output, kill};

/// The verbs about tasks. All need the running server.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// List tasks, newest first
    #[command(after_help = "Example: deputy task list --live")]
    List(List),
    /// Show one task and its delegations
    #[command(after_help = "Example: deputy task show 019f5b1e-7a10-7c3e-8a52-0d6a4f2b9c11")]
    Show(Show),
    /// End a task, or every task of a user: all its tokens die
    #[command(after_help = "\
Examples: deputy task end 019f5b1e-7a10-7c3e-8a52-0d6a4f2b9c11
          deputy task end --subject ada --issuer https://login.example
          deputy task end --subject 019f5b1e-7a10-7c3e-8a52-0d6a4f2b9c11")]
    End(End),
}

/// Which tasks.
#[derive(Debug, Args)]
pub struct List {
    /// Only those that live
    #[arg(long)]
    live: bool,
    /// Only those an agent works in
    #[arg(long, value_name = "AGENT")]
    agent: Option<String>,
    #[command(flatten)]
    config: ConfigArg,
}

/// Which task.
#[derive(Debug, Args)]
pub struct Show {
    /// The task: `task` of an answer, `txn` of its tokens
    task: String,
    #[command(flatten)]
    config: ConfigArg,
}

/// What to end.
#[derive(Debug, Args)]
pub struct End {
    #[arg(required_unless_present = "subject", conflicts_with = "subject")]
    task: Option<String>,
    /// Every task of this user instead: `sub` at the identity provider, or the reference that the audit rows have
    #[arg(long, allow_hyphen_values = true)]
    subject: Option<String>,
    /// The user's identity provider; may be left out where only one is configured
    #[arg(long, requires = "subject")]
    issuer: Option<String>,
    #[command(flatten)]
    config: ConfigArg,
}

const FIRST: [&str; 8] =
    ["task", "is_live", "stopped_by", "client", "agent", "delegator_kind", "purpose", "expires_at"];

impl Task {
    /// Calls the server and prints what it says.
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        match self {
            Self::List(list) => {
                let mut path = format!("/tasks?live={}", list.live);
                if let Some(agent) = &list.agent {
                    path.push_str(&format!("&agent={}", segment(agent)));
                }
                let answer = call(&list.config.load()?, Method::GET, &path, None).await?;
                output.rows(&answer, &FIRST);
            }
            Self::Show(show) => {
                let path = format!("/tasks/{}", segment(&show.task));
                output.object(&call(&show.config.load()?, Method::GET, &path, None).await?, &FIRST);
            }
            Self::End(end) => {
                let config = end.config.load()?;
                let answer = match (end.task, end.subject) {
                    (Some(task), _) => {
                        call(&config, Method::POST, &format!("/tasks/{}/end", segment(&task)), None).await?
                    }
                    (None, subject) => {
                        let body = json!({"issuer": end.issuer, "subject": subject});
                        call(&config, Method::POST, "/subjects/end", Some(&body)).await?
                    }
                };
                output.object(&answer, &[]);
                kill::tell_logins(&answer, output);
            }
        }
        Ok(())
    }
}
