//! The compiler finds code that nothing calls, although it is `pub`: the modules of the library are private, and the
//! facade for tests gives none of their types away. `src/planted_dead_code.rs` is compiled here and nowhere else.

use crate::planted::faults_under;

#[test]
fn a_function_that_nothing_calls_fails_the_build() {
    let faults = faults_under(&["--cfg", "planted_dead_code", "-D", "dead_code"]);
    let found: Vec<_> = faults.iter().map(|fault| (fault.code.as_str(), fault.message.as_str())).collect();
    assert_eq!(found, [("dead_code", "function `nothing_calls_this` is never used")]);
}
