//! RFC 8693: token exchange.

mod actor;
mod errors;
mod may_act;
mod order;
mod request;
mod response;
mod targets;
mod token_types;

use crate::harness::Cases;

/// The cases of this file.
pub fn cases() -> Cases {
    [
        request::cases(),
        targets::cases(),
        order::cases(),
        response::cases(),
        errors::cases(),
        token_types::cases(),
        actor::cases(),
        may_act::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
