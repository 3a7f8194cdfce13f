//! `may_act` (RFC 8693 §4.4): read from a verified token here, matched against the actor by
//! `delegation::actor::Acting::is_named_by`, and required by `decision`.

use serde_json::Value;

use crate::jose::Claims;
use crate::oauth::TokenFault;

/// Who may act next, as a verified token says (RFC 8693 §4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MayAct {
    /// `iss`; if it is absent, the issuer of the token that has the claim is meant.
    pub issuer: Option<String>,
    pub subject: String,
    /// Other members: compared, and never matched by anything we know, so they only restrict.
    pub has_other_identity_members: bool,
}

impl MayAct {
    /// Reads `may_act` (RFC 8693 §4.4). `exp`, `nbf` and `aud` in it mean nothing (8693-4.4-02); any
    /// other member but `iss` and `sub` identifies in a way not known here.
    ///
    /// # Errors
    /// [`TokenFault::MayAct`] unless it is an object with a `sub` and strings in `iss` and `sub` (8693-4.4-04).
    pub fn read(claims: &Claims) -> Result<Option<Self>, TokenFault> {
        let Some(value) = claims.get("may_act") else { return Ok(None) };
        let object = value.as_object().ok_or(TokenFault::MayAct)?;
        let subject = object.get("sub").and_then(Value::as_str).filter(|sub| !sub.is_empty());
        let issuer = match object.get("iss") {
            None => None,
            Some(Value::String(issuer)) => Some(issuer.clone()),
            Some(_) => return Err(TokenFault::MayAct),
        };
        let known = ["iss", "sub", "exp", "nbf", "iat", "aud"];
        Ok(Some(Self {
            issuer,
            subject: subject.ok_or(TokenFault::MayAct)?.to_owned(),
            has_other_identity_members: object.keys().any(|name| !known.contains(&name.as_str())),
        }))
    }
}
