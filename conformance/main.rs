//! `cargo test --test conformance` runs a test for each requirement and prints `ID → passed`, or why it was skipped.
//!
//! There is a file for each specification. `requirements.md` lists every requirement with its sentence. A requirement
//! that is neither tested nor on the skip list of its file fails the run. `cargo test --test conformance -- 8693-2.1`
//! runs the requirements whose ID contains one of the given words.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../tests/support/definition.rs"]
mod definition;
mod harness;
#[path = "../tests/support/jose.rs"]
mod jose;
mod logs;
#[path = "../tests/support/ports.rs"]
mod ports;
#[allow(dead_code, reason = "shared with the process tests, which use more of it")]
#[path = "../tests/support/process/scan.rs"]
mod scan;
#[path = "../tests/support/world/mod.rs"]
mod world;

mod agent_drafts;
mod client_all;
mod client_secret_basic;
mod delegation_profile;
mod dpop;
mod expect;
mod fetch;
mod jwks;
mod jwt;
mod jwt_bearer;
mod jwt_parameter;
mod mfa;
mod mtls;
mod negative_client;
mod negative_exchange;
mod negative_lifecycle;
mod negative_security;
mod oidc_id_token;
mod private_key_jwt;
mod replay_state;
mod requests;
mod rfc6749;
mod rfc7009;
mod rfc7662;
mod rfc8414;
mod rfc8693;
mod rfc8707;
mod rfc9068;
mod spiffe;
mod strict;
mod workload_identity;
mod yes_no;

fn main() {
    logs::keep();
    // One on each line, so that two changes that each add a file do not conflict.
    #[rustfmt::skip]
    let files = vec![
        agent_drafts::cases(),
        client_all::cases(),
        client_secret_basic::cases(),
        delegation_profile::cases(),
        dpop::cases(),
        fetch::cases(),
        jwt::cases(),
        jwt_bearer::cases(),
        jwks::cases(),
        negative_client::cases(),
        negative_exchange::cases(),
        negative_lifecycle::cases(),
        private_key_jwt::cases(),
        replay_state::cases(),
        mfa::cases(),
        mtls::cases(),
        negative_security::cases(),
        oidc_id_token::cases(),
        rfc6749::cases(),
        rfc7009::cases(),
        rfc7662::cases(),
        rfc8414::cases(),
        rfc8693::cases(),
        rfc8707::cases(),
        rfc9068::cases(),
        spiffe::cases(),
        workload_identity::cases(),
        yes_no::cases(),
    ];
    harness::run(files);
}
