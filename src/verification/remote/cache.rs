//! The key sets of others, kept as long as their publishers and our bounds allow.

mod fetch;
mod freshness;
mod known;
mod sought;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use url::Url;

use super::{FetchError, RemoteKeys};
use crate::base::time::{Lifetime, Timestamp};
use crate::jose::{
    Claims, Header, JoseError, KeyForm, KeySet, PublicKey, RememberedSignatures, UnverifiedToken,
};
use crate::oauth::Issuer;
use crate::registry::{KeySource, KeysToken, Network, Reach};

use fetch::{Fetch, Wanted};
use known::{Good, Known};
use sought::Sought;
pub use sought::SoughtCertificate;

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
    /// Deputy's own issuer is on loopback, so plain HTTP to loopback is allowed.
    pub is_local: bool,
}

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// The keys are known, and none fits the header.
    Unknown,
    /// Nobody knows whether there is such a key.
    Unavailable(KeysUnknown),
}

/// Why nobody knows whether an issuer or a client has a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysUnknown {
    /// Its keys cannot be had, for this reason.
    #[error("{0}")]
    NotHad(String),
    /// They were had, without this key or certificate, and are not asked for again so soon. Who presents a token chooses the
    /// name of its key, so this is no fault of the source, and nothing of the token is in these words.
    #[error(
        "the key or certificate is not among those that were had a moment ago, and they are not asked for again so soon"
    )]
    NotAskedAgain,
}

/// Whether a signature that was verified is remembered. It saves work where the same token is presented again and again,
/// and costs some where it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remember {
    Yes,
    No,
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
    Uri(Url, KeyForm),
    File(PathBuf, KeyForm),
}

impl Place {
    const fn is_file(&self) -> bool {
        matches!(self, Self::File(..))
    }

    const fn form(&self) -> KeyForm {
        match self {
            Self::Discovery(_) => KeyForm::Jwks,
            Self::Uri(_, form) | Self::File(_, form) => *form,
        }
    }
}

/// The key sets of every source asked for so far. Sources are configured, so their number is bounded.
pub struct KeyCache {
    remote: Arc<dyn RemoteKeys>,
    sources: Mutex<HashMap<SourceName, Arc<Source>>>,
    signatures: RememberedSignatures,
}

/// One source: what is known of it, and a lock held while it is being asked.
struct Source {
    known: ArcSwap<Known>,
    asking: Arc<tokio::sync::Mutex<()>>,
}

impl Source {
    fn of(known: Known) -> Arc<Self> {
        Arc::new(Self { known: ArcSwap::from_pointee(known), asking: Arc::default() })
    }

    /// Asks the source in a task of its own, unless it is being asked already.
    fn look_beside<S: Sought>(self: &Arc<Self>, fetch: Fetch<S>, now: Timestamp) {
        if let Ok(turn) = Arc::clone(&self.asking).try_lock_owned() {
            let source = Arc::clone(self);
            tokio::spawn(async move {
                fetch.look(&source, now).await;
                drop(turn);
            });
        }
    }
}

/// Key sets that were read from files, to be put in force together.
pub struct ReadFiles(Vec<(PathBuf, KeyForm, Arc<KeySet>)>);

impl KeyCache {
    /// Reads every one of these files, so that either all of them take effect or none.
    ///
    /// # Errors
    /// The first file that cannot be read, or that is no key set.
    pub fn read_files<'a>(files: impl Iterator<Item = (&'a Path, KeyForm)>) -> Result<ReadFiles, FetchError> {
        let read = files.map(|(file, form)| {
            let named = |what: String| FetchError(format!("`{}`: {what}", file.display()));
            let body = std::fs::read(file).map_err(|error| named(error.to_string()))?;
            let keys =
                KeySet::read(&body, form).map_err(|_| named("is no key set within the limits".to_owned()))?;
            Ok((file.to_owned(), form, Arc::new(keys)))
        });
        Ok(ReadFiles(read.collect::<Result<_, _>>()?))
    }

    /// Puts these files in force in place of what was read before. A file that is not among them is forgotten, and a
    /// fetched set is asked for again at its next use; until that succeeds, the copy that is known stays in use.
    pub fn put_in_force(&self, files: ReadFiles, now: Timestamp) {
        self.remote.forget_roots();
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.retain(|name, _| !name.place.is_file());
        for source in sources.values_mut() {
            let good = source.known.load().good.clone().map(|good| Good { fresh_until: now, ..good });
            // Another source, so that a fetch that is under way by the older settings does not count as a new one.
            *source = Source::of(Known { good, ..Known::default() });
        }
        drop(sources);
        for (path, form, keys) in files.0 {
            let good = Good { keys, had_at: now, fresh_until: FOR_EVER };
            let source = self.source(&Place::File(path, form), &Reach::default());
            let known = Known { good: Some(good), asked: Some((now, None)), ..Known::default() };
            source.known.store(Arc::new(known));
        }
    }

    /// Forgets every key set that was fetched, so that no key is trusted until its source has been asked again.
    pub fn forget_fetched(&self) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.retain(|name, _| name.place.is_file());
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
        Self { remote: remote.into(), sources: Mutex::default(), signatures: RememberedSignatures::default() }
    }

    /// What is sought among the keys of `spec`: the key that fits a header, or a certificate. Where it is known, a look for
    /// newer ones goes on beside the request.
    ///
    /// # Errors
    /// [`KeyFault::Unknown`] where the source was asked and has no such key; [`KeyFault::Unavailable`] where it could
    /// not be asked, or not again so soon, so that the key may be one of its new ones.
    pub async fn get<S: Sought>(
        &self,
        spec: KeySpec<'_>,
        sought: &S,
        now: Timestamp,
    ) -> Result<S::Found, KeyFault> {
        let Some(place) = place(spec) else {
            let what = "discovery without an issuer".to_owned();
            return Err(KeyFault::Unavailable(KeysUnknown::NotHad(what)));
        };
        let source = self.source(&place, spec.reach);
        let mut known = source.known.load_full();
        let fetch = || {
            let wanted = Wanted { sought: sought.clone(), instead_of: None };
            self.fetch(spec, &place, Some(wanted))
        };
        if known.has(spec.stale, sought, now) {
            if known.wants_look(spec.stale, sought, now) {
                source.look_beside(fetch(), now);
            }
        } else {
            // A request that lacks a key waits for the fetch that is under way.
            let _turn = source.asking.lock().await;
            known = source.known.load_full();
            if known.wants_look(spec.stale, sought, now) {
                fetch().look(&source, now).await;
                known = source.known.load_full();
            }
        }
        known.get(spec.stale, sought, now)
    }

    /// Fetches the keys of `spec` again if they are not fresh any more, although nobody needs one. So a key that its
    /// publisher has withdrawn is not trusted any longer where no request has made anybody look.
    pub fn renew(&self, spec: KeySpec<'_>, now: Timestamp) {
        let Some(place) = place(spec) else { return };
        let source = self.source(&place, spec.reach);
        if source.known.load().wants_renewal(spec.stale, now) {
            source.look_beside(self.fetch::<Header>(spec, &place, None), now);
        }
    }

    /// Verifies a token with `key`, which is the one that [`KeyCache::get`] found for it. If its signature is not by that
    /// key, the source is asked, as rarely as for an unknown `kid`, whether it has another key under that name: some
    /// providers that are set up anew have. A source that cannot be asked changes nothing, because a new key has a new
    /// `kid` (OIDC Core §10.1.1).
    ///
    /// # Errors
    /// As [`UnverifiedToken::verify`].
    pub async fn verify(
        &self,
        spec: KeySpec<'_>,
        (token, remember): (&UnverifiedToken<'_>, Remember),
        key: &PublicKey,
        now: Timestamp,
    ) -> Result<Claims, JoseError> {
        let verify = |key: &PublicKey| match remember {
            Remember::Yes => self.signatures.verify(token, key),
            Remember::No => token.verify(key),
        };
        let error = match verify(key) {
            Ok(claims) => return Ok(claims),
            Err(error) => error,
        };
        match self.other_key(spec, token.header(), key, now).await {
            Some(other) => verify(&other),
            None => Err(error),
        }
    }

    /// Another key than this one that fits `header`.
    async fn other_key(
        &self,
        spec: KeySpec<'_>,
        header: &Header,
        key: &PublicKey,
        now: Timestamp,
    ) -> Option<PublicKey> {
        let place = place(spec)?;
        let source = self.source(&place, spec.reach);
        let _turn = source.asking.lock().await;
        let known = source.known.load_full();
        let found = known.key_instead_of(key, spec.stale, header, now);
        if found.is_some() || !known.may_look_for(header, now) {
            return found;
        }
        let wanted = Wanted { sought: header.clone(), instead_of: Some(key.clone()) };
        self.fetch(spec, &place, Some(wanted)).look(&source, now).await;
        source.known.load().key_instead_of(key, spec.stale, header, now)
    }

    fn fetch<S: Sought>(&self, spec: KeySpec<'_>, place: &Place, wanted: Option<Wanted<S>>) -> Fetch<S> {
        Fetch {
            remote: Arc::clone(&self.remote),
            place: place.clone(),
            reach: spec.reach.clone(),
            is_local: spec.is_local,
            wanted,
        }
    }

    fn name(place: &Place, reach: &Reach) -> SourceName {
        // A file is the same one however the party is reached.
        let reach = if place.is_file() { &Reach::default() } else { reach };
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
        let source = sources.entry(name).or_insert_with(|| Source::of(Known::default()));
        Arc::clone(source)
    }
}

fn place(spec: KeySpec<'_>) -> Option<Place> {
    let form = spec.source.form();
    Some(match spec.source {
        KeySource::Discovery => Place::Discovery(spec.issuer?.clone()),
        KeySource::Uri(url) | KeySource::BundleEndpoint(url) => Place::Uri(url.clone(), form),
        KeySource::File(path) | KeySource::BundleFile(path) => Place::File(path.clone(), form),
    })
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Discovery(issuer) => write!(f, "{issuer}"),
            Self::Uri(url, _) => write!(f, "{url}"),
            Self::File(path, _) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests;
