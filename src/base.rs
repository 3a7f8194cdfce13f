//! What every other module may use: time, randomness, and enums with words.

pub mod entropy;
pub mod time;
pub(crate) mod words;
