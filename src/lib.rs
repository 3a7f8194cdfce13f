//! Deputy: an OAuth 2.0 token-exchange authorization server (RFC 8693) for AI agents.

pub mod entropy;
pub mod protocol;
pub mod time;
