//! The machinery of HTTP: who calls, reading a form, limits, and how replies look. It decides nothing.

pub mod caller;
pub mod form;
pub mod reply;
pub mod throttle;
