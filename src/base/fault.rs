//! Faults that a test asks for, in builds with debug assertions only.

use std::path::Path;

/// Whether the part of this name is to end now. `DEPUTY_TEST_PART_ENDS` says which, how and when, as
/// `PART:HOW:FILE`: HOW is `panic` or `return`, and it happens once FILE exists.
///
/// # Panics
/// If that is how it is to end.
pub fn ends(part: &str) -> bool {
    let Ok(fault) = std::env::var("DEPUTY_TEST_PART_ENDS") else { return false };
    let mut words = fault.splitn(3, ':');
    let (Some(name), Some(how), Some(file)) = (words.next(), words.next(), words.next()) else {
        return false;
    };
    if name != part || !Path::new(file).exists() {
        return false;
    }
    assert!(how != "panic", "a test asked for this panic");
    true
}
