//! `deputy check`: reports what is wrong with a configuration and its surroundings, and how to fix it. Each subject has
//! a file of its own.

mod bundles;
mod certificates;
mod chain;
mod database;
mod files;
mod keys;
mod machine;
mod meaning;
mod network;
mod policies;
mod provider;
mod remote;
mod secrets;
mod tls;

use std::fmt;
use std::path::Path;

use serde_json::{Value, json};

use crate::base::time::Timestamp;
use crate::config::Config;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Ok,
    /// It works, but may not do what was meant.
    Warning,
    /// The server would not start, or not do its work.
    Failed,
}

impl Status {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The name of the check; stable.
    pub id: &'static str,
    pub status: Status,
    pub what: String,
    /// What to do; empty where all is well.
    pub fix: String,
}

impl Finding {
    /// As `--json` prints it.
    pub fn to_json(&self) -> Value {
        json!({"id": self.id, "status": self.status.as_str(), "what": self.what, "fix": self.fix})
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:8} {:16} {}", self.status.as_str(), self.id, self.what)?;
        if self.fix.is_empty() { Ok(()) } else { write!(f, "\n{:25} fix: {}", "", self.fix) }
    }
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, id: &'static str, status: Status, what: impl Into<String>, fix: impl Into<String>) {
        self.0.push(Finding { id, status, what: what.into(), fix: fix.into() });
    }

    fn ok(&mut self, id: &'static str, what: impl Into<String>) {
        self.add(id, Status::Ok, what, "");
    }

    fn warn(&mut self, id: &'static str, what: impl Into<String>, fix: impl Into<String>) {
        self.add(id, Status::Warning, what, fix);
    }

    fn fail(&mut self, id: &'static str, what: impl Into<String>, fix: impl Into<String>) {
        self.add(id, Status::Failed, what, fix);
    }

    /// `what`, unless the check of that id found something already.
    fn ok_unless_reported(&mut self, id: &'static str, what: impl Into<String>) {
        if !self.0.iter().any(|finding| finding.id == id) {
            self.ok(id, what);
        }
    }
}

/// What a check depends on besides the configuration file.
#[derive(Clone, Debug)]
pub struct Surroundings {
    pub environment: Vec<(String, String)>,
    pub now: Timestamp,
    /// Whether nothing is to be fetched.
    pub is_offline: bool,
}

/// Checks the configuration file at `file` and all it names. Leaves nothing behind.
pub async fn check(file: &Path, surroundings: Surroundings) -> Vec<Finding> {
    let mut findings = Findings::default();
    let config = match Config::load(file, surroundings.environment.iter().cloned()) {
        Ok(config) => config,
        Err(error) => {
            for problem in &error.problems {
                let place = problem.line.map_or_else(String::new, |line| format!(":{line}"));
                let what = format!("{}{place}: `{}` {}", error.file.display(), problem.key, problem.what);
                findings.fail("configuration", what, problem.fix.clone());
            }
            return findings.0;
        }
    };
    findings.ok("configuration", format!("{} is valid", file.display()));
    let now = surroundings.now;
    files::check(&mut findings, &config, file);
    keys::check_files(&mut findings, &config);
    keys::shared(&mut findings, &config);
    bundles::check_files(&mut findings, &config);
    tls::check(&mut findings, &config, now);
    certificates::check(&mut findings, &config, now);
    secrets::check(&mut findings, &config, file, now);
    policies::check(&mut findings, &config);
    meaning::check(&mut findings, &config);
    network::check(&mut findings, &config);
    machine::check(&mut findings, &config);
    database::check(&mut findings, &config, now).await;
    if surroundings.is_offline {
        let what = "identity providers and key servers were not asked (`--offline`)";
        findings.warn("providers", what, "run without `--offline`");
    } else {
        remote::check(&mut findings, &config, &surroundings).await;
    }
    findings.0
}
