//! Asking one source of keys once.

use std::sync::Arc;

use url::Url;

use super::known::{Good, Known, UNKNOWN_KID_PAUSE};
use super::sought::Sought;
use super::{FOR_EVER, Place, Source};
use crate::base::time::{Lifetime, Timestamp};
use crate::jose::{KeyForm, KeySet};
use crate::oauth::Issuer;
use crate::registry::Reach;
use crate::verification::remote::{Document, FetchError, RemoteKeys, provider_metadata};

/// Shortest and longest time a fetched set is taken without looking again (JWKS-08).
const FRESH: (Lifetime, Lifetime) = (Lifetime::from_seconds(300), Lifetime::from_seconds(86_400));
/// The same for a bundle, whose publisher says in it how often it wants to be asked.
const BUNDLE_FRESH: (Lifetime, Lifetime) = (Lifetime::from_seconds(60), Lifetime::from_seconds(3600));
/// How often a bundle is fetched whose publisher does not say it.
const BUNDLE_REFRESH: Lifetime = Lifetime::from_seconds(300);

/// What is fetched, and how.
#[derive(Clone)]
pub(super) struct Fetch<S: Sought> {
    pub(super) remote: Arc<dyn RemoteKeys>,
    pub(super) place: Place,
    pub(super) reach: Reach,
    pub(super) is_local: bool,
    /// What makes somebody look, if not the time alone.
    pub(super) wanted: Option<Wanted<S>>,
}

/// For what a source is asked.
#[derive(Clone)]
pub(super) struct Wanted<S: Sought> {
    pub(super) sought: S,
    /// What is known under this name, and did not do.
    pub(super) instead_of: Option<S::Found>,
}

impl<S: Sought> Wanted<S> {
    fn is_lacking(&self, keys: &KeySet) -> bool {
        match (self.sought.find(keys), &self.instead_of) {
            (None, _) => true,
            (Some(found), Some(other)) => S::is_same(&found, other),
            (Some(_), None) => false,
        }
    }
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
                let fresh_until = match self.place {
                    Place::File(..) => FOR_EVER,
                    Place::Discovery(_) | Place::Uri(_, KeyForm::Jwks) => {
                        now.plus(max_age.unwrap_or(FRESH.0).clamp(FRESH.0, FRESH.1))
                    }
                    Place::Uri(_, KeyForm::Bundle) => {
                        let hint = keys.refresh_hint().unwrap_or(BUNDLE_REFRESH);
                        now.plus(hint.clamp(BUNDLE_FRESH.0, BUNDLE_FRESH.1))
                    }
                };
                let missed = self.wanted.as_ref().filter(|wanted| wanted.is_lacking(&keys));
                if let Some(Wanted { sought, .. }) = missed
                    && sought.find(&keys).is_none()
                {
                    let (what, pause) = (sought.unknown(), UNKNOWN_KID_PAUSE.seconds());
                    tracing::warn!(keys.source = %self.place, "{what} of {}; asking again in {pause} s", self.place);
                }
                let good = Good { keys: Arc::new(keys), had_at: now, fresh_until };
                let mut known =
                    Known { good: Some(good), asked: Some((now, None)), missed: before.missed.clone() };
                if let Some(Wanted { sought, .. }) = missed {
                    known.miss(sought, now);
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
        let form = self.place.form();
        let document = match &self.place {
            Place::File(path, _) => {
                // A local file of bounded use, once a few minutes: not worth another thread.
                let body = std::fs::read(path).map_err(|error| FetchError(error.to_string()))?;
                Document { body, max_age: None }
            }
            Place::Uri(url, _) => {
                self.remote.fetch(url, &self.reach, form.max_bytes(), self.is_local).await?
            }
            Place::Discovery(issuer) => {
                let url = self.discover(issuer).await?;
                self.remote.fetch(&url, &self.reach, form.max_bytes(), self.is_local).await?
            }
        };
        let keys = KeySet::read(&document.body, form)
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
