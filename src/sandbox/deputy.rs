//! Deputy itself, as the sandbox sees it: started from a configuration file, then spoken to over HTTP alone.

use std::path::Path;
use std::sync::Arc;

use crate::base::entropy::Entropy;
use crate::base::time::Clock;
use crate::config::Config;
use crate::server::{Server, Surroundings};

/// A running Deputy.
pub struct RunningDeputy(Server);

/// Starts Deputy from its configuration file, with the sandbox's clock. The `DEPUTY_…` variables of this
/// process belong to another Deputy and are not read.
///
/// # Errors
/// What `deputy serve` would refuse to start for.
pub async fn start_deputy(
    config: &Path,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
) -> anyhow::Result<RunningDeputy> {
    let config = Config::load(config, [])?;
    Ok(RunningDeputy(Server::start(config, Surroundings { clock, entropy }).await?))
}

impl RunningDeputy {
    /// Stops it as a signal would: answers what is under way, writes what waits, closes the database.
    ///
    /// # Errors
    /// The database does not close in order.
    pub async fn stop(self) -> anyhow::Result<()> {
        Ok(self.0.stop().await?)
    }
}
