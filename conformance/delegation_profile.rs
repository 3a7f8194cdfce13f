//! Deputy's delegation profile: core-exchange F.

use crate::harness::Cases;

/// The cases of this file.
pub fn cases() -> Cases {
    Vec::new()
}
