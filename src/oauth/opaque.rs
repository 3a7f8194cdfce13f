//! Opaque access tokens: references to a record, which nobody but Deputy can follow.
//! docs/adr/0021-tokens-by-reference.md says what they are made of, and why.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::ids::Jti;

/// How every opaque token begins.
pub const OPAQUE_PREFIX: &str = "dpt_at_";
/// Bytes of the `jti`.
const ID: usize = 16;
/// Random bytes: 160 bits.
pub const OPAQUE_RANDOM: usize = 20;
/// Bytes of the check.
pub const OPAQUE_CHECK: usize = 6;
const BYTES: usize = ID + OPAQUE_RANDOM + OPAQUE_CHECK;

/// An opaque token: `dpt_at_`, and in base64url its `jti`, 160 random bits and a check. It was parsed; whether it was
/// issued is for its record to say. Prints nothing of itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct OpaqueToken([u8; BYTES]);

impl std::fmt::Debug for OpaqueToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OpaqueToken(…)")
    }
}

impl OpaqueToken {
    /// Reads a token in its one form: no two texts are the same token. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let encoded = text.strip_prefix(OPAQUE_PREFIX)?;
        // INVARIANT: the length is a multiple of three bytes, so that every text of that length has one meaning.
        URL_SAFE_NO_PAD.decode(encoded).ok()?.try_into().ok().map(Self)
    }

    /// The token of these parts.
    pub fn new(jti: Jti, random: &[u8; OPAQUE_RANDOM], check: &[u8; OPAQUE_CHECK]) -> Self {
        let mut bytes = [0; BYTES];
        bytes[..ID].copy_from_slice(jti.uuid().as_bytes());
        bytes[ID..ID + OPAQUE_RANDOM].copy_from_slice(random);
        bytes[ID + OPAQUE_RANDOM..].copy_from_slice(check);
        Self(bytes)
    }

    /// The `jti` under which its record would be. It is no secret.
    pub fn jti(&self) -> Jti {
        let mut id = [0; ID];
        id.copy_from_slice(&self.0[..ID]);
        Jti::new(Uuid::from_bytes(id))
    }

    /// What its check is made of: everything before it.
    pub fn checked(&self) -> &[u8] {
        &self.0[..ID + OPAQUE_RANDOM]
    }

    /// Its check.
    pub fn check(&self) -> &[u8] {
        &self.0[ID + OPAQUE_RANDOM..]
    }

    /// The token as it goes over the wire.
    pub fn to_text(self) -> String {
        let mut text = OPAQUE_PREFIX.to_owned();
        URL_SAFE_NO_PAD.encode_string(self.0, &mut text);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> OpaqueToken {
        let jti = Jti::parse("019a0000-0000-7000-8000-000000000001").unwrap();
        OpaqueToken::new(jti, &[7; OPAQUE_RANDOM], &[9; OPAQUE_CHECK])
    }

    #[test]
    fn a_token_has_one_form_of_one_length() {
        let text = token().to_text();
        assert_eq!(text.len(), 63);
        let read = OpaqueToken::parse(&text).unwrap();
        assert_eq!((read, read.to_text()), (token(), text));
        assert_eq!(read.jti(), token().jti());
        assert_eq!((read.checked().len(), read.check()), (36, [9; OPAQUE_CHECK].as_slice()));
    }

    #[test]
    fn any_other_form_is_none() {
        let text = token().to_text();
        let (prefix, encoded) = text.split_at(OPAQUE_PREFIX.len());
        for other in [
            String::new(),
            encoded.to_owned(),
            prefix.to_owned(),
            format!("DPT_AT_{encoded}"),
            format!("{text}="),
            format!("{text} "),
            format!(" {text}"),
            text[..text.len() - 1].to_owned(),
            text[..text.len() - 4].to_owned(),
            format!("{text}AAAA"),
            text.replacen("BwcH", "Bw+H", 1),
            text.replacen("BwcH", "Bw/H", 1),
            text.replacen("BwcH", "Bw.H", 1),
            text.replacen("BwcH", "Bwé", 1),
        ] {
            assert_ne!(other, text);
            assert_eq!(OpaqueToken::parse(&other), None, "{other}");
        }
    }

    #[test]
    fn it_prints_nothing_of_itself() {
        assert_eq!(format!("{:?}", token()), "OpaqueToken(…)");
    }
}
