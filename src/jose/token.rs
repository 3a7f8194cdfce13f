//! The strict scan of a compact JWS, before any library sees it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::Algorithm;
use super::claims::{Claims, check_times, drop_absent, numeric_date};
use super::ecdsa;
use super::json::{Limits, parse_object};
use super::{JoseError, PublicKey};
use crate::base::digest::sha256_of_parts;
use crate::base::time::Timestamp;

/// The longest compact JWS taken, in bytes (JSON-LIMIT-01).
const MAX_TOKEN: usize = 16 * 1024;
/// The longest `kid` taken, in bytes (8725-3.10-01).
pub(super) const MAX_KID: usize = 128;

/// The header of a scanned token. Everything else in it (`jku`, `jwk`, `x5u`, `x5c`, …) is ignored
/// and never used to find a key (8725-3.10-02), but for `jwk` in [`UnverifiedToken::scan_with_own_key`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// `alg`, one of those Deputy knows.
    pub algorithm: Algorithm,
    /// `kid`: untrusted, at most 128 bytes, only ever compared with loaded keys.
    pub kid: Option<String>,
    /// `typ` in lower case without a leading `application/` (RFC 7515 §4.1.9).
    pub typ: Option<String>,
}

impl Header {
    /// Whether `typ` is absent or `JWT`: what kinds without a type of their own may have.
    pub fn is_plain_jwt(&self) -> bool {
        self.typ.as_deref().is_none_or(|typ| typ == "jwt")
    }
}

/// A compact JWS whose form is sound and whose signature was not looked at. Its claims are out of reach until
/// [`UnverifiedToken::verify`], but for those that say whose keys to use, and under which record a token of
/// Deputy's own is to be found.
///
/// A token is scanned once, and what was read is passed on: a copy shares the claims.
#[derive(Clone)]
pub struct UnverifiedToken<'a> {
    text: &'a str,
    header: Header,
    claims: Arc<Map<String, Value>>,
    signing_input: &'a str,
    signature_segment: &'a str,
    has_other_headers: bool,
}

/// The header parameters that are read.
const HEADERS: [&str; 3] = ["alg", "kid", "typ"];

/// A presented token as it was scanned: at the edge, and only once.
pub type Scanned<'a> = Result<UnverifiedToken<'a>, JoseError>;

impl std::fmt::Debug for UnverifiedToken<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnverifiedToken").field("header", &self.header).finish_non_exhaustive()
    }
}

impl<'a> UnverifiedToken<'a> {
    /// Scans `token`: character set, three segments, strict base64url, strict JSON objects, limits,
    /// header rules, and numeric dates that are numbers between 0 and the year 9999. A claim that is `null` counts as
    /// absent.
    ///
    /// # Errors
    /// The first of [`JoseError::Malformed`], [`JoseError::Critical`], [`JoseError::Algorithm`],
    /// [`JoseError::Kind`], [`JoseError::Claim`].
    pub fn scan(token: &'a str) -> Result<Self, JoseError> {
        Self::scan_whole(token).map(|(scanned, _)| scanned)
    }

    /// As [`UnverifiedToken::scan`], of a token that brings its own public key in the header parameter `jwk`, as a DPoP
    /// proof does (RFC 9449 §4.2).
    ///
    /// # Errors
    /// Also [`JoseError::Key`]: `jwk` is missing, not public, or no key for the token's algorithm.
    pub fn scan_with_own_key(token: &'a str) -> Result<(Self, PublicKey), JoseError> {
        let (scanned, header) = Self::scan_whole(token)?;
        let jwk = header.get("jwk").and_then(Value::as_object).ok_or(JoseError::Key)?;
        let mut keys = PublicKey::from_jwk(jwk)?.into_iter();
        let key = keys.find(|key| key.algorithm() == scanned.header.algorithm).ok_or(JoseError::Key)?;
        Ok((scanned, key))
    }

    /// The token with all members of its header.
    fn scan_whole(token: &'a str) -> Result<(Self, Map<String, Value>), JoseError> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if token.len() > MAX_TOKEN || !token.bytes().all(legal) {
            return Err(JoseError::Malformed);
        }
        let mut segments = token.split('.');
        let (Some(header_segment), Some(claims_segment), Some(signature_segment), None) =
            (segments.next(), segments.next(), segments.next(), segments.next())
        else {
            return Err(JoseError::Malformed);
        };
        let members = parse_object(&decode(header_segment)?, Limits::JWT)?;
        let mut claims = parse_object(&decode(claims_segment)?, Limits::JWT)?;
        // Before the signature, so that `alg` `none` with its empty one is named as what it is.
        let header = read_header(&members)?;
        decode(signature_segment)?;
        drop_absent(&mut claims)?;
        check_times(&claims)?;
        let signing_input = &token[..header_segment.len() + 1 + claims_segment.len()];
        let claims = Arc::new(claims);
        let has_other_headers = members.keys().any(|name| !HEADERS.contains(&name.as_str()));
        let scanned =
            Self { text: token, header, claims, signing_input, signature_segment, has_other_headers };
        Ok((scanned, members))
    }

    /// The whole token.
    pub const fn text(&self) -> &'a str {
        self.text
    }

    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Whether its header has other parameters than `alg`, `kid` and `typ`.
    pub const fn has_other_headers(&self) -> bool {
        self.has_other_headers
    }

    /// `iss`, to look up whose keys and rules apply; nothing else is to be believed of it.
    pub fn claimed_issuer(&self) -> Option<&str> {
        self.claims.get("iss").and_then(Value::as_str)
    }

    /// `sub`, to look up the client that an assertion claims to come from.
    pub fn claimed_subject(&self) -> Option<&str> {
        self.claims.get("sub").and_then(Value::as_str)
    }

    /// `jti`, to look up the record of a token of Deputy's own.
    pub fn claimed_id(&self) -> Option<&str> {
        self.claims.get("jti").and_then(Value::as_str)
    }

    /// `exp`. The scan has refused what is not a date.
    pub fn claimed_expiry(&self) -> Option<Timestamp> {
        self.claims.get("exp").and_then(|exp| numeric_date(exp).ok())
    }

    /// Verifies the signature and gives the claims out.
    ///
    /// # Errors
    /// [`JoseError::Algorithm`] where the key is bound to another one, [`JoseError::Signature`].
    pub fn verify(&self, key: &PublicKey) -> Result<Claims, JoseError> {
        self.verify_signature(key)?;
        Ok(self.verified())
    }

    /// The claims, once the signature is known to be by the right key.
    pub(super) fn verified(&self) -> Claims {
        Claims::new(Arc::clone(&self.claims))
    }

    /// What distinguishes this signature by `key` from every other: SHA-256 over the algorithm, the key, the signed text
    /// and the signature.
    pub(super) fn signed_with(&self, key: &PublicKey) -> [u8; 32] {
        let algorithm = key.algorithm().as_str().as_bytes();
        let (text, signature) = (self.signing_input.as_bytes(), self.signature_segment.as_bytes());
        sha256_of_parts([algorithm, key.material(), text, signature])
    }

    /// Verifies the signature alone.
    ///
    /// # Errors
    /// As [`UnverifiedToken::verify`].
    pub fn verify_signature(&self, key: &PublicKey) -> Result<(), JoseError> {
        if self.header.algorithm != key.algorithm() {
            return Err(JoseError::Algorithm);
        }
        key.verify(self.signing_input.as_bytes(), self.signature_segment)
    }

    /// The text that was signed (RFC 7515 §5.1): the identity of a token. The signature is not part of it, because a
    /// presenter can change an ECDSA signature into another one that is valid as well.
    pub const fn signing_input(&self) -> &'a str {
        self.signing_input
    }

    /// The signature, in base64url.
    pub(super) const fn signature(&self) -> &'a str {
        self.signature_segment
    }

    /// The same token with the other signature that is valid wherever this one is: an ES256 signature (r, s) becomes
    /// (r, n - s). `None` where the signature has another length than one of ES256.
    pub fn with_the_other_signature(&self) -> Option<String> {
        let signature = URL_SAFE_NO_PAD.decode(self.signature_segment).ok()?;
        let other = ecdsa::other_signature(signature.try_into().ok()?);
        Some(format!("{}.{}", self.signing_input, URL_SAFE_NO_PAD.encode(other)))
    }

    /// The claims, of a token that was recognised without its signature.
    pub(crate) fn into_unverified_claims(self) -> Arc<Map<String, Value>> {
        self.claims
    }

    /// The claims before any verification: only to see which kind of token it is.
    pub(crate) fn unverified_claims(&self) -> &Map<String, Value> {
        &self.claims
    }
}

/// Decodes base64url without padding, refusing stray trailing bits (7515-2-01) and the empty string.
fn decode(segment: &str) -> Result<Vec<u8>, JoseError> {
    if segment.is_empty() {
        return Err(JoseError::Malformed);
    }
    URL_SAFE_NO_PAD.decode(segment).map_err(|_| JoseError::Malformed)
}

fn read_header(header: &Map<String, Value>) -> Result<Header, JoseError> {
    if header.contains_key("crit") {
        return Err(JoseError::Critical);
    }
    let algorithm =
        header.get("alg").and_then(Value::as_str).and_then(Algorithm::parse).ok_or(JoseError::Algorithm)?;
    // Compressed, unencoded and nested payloads are other things than a JWT as read here.
    if ["zip", "b64", "cty", "enc"].iter().any(|&name| header.contains_key(name)) {
        return Err(JoseError::Kind);
    }
    let kid = text(header, "kid")?.filter(|kid| kid.len() <= MAX_KID);
    if kid.is_none() && header.contains_key("kid") {
        return Err(JoseError::Malformed);
    }
    let typ = text(header, "typ")?.map(|typ| {
        let typ = typ.to_ascii_lowercase();
        match typ.strip_prefix("application/") {
            Some(rest) if !rest.contains('/') => rest.to_owned(),
            _ => typ,
        }
    });
    Ok(Header { algorithm, kid: kid.map(str::to_owned), typ })
}

fn text<'a>(header: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, JoseError> {
    match header.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(JoseError::Malformed),
    }
}

#[cfg(test)]
mod tests;
