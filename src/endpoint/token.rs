//! The token endpoint (RFC 6749 §3.2).

pub mod exchange;
