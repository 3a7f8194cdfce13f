//! Making what a first start needs: a configuration with its keys (`deputy init`) and development certificates.

pub mod certificates;
pub mod init;

use std::path::{Path, PathBuf};

use crate::config::ConfigError;
use crate::keys::KeyError;

/// Why nothing, or not everything, was made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("`{}` is there already, and nothing is overwritten; choose another `--dir`", .0.display())]
    Exists(PathBuf),
    #[error("`{}`: {source}", .path.display())]
    File { path: PathBuf, source: std::io::Error },
    /// A server would refuse the configuration.
    #[error(transparent)]
    Configuration(#[from] ConfigError),
    #[error(transparent)]
    MasterKey(#[from] KeyError),
    #[error("certificate: {0}")]
    Certificate(#[from] rcgen::Error),
}

impl SetupError {
    /// For `map_err` of an operation on the file at `path`.
    fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), source }
    }
}
