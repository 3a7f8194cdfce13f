//! RFC 9068: the JWT profile of access tokens.

mod checking;
mod issuing;

use crate::harness::Cases;

/// The cases of this file.
pub fn cases() -> Cases {
    [issuing::cases(), checking::cases()].into_iter().flatten().collect()
}
