//! Setting the recorded time back where no server runs.

use super::start::{StartError, Surroundings};
use crate::config::Config;
use crate::endpoint::manage::clock;
use crate::keys::NodeSecrets;
use crate::store::{Opening, Store};

/// Does what `POST /clock/reset` does where no server runs, because the clock keeps it from starting.
///
/// # Errors
/// [`StartError`]: the store or its keys; also when a server holds the data directory.
pub async fn reset_offline(config: &Config, surroundings: &Surroundings) -> Result<(), StartError> {
    let secrets = NodeSecrets::load(&config.keys.master_key_file)?;
    let now = surroundings.clock.now();
    let opening = Opening { config, secrets: &secrets, entropy: surroundings.entropy.as_ref() };
    let store = Store::open(opening).await?;
    clock::set_back(&store, Some(rustix::process::getuid().as_raw()), now).await?;
    store.close().await?;
    Ok(())
}
