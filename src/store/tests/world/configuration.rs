//! The configuration of one node.

use std::path::PathBuf;

use crate::config::{self, Config};
use crate::registry::Registry;
use crate::verification::fixtures;

/// A configuration with the settings of all tests and no party: the store reads nothing else.
pub(super) fn configuration(data_dir: PathBuf, database: config::Database) -> Config {
    let mut config = fixtures::config(&data_dir);
    config.audit.checkpoint_file = data_dir.join("checkpoints.jsonl");
    config.data_dir = data_dir;
    config.registry = Registry::default();
    config.database = database;
    config
}
