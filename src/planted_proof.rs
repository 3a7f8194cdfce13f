#![expect(dead_code, reason = "nothing calls what does not compile")]
//! Code that must not compile: it writes every proof type by a struct literal, from outside the module that
//! proves. It is compiled only under `--cfg planted_proof`; `tests/api/planted_proof.rs` asserts that each literal
//! is refused with E0451, because a field of it is private.

use crate::client_auth::AuthenticatedClient;
use crate::decision::Permit;
use crate::issuance::SignedToken;
use crate::jose::Claims;
use crate::verification::{VerifiedCredential, VerifiedLogin, VerifiedOwn, VerifiedProof, VerifiedWorkload};

/// A value of any type, so that the only fault of a literal is the privacy of its fields.
fn any<T>() -> T {
    unreachable!("this module never compiles")
}

pub fn authenticated_client() -> AuthenticatedClient {
    AuthenticatedClient { client: any(), kid: any(), one_time: any(), platform: any(), certificate: any() }
}

pub fn verified_login() -> VerifiedLogin {
    VerifiedLogin {
        facts: any(),
        provider: any(),
        subject: any(),
        may_act: any(),
        predicate_claims: any(),
        ceiling: any(),
        lacks_nonce: any(),
    }
}

pub fn verified_credential() -> VerifiedCredential {
    VerifiedCredential { vouched: any(), naming: any() }
}

pub fn verified_workload() -> VerifiedWorkload {
    VerifiedWorkload { vouched: any(), id: any() }
}

pub fn verified_proof() -> VerifiedProof {
    VerifiedProof { thumbprint: any(), used: any() }
}

pub fn verified_own() -> VerifiedOwn {
    VerifiedOwn { jti: any(), hash: any(), claims: any() }
}

pub fn permit() -> Permit {
    Permit { terms: any() }
}

pub fn signed_token() -> SignedToken {
    SignedToken { permit: any(), form: any(), hash: any(), answers: any() }
}

pub fn claims() -> Claims {
    Claims { 0: any() }
}
