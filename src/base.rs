//! What every other module may use: time, randomness, digests, loopback addresses, what is wrong with a certificate, the
//! limits of the process, the search for the nearest of several names, which characters show, and enums whose variants
//! have a word each.

pub mod certificate;
pub mod digest;
pub mod entropy;
#[cfg(debug_assertions)]
pub(crate) mod fault;
pub mod loopback;
pub mod nearest;
pub mod process;
pub mod text;
pub mod time;
pub(crate) mod words;
