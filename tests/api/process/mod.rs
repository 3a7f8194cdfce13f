//! The real binary: started, spoken to, killed, restarted, and searched for what it left behind.

mod around;
mod chain;
mod clock;
mod connections;
mod crash;
mod nodes;
mod provider;
mod random_chains;
mod sandbox;
mod secrets;
mod stops;
mod verbs;
