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

/// The text that the SHA-256 thumbprint of an EC key is taken of (RFC 7638 §3.2), hashed.
fn thumbprint(key: &Key) -> String {
    use base64::Engine as _;
    let jwk = key.jwk();
    let text = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest.as_ref())
}
