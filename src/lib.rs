//! Deputy: an OAuth 2.0 token-exchange authorization server (RFC 8693) for AI agents.
//!
//! A token request goes through the rooms one way: [`http`] reads it and calls [`exchange`], the
//! corridor, which calls [`protocol`], [`client`], [`verification`], [`delegation`], [`policy`],
//! [`issuance`] and [`store`] in this order. A later room may read an earlier room's output type,
//! never the reverse.

pub mod admin;
pub mod app;
pub mod audit;
pub mod cli;
pub mod client;
pub mod config;
pub mod delegation;
pub mod doorstep;
pub mod entropy;
pub mod exchange;
pub mod http;
pub mod introspection;
pub mod issuance;
pub mod jose;
pub mod keys;
pub mod metrics;
pub mod peer;
pub mod policy;
pub mod protocol;
pub mod revocation;
pub mod sandbox;
pub mod serve;
pub mod store;
pub mod time;
pub mod verification;
