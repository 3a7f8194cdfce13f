//! `deputy check`: says of a configuration and its surroundings what is wrong, and the fix.
//!
//! One file a subject. What other modules know is asked through [`Probe`].

mod database;
mod files;
mod machine;
mod meaning;
mod remote;
mod secrets;
mod tls;

use std::fmt;
use std::future::Future;
use std::path::Path;

use serde_json::{Value, json};
use url::Url;

use crate::base::time::Timestamp;
use crate::config::{Config, Policy};
use crate::jose::Algorithm;
use crate::registry::Reach;

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// As it should be.
    Ok,
    /// It works, and could bite.
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
    /// Which check; stable.
    pub id: &'static str,
    pub status: Status,
    /// What was found.
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

/// What is found, check by check.
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

    /// `what`, unless the check of that id said something already.
    fn ok_unless_reported(&mut self, id: &'static str, what: impl Into<String>) {
        if !self.0.iter().any(|finding| finding.id == id) {
            self.ok(id, what);
        }
    }
}

/// What a check depends on besides the configuration.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The process's variables.
    pub environment: Vec<(String, String)>,
    /// The current time.
    pub now: Timestamp,
    /// Whether nothing is to be fetched.
    pub is_offline: bool,
}

/// What a policy set that would be taken consists of.
#[derive(Clone, Debug, Default)]
pub struct PolicyFound {
    /// How many rules.
    pub rules: usize,
    /// Odd, but not wrong.
    pub warnings: Vec<String>,
}

/// The schema of a database, compared with the one of this build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaFound {
    /// Nothing there yet: the first start makes it.
    Empty,
    /// So many migrations are still to run.
    Behind(usize),
    /// As this build has it.
    Current,
}

/// What a database says of itself.
#[derive(Clone, Debug)]
pub struct DatabaseFound {
    /// Its schema.
    pub schema: SchemaFound,
    /// The durability settings as read back, `journal_mode=wal synchronous=full`.
    pub durability: String,
    /// Whether they keep what was acknowledged.
    pub is_durable: bool,
    /// The highest time recorded.
    pub highest_time: Option<Timestamp>,
}

/// What other modules know.
pub trait Probe: Sync {
    /// The algorithms of the usable keys in a JWK set (RFC 7517 §5), each once.
    ///
    /// # Errors
    /// It is no key set.
    fn key_algorithms(&self, document: &[u8]) -> Result<Vec<Algorithm>, String>;

    /// The set that `policy` names, validated.
    ///
    /// # Errors
    /// Everything wrong with it.
    fn policy(&self, policy: &Policy) -> Result<PolicyFound, String>;

    /// The database, changed in nothing.
    ///
    /// # Errors
    /// It does not answer.
    fn database(&self, config: &Config) -> impl Future<Output = Result<DatabaseFound, String>> + Send;

    /// A document, fetched as the server would; by plain HTTP only from loopback, and only where `is_local`:
    /// Deputy's own issuer is literal loopback.
    ///
    /// # Errors
    /// It cannot be had.
    fn fetch(
        &self,
        url: &Url,
        reach: &Reach,
        is_local: bool,
    ) -> impl Future<Output = Result<Vec<u8>, String>> + Send;
}

/// Checks the configuration file at `file` and all it names. Leaves nothing behind.
pub async fn check(file: &Path, surroundings: Surroundings, probe: &impl Probe) -> Vec<Finding> {
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
    files::check(&mut findings, &config, file, probe);
    tls::check(&mut findings, &config, now);
    secrets::check(&mut findings, &config, file, now);
    meaning::check(&mut findings, &config);
    machine::check(&mut findings, &config);
    database::check(&mut findings, &config, now, probe).await;
    if surroundings.is_offline {
        let what = "identity providers and key servers were not asked (`--offline`)";
        findings.warn("providers", what, "run without `--offline`");
    } else {
        remote::check(&mut findings, &config, probe).await;
    }
    findings.0
}
