//! RFC 9068, JWT access tokens: core-exchange C.

mod checking;
mod issuing;

use crate::harness::Cases;

/// The cases of this file.
pub fn cases() -> Cases {
    [issuing::cases(), checking::cases()].into_iter().flatten().collect()
}
