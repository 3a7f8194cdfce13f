//! The metadata of an identity provider (OpenID Connect Discovery 1.0 §4). Deputy needs `issuer` and `jwks_uri` of it, and
//! nothing else in it can be wrong: what other members say, and how, is not looked at.

use openidconnect::JsonWebKeySetUrl;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{FetchError, MAX_DOCUMENT, RemoteKeys};
use crate::oauth::Issuer;
use crate::registry::Reach;

/// Why there is no metadata.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryFault {
    /// The place where the metadata would be.
    #[error("{0} is not a URL")]
    NoUrl(String),
    #[error("{1}")]
    NotFetched(Url, FetchError),
    #[error("{0} is not JSON")]
    NoJson(Url),
    /// The issuer that the document names.
    #[error("provider metadata names the issuer `{0}`")]
    OtherIssuer(String),
    /// The document has no `jwks_uri` that is a URL.
    #[error("provider metadata has no usable `jwks_uri`")]
    NoKeys,
}

/// The metadata of a provider.
#[derive(Debug)]
pub struct ProviderMetadata {
    /// Where its keys are.
    pub jwks_uri: JsonWebKeySetUrl,
    /// The whole document, of which no other member was read.
    pub document: Vec<u8>,
}

/// The members that are read, of any type, so that only their own faults count.
#[derive(Deserialize)]
struct Needed {
    issuer: Option<Value>,
    jwks_uri: Option<Value>,
}

/// Fetches the metadata of `issuer`. The `issuer` in it is the configured one, byte for byte (§4.3).
pub async fn provider_metadata(
    remote: &dyn RemoteKeys,
    issuer: &Issuer,
    reach: &Reach,
    is_local: bool,
) -> Result<ProviderMetadata, DiscoveryFault> {
    let place = format!("{}/.well-known/openid-configuration", issuer.as_str().trim_end_matches('/'));
    let url = Url::parse(&place).map_err(|_| DiscoveryFault::NoUrl(place))?;
    let document = match remote.fetch(&url, reach, MAX_DOCUMENT, is_local).await {
        Ok(document) => document.body,
        Err(error) => return Err(DiscoveryFault::NotFetched(url, error)),
    };
    let Ok(needed) = serde_json::from_slice::<Needed>(&document) else {
        return Err(DiscoveryFault::NoJson(url));
    };
    match needed.issuer.as_ref().and_then(Value::as_str) {
        Some(named) if named == issuer.as_str() => {}
        other => return Err(DiscoveryFault::OtherIssuer(other.unwrap_or("nobody").to_owned())),
    }
    let jwks_uri = needed.jwks_uri.as_ref().and_then(Value::as_str);
    let jwks_uri = jwks_uri.and_then(|uri| JsonWebKeySetUrl::new(uri.to_owned()).ok());
    Ok(ProviderMetadata { jwks_uri: jwks_uri.ok_or(DiscoveryFault::NoKeys)?, document })
}
