//! Compiling the library with a planted fault, and reading what the compiler says of it.

use std::process::Command;

use serde_json::Value;

/// An error of the compiler.
pub struct Fault {
    /// Its code, or the name of its lint.
    pub code: String,
    /// Its message.
    pub message: String,
}

/// The errors of the library under these arguments of the compiler; it has to have some.
///
/// The library is checked in the target directory of the running tests, so that the dependencies are there
/// already. Cargo has let go of its lock on that directory before it runs the tests.
pub fn faults_under(arguments: &[&str]) -> Vec<Fault> {
    let target = std::path::Path::new(env!("CARGO_BIN_EXE_deputy")).ancestors().nth(2).unwrap();
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("CARGO_TARGET_DIR", target)
        .args(["rustc", "--offline", "--locked", "--lib", "--profile", "check", "--message-format", "json"])
        .arg("--")
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "the library compiles under {arguments:?}: {said}");
    let faults = faults(&String::from_utf8(output.stdout).unwrap());
    assert!(!faults.is_empty(), "{said}");
    faults
}

/// Each error that has a place in the source, as rustc reports it through Cargo.
fn faults(messages: &str) -> Vec<Fault> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    messages
        .filter(|message| message["reason"] == "compiler-message" && message["message"]["level"] == "error")
        .filter(|message| message["message"]["spans"].as_array().is_some_and(|spans| !spans.is_empty()))
        .map(|message| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            Fault {
                code: text(&message["message"]["code"]["code"]),
                message: text(&message["message"]["message"]),
            }
        })
        .collect()
}
