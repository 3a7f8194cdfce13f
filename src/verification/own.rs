//! A token of Deputy's own, come back (9068-4): recognised by its record, and by its signature only where no record
//! fits. docs/adr/0010-identity-of-a-token.md says why.

use subtle::ConstantTimeEq as _;

use super::VerifiedOwn;
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::jose::{Scanned, UnverifiedToken};
use crate::keys::{KeyRing, NodeSecrets};
use crate::oauth::exchange::own_typ;
use crate::oauth::{Digest, Jti, TokenFault};

/// A token that says it is Deputy's own and has not expired by what it says. Nothing of it is to be believed: it only
/// says under which `jti` to look.
#[derive(Debug)]
pub struct PresentedOwn<'a> {
    scanned: UnverifiedToken<'a>,
    jti: Jti,
}

/// What a presented token is beside the one that was recorded under its `jti`.
#[derive(Debug)]
pub enum Compared<'a> {
    /// The same, byte for byte.
    Same(VerifiedOwn),
    /// The recorded one with its signature changed into the other one that is valid as well. Anybody who has the token can
    /// do that, without the key.
    Varied,
    /// Another one.
    Other(PresentedOwn<'a>),
}

impl<'a> PresentedOwn<'a> {
    /// Checks form, issuer, kind, and then the time at which it expires, so that an expired token costs no
    /// look-up and raises no alarm after its record was removed.
    ///
    /// # Errors
    /// The first fault.
    pub fn read(config: &Config, scanned: Scanned<'a>, now: Timestamp) -> Result<Self, TokenFault> {
        let scanned = scanned?;
        if scanned.claimed_issuer() != Some(config.issuer.as_str()) {
            return Err(TokenFault::IssuerUntrusted);
        }
        if !scanned.header().typ.as_deref().is_some_and(|typ| own_typ::ALL.contains(&typ)) {
            return Err(TokenFault::Kind);
        }
        let jti = scanned.claimed_id().and_then(Jti::parse).ok_or(TokenFault::Claim)?;
        if now >= scanned.claimed_expiry().ok_or(TokenFault::Claim)? {
            return Err(TokenFault::Expired);
        }
        Ok(Self { scanned, jti })
    }

    /// The `jti` under which its record would be.
    pub const fn jti(&self) -> Jti {
        self.jti
    }

    /// Compares it with the token whose keyed hash was recorded under its `jti` when it was signed.
    pub fn compare(self, secrets: &NodeSecrets, recorded: &Digest) -> Compared<'a> {
        let hash = secrets.token_hash(self.scanned.text());
        if bool::from(hash.ct_eq(recorded)) {
            return Compared::Same(VerifiedOwn::new(self.jti, hash, self.scanned.into_unverified_claims()));
        }
        let other = self.scanned.with_the_other_signature();
        if other.is_some_and(|other| secrets.token_hash(&other).ct_eq(recorded).into()) {
            return Compared::Varied;
        }
        Compared::Other(self)
    }

    /// Verifies the signature of a token that no record fits. If it is good, a signing key is misused.
    ///
    /// # Errors
    /// The fault of its key or of its signature.
    pub fn verify(&self, ring: &KeyRing) -> Result<(), TokenFault> {
        let kid = self.scanned.header().kid.as_deref().ok_or(TokenFault::KeyUnknown)?;
        match ring.verifying_key(kid) {
            Some(key) => Ok(self.scanned.verify_signature(key)?),
            None if ring.is_revoked(kid) => Err(TokenFault::KeyRevoked),
            None => Err(TokenFault::KeyUnknown),
        }
    }
}
