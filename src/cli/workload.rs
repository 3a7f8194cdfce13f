//! `deputy workload …`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};

use super::output::printable;
use super::token::read_token;
use super::{CliError, ConfigArg, Output};
use crate::base::time::{Timestamp, process_clock};
use crate::config::Config;
use crate::keys::{AgentOf, NodeSecrets};
use crate::oauth::{Jkt, WorkloadIdKind};
use crate::verification::{Explained, VerifiedCredential, VerifiedWorkload, Verifier};

/// The verbs about workloads' credentials. None needs the running server.
#[derive(Debug, Subcommand)]
pub enum Workload {
    /// Say what Deputy reads in a platform's credential: which class, which agent, or why it is refused
    Explain(Explain),
}

/// Which credential.
#[derive(Debug, Args)]
#[command(after_help = "\
Verifies the credential as an exchange would: the issuer's keys are read or fetched. Nothing is recorded, and the \
credential is not shown. Ends with 1 if it is refused.

Example: deputy workload explain --token /var/run/secrets/deputy/token --config deputy.toml")]
pub struct Explain {
    /// File that holds the credential; `-` is standard input
    #[arg(long, value_name = "FILE")]
    token: PathBuf,
    /// Thumbprint of the key that the agent proves (RFC 7638), where keys name the agents
    #[arg(long, value_name = "THUMBPRINT", value_parser = thumbprint, allow_hyphen_values = true)]
    jkt: Option<Jkt>,
    #[command(flatten)]
    config: ConfigArg,
}

impl Workload {
    /// Does it.
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        match self {
            Self::Explain(verb) => verb.run(output).await,
        }
    }
}

impl Explain {
    async fn run(self, output: &mut Output) -> Result<(), CliError> {
        let config = self.config.load()?;
        let token = read_token(&self.token)?;
        let now = process_clock().now();
        let verifier = Verifier::default();
        let read = Verifier::read_key_files(&config.registry);
        verifier.put_in_force(read.map_err(|error| CliError::Failed(error.to_string()))?, now);
        let explained = verifier.explain_workload(&config, token.expose_secret(), now).await;
        let answer = answer(&config, &explained, self.jkt);
        if output.is_json() {
            output.json(&answer);
        } else {
            lines(&answer).iter().for_each(|line| output.line(printable(line)));
        }
        match explained.outcome {
            Ok(_) => Ok(()),
            Err(_) => Err(CliError::Reported),
        }
    }
}

fn thumbprint(text: &str) -> Result<Jkt, &'static str> {
    Jkt::parse(text).ok_or("a thumbprint is a SHA-256 in base64url, 43 characters")
}

/// What was read, and what comes of it.
fn answer(config: &Config, explained: &Explained, jkt: Option<Jkt>) -> Value {
    let claims: Map<String, Value> =
        explained.claims.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let (kid, algorithm) = explained.header.clone().unzip();
    let mut answer = json!({
        "accepted": explained.outcome.is_ok(),
        "preset": explained.preset,
        "algorithm": algorithm,
        "kid": kid.flatten(),
        "claims": claims,
    });
    let outcome = match &explained.outcome {
        Ok(credential) => accepted(config, credential, jkt),
        Err(problem) => json!({
            "cause": problem.fault.map_or("issuer_keys_unavailable", |fault| fault.word()),
            "fix": problem.fix,
        }),
    };
    if let (Some(answer), Value::Object(outcome)) = (answer.as_object_mut(), outcome) {
        answer.extend(outcome);
    }
    answer
}

fn accepted(config: &Config, credential: &VerifiedCredential, jkt: Option<Jkt>) -> Value {
    let class = credential.class();
    let delegates: Vec<String> = class.delegates_to.iter().map(ToString::to_string).collect();
    let mut answer = json!({
        "class": class.name,
        "lifetime": class.lifetime,
        "clients": class.clients,
        "agent_tokens": class.agent_tokens,
        "begins_tasks": class.begins_tasks,
        "delegates_to": delegates,
    });
    let named = match credential.presented_with(jkt) {
        Some(workload) => named(config, &workload),
        None => json!({
            "id_kind": WorkloadIdKind::Key,
            "agent_unknown": "it is the one of the key that a request proves: give its thumbprint with `--jkt`",
        }),
    };
    if let (Some(answer), Value::Object(named)) = (answer.as_object_mut(), named) {
        answer.extend(named);
    }
    answer
}

fn named(config: &Config, workload: &VerifiedWorkload) -> Value {
    // The identifier is a keyed hash: without the master key it cannot be known.
    let agent = NodeSecrets::load(&config.keys.master_key_file)
        .map(|secrets| secrets.agent_id(AgentOf::Workload(workload.issuer(), workload.id())));
    let build = workload.build();
    json!({
        "id_kind": workload.id().kind,
        "workload": workload.workload(),
        "instance": workload.instance(),
        "software": build.software,
        "version": build.version,
        "image": build.image,
        "agent": agent.as_ref().ok(),
        "agent_unknown": agent.as_ref().err().map(ToString::to_string),
    })
}

/// The members that are shown after the claims, in this order.
const MEMBERS: [&str; 16] = [
    "class",
    "lifetime",
    "clients",
    "agent_tokens",
    "begins_tasks",
    "delegates_to",
    "id_kind",
    "workload",
    "instance",
    "software",
    "version",
    "image",
    "agent",
    "agent_unknown",
    "cause",
    "fix",
];

fn lines(answer: &Value) -> Vec<String> {
    let shown = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    };
    let is_accepted = answer["accepted"] == json!(true);
    let mut lines = vec![match is_accepted {
        true => "accepted".to_owned(),
        false => "refused: what was read is not verified".to_owned(),
    }];
    for name in ["preset", "algorithm", "kid"] {
        if !answer[name].is_null() {
            lines.push(format!("{name:14} {}", shown(&answer[name])));
        }
    }
    lines.push("claims".to_owned());
    for (name, value) in answer["claims"].as_object().into_iter().flatten() {
        let text = match (name.as_str(), value) {
            (_, Value::Null) => "(missing)".to_owned(),
            ("iat" | "nbf" | "exp", Value::Number(at)) => match at.as_i64() {
                Some(seconds) => format!("{at}  {}", Timestamp::from_seconds(seconds)),
                None => at.to_string(),
            },
            (_, value) => shown(value),
        };
        lines.push(format!("  {name:32} {text}"));
    }
    let is_shown = |value: &Value| !value.is_null() && value.as_array().is_none_or(|items| !items.is_empty());
    for name in MEMBERS {
        if is_shown(&answer[name]) {
            lines.push(format!("{name:14} {}", shown(&answer[name])));
        }
    }
    lines
}
