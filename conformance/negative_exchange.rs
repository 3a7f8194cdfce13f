//! Exchanges that have to be refused (NEG-CX-01 and so on). Each changes one thing of a good exchange.

mod policy;
mod request;
mod subject;
mod target;

use crate::harness::Cases;

/// The cases of this file.
pub fn cases() -> Cases {
    [request::cases(), subject::cases(), target::cases(), policy::cases()].into_iter().flatten().collect()
}
