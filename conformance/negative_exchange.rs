//! Exchanges that have to be refused (NEG-CX-01 and so on). Each changes one thing of a good exchange.

mod policy;
mod request;
mod subject;
mod target;

use crate::harness::{Cases, skip};

/// The cases of this file.
pub fn cases() -> Cases {
    let mut cases: Cases = [request::cases(), subject::cases(), target::cases(), policy::cases()]
        .into_iter()
        .flatten()
        .collect();
    cases.push(skip("NEG-CX-25", "sender constraint is not built yet: no token has cnf"));
    cases.push(skip("NEG-CX-42", "DPoP is not built yet: proofs are not looked at"));
    cases.push(skip("NEG-CX-43", "DPoP is not built yet: there are no nonces"));
    cases
}
