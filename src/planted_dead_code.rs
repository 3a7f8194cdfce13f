//! A function that nothing calls, public in a module as private as all others. It is compiled only under
//! `--cfg planted_dead_code`; `tests/api/planted_dead_code.rs` asserts that the compiler finds it.

pub fn nothing_calls_this() {}
