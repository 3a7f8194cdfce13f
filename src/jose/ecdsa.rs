//! The second signature that fits whatever an ES256 signature fits.

/// The order n of P-256 (FIPS 186-5), in big-endian bytes.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
    0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The signature (r, n - s) for (r, s), each number as 32 bytes (RFC 7518 §3.4).
///
/// Nothing is accepted because of its result: it says only which token the presented one was made from. A signature
/// is no secret, so the time that this takes may depend on it.
pub fn other_signature(mut signature: [u8; 64]) -> [u8; 64] {
    let mut borrow = false;
    for (s, n) in signature[32..].iter_mut().zip(ORDER).rev() {
        let (difference, is_under) = n.overflowing_sub(*s);
        let (difference, is_under_with_borrow) = difference.overflowing_sub(u8::from(borrow));
        borrow = is_under || is_under_with_borrow;
        *s = difference;
    }
    signature
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use crate::jose::{Algorithm, SigningKey};

    #[test]
    fn both_signatures_verify_and_each_leads_to_the_other() {
        let key = SigningKey::generate(Algorithm::ES256).unwrap();
        // Many times, so that every byte borrows at least once.
        for _ in 0..64 {
            let signature: [u8; 64] =
                URL_SAFE_NO_PAD.decode(key.sign(b"text").unwrap()).unwrap().try_into().unwrap();
            let other = other_signature(signature);
            assert_ne!(other, signature);
            assert_eq!(other_signature(other), signature);
            key.public().unwrap().verify(b"text", &URL_SAFE_NO_PAD.encode(other)).unwrap();
        }
    }

    #[test]
    fn numbers_out_of_range_do_not_panic() {
        for byte in [0x00, 0xff] {
            assert_eq!(other_signature(other_signature([byte; 64])), [byte; 64]);
        }
    }
}
