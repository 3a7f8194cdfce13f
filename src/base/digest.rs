//! SHA-256, over bytes as they are or over parts that each say how long they are.

use aws_lc_rs::digest::{Context, SHA256};

/// SHA-256 over the concatenation of `parts`.
pub fn sha256<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    finish(context)
}

/// SHA-256 over `parts`, each preceded by its length in eight octets, so that no two lists of parts are read alike.
pub fn sha256_of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    finish(context)
}

fn finish(context: Context) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    #[test]
    fn a_digest_is_that_of_fips_180() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(HEXLOWER.encode(&sha256([&b"abc"[..]])), expected);
        assert_eq!(HEXLOWER.encode(&sha256([&b"a"[..], b"", b"bc"])), expected);
    }

    #[test]
    fn parts_are_told_apart_by_their_lengths() {
        let framed = sha256([&b"\0\0\0\0\0\0\0\x01a\0\0\0\0\0\0\0\x02bc"[..]]);
        assert_eq!(sha256_of_parts([&b"a"[..], b"bc"]), framed);
        assert_ne!(sha256_of_parts([&b"ab"[..], b"c"]), framed);
    }
}
