//! Proof types have private fields: code outside the module that proves cannot write one. The compiler says so of
//! `src/planted_proof.rs`, which is compiled here and nowhere else.

use crate::planted::faults_under;

/// Each proof type, once in `src/planted_proof.rs`.
const PROOFS: [&str; 9] = [
    "AuthenticatedClient",
    "Claims",
    "Permit",
    "SignedToken",
    "VerifiedCredential",
    "VerifiedLogin",
    "VerifiedOwn",
    "VerifiedProof",
    "VerifiedWorkload",
];

#[test]
fn no_proof_can_be_written_outside_the_module_that_proves() {
    let mut refused: Vec<String> = faults_under(&["--cfg", "planted_proof"])
        .into_iter()
        .map(|fault| {
            assert_eq!(fault.code, "E0451", "{}", fault.message);
            let (_, name) = fault.message.split_once("of struct `").unwrap();
            let (path, _) = name.split_once('`').unwrap();
            path.rsplit("::").next().unwrap().to_owned()
        })
        .collect();
    refused.sort();
    assert_eq!(refused, PROOFS);
}
