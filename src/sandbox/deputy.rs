//! Deputy itself, as the sandbox sees it: started from a configuration file, then spoken to over HTTP alone.

use std::path::Path;
use std::sync::Arc;

use crate::entropy::Entropy;
use crate::time::Clock;

/// A running Deputy.
pub struct RunningDeputy {
    running: crate::http::server::Running,
}

/// Starts Deputy from its configuration file, with the sandbox's clock.
///
/// # Errors
/// What `deputy serve` would refuse to start for.
pub async fn start_deputy(
    config: &Path,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
) -> anyhow::Result<RunningDeputy> {
    let _ = (config, clock, entropy);
    anyhow::bail!("not wired yet")
}

impl RunningDeputy {
    /// Stops it as a signal would: answers what is under way, writes what waits, closes the database.
    ///
    /// # Errors
    /// The database does not close.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.running.stop().await;
        Ok(())
    }
}
