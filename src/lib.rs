//! Deputy: an OAuth 2.0 token-exchange authorization server (RFC 8693) for AI agents.
//!
//! This is the map of the source. A token request meets the modules in this order:
//!
//! 1. [`server`] listens, and passes each request to the endpoint for its path.
//! 2. [`http`] determines the source address and the client certificate of a request, limits the resources that
//!    unauthenticated callers can use, and parses the form.
//! 3. [`endpoint`] has one file for each endpoint: it reads a request, calls the modules below, and replies. The
//!    token endpoint owns the phases that all grants share.
//! 4. [`client_auth`] checks the credential of the client. An
//!    [`AuthenticatedClient`](client_auth::AuthenticatedClient) is the proof that it was valid.
//! 5. [`oauth`] defines the types of the protocol. It parses parameters into an
//!    [`ExchangeRequest`](oauth::ExchangeRequest), and defines every refusal with the response that the client receives.
//! 6. [`verification`] checks issuer, keys, signature, audience and times of the tokens of others, and compares Deputy's
//!    own tokens with their records. Each kind has a type that proves the result, such as [`VerifiedLogin`](verification::VerifiedLogin).
//! 7. [`store`] reads the records of the tokens, and at the end records the outcome in one transaction.
//! 8. [`decision`] is a pure function. It makes all checks in a fixed order with the rules of the next two modules, and
//!    returns a [`Report`](decision::Report) with either a [`Permit`](decision::Permit) or a
//!    [`Denial`](decision::Denial).
//! 9. [`delegation`] contains the delegation rules: who may exchange a token, how the chain of actors grows, and which
//!    limits apply to scope, target and lifetime.
//! 10. [`policy`] evaluates the operator's Cedar policies. They can refuse an exchange that the built-in rules allow, but
//!     not the reverse.
//! 11. [`issuance`] signs tokens. It requires a `Permit`, so no token is issued without a decision.
//! 12. [`audit`] builds the row that the transaction records, from the report and the effect of the transaction.
//!
//! The others serve these:
//!
//! - [`cli`] has the verbs of the command line: it parses, calls, prints and exits.
//! - [`sandbox`] runs a complete example on one machine: an identity provider, a server, agents and a resource server.
//! - [`sdk`] is a client of the server: it exchanges, introspects and revokes tokens over HTTP.
//! - [`app`] holds the parts of a running server, and has no behaviour.
//! - [`doctor`] says what is wrong with a configuration and its surroundings (`deputy check`).
//! - [`setup`] makes what a first start needs: a configuration, its keys, and development certificates.
//! - [`keys`] keeps the master key, what is derived from it, and the signing keys.
//! - [`jose`] scans, signs and verifies JWTs (RFC 7515, RFC 7519).
//! - [`config`] reads the configuration file into types that need no further check.
//! - [`registry`] says who is registered: identity providers, workload issuers, clients, targets and predicates.
//! - [`metrics`] counts for operators.
//! - [`base`] has time, randomness, digests, loopback addresses, what is wrong with a certificate, the limits of the
//!   process, the search for the nearest name, which characters show, and enums whose variants have a word each.
//!
//! Outside the library, the program uses [`Cli`] only, and tests and benchmarks use `testing` only.
//!
//! Imports go one way. From top to bottom the order is `testing`, `cli`, `sandbox`, `doctor`, `setup`, `sdk`,
//! `server`, `endpoint`, `app`, `store`, `audit`, `issuance`, `decision`, `policy`, `delegation`, `client_auth`,
//! `verification`, `http`, `keys`, `config`, `registry`, `jose`, `oauth`, `metrics`, `base`; a module imports only
//! those after it. A test reads the imports of every module (`tests/api/structure.rs`).

pub(crate) mod app;
pub(crate) mod audit;
pub(crate) mod base;
pub(crate) mod cli;
pub(crate) mod client_auth;
pub(crate) mod config;
pub(crate) mod decision;
pub(crate) mod delegation;
pub(crate) mod doctor;
pub(crate) mod endpoint;
pub(crate) mod http;
pub(crate) mod issuance;
pub(crate) mod jose;
pub(crate) mod keys;
pub(crate) mod metrics;
pub(crate) mod oauth;
#[cfg(planted_dead_code)]
mod planted_dead_code;
#[cfg(planted_proof)]
mod planted_proof;
pub(crate) mod policy;
pub(crate) mod registry;
pub(crate) mod sandbox;
pub(crate) mod sdk;
pub(crate) mod server;
pub(crate) mod setup;
pub(crate) mod store;
#[doc(hidden)]
pub mod testing;
pub(crate) mod verification;

pub use cli::Cli;
