//! Proof of possession by DPoP (RFC 9449), and credentials that are pinned to a key.

mod bound;
mod nonce;
mod pins;
mod proof;

use crate::expect::Wire;
use crate::harness::Cases;
use crate::world::{Jwt, Key, Request, World};

/// A proof that is bad or was used before (RFC 9449 §5).
pub const INVALID: Wire = (400, "invalid_dpop_proof", "proof_invalid");
/// A proof that is demanded and not there.
pub const MISSING: Wire = (400, "invalid_dpop_proof", "proof_missing");

/// The cases of this file.
pub fn cases() -> Cases {
    [proof::cases(), nonce::cases(), bound::cases(), pins::cases()].into_iter().flatten().collect()
}

/// A good exchange with a proof by this key.
fn proving<'a>(world: &World, request: Request<'a>, key: &Key) -> Request<'a> {
    with(request, &world.proof(key))
}

fn with<'a>(request: Request<'a>, proof: &Jwt) -> Request<'a> {
    request.header("DPoP", &proof.sign())
}
