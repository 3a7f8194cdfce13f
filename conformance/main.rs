//! `cargo test --test conformance`: a test a normative ID, `ID → passed` or skipped with the reason.
//!
//! A file a specification. `requirements.txt` lists every ID that has to be here; an ID neither tested
//! nor on the skip list of its file fails the run. `cargo test --test conformance -- 8693-2.1` runs
//! those whose ID contains the words given.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;
#[path = "../tests/support/world/mod.rs"]
mod world;

mod rfc8693;

fn main() {
    harness::run(vec![rfc8693::cases()]);
}
