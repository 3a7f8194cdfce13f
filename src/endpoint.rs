//! The endpoints: each reads a request, calls the modules below, and replies.

pub mod forms;
pub mod health;
pub mod introspect;
pub mod manage;
pub mod metadata;
pub mod own;
pub mod phases;
pub mod revoke;
pub mod route;
pub mod routes;
pub mod stopped;
pub mod token;
