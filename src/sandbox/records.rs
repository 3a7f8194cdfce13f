//! What an operator sees of Deputy: audit rows and the life of an agent, through the admin socket.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::narrator::shown::brief_id;
use super::wire::Call;
use crate::config::ADMIN_SOCKET;
use crate::policy::PolicySet;
use crate::sdk::Decoded;

/// The events of requests for tokens.
const TOKEN_EVENTS: [&str; 3] = ["exchange", "handover", "accept"];

/// A way to Deputy's admin socket, and to the policies in force.
pub struct Records {
    http: reqwest::Client,
    policies: PathBuf,
}

impl Records {
    /// The records of the Deputy whose `data_dir` and policy directory these are.
    pub fn new(data_dir: &Path, policies: PathBuf) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .unix_socket(data_dir.join(ADMIN_SOCKET))
            .timeout(Duration::from_secs(20))
            .build()
            .context("build an HTTP client")?;
        Ok(Self { http, policies })
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Value> {
        let answer = self.http.get(format!("http://deputy{path}")).query(query).send().await;
        let answer = answer.with_context(|| format!("ask the admin socket for {path}"))?;
        let status = answer.status();
        ensure!(status.is_success(), "the admin socket answered {status} for {path}");
        answer.json().await.context("read the admin socket's answer")
    }

    /// The audit row of a request: of the token it issued or revoked, or of the request id in its refusal.
    pub async fn row_of(&self, call: &Call) -> anyhow::Result<Option<Value>> {
        let events = if call.path == "/revoke" { &["revocation"][..] } else { &TOKEN_EVENTS };
        self.row_among(call, events).await
    }

    /// The audit row of this event that a request left.
    pub async fn row_of_event(&self, call: &Call, event: &str) -> anyhow::Result<Option<Value>> {
        self.row_among(call, &[event]).await
    }

    async fn row_among(&self, call: &Call, events: &[&str]) -> anyhow::Result<Option<Value>> {
        let presented =
            || call.params.iter().find(|(name, _)| name == "token").map(|(_, token)| token.as_str());
        let jti =
            call.token().or_else(presented).and_then(Decoded::read).map(|token| token.text("jti").to_owned());
        let query = match (call.text("request_id"), jti) {
            ("", Some(jti)) => [("jti", jti)],
            ("", None) => return Ok(None),
            (request, _) => [("request", request.to_owned())],
        };
        let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = self.get("/audit/trace", &query).await?;
        let rows = answer.get("rows").and_then(Value::as_array).cloned().unwrap_or_default();
        let of_event = |row: &&Value| {
            let event = row.pointer("/row/event").and_then(Value::as_str);
            event.is_some_and(|event| events.contains(&event))
        };
        Ok(rows.iter().rev().find(of_event).and_then(|stored| stored.get("row").cloned()))
    }

    /// The `@reason` of each of these policies, which says what would have passed.
    pub fn reasons_of(&self, policies: &[&str]) -> String {
        let Ok(set) = PolicySet::load(&self.policies) else { return String::new() };
        let reasons = policies.iter().filter_map(|id| set.rules().get(*id)?.reason.as_deref());
        reasons.collect::<Vec<_>>().join("; ")
    }

    /// What is recorded of an agent's life: who it is, who authorised it, what it was allowed and did, and
    /// when and why it ended.
    pub async fn life_of(&self, agent: &str) -> anyhow::Result<Vec<String>> {
        let answer = self.get(&format!("/agents/{agent}/explain"), &[]).await?;
        let text = answer.get("text").and_then(Value::as_str).context("the answer has no text")?;
        Ok(text.lines().map(brief_line).collect())
    }
}

/// A line with UUIDs cut as elsewhere in the telling, and times without the day. An agent's id stays whole.
fn brief_line(line: &str) -> String {
    let words: Vec<String> = line
        .trim_end()
        .split(' ')
        .map(|word| {
            let is_mark = [',', ':', ';', ')', '`'];
            let opened = word.strip_prefix('`').unwrap_or(word);
            let bare = opened.trim_end_matches(is_mark);
            let cut = match bare.split_once('T').filter(|(_, time)| time.ends_with('Z')) {
                Some((_, time)) => time.to_owned(),
                None if bare.starts_with("agent_") => bare.to_owned(),
                None => brief_id(bare),
            };
            let (before, after) = (&word[..word.len() - opened.len()], &opened[bare.len()..]);
            format!("{before}{cut}{after}")
        })
        .collect();
    words.join(" ")
}
