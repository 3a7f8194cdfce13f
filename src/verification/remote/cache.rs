//! The key sets of others, kept as long as their publishers and our bounds allow.

mod freshness;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use openidconnect::core::CoreProviderMetadata;
use url::Url;

use super::{FetchError, MAX_DOCUMENT, RemoteKeys, provider_metadata};
use crate::base::time::{Lifetime, Timestamp};
use crate::jose::{Header, KeySet, PublicKey};
use crate::oauth::Issuer;
use crate::registry::{KeySource, KeysToken, Network, Reach};

/// Shortest and longest time a fetched set is taken without looking again (JWKS-08).
const FRESH: (Lifetime, Lifetime) = (Lifetime::from_seconds(300), Lifetime::from_seconds(86_400));
/// One unknown `kid` causes at most one fetch in this time (7515-4.1.4-01).
const UNKNOWN_KID_PAUSE: Lifetime = Lifetime::from_seconds(60);
/// Unknown `kid`s cause at most one fetch in this time per source, whichever they are. Each of those fetches would find
/// any new key.
const SOURCE_PAUSE: Lifetime = Lifetime::from_seconds(5);
/// As many unknown `kid`s are remembered per source. Beyond that all are forgotten, and [`SOURCE_PAUSE`] alone counts.
const MAX_MISSED: usize = 256;
/// After a failed fetch none is tried for this time.
const FAILURE_PAUSE: Lifetime = Lifetime::from_seconds(10);
/// Until when a file is not read again by itself: only a reload reads it.
const FOR_EVER: Timestamp = Timestamp::from_millis(i64::MAX);

/// Where keys come from and how.
#[derive(Clone, Copy, Debug)]
pub struct KeySpec<'a> {
    /// The issuer whose metadata names the key set, for [`KeySource::Discovery`].
    pub issuer: Option<&'a Issuer>,
    /// Discovery, a URL, or a file.
    pub source: &'a KeySource,
    /// How a URL is reached.
    pub reach: &'a Reach,
    /// The last good copy serves this long when no new one can be had.
    pub stale: Lifetime,
    /// Deputy's own issuer is literal loopback, so plain HTTP to literal loopback is allowed.
    pub is_local: bool,
}

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// The keys are known, and none fits the header.
    Unknown,
    /// No keys are known and none can be had.
    Unavailable(String),
}

/// What distinguishes sources: the same place reached in another way (another CA) is another source.
#[derive(PartialEq, Eq, Hash)]
struct SourceName {
    place: Place,
    is_public: bool,
    tls_ca_file: Option<PathBuf>,
    proxy: Option<Url>,
    token: Option<KeysToken>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Place {
    Discovery(Issuer),
    Uri(Url),
    File(PathBuf),
}

/// The key sets of every source asked for so far. Sources are configured, so their number is bounded.
pub struct KeyCache {
    remote: Arc<dyn RemoteKeys>,
    sources: Mutex<HashMap<SourceName, Arc<Source>>>,
}

/// What is fetched, and how.
#[derive(Clone)]
struct Fetch {
    remote: Arc<dyn RemoteKeys>,
    place: Place,
    reach: Reach,
    is_local: bool,
    /// The key for which the source is asked.
    wanted: Header,
}

/// One source: what is known of it, and a lock held while it is being asked.
struct Source {
    known: ArcSwap<Known>,
    asking: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Clone, Default)]
struct Known {
    /// The last good set, with when it was had and until when it needs no new look.
    good: Option<Good>,
    /// When it was last asked, and what went wrong if it did.
    asked: Option<(Timestamp, Option<String>)>,
    /// The `kid`s that a look did not find, and when that was.
    missed: HashMap<Option<String>, Timestamp>,
}

#[derive(Clone)]
struct Good {
    keys: Arc<KeySet>,
    had_at: Timestamp,
    fresh_until: Timestamp,
}

impl Known {
    /// Whether the source was asked less than `pause` ago. A clock set back counts as long ago.
    fn was_asked_within(&self, pause: Lifetime, now: Timestamp) -> bool {
        self.asked.as_ref().is_some_and(|(at, _)| (0..pause.millis()).contains(&now.millis_since(*at)))
    }

    /// Whether a look for this key found, less than its pause ago, that there is none.
    fn has_missed(&self, header: &Header, now: Timestamp) -> bool {
        let within = 0..UNKNOWN_KID_PAUSE.millis();
        self.missed.get(&header.kid).is_some_and(|at| within.contains(&now.millis_since(*at)))
    }

    fn has_failed(&self) -> bool {
        matches!(&self.asked, Some((_, Some(_))))
    }

    /// The set, where it is not older than `stale` allows.
    fn usable(&self, stale: Lifetime, now: Timestamp) -> Option<&Good> {
        self.good.as_ref().filter(|good| now < good.had_at.plus(stale).max(good.fresh_until))
    }
}

/// Key sets that were read from files, to be put in force together.
pub struct ReadFiles(Vec<(PathBuf, Arc<KeySet>)>);

impl KeyCache {
    /// Reads every one of these files, so that either all of them take effect or none.
    ///
    /// # Errors
    /// The first file that cannot be read, or that is no key set.
    pub fn read_files<'a>(files: impl Iterator<Item = &'a PathBuf>) -> Result<ReadFiles, FetchError> {
        let read = files.map(|file| {
            let named = |what: String| FetchError(format!("`{}`: {what}", file.display()));
            let body = std::fs::read(file).map_err(|error| named(error.to_string()))?;
            let keys =
                KeySet::parse(&body).map_err(|_| named("is no key set within the limits".to_owned()))?;
            Ok((file.clone(), Arc::new(keys)))
        });
        Ok(ReadFiles(read.collect::<Result<_, _>>()?))
    }

    /// Puts these files in force in place of what was read before. A file that is not among them is forgotten, and a
    /// fetched set is asked for again at its next use; until that succeeds, the copy that is known stays in use.
    pub fn put_in_force(&self, files: ReadFiles, now: Timestamp) {
        self.remote.forget_roots();
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.retain(|name, _| !matches!(name.place, Place::File(_)));
        for source in sources.values() {
            let known = source.known.load();
            let good = known.good.clone().map(|good| Good { fresh_until: now, ..good });
            source.known.store(Arc::new(Known { good, ..Known::default() }));
        }
        drop(sources);
        for (path, keys) in files.0 {
            let good = Good { keys, had_at: now, fresh_until: FOR_EVER };
            let source = self.source(&Place::File(path), &Reach::default());
            let known = Known { good: Some(good), asked: Some((now, None)), ..Known::default() };
            source.known.store(Arc::new(known));
        }
    }

    /// Forgets every key set that was fetched, so that no key is trusted until its source has been asked again.
    pub fn forget_fetched(&self) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.retain(|name, _| matches!(name.place, Place::File(_)));
    }

    /// Waits until no source is being asked.
    #[cfg(test)]
    async fn settled(&self) {
        let sources: Vec<_> =
            self.sources.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        for source in sources {
            drop(source.asking.lock().await);
        }
    }

    /// A cache over this way of fetching.
    pub fn new(remote: Box<dyn RemoteKeys>) -> Self {
        Self { remote: remote.into(), sources: Mutex::default() }
    }

    /// The key of `spec` that fits `header`. Where one is known, a look for newer ones goes on beside the request.
    ///
    /// # Errors
    /// [`KeyFault::Unknown`] where the source was asked and has no such key; [`KeyFault::Unavailable`] where it could
    /// not be asked, so that the key may be one of its new ones.
    pub async fn key(
        &self,
        spec: KeySpec<'_>,
        header: &Header,
        now: Timestamp,
    ) -> Result<PublicKey, KeyFault> {
        let Some(place) = place(spec) else {
            return Err(KeyFault::Unavailable("discovery without an issuer".to_owned()));
        };
        let source = self.source(&place, spec.reach);
        let mut known = source.known.load_full();
        let fetch = || Fetch {
            remote: Arc::clone(&self.remote),
            place: place.clone(),
            reach: spec.reach.clone(),
            is_local: spec.is_local,
            wanted: header.clone(),
        };
        if known.usable(spec.stale, now).is_some_and(|good| good.keys.choose(header).is_some()) {
            if Self::wants_look(&known, spec, header, now)
                && let Ok(turn) = Arc::clone(&source.asking).try_lock_owned()
            {
                let (fetch, source) = (fetch(), Arc::clone(&source));
                tokio::spawn(async move {
                    fetch.look(&source, now).await;
                    drop(turn);
                });
            }
        } else {
            // A request that lacks a key waits for the fetch that is under way.
            let _turn = source.asking.lock().await;
            known = source.known.load_full();
            if Self::wants_look(&known, spec, header, now) {
                fetch().look(&source, now).await;
                known = source.known.load_full();
            }
        }
        let fault = || {
            let fault = known.asked.as_ref().and_then(|(_, fault)| fault.clone());
            KeyFault::Unavailable(fault.unwrap_or_else(|| "never fetched".to_owned()))
        };
        match known.usable(spec.stale, now) {
            None => Err(fault()),
            Some(good) => match good.keys.choose(header) {
                Some(key) => Ok(key.clone()),
                // Nobody knows whether it is a new one.
                None if known.has_failed() => Err(fault()),
                None => Err(KeyFault::Unknown),
            },
        }
    }

    /// Whether the source should be asked now.
    fn wants_look(known: &Known, spec: KeySpec<'_>, header: &Header, now: Timestamp) -> bool {
        if known.has_failed() && known.was_asked_within(FAILURE_PAUSE, now) {
            return false;
        }
        match known.usable(spec.stale, now) {
            None => true,
            Some(good) if now >= good.fresh_until || now < good.had_at => true,
            Some(good) => {
                good.fresh_until != FOR_EVER
                    && good.keys.choose(header).is_none()
                    && !known.was_asked_within(SOURCE_PAUSE, now)
                    && !known.has_missed(header, now)
            }
        }
    }

    fn name(place: &Place, reach: &Reach) -> SourceName {
        // A file is the same one however the party is reached.
        let reach = if matches!(place, Place::File(_)) { &Reach::default() } else { reach };
        SourceName {
            place: place.clone(),
            is_public: reach.network == Network::Public,
            tls_ca_file: reach.tls_ca_file.clone(),
            proxy: reach.proxy.clone(),
            token: reach.token.clone(),
        }
    }

    fn source(&self, place: &Place, reach: &Reach) -> Arc<Source> {
        let name = Self::name(place, reach);
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let source = sources
            .entry(name)
            .or_insert_with(|| Arc::new(Source { known: ArcSwap::default(), asking: Arc::default() }));
        Arc::clone(source)
    }
}

impl Fetch {
    /// Asks the source once. A failure leaves the last good copy in place.
    async fn look(&self, source: &Source, now: Timestamp) {
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
                let mut missed = before.missed.clone();
                missed.retain(|_, at| (0..UNKNOWN_KID_PAUSE.millis()).contains(&now.millis_since(*at)));
                if keys.choose(&self.wanted).is_none() {
                    if missed.len() >= MAX_MISSED {
                        missed.clear();
                    }
                    missed.insert(self.wanted.kid.clone(), now);
                }
                let good = Good { keys: Arc::new(keys), had_at: now, fresh_until };
                Known { good: Some(good), asked: Some((now, None)), missed }
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
                super::Document { body, max_age: None }
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
        let metadata: CoreProviderMetadata = serde_json::from_slice(&metadata)
            .map_err(|error| FetchError(format!("provider metadata: {error}")))?;
        Ok(metadata.jwks_uri().url().clone())
    }
}

fn place(spec: KeySpec<'_>) -> Option<Place> {
    match spec.source {
        KeySource::Discovery => Some(Place::Discovery(spec.issuer?.clone())),
        KeySource::Uri(url) => Some(Place::Uri(url.clone())),
        KeySource::File(path) => Some(Place::File(path.clone())),
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Discovery(issuer) => write!(f, "{issuer}"),
            Self::Uri(url) => write!(f, "{url}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests;
