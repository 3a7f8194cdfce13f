//! The ID tokens of service accounts of Google Cloud. Google signs those of people with the same keys.

use serde_json::Value;

use crate::jose::Claims;
use crate::oauth::TokenFault;

/// The end of the addresses that only Google gives out, to service accounts.
const SERVICE_ACCOUNT: &str = ".gserviceaccount.com";

/// Refuses the ID token of a person: it was issued to an application, so that `azp` is not `sub`, and its address is
/// another or missing.
pub fn check(claims: &Claims) -> Result<(), TokenFault> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let is_for_itself = text("sub").is_some_and(|sub| text("azp") == Some(sub));
    let host = text("email").and_then(|email| Some(email.rsplit_once('@')?.1));
    let is_service_account = host.is_some_and(|host| host.ends_with(SERVICE_ACCOUNT))
        && claims.get("email_verified") == Some(&Value::Bool(true));
    match is_for_itself && is_service_account {
        true => Ok(()),
        false => Err(TokenFault::NotAWorkload),
    }
}
