//! Tokens of others and our own. Of others, issuer trust, keys, signature, audience and times are checked here. Our own
//! are compared with their records.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use serde_json::{Map, Value};

use crate::base::certificate::CertificateFault;
use crate::base::time::{Lifetime, Timestamp};
use crate::config::Config;
use crate::http::client_certificate::ClientCertificate;
use crate::jose::{Claims, Header, JoseError, PublicKey, Scanned, UnverifiedToken};
use crate::oauth::ids::{AGENT_PREFIX, PAIRWISE_PREFIX};
use crate::oauth::{ClientId, DeclaredType, TokenFault};
use crate::registry::{KeySource, Reach, Registry, WorkloadIssuer};

mod access_token;
mod authorities;
mod dpop;
mod id_token;
mod kind;
mod levels;
mod login_facts;
mod may_act;
mod own;
mod remote;
mod verified_login;
mod verified_own;
mod verified_proof;
mod verified_workload;
mod workload;

pub use access_token::source as access_token_source;
pub use authorities::Authorities;
pub use id_token::relying_party;
pub use kind::{SubjectKind, kind_of};
pub use login_facts::{LoginFacts, LoginToken, access_token_party};
pub use may_act::MayAct;
pub use own::{Compared, Presented, PresentedOwn};
pub use verified_login::VerifiedLogin;
pub use verified_own::VerifiedOwn;
pub use verified_proof::VerifiedProof;
pub use verified_workload::{Build, Credential, VerifiedCredential, VerifiedWorkload};
pub use workload::explained::Explained;
pub use workload::issuer_of;

pub use remote::{
    DiscoveryFault, FetchError, HttpKeys, KeyCache, KeyFault, KeySpec, KeysUnknown, Probe, ReadFiles,
    RemoteKeys, provider_metadata,
};
use remote::{Remember, SoughtCertificate};

/// How long the last known keys of workload issuers and clients are used when they cannot be fetched again.
const KEYS_STALE: Lifetime = Lifetime::from_seconds(86_400);
/// The longest `sub` taken from a provider (OIDC Core §2).
const MAX_SUBJECT: usize = 255;

/// Why a token was not verified.
#[derive(Debug)]
pub enum NotVerified {
    /// The token is at fault.
    Fault(TokenFault),
    /// Nobody knows whether its key is one of the issuer's: 503.
    Unavailable(KeysUnknown),
}

impl From<TokenFault> for NotVerified {
    fn from(fault: TokenFault) -> Self {
        Self::Fault(fault)
    }
}

/// Why a token of an identity provider is no login.
#[derive(Debug)]
pub enum NotALogin {
    /// As for any other token.
    NotVerified(NotVerified),
    /// Nothing else is wrong with it, but it does not say when the user signed in, and has to.
    AuthTimeMissing {
        /// The `max_age`, in seconds, to ask the provider with.
        max_age: u32,
    },
}

impl<E> From<E> for NotALogin
where
    NotVerified: From<E>,
{
    fn from(error: E) -> Self {
        Self::NotVerified(error.into())
    }
}

/// Claims a predicate needs. Held only inside the exchange call; `Debug` prints nothing of them.
#[derive(Default)]
pub struct PredicateClaims(Map<String, Value>);

impl PredicateClaims {
    pub const fn new(claims: Map<String, Value>) -> Self {
        Self(claims)
    }

    pub fn get(&self, claim: &str) -> Option<&Value> {
        self.0.get(claim)
    }
}

impl std::fmt::Debug for PredicateClaims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PredicateClaims(…)")
    }
}

impl From<JoseError> for TokenFault {
    fn from(error: JoseError) -> Self {
        match error {
            JoseError::Malformed => Self::Malformed,
            JoseError::Critical => Self::Critical,
            JoseError::Algorithm => Self::Algorithm,
            JoseError::Kind => Self::Kind,
            JoseError::Claim => Self::Claim,
            JoseError::Key => Self::KeyUnknown,
            JoseError::Signature | JoseError::Signing => Self::Signature,
        }
    }
}

impl From<JoseError> for NotVerified {
    fn from(error: JoseError) -> Self {
        Self::Fault(error.into())
    }
}

impl From<KeyFault> for NotVerified {
    fn from(fault: KeyFault) -> Self {
        match fault {
            KeyFault::Unknown => Self::Fault(TokenFault::KeyUnknown),
            KeyFault::Unavailable(why) => Self::Unavailable(why),
        }
    }
}

/// Where the registered keys of a client are.
#[derive(Clone, Copy)]
pub struct ClientKeys<'a> {
    pub source: &'a KeySource,
    pub reach: &'a Reach,
    /// Whether Deputy's own issuer is on loopback.
    pub is_local: bool,
}

impl<'a> ClientKeys<'a> {
    const fn spec(self) -> KeySpec<'a> {
        let Self { source, reach, is_local } = self;
        KeySpec { issuer: None, source, reach, stale: KEYS_STALE, is_local }
    }
}

/// Remote keys and rules of all configured issuers. One lives as long as the process: a reload of the
/// configuration keeps the keys already fetched.
pub struct Verifier {
    keys: KeyCache,
    authorities: ArcSwapOption<Authorities>,
}

impl Default for Verifier {
    fn default() -> Self {
        Self::new(Box::new(HttpKeys::default()))
    }
}

impl Verifier {
    /// A verifier that fetches keys this way. [`Verifier::default`] fetches over HTTPS.
    pub fn new(remote: Box<dyn RemoteKeys>) -> Self {
        Self { keys: KeyCache::new(remote), authorities: ArcSwapOption::empty() }
    }

    /// Takes these authorities' word for the certificates of clients from now on, and nobody else's.
    pub fn trust(&self, authorities: Option<Authorities>) {
        self.authorities.store(authorities.map(Arc::new));
    }

    /// Whether an authority vouches for the certificate of a client.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_certificate(
        &self,
        certificate: &ClientCertificate,
        now: Timestamp,
    ) -> Result<(), CertificateFault> {
        match &*self.authorities.load() {
            Some(authorities) => authorities.check(certificate, now),
            None => Err(CertificateFault::UnknownIssuer),
        }
    }

    /// Whether the certificate is one that the client has registered (RFC 8705 §2.2.2).
    ///
    /// # Errors
    /// It is not, or nobody can say.
    pub async fn client_certificate(
        &self,
        registered: ClientKeys<'_>,
        certificate: &ClientCertificate,
        now: Timestamp,
    ) -> Result<(), KeyFault> {
        let sought = SoughtCertificate(certificate.der().to_vec());
        self.keys.get(registered.spec(), &sought, now).await
    }

    /// Reads every key file that `registry` names, so that either all of them take effect or none.
    ///
    /// # Errors
    /// The first file that cannot be read, or that is no key set.
    pub fn read_key_files(registry: &Registry) -> Result<ReadFiles, FetchError> {
        KeyCache::read_files(
            registry.key_sources().filter_map(|source| Some((source.file()?, source.form()))),
        )
    }

    /// Puts key files in force, and has everything that was fetched looked at again.
    pub fn put_in_force(&self, files: ReadFiles, now: Timestamp) {
        self.keys.put_in_force(files, now);
    }

    /// Fetches the bundles of SPIFFE trust domains again, each as often as its publisher wants.
    pub fn renew_bundles(&self, config: &Config, now: Timestamp) {
        let issuers = config.registry.workload_issuers.values();
        for issuer in issuers.filter(|issuer| matches!(issuer.keys, KeySource::BundleEndpoint(_))) {
            self.keys.renew(keys_of(config, issuer), now);
        }
    }

    /// Forgets every key that was fetched, so that none is trusted until its source has been asked again.
    pub fn forget_fetched(&self) {
        self.keys.forget_fetched();
    }

    /// Verifies a token of an identity provider presented by `client`: an ID token or an access token. Which of the two it
    /// is, it says itself; it has to agree with the declared type, and is judged as that kind alone.
    ///
    /// # Errors
    /// [`NotVerified::Fault`] with the first thing wrong with the token; [`NotVerified::Unavailable`]
    /// where nobody can say whether its key is one of the provider's; [`NotALogin::AuthTimeMissing`] as it says.
    pub async fn login(
        &self,
        config: &Config,
        (token, declared): (&Scanned<'_>, DeclaredType),
        client: &ClientId,
        now: Timestamp,
    ) -> Result<VerifiedLogin, NotALogin> {
        let scanned = token.as_ref().map_err(|error| *error)?;
        // No request goes out for an issuer that is not configured.
        let provider = scanned
            .claimed_issuer()
            .and_then(|issuer| config.registry.identity_providers.get(issuer))
            .ok_or(TokenFault::IssuerUntrusted)?;
        // 8725-3.11-01, 8725-3.12-01: the kind, before any key is looked for.
        let (kind, _) = kind_of(scanned.header(), scanned.unverified_claims(), &provider.id_token_claims)?;
        kind.check_declared(declared)?;
        if kind == SubjectKind::AccessToken && provider.access_tokens.is_empty() {
            return Err(TokenFault::IssuerUntrusted.into());
        }
        let typ = kind::header_type(scanned.header())?;
        if !provider.algorithms.contains(&scanned.header().algorithm) {
            return Err(TokenFault::Algorithm.into());
        }
        let spec = KeySpec {
            issuer: Some(&provider.issuer),
            source: &provider.keys,
            reach: &provider.reach,
            stale: provider.keys_stale,
            is_local: config.is_local,
        };
        let key = self.keys.get(spec, scanned.header(), now).await?;
        let signed = scanned.signing_input();
        // A gateway presents the access token of a user with each request; an ID token comes once or twice.
        let remember = match kind {
            SubjectKind::IdToken => Remember::No,
            SubjectKind::AccessToken => Remember::Yes,
        };
        let claims = self.keys.verify(spec, (scanned, remember), &key, now).await?;
        Ok(match kind {
            SubjectKind::IdToken => id_token::judge(config, provider, &claims, signed, client, now)?,
            SubjectKind::AccessToken => access_token::judge(provider, (&claims, typ), signed, client, now)?,
        })
    }

    /// Verifies a workload's token and finds its class. Which agent it is of, [`VerifiedCredential::presented_with`] says.
    ///
    /// # Errors
    /// As [`Verifier::login`].
    pub async fn workload(
        &self,
        config: &Config,
        token: &Scanned<'_>,
        now: Timestamp,
    ) -> Result<VerifiedCredential, NotVerified> {
        let scanned = token.as_ref().map_err(|error| *error)?;
        let issuer = workload::issuer_of(&config.registry, scanned)?;
        workload::check_kind(issuer, scanned)?;
        if !issuer.algorithms.contains(&scanned.header().algorithm) {
            return Err(TokenFault::Algorithm.into());
        }
        let spec = keys_of(config, issuer);
        let key = self.keys.get(spec, scanned.header(), now).await?;
        let signed = scanned.signing_input();
        // A platform's credential is presented with every request of its workload until it expires.
        let claims = self.keys.verify(spec, (scanned, Remember::Yes), &key, now).await?;
        Ok(workload::judge(issuer, &claims, signed, now)?)
    }

    /// The registered key of a client that fits `header` (7523-3-10).
    pub async fn client_key(
        &self,
        registered: ClientKeys<'_>,
        header: &Header,
        now: Timestamp,
    ) -> Result<PublicKey, KeyFault> {
        self.keys.get(registered.spec(), header, now).await
    }

    /// Verifies the assertion of a client with `key`, which is the one that [`Verifier::client_key`] found for it.
    ///
    /// # Errors
    /// As [`KeyCache::verify`].
    pub async fn verify_of_client(
        &self,
        registered: ClientKeys<'_>,
        assertion: &UnverifiedToken<'_>,
        key: &PublicKey,
        now: Timestamp,
    ) -> Result<Claims, JoseError> {
        self.keys.verify(registered.spec(), (assertion, Remember::No), key, now).await
    }
}

/// Where the keys of a workload issuer are.
fn keys_of<'a>(config: &Config, issuer: &'a WorkloadIssuer) -> KeySpec<'a> {
    KeySpec {
        issuer: Some(&issuer.issuer),
        source: &issuer.keys,
        reach: &issuer.reach,
        stale: KEYS_STALE,
        is_local: config.is_local,
    }
}

/// Whether this is a token of a configured provider or workload issuer, by what it says unverified
/// (RFC 7009 §2.2.1: a kind that is recognised and not revoked here).
pub fn is_foreign_kind(config: &Config, token: &Presented<'_>) -> bool {
    let Presented::Jwt(Ok(token)) = token else { return false };
    let providers = &config.registry.identity_providers;
    token.claimed_issuer().is_some_and(|issuer| providers.contains_key(issuer))
        || issuer_of(&config.registry, token).is_ok()
}

/// `sub`-like text from a provider: 1 to 255 ASCII characters, none of them control characters, and not
/// in a form that Deputy makes itself (OIDC-2-01).
fn check_subject(subject: &str) -> Result<(), TokenFault> {
    let is_legal = (1..=MAX_SUBJECT).contains(&subject.len())
        && subject.bytes().all(|b| matches!(b, 0x20..=0x7e))
        && !subject.starts_with(PAIRWISE_PREFIX)
        && !subject.starts_with(AGENT_PREFIX);
    if is_legal { Ok(()) } else { Err(TokenFault::Subject) }
}

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;
