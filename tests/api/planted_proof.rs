//! Proof types have private fields: code outside the module that proves cannot write one. The compiler says so of
//! `src/planted_proof.rs`, which is compiled here and nowhere else.

use std::process::Command;

/// Each proof type, once in `src/planted_proof.rs`.
const PROOFS: [&str; 7] = [
    "AuthenticatedClient",
    "Claims",
    "Permit",
    "SignedToken",
    "VerifiedLogin",
    "VerifiedOwn",
    "VerifiedWorkload",
];

/// The library is checked in the target directory of the running tests, so that the dependencies are there
/// already. Cargo has let go of its lock on that directory before it runs the tests.
#[test]
fn no_proof_can_be_written_outside_the_module_that_proves() {
    let target = std::path::Path::new(env!("CARGO_BIN_EXE_deputy")).ancestors().nth(2).unwrap();
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("CARGO_TARGET_DIR", target)
        .args(["rustc", "--offline", "--locked", "--lib", "--profile", "check", "--message-format", "json"])
        .args(["--", "--cfg", "planted_proof"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "the planted module compiles: {said}");
    let mut refused: Vec<String> = errors(&String::from_utf8(output.stdout).unwrap())
        .map(|(code, message)| {
            assert_eq!(code, "E0451", "{message}");
            let (_, name) = message.split_once("of struct `").unwrap();
            let (path, _) = name.split_once('`').unwrap();
            path.rsplit("::").next().unwrap().to_owned()
        })
        .collect();
    refused.sort();
    assert_eq!(refused, PROOFS, "{said}");
}

/// Code and message of each error that has a code, as rustc reports it through Cargo.
fn errors(messages: &str) -> impl Iterator<Item = (String, String)> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-message" && message["message"]["level"] == "error")
        .filter(|message| message["message"]["spans"].as_array().is_some_and(|spans| !spans.is_empty()))
        .map(|message| {
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            (text(&message["message"]["code"]["code"]), text(&message["message"]["message"]))
        })
}
