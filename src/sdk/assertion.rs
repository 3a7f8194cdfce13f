//! The assertion by which a client proves that it holds its key (RFC 7521 §4.2, RFC 7523 §2.2).

use serde_json::json;
use url::form_urlencoded::Serializer;

use super::Error;
use crate::base::entropy::{Entropy, handle};
use crate::base::time::Timestamp;
use crate::jose::{SigningKey, UnverifiedToken};
use crate::oauth::{AssertionType, SpiffeId};

/// The lifetime of an assertion, in seconds.
pub const ASSERTION_SECONDS: i64 = 60;

/// A new assertion of the client `id`, for the server that calls itself `issuer` alone and for one request.
///
/// # Errors
/// [`Error::Assertion`]
pub fn sign_assertion(
    key: &SigningKey,
    issuer: &str,
    id: &str,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<String, Error> {
    let jti = handle::<16>(entropy).map_err(|_| Error::Assertion)?;
    let now = now.seconds();
    let claims = json!({
        "iss": id, "sub": id, "aud": issuer, "jti": jti, "iat": now, "exp": now + ASSERTION_SECONDS,
    });
    key.sign_jwt("client-authentication+jwt", &claims).map_err(|_| Error::Assertion)
}

/// Adds an assertion to the form of a request.
pub(super) fn append_assertion(form: &mut Serializer<'_, String>, assertion: &str) {
    append(form, AssertionType::Jwt, assertion);
}

/// Adds the credential of a platform as the assertion. A JWT-SVID has an assertion type of its own.
pub(super) fn append_credential(form: &mut Serializer<'_, String>, credential: &str) {
    let is_svid = UnverifiedToken::scan(credential)
        .is_ok_and(|token| token.claimed_subject().is_some_and(SpiffeId::is_claimed_by));
    append(form, if is_svid { AssertionType::Svid } else { AssertionType::Jwt }, credential);
}

fn append(form: &mut Serializer<'_, String>, kind: AssertionType, assertion: &str) {
    form.append_pair("client_assertion_type", kind.word()).append_pair("client_assertion", assertion);
}
