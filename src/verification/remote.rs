//! Keys of others: fetched or read from a file, cached per source, bounded in every direction
//! (JWKS-08, JWKS-09, FETCH-01 to FETCH-08).

mod address;
mod cache;
mod discovery;
mod http;
#[cfg(test)]
mod server;

use std::future::Future;
use std::pin::Pin;

use url::Url;

use crate::base::time::Lifetime;
use crate::registry::Reach;

pub use cache::{KeyCache, KeyFault, KeySpec, KeysUnknown, ReadFiles, Remember, SoughtCertificate};
pub use discovery::{DiscoveryFault, provider_metadata};
pub use http::{HttpKeys, Probe};

/// The most bytes of provider metadata.
const MAX_DOCUMENT: usize = 512 * 1024;

#[derive(Debug)]
pub struct Document {
    /// The body, within its limit.
    pub body: Vec<u8>,
    /// `max-age` of `Cache-Control`, if it was given.
    pub max_age: Option<Lifetime>,
}

/// Why a document was not fetched, in words for the log. Nothing of it reaches a client (FETCH-08).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FetchError(pub String);

/// The outcome of one fetch.
pub type Fetched<'a> = Pin<Box<dyn Future<Output = Result<Document, FetchError>> + Send + 'a>>;

/// Fetches documents of others. The real one is [`HttpKeys`].
pub trait RemoteKeys: Send + Sync {
    /// GETs `url`, at most `limit` bytes, without cookies, redirects, and credentials other than the token of `reach`.
    fn fetch<'a>(&'a self, url: &'a Url, reach: &'a Reach, limit: usize, is_local: bool) -> Fetched<'a>;

    /// Forgets the trust roots that were read, so that the next fetch reads them again.
    fn forget_roots(&self) {}
}
