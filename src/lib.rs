//! Deputy: an OAuth 2.0 token-exchange authorization server (RFC 8693) for AI agents.

pub mod app;
pub mod audit;
pub mod base;
pub mod cli;
pub mod client_auth;
pub mod config;
pub mod decision;
pub mod delegation;
pub mod endpoint;
pub mod http;
pub mod issuance;
pub mod jose;
pub mod keys;
pub mod metrics;
pub mod oauth;
#[cfg(planted_proof)]
mod planted_proof;
pub mod policy;
pub mod sandbox;
pub mod server;
pub mod store;
pub mod verification;
