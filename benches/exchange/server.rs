//! Deputy as a process of its own.

use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use super::world::World;

/// A running `deputy serve`.
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts it and waits until it listens.
    pub async fn start(world: &World) -> Self {
        let log = File::create(world.path("deputy.log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_deputy"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("DEPUTY_"))
        {
            command.env_remove(name);
        }
        let child = command
            .args(["serve", "--config"])
            .arg(world.path("deputy.toml"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("deputy can be run");
        let mut process = Self { child };
        let until = Instant::now() + Duration::from_secs(30);
        while tokio::net::TcpStream::connect(world.address).await.is_err() {
            let ended = process.child.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < until,
                "deputy does not serve:\n{}",
                std::fs::read_to_string(world.path("deputy.log")).unwrap_or_default()
            );
            sleep(Duration::from_millis(20)).await;
        }
        process
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id().expect("a running process")
    }

    /// Ends it in order.
    pub async fn stop(mut self) {
        Command::new("kill").arg(self.id().to_string()).status().await.unwrap();
        let status = self.child.wait().await.unwrap();
        assert!(status.success(), "deputy ended with {status}");
    }
}
