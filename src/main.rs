//! The `deputy` program.
fn main() {}
