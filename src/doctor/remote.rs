//! Identity providers, workload issuers and clients whose keys are fetched, as the server would fetch them.

use serde_json::Value;
use url::Url;

use super::Findings;
use super::keys::{usable, workloads_and_clients};
use crate::config::Config;
use crate::jose::Algorithm;
use crate::registry::{IdentityProvider, KeySource, Reach};
use crate::verification::{
    DiscoveryFault, FetchError, HttpKeys, MAX_DOCUMENT, RemoteKeys as _, provider_metadata,
};

const PROVIDERS: &str = "providers";
const KEYS: &str = "remote_keys";

/// What is wrong, and the fix.
type Fault = (String, String);

pub(super) async fn check(findings: &mut Findings, config: &Config) {
    let remote = Remote { http: HttpKeys::default(), is_local: config.issuer.is_on_loopback() };
    for provider in config.registry.identity_providers.values() {
        if let Err((what, fix)) = remote.ask(provider).await {
            findings.fail(PROVIDERS, format!("provider `{}`: {what}", provider.issuer), fix);
        }
    }
    let asked = config.registry.identity_providers.len();
    findings.ok_unless_reported(PROVIDERS, format!("{asked} providers answer, with keys that fit"));

    for signer in workloads_and_clients(config) {
        let KeySource::Uri(url) = signer.keys else { continue };
        let name = &signer.name;
        match remote.fetch(url, signer.reach).await {
            Err(error) => {
                let fix = "see that it is up and reachable from here; or pin the keys in a `jwks_file`";
                findings.fail(KEYS, format!("{name}: {url} cannot be had: {error}"), fix);
            }
            Ok(document) => {
                if let Err((what, fix)) = usable(&document, signer.algorithms) {
                    findings.fail(KEYS, format!("{name}: {url} {what}"), fix);
                }
            }
        }
    }
    findings.ok_unless_reported(KEYS, "every other key set can be had, or is in a file");
}

struct Remote {
    http: HttpKeys,
    is_local: bool,
}

impl Remote {
    async fn fetch(&self, url: &Url, reach: &Reach) -> Result<Vec<u8>, FetchError> {
        Ok(self.http.fetch(url, reach, MAX_DOCUMENT, self.is_local).await?.body)
    }

    /// The provider's metadata, unless its keys are configured, and its keys.
    async fn ask(&self, provider: &IdentityProvider) -> Result<(), Fault> {
        let url = match &provider.keys {
            KeySource::File(_) => return Ok(()),
            KeySource::Uri(url) => url.clone(),
            KeySource::Discovery => self.discover(provider).await?,
        };
        let document = self.fetch(&url, &provider.reach).await.map_err(|error| not_had(&url, &error))?;
        usable(&document, &provider.algorithms).map_err(|(what, fix)| (format!("{url} {what}"), fix))
    }

    async fn discover(&self, provider: &IdentityProvider) -> Result<Url, Fault> {
        let wrong = |what: String, fix: &str| (what, fix.to_owned());
        let metadata = provider_metadata(&self.http, &provider.issuer, &provider.reach, self.is_local)
            .await
            .map_err(|fault| match fault {
                DiscoveryFault::NoUrl(place) => {
                    wrong(format!("{place} is no URL"), "write the issuer as in `iss`")
                }
                DiscoveryFault::NotFetched(url, error) => not_had(&url, &error),
                DiscoveryFault::NoJson(url) => {
                    wrong(format!("{url} is no JSON"), "write the issuer as in `iss` of its ID tokens")
                }
                DiscoveryFault::OtherIssuer(issuer) => wrong(
                    format!("its discovery document names `{issuer}`"),
                    "write exactly that as `issuer`, if it is the one you mean",
                ),
                DiscoveryFault::NoKeys => wrong(
                    "its discovery document has no `jwks_uri`".to_owned(),
                    "name `jwks_uri` or `jwks_file` yourself",
                ),
            })?;
        let further: Value = serde_json::from_slice(&metadata.document).unwrap_or_default();
        if let Some(signs) = further["id_token_signing_alg_values_supported"].as_array() {
            let mut signs = signs.iter().filter_map(Value::as_str).filter_map(Algorithm::parse);
            if !signs.any(|algorithm| provider.algorithms.contains(&algorithm)) {
                let what = "it signs ID tokens with no algorithm of `algorithms`".to_owned();
                return Err(wrong(what, "add one of its `id_token_signing_alg_values_supported`"));
            }
        }
        Ok(metadata.jwks_uri.url().clone())
    }
}

fn not_had(url: &Url, error: &FetchError) -> Fault {
    let fix = "see that it is up and reachable from here; `network`, `tls_ca_file` and `proxy` say how";
    (format!("{url} cannot be had: {error}"), fix.to_owned())
}
