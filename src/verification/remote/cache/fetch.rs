//! Asking one source of keys once.

use std::sync::Arc;

use url::Url;

use super::known::{Good, Known, UNKNOWN_KID_PAUSE};
use super::sought::Sought;
use super::{FOR_EVER, Place, Source};
use crate::base::time::{Lifetime, Timestamp};
use crate::jose::KeySet;
use crate::oauth::Issuer;
use crate::registry::Reach;
use crate::verification::remote::{Document, FetchError, MAX_DOCUMENT, RemoteKeys, provider_metadata};

/// Shortest and longest time a fetched set is taken without looking again (JWKS-08).
const FRESH: (Lifetime, Lifetime) = (Lifetime::from_seconds(300), Lifetime::from_seconds(86_400));

/// What is fetched, and how.
#[derive(Clone)]
pub(super) struct Fetch<S: Sought> {
    pub(super) remote: Arc<dyn RemoteKeys>,
    pub(super) place: Place,
    pub(super) reach: Reach,
    pub(super) is_local: bool,
    pub(super) wanted: Wanted<S>,
}

/// For what a source is asked.
#[derive(Clone)]
pub(super) struct Wanted<S: Sought> {
    pub(super) sought: S,
    /// What is known under this name, and did not do.
    pub(super) instead_of: Option<S::Found>,
}

impl<S: Sought> Fetch<S> {
    /// Asks the source once. A failure leaves the last good copy in place.
    pub(super) async fn look(&self, source: &Source, now: Timestamp) {
        let before = source.known.load_full();
        // Noted before the first byte goes out: a caller that goes away must not make the next one ask
        // again at once.
        let asking = Some((now, Some("a fetch was given up".to_owned())));
        source.known.store(Arc::new(Known { asked: asking, ..Known::clone(&before) }));
        let after = match self.fetch().await {
            Ok((keys, max_age)) => {
                let fresh = max_age.unwrap_or(FRESH.0).clamp(FRESH.0, FRESH.1);
                let fresh_until = match self.place {
                    Place::File(_) => FOR_EVER,
                    Place::Discovery(_) | Place::Uri(_) => now.plus(fresh),
                };
                let found = self.wanted.sought.find(&keys);
                let lacks = match (&found, &self.wanted.instead_of) {
                    (None, _) => true,
                    (Some(found), Some(other)) => S::is_same(found, other),
                    (Some(_), None) => false,
                };
                if found.is_none() {
                    let (what, pause) = (self.wanted.sought.unknown(), UNKNOWN_KID_PAUSE.seconds());
                    tracing::warn!(keys.source = %self.place, "{what} of {}; asking again in {pause} s", self.place);
                }
                let good = Good { keys: Arc::new(keys), had_at: now, fresh_until };
                let mut known =
                    Known { good: Some(good), asked: Some((now, None)), missed: before.missed.clone() };
                if lacks {
                    known.miss(&self.wanted.sought, now);
                }
                known
            }
            Err(FetchError(what)) => {
                tracing::warn!(keys.source = %self.place, "keys were not renewed: {what}");
                Known { asked: Some((now, Some(what))), ..Known::clone(&before) }
            }
        };
        source.known.store(Arc::new(after));
    }

    async fn fetch(&self) -> Result<(KeySet, Option<Lifetime>), FetchError> {
        let document = match &self.place {
            Place::File(path) => {
                // A local file of bounded use, once a few minutes: not worth another thread.
                let body = std::fs::read(path).map_err(|error| FetchError(error.to_string()))?;
                Document { body, max_age: None }
            }
            Place::Uri(url) => self.remote.fetch(url, &self.reach, MAX_DOCUMENT, self.is_local).await?,
            Place::Discovery(issuer) => {
                let url = self.discover(issuer).await?;
                self.remote.fetch(&url, &self.reach, MAX_DOCUMENT, self.is_local).await?
            }
        };
        let keys = KeySet::parse(&document.body)
            .map_err(|_| FetchError("not a key set within the limits".to_owned()))?;
        // An empty set is believed: an issuer that withdrew every key wants none of them to be trusted.
        if keys.is_empty() {
            tracing::warn!(keys.source = %self.place, "the key set has no usable key");
        }
        Ok((keys, document.max_age))
    }

    /// Where the provider's key set is.
    async fn discover(&self, issuer: &Issuer) -> Result<Url, FetchError> {
        let metadata = provider_metadata(self.remote.as_ref(), issuer, &self.reach, self.is_local)
            .await
            .map_err(|fault| FetchError(fault.to_string()))?;
        Ok(metadata.jwks_uri.url().clone())
    }
}
