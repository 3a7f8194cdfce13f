//! What every other module may use: time and randomness.

pub mod entropy;
pub mod time;
