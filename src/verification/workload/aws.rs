//! The tokens that AWS signs for the principals of an account (`sts:GetWebIdentityToken`).

use crate::jose::Claims;
use crate::oauth::TokenFault;

/// The person of IAM Identity Center who began the session, or for whom it acts.
const PERSON: &str = "https://sts.amazonaws.com/.identity_store_user_id";

/// Refuses the session of a person.
pub fn check(claims: &Claims) -> Result<(), TokenFault> {
    match claims.find(PERSON) {
        Some(_) => Err(TokenFault::NotAWorkload),
        None => Ok(()),
    }
}
