//! The real binary: started, spoken to, killed, restarted, and searched for what it left behind.

mod around;
mod audit;
mod chain;
mod clock;
mod connections;
mod crash;
mod disk;
mod log;
mod mtls;
mod nodes;
mod opaque;
mod operating;
mod platform;
mod probe;
mod proofs;
mod provider;
mod questions;
mod random_chains;
mod record;
mod sandbox;
mod scale;
mod secrets;
mod stops;
mod svid;
mod verbs;
