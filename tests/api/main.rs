//! Deputy's behaviour over HTTP. `process` runs the real binary; what needs no process of its own runs the
//! App in-process.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/definition.rs"]
mod definition;
#[path = "../support/jose.rs"]
mod jose;
#[path = "../support/ports.rs"]
mod ports;
#[path = "../support/process/mod.rs"]
mod process_support;
#[path = "../support/world/mod.rs"]
mod world;

use process_support::scan;

mod access_tokens;
mod callers;
mod examples;
mod identity;
mod metrics;
mod opaque;
mod planted;
mod planted_dead_code;
mod planted_proof;
mod process;
mod providers;
mod reload;
mod structure;
