//! A memory of signatures that were verified, for tokens that are presented again and again.

use super::{Claims, JoseError, PublicKey, UnverifiedToken};

/// The most signatures that are remembered; those that are asked for least are forgotten first.
const REMEMBERED: u64 = 16_384;

/// Signatures that were verified.
///
/// The algorithm, the key, the signed text and the signature are remembered together, so that nothing is accepted here
/// that the key would not verify again: a signature by another key, over another text, or with one bit changed is
/// checked. Whether the key still counts, and what the claims mean by now, is for the caller to judge each time.
pub struct RememberedSignatures(moka::sync::Cache<[u8; 32], ()>);

impl Default for RememberedSignatures {
    fn default() -> Self {
        Self(moka::sync::Cache::new(REMEMBERED))
    }
}

impl RememberedSignatures {
    /// As [`UnverifiedToken::verify`], and remembers a signature that verifies.
    ///
    /// # Errors
    /// As [`UnverifiedToken::verify`].
    pub fn verify(&self, token: &UnverifiedToken<'_>, key: &PublicKey) -> Result<Claims, JoseError> {
        let signed = token.signed_with(key);
        if self.0.get(&signed).is_some() {
            return Ok(token.verified());
        }
        let claims = token.verify(key)?;
        self.0.insert(signed, ());
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::{Algorithm, SigningKey};

    fn token_of(key: &SigningKey, subject: &str) -> String {
        key.sign_jwt("JWT", &serde_json::json!({"sub": subject})).unwrap()
    }

    impl RememberedSignatures {
        fn knows(&self, token: &str, key: &PublicKey) -> bool {
            self.0.contains_key(&UnverifiedToken::scan(token).unwrap().signed_with(key))
        }

        fn verify_text(&self, token: &str, key: &PublicKey) -> Result<Claims, JoseError> {
            self.verify(&UnverifiedToken::scan(token).unwrap(), key)
        }
    }

    #[test]
    fn a_signature_is_remembered_once_it_was_verified_and_gives_the_same_claims() {
        for algorithm in [Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256] {
            let key = SigningKey::generate(algorithm).unwrap();
            let (public, token) = (key.public().unwrap(), token_of(&key, "pod-1"));
            let signatures = RememberedSignatures::default();
            assert!(!signatures.knows(&token, &public));
            for _ in 0..2 {
                let claims = signatures.verify_text(&token, &public).unwrap();
                assert_eq!(claims.text("sub"), Ok(Some("pod-1")));
                assert!(signatures.knows(&token, &public));
            }
        }
    }

    #[test]
    fn nothing_is_taken_that_the_key_would_not_verify() {
        let key = SigningKey::generate(Algorithm::ES256).unwrap();
        let other = SigningKey::generate(Algorithm::ES256).unwrap();
        let (public, token) = (key.public().unwrap(), token_of(&key, "pod-1"));
        let signatures = RememberedSignatures::default();
        signatures.verify_text(&token, &public).unwrap();

        // The same token under another key.
        let refused = signatures.verify_text(&token, &other.public().unwrap()).unwrap_err();
        assert_eq!(refused, JoseError::Signature);
        // The remembered signature under another text, and another key's signature under this text.
        let signature = token.rsplit_once('.').unwrap().1;
        let foreign = token_of(&key, "pod-2");
        let spliced = format!("{}.{signature}", foreign.rsplit_once('.').unwrap().0);
        assert_eq!(signatures.verify_text(&spliced, &public).unwrap_err(), JoseError::Signature);
        let forged = token_of(&other, "pod-1");
        for _ in 0..2 {
            assert_eq!(signatures.verify_text(&forged, &public).unwrap_err(), JoseError::Signature);
            assert!(!signatures.knows(&forged, &public), "a refused signature is not remembered");
        }
        // The other signature that verifies too is another one, and is checked.
        let twin = UnverifiedToken::scan(&token).unwrap().with_the_other_signature().unwrap();
        assert!(!signatures.knows(&twin, &public));
        assert!(signatures.verify_text(&twin, &public).is_ok());
    }
}
