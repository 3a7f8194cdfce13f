//! The machinery of HTTP: who calls, reading a body, limits, and how replies look. It decides nothing.

pub mod body;
pub mod caller;
pub mod certificate;
pub mod client_certificate;
pub mod form;
mod guesses;
pub mod json;
pub mod reply;

pub mod throttle;
