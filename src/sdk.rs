//! A small client of an authorization server that exchanges tokens (RFC 8693), introspects them (RFC 7662) and
//! revokes them (RFC 7009). The command line, the sandbox, the tests and the benchmark call Deputy through it.
//!
//! A [`Client`] says who asks, where, and with which [`Credential`]. It builds each request, hands it to a
//! [`Transport`] such as [`Http`], and reads the response into a type or into an [`Error`].

mod answer;
mod assertion;
mod client;
mod decoded;
mod exchange;
mod transport;

pub use answer::{Error, Introspection, Issued, Refusal};
pub use assertion::{ASSERTION_SECONDS, sign_assertion};
pub use client::{Client, ClientKey, Credential, Endpoint, Endpoints};
pub use decoded::Decoded;
pub use exchange::Exchange;
pub use transport::{Http, HttpOptions, Response, Transport, Unreachable};

#[cfg(test)]
mod tests;
