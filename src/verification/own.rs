//! A token of Deputy's own, come back (9068-4): recognised by its record, and by its signature only where no record
//! fits. docs/adr/0010-identity-of-a-token.md says why, and docs/adr/0021-tokens-by-reference.md what an opaque token is.

use std::sync::Arc;

use subtle::ConstantTimeEq as _;

use super::VerifiedOwn;
use crate::base::time::{Lifetime, Timestamp};
use crate::config::{Config, MAX_TOKEN_LIFETIME};
use crate::jose::{Scanned, UnverifiedToken};
use crate::keys::{KeyRing, NodeSecrets};
use crate::oauth::exchange::own_typ;
use crate::oauth::{Digest, Jti, OpaqueToken, TokenFault};

/// A token as it was presented: read at the edge, and only once.
#[derive(Clone, Debug)]
pub enum Presented<'a> {
    /// A JWT, or a text that is no token at all.
    Jwt(Scanned<'a>),
    /// An opaque token.
    Opaque(OpaqueToken),
}

impl<'a> Presented<'a> {
    /// Reads a text. What is meant as an opaque token and is not well-formed is no JWT either.
    pub fn read(text: &'a str) -> Self {
        OpaqueToken::parse(text).map_or_else(|| Self::Jwt(UnverifiedToken::scan(text)), Self::Opaque)
    }

    /// The `iss` that it claims, unverified. An opaque token claims nothing.
    pub fn claimed_issuer(&self) -> Option<&str> {
        match self {
            Self::Jwt(scanned) => scanned.as_ref().ok().and_then(UnverifiedToken::claimed_issuer),
            Self::Opaque(_) => None,
        }
    }
}

/// A token that seems to be Deputy's own: a JWT that says so and has not expired by what it says, or an opaque token that
/// was made with the master key. Nothing of it is to be believed: it only says under which `jti` to look.
#[derive(Debug)]
pub struct PresentedOwn<'a> {
    form: Form<'a>,
    jti: Jti,
}

#[derive(Debug)]
enum Form<'a> {
    Jwt(UnverifiedToken<'a>),
    Opaque(OpaqueToken),
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
    /// Checks the form of a JWT, its issuer, its kind, and then the time at which it expires, so that an expired token costs
    /// no look-up and raises no alarm after its record was removed. Of an opaque token it checks that it was made here, and
    /// no longer ago than any token lives, so that neither a guess nor an old token costs a look-up.
    ///
    /// # Errors
    /// The first fault.
    pub fn read(
        config: &Config,
        secrets: &NodeSecrets,
        presented: Presented<'a>,
        now: Timestamp,
    ) -> Result<Self, TokenFault> {
        match presented {
            Presented::Jwt(scanned) => Self::read_jwt(config, scanned?, now),
            Presented::Opaque(token) => Self::read_opaque(secrets, token, now),
        }
    }

    fn read_opaque(secrets: &NodeSecrets, token: OpaqueToken, now: Timestamp) -> Result<Self, TokenFault> {
        if !secrets.has_made(&token) {
            return Err(TokenFault::NotRecorded);
        }
        let jti = token.jti();
        if now >= jti.made_at().plus(Lifetime::from_seconds(MAX_TOKEN_LIFETIME)) {
            return Err(TokenFault::Expired);
        }
        Ok(Self { form: Form::Opaque(token), jti })
    }

    fn read_jwt(config: &Config, scanned: UnverifiedToken<'a>, now: Timestamp) -> Result<Self, TokenFault> {
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
        Ok(Self { form: Form::Jwt(scanned), jti })
    }

    /// The `jti` under which its record would be.
    pub const fn jti(&self) -> Jti {
        self.jti
    }

    /// Compares it with the token whose keyed hash was recorded under its `jti` when it was signed.
    pub fn compare(self, secrets: &NodeSecrets, recorded: &Digest) -> Compared<'a> {
        let hash = match &self.form {
            Form::Jwt(scanned) => secrets.token_hash(scanned.text()),
            Form::Opaque(token) => secrets.token_hash(&token.to_text()),
        };
        if bool::from(hash.ct_eq(recorded)) {
            let claims = match self.form {
                Form::Jwt(scanned) => scanned.into_unverified_claims(),
                Form::Opaque(_) => Arc::default(),
            };
            return Compared::Same(VerifiedOwn::new(self.jti, hash, claims));
        }
        let other = match &self.form {
            Form::Jwt(scanned) => scanned.with_the_other_signature(),
            Form::Opaque(_) => None,
        };
        if other.is_some_and(|other| secrets.token_hash(&other).ct_eq(recorded).into()) {
            return Compared::Varied;
        }
        Compared::Other(self)
    }

    /// Whether it is a JWT. A JWT that no record fits and whose signature is good was signed by a thief of the key; an
    /// opaque token that no record fits is one whose record was removed.
    pub const fn is_jwt(&self) -> bool {
        matches!(self.form, Form::Jwt(_))
    }

    /// Verifies that it was made here without its record: the signature of a JWT. The check of an opaque token was
    /// verified when it was read.
    ///
    /// # Errors
    /// The fault of its key or of its signature.
    pub fn verify(&self, ring: &KeyRing) -> Result<(), TokenFault> {
        let Form::Jwt(scanned) = &self.form else { return Ok(()) };
        let kid = scanned.header().kid.as_deref().ok_or(TokenFault::KeyUnknown)?;
        match ring.verifying_key(kid) {
            Some(key) => Ok(scanned.verify_signature(key)?),
            None if ring.is_revoked(kid) => Err(TokenFault::KeyRevoked),
            None => Err(TokenFault::KeyUnknown),
        }
    }
}
