//! The assertion by which a client proves that it holds its key (RFC 7521 §4.2, RFC 7523 §2.2).

use serde_json::json;
use url::form_urlencoded::Serializer;

use super::Error;
use crate::base::entropy::{Entropy, handle};
use crate::base::time::Timestamp;
use crate::jose::SigningKey;

/// `client_assertion_type` of a JWT (RFC 7523 §2.2).
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
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
    form.append_pair("client_assertion_type", ASSERTION_TYPE).append_pair("client_assertion", assertion);
}
