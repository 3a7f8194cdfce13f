//! RFC 7515, 7518, 7519 and 8725. They apply to every parameter that carries a JWT.

mod algorithms;
mod claims;
mod curves;
mod dates;
mod form;
mod keys;
mod kinds;
mod limits;

use crate::harness::Cases;

/// The cases of this file.
pub fn cases() -> Cases {
    [
        form::cases(),
        limits::cases(),
        algorithms::cases(),
        curves::cases(),
        keys::cases(),
        claims::cases(),
        dates::cases(),
        kinds::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
