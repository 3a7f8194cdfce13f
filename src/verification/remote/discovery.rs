//! The metadata of an identity provider (OpenID Connect Discovery 1.0 §4).

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
}

/// Fetches the metadata of `issuer`, a JSON object. The `issuer` in it is the configured one, byte for byte (§4.3).
pub async fn provider_metadata(
    remote: &dyn RemoteKeys,
    issuer: &Issuer,
    reach: &Reach,
    is_local: bool,
) -> Result<Vec<u8>, DiscoveryFault> {
    let place = format!("{}/.well-known/openid-configuration", issuer.as_str().trim_end_matches('/'));
    let url = Url::parse(&place).map_err(|_| DiscoveryFault::NoUrl(place))?;
    let document = match remote.fetch(&url, reach, MAX_DOCUMENT, is_local).await {
        Ok(document) => document,
        Err(error) => return Err(DiscoveryFault::NotFetched(url, error)),
    };
    let Ok(metadata) = serde_json::from_slice::<Value>(&document.body) else {
        return Err(DiscoveryFault::NoJson(url));
    };
    match metadata["issuer"].as_str() {
        Some(named) if named == issuer.as_str() => Ok(document.body),
        other => Err(DiscoveryFault::OtherIssuer(other.unwrap_or("nobody").to_owned())),
    }
}
