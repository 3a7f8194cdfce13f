//! Reading a token without verifying it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// The header and the claims of a compact JWS whose signature was not verified. They may be shown, but not trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The JOSE header, an object.
    pub header: Value,
    /// The claims, an object.
    pub claims: Value,
}

impl Decoded {
    /// Decodes a token; `None` where it is no compact JWS with a JSON object in its first two parts.
    pub fn read(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (header, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
        let object = |part: &str| {
            let value: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()?;
            Some(value).filter(Value::is_object)
        };
        if parts.next().is_some() {
            None
        } else {
            Some(Self { header: object(header)?, claims: object(claims)? })
        }
    }

    /// A claim that is a string; empty where there is none.
    pub fn text(&self, claim: &str) -> &str {
        self.claims.get(claim).and_then(Value::as_str).unwrap_or_default()
    }

    /// `typ` of the header; empty where there is none.
    pub fn typ(&self) -> &str {
        self.header.get("typ").and_then(Value::as_str).unwrap_or_default()
    }
}
