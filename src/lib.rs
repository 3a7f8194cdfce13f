//! Deputy: an OAuth 2.0 token-exchange authorization server (RFC 8693) for AI agents.

pub mod audit;
pub mod client;
pub mod config;
pub mod delegation;
pub mod entropy;
pub mod issuance;
pub mod jose;
pub mod keys;
pub mod policy;
pub mod protocol;
pub mod store;
pub mod time;
pub mod verification;
