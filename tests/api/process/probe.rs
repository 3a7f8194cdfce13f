//! What the tests of a server's surroundings ask of it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::process_support::{Server, World};

pub const SCOPE: &str = "tickets:search";
pub const PATIENCE: Duration = Duration::from_secs(30);

pub async fn readiness(management: &str) -> u16 {
    reqwest::get(format!("{management}/readyz")).await.map_or(0, |answer| answer.status().as_u16())
}

/// Waits until `/readyz` answers with this status: how long that took.
pub async fn until(management: &str, status: u16) -> Duration {
    let start = Instant::now();
    while readiness(management).await != status {
        assert!(start.elapsed() < PATIENCE, "/readyz is not {status}");
        sleep(Duration::from_millis(50)).await;
    }
    start.elapsed()
}

/// Waits until `/readyz` answers, whatever it says.
pub async fn until_it_listens(management: &str) {
    let start = Instant::now();
    while readiness(management).await == 0 {
        assert!(start.elapsed() < PATIENCE, "nobody listens");
        sleep(Duration::from_millis(50)).await;
    }
}

pub async fn sign_in(world: &World, server: &Server) -> u16 {
    let caller = world.caller("assistant");
    caller.sign_in(&server.base, &world.id_token("ulla"), world.issuer(), SCOPE).await.status
}
