//! What every other module may use: time, randomness, digests, and enums with words.

pub mod digest;
pub mod entropy;
pub mod time;
pub(crate) mod words;
