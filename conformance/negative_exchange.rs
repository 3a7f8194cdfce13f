//! The negative matrix of an exchange: core-exchange G.

use crate::harness::Cases;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The cases of this file.
pub fn cases() -> Cases {
    Vec::new()
}

/// `token` with one bit of its signature flipped.
pub fn with_a_bit_flipped(token: &str) -> String {
    let (input, signature) = token.rsplit_once('.').expect("a compact JWS");
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    bytes[7] ^= 1;
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(bytes))
}
