//! The real binary as a process.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// Longest wait for a start or a stop, on a loaded machine too.
const PATIENCE: Duration = Duration::from_secs(60);

/// The variable that moves the clock of a process, in seconds.
pub const CLOCK_OFFSET: &str = "DEPUTY_TEST_CLOCK_OFFSET_SECONDS";

/// `deputy` with this world's configuration, none of the caller's settings, and `variables`.
pub fn command(config: &Path, arguments: &[&str], variables: &[(&str, String)]) -> Command {
    // A measurement is made with a binary that is built as what is published.
    let binary = std::env::var_os("DEPUTY_TEST_BINARY");
    let mut command = Command::new(binary.unwrap_or_else(|| env!("CARGO_BIN_EXE_deputy").into()));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("DEPUTY_")) {
        command.env_remove(name);
    }
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command.args(arguments).arg("--config").arg(config).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// A running `deputy serve`.
pub struct Server {
    child: Child,
    /// `http://127.0.0.1:port` of its public listener.
    pub base: String,
    /// The same of its management listener.
    pub management: String,
    log: PathBuf,
}

/// A server that ended by itself instead of serving.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code.
    pub code: Option<i32>,
    /// What it logged, all runs of this world.
    pub log: String,
}

impl Server {
    /// Starts it and waits until it serves.
    ///
    /// # Errors
    /// [`Ended`] if it ends before that.
    pub async fn start(
        config: &Path,
        log: &Path,
        base: String,
        management: String,
        variables: &[(&str, String)],
    ) -> Result<Self, Ended> {
        let output = File::options().create(true).append(true).open(log).expect("the log file");
        let child = command(config, &["serve"], variables)
            .stdout(output.try_clone().expect("the log file"))
            .stderr(output)
            .spawn()
            .expect("deputy can be run");
        let mut server = Self { child, base, management, log: log.to_owned() };
        let client = reqwest::Client::new();
        let until = Instant::now() + PATIENCE;
        // A server whose clock a test moves away from that of PostgreSQL serves, and is not ready.
        let is_moved = variables.iter().any(|(name, _)| *name == CLOCK_OFFSET);
        let path = if is_moved { "/healthz" } else { "/readyz" };
        loop {
            if let Some(status) = server.child.try_wait().expect("a process") {
                return Err(Ended { code: status.code(), log: server.log() });
            }
            let ready = client.get(format!("{}{path}", server.management)).send().await;
            if ready.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(server);
            }
            assert!(Instant::now() < until, "deputy does not serve after {PATIENCE:?}:\n{}", server.log());
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// What it logged, all runs of this world.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// What it measured so far.
    pub async fn metrics(&self) -> String {
        let answer = reqwest::get(format!("{}/metrics", self.management)).await.expect("an answer");
        assert!(answer.status().is_success(), "/metrics: {}", answer.status());
        answer.text().await.expect("a body")
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("a running process")
    }

    /// Ends it as a power cut would.
    pub async fn kill_9(&mut self) {
        self.child.kill().await.expect("a process that can be killed");
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    pub async fn stop(&mut self) {
        self.signal("TERM").await;
        let status = timeout(PATIENCE, self.child.wait()).await.expect("an end in time").expect("a process");
        assert!(status.success(), "deputy ended with {status}:\n{}", self.log());
    }

    /// Sends it a signal, by name.
    pub async fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.pid().to_string())
            .status()
            .await
            .expect("kill");
        assert!(status.success(), "kill -{name}: {status}");
    }
}
