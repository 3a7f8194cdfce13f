//! The access tokens that Microsoft Entra issues to applications for themselves, managed identities among them.

use serde_json::Value;

use crate::jose::Claims;
use crate::oauth::{Issuer, TokenFault};
use crate::registry::{EntraIssuer, EntraVersion};

/// The application of a token, by its version.
const APPLICATIONS: [EntraVersion; 2] = [EntraVersion::V1, EntraVersion::V2];

/// Refuses what is not an application's own token of this tenant.
pub fn check(issuer: &Issuer, claims: &Claims) -> Result<(), TokenFault> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    // Without `idtyp`, which Deputy's registration at Entra has to ask for, the token may be that of a person.
    if text("idtyp") != Some("app") || claims.get("scp").is_some() {
        return Err(TokenFault::NotAWorkload);
    }
    // Refused at load otherwise.
    let issuer = EntraIssuer::parse(issuer.as_str()).ok_or(TokenFault::OtherTenant)?;
    if text("tid") != Some(issuer.tenant) {
        return Err(TokenFault::OtherTenant);
    }
    // Which claim names the application depends on the version, and only that one may be relied on.
    let is_of_version = text("ver").is_none_or(|ver| ver == issuer.version.ver());
    let names_application = APPLICATIONS.iter().all(|&version| {
        let application = claims.get(version.application());
        application.is_some_and(|id| id.as_str().is_some_and(|id| !id.is_empty()))
            == (version == issuer.version)
    });
    if is_of_version && names_application { Ok(()) } else { Err(TokenFault::AuthorizedParty) }
}
