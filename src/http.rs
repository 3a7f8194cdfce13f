//! Room 1: the edge. Routes, TLS, limits on what is read, and how answers look. Decides nothing.

mod answer;
mod form;
pub mod management;
pub mod metadata;
pub mod oauth;
pub mod server;

pub use server::{Running, ServeError, start};
