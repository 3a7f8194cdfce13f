//! Making what a first start needs: a configuration with its keys (`deputy init`) and development certificates.

pub mod certificates;
pub mod init;
