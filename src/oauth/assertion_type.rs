//! What a client assertion is (RFC 7521 §4.2).

use crate::base::words::words;

words! {
    /// `client_assertion_type`, with its URN as its word.
    AssertionType {
        /// A JWT (RFC 7523 §2.2).
        Jwt => "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        /// A JWT-SVID (draft-ietf-oauth-spiffe-client-auth §3.1).
        Svid => "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe",
    }
}
