//! Identity providers, workload issuers and clients whose keys are fetched, as the server would fetch them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;
use url::Url;

use super::keys::{usable, workloads_and_clients};
use super::{Findings, Surroundings, bundles, provider};
use crate::base::time::{Lifetime, Timestamp};
use crate::config::Config;
use crate::jose::{Algorithm, KeyForm, KeySet};
use crate::registry::{IdentityProvider, KeySource, Reach};
use crate::verification::{DiscoveryFault, FetchError, HttpKeys, Probe, RemoteKeys as _, provider_metadata};

const PROVIDERS: &str = "providers";
const KEYS: &str = "remote_keys";

/// The end of the address of a discovery document.
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// What is wrong, and the fix.
pub(super) type Fault = (String, String);

pub(super) async fn check(findings: &mut Findings, config: &Config, surroundings: &Surroundings) {
    let remote = Remote {
        http: HttpKeys::default(),
        is_local: config.is_local,
        now: surroundings.now,
        started: Instant::now(),
        proxy_variable: proxy_variable(&surroundings.environment),
    };
    for provider in config.registry.identity_providers.values() {
        if let Err((what, fix)) = remote.ask(findings, config, provider).await {
            findings.fail(PROVIDERS, format!("provider `{}`: {what}", provider.issuer), fix);
        }
    }
    let asked = config.registry.identity_providers.len();
    findings.ok_unless_reported(PROVIDERS, format!("{asked} providers answer, with keys that fit"));
    provider::conclude(findings);

    for signer in workloads_and_clients(config) {
        let Some(url) = signer.keys.url() else { continue };
        let (name, form) = (&signer.name, signer.keys.form());
        match remote.fetch(url, form, signer.reach).await {
            Err(error) => {
                let probe = remote.probe(url, signer.reach).await;
                let otherwise = match form {
                    KeyForm::Jwks => {
                        "see that it is up and reachable from here; or pin the keys in a `jwks_file`"
                    }
                    KeyForm::Bundle => {
                        "see that it is up and reachable from here, with a certificate that `tls_ca_file` or the public roots \
                         vouch for (profile `https_web`)"
                    }
                };
                let (what, fix) = remote.not_had(url, signer.reach, &error, &probe, otherwise);
                findings.fail(KEYS, format!("{name}: {what}"), fix);
            }
            Ok(document) => {
                if let Err((what, fix)) = judge(url, &document, form, signer.algorithms) {
                    findings.fail(KEYS, format!("{name}: {what}"), fix);
                }
                if form == KeyForm::Bundle {
                    bundles::hint(findings, name, &document);
                }
                remote.compare_clocks(findings, name, &remote.probe(url, signer.reach).await);
            }
        }
    }
    findings.ok_unless_reported(KEYS, "every other key set can be had, or is in a file");
    bundles::conclude(findings);
}

struct Remote<'a> {
    http: HttpKeys,
    is_local: bool,
    /// What the clock of this machine showed when the asking began.
    now: Timestamp,
    started: Instant,
    /// The variable of the environment that names a proxy, if one does. Deputy does not follow it.
    proxy_variable: Option<&'a str>,
}

impl Remote<'_> {
    async fn fetch(&self, url: &Url, form: KeyForm, reach: &Reach) -> Result<Vec<u8>, FetchError> {
        Ok(self.http.fetch(url, reach, form.max_bytes(), self.is_local).await?.body)
    }

    /// Asks once more, and not longer than a fetch may take.
    async fn probe(&self, url: &Url, reach: &Reach) -> Probe {
        let asked = self.http.probe(url, reach, self.is_local);
        tokio::time::timeout(Duration::from_secs(5), asked).await.unwrap_or_default()
    }

    /// The provider's metadata, unless its keys are configured, and its keys.
    async fn ask(
        &self,
        findings: &mut Findings,
        config: &Config,
        provider: &IdentityProvider,
    ) -> Result<(), Fault> {
        let url = match (&provider.keys, provider.keys.url()) {
            (KeySource::Discovery, _) => self.discover(findings, config, provider).await?,
            (_, Some(url)) => url.clone(),
            (_, None) => return Ok(()),
        };
        let form = provider.keys.form();
        let document = match self.fetch(&url, form, &provider.reach).await {
            Ok(document) => document,
            Err(error) => return Err(self.unreachable(&url, &provider.reach, &error).await),
        };
        let probe = self.probe(&url, &provider.reach).await;
        self.compare_clocks(findings, &format!("provider `{}`", provider.issuer), &probe);
        judge(&url, &document, form, &provider.algorithms)
    }

    async fn discover(
        &self,
        findings: &mut Findings,
        config: &Config,
        provider: &IdentityProvider,
    ) -> Result<Url, Fault> {
        let wrong = |what: String, fix: &str| (what, fix.to_owned());
        let asked = provider_metadata(&self.http, &provider.issuer, &provider.reach, self.is_local).await;
        let metadata = match asked {
            Ok(metadata) => metadata,
            Err(DiscoveryFault::NoUrl(place)) => {
                return Err(wrong(format!("{place} is no URL"), "write the issuer as in `iss`"));
            }
            Err(DiscoveryFault::NotFetched(url, error)) => {
                return Err(self.unreachable(&url, &provider.reach, &error).await);
            }
            Err(DiscoveryFault::NoJson(url)) => {
                let fix = "write the issuer as in `iss` of its ID tokens";
                return Err(wrong(format!("{url} is no JSON"), fix));
            }
            Err(DiscoveryFault::OtherIssuer(issuer)) => {
                return Err(wrong(
                    format!("its discovery document names `{issuer}`"),
                    "write exactly that as `issuer`, if it is the one you mean",
                ));
            }
            Err(DiscoveryFault::NoKeys) => {
                let what = "its discovery document has no `jwks_uri`".to_owned();
                return Err(wrong(what, "name `jwks_uri` or `jwks_file` yourself"));
            }
        };
        let further: Value = serde_json::from_slice(&metadata.document).unwrap_or_default();
        provider::examine(findings, &config.registry, provider, &further)?;
        Ok(metadata.jwks_uri.url().clone())
    }

    async fn unreachable(&self, url: &Url, reach: &Reach, error: &FetchError) -> Fault {
        let otherwise =
            "see that it is up and reachable from here; `network`, `tls_ca_file` and `proxy` say how";
        self.not_had(url, reach, error, &self.probe(url, reach).await, otherwise)
    }

    /// Why a document cannot be had, as far as one more look tells.
    fn not_had(&self, url: &Url, reach: &Reach, error: &FetchError, probe: &Probe, otherwise: &str) -> Fault {
        let fix = match (probe, &reach.proxy) {
            (Probe { certificate: Some(fault), .. }, _) => fault.fix("tls_ca_file"),
            (Probe { status: Some(300..=399), location, .. }, _) => format!(
                "no redirect is followed: write the issuer or `jwks_uri` as it is in the end{}",
                location.as_ref().map_or_else(String::new, |location| format!(" (it sends to `{location}`)"))
            ),
            (Probe { status: Some(404 | 410), .. }, _) if url.path().ends_with(DISCOVERY) => {
                "nothing is there: write the issuer as in `iss` of its tokens, with its whole path, or name `jwks_uri`"
                    .to_owned()
            }
            (Probe { status: Some(401 | 403), .. }, _) => {
                "it answers nobody without a credential: name a `keys_token_file` (in a cluster), or pin the keys in a \
                 `jwks_file`"
                    .to_owned()
            }
            (Probe { status: None, was_asked: true, .. }, Some(proxy)) => {
                format!("it is asked through the proxy {}: see that this one is up and lets it through", shown(proxy))
            }
            (Probe { status: None, was_asked: true, .. }, None) => match self.proxy_variable {
                Some(name) => format!(
                    "the variable {name} names a proxy, and Deputy takes one from its configuration only: write `proxy` \
                     there; else {otherwise}"
                ),
                None => otherwise.to_owned(),
            },
            _ => otherwise.to_owned(),
        };
        (format!("{url} cannot be had: {error}"), fix)
    }

    /// The times in tokens are those of their issuer's clock, and are compared with this machine's.
    fn compare_clocks(&self, findings: &mut Findings, name: &str, probe: &Probe) {
        let passed = u32::try_from(self.started.elapsed().as_secs()).unwrap_or(u32::MAX);
        let now = self.now.plus(Lifetime::from_seconds(passed));
        if let Some(date) = probe.date.filter(|date| !now.agrees_with(*date)) {
            let what = format!("this machine's clock shows {now}, and that of {name} shows {date}");
            let fix = "set both clocks by NTP (`timedatectl set-ntp true`): tokens would be taken as expired or as not \
                       yet valid";
            findings.fail("clock", what, fix);
        }
    }
}

/// The variable that names a proxy, as programs of many kinds read it.
fn proxy_variable(environment: &[(String, String)]) -> Option<&str> {
    let names = ["https_proxy", "http_proxy", "all_proxy"];
    let mut set = environment.iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| name.as_str());
    set.find(|name| names.contains(&name.to_lowercase().as_str()))
}

/// A proxy's address without user and password.
fn shown(proxy: &Url) -> String {
    let host = proxy.host_str().unwrap_or_default();
    let port = proxy.port_or_known_default().map_or_else(String::new, |port| format!(":{port}"));
    format!("{}://{host}{port}", proxy.scheme())
}

/// Whether one of the keys that were fetched from `url` fits an allowed algorithm.
fn judge(url: &Url, document: &[u8], form: KeyForm, algorithms: &BTreeSet<Algorithm>) -> Result<(), Fault> {
    usable(document, form, algorithms).map_err(|(what, fix)| {
        let is_set = KeySet::read(document, form).is_ok();
        let of_page = "see that the address is that of its keys, and not of a page";
        (format!("{url} {what}"), if is_set { fix } else { of_page.to_owned() })
    })
}
