//! Identity providers, workload issuers and clients whose keys are fetched.

use serde_json::Value;
use url::Url;

use super::files::usable_with;
use super::{Findings, Probe};
use crate::config::Config;
use crate::jose::Algorithm;
use crate::registry::{ClientAuthentication, IdentityProvider, KeySource, Reach};

const PROVIDERS: &str = "providers";
const KEYS: &str = "remote_keys";

pub(super) async fn check(findings: &mut Findings, config: &Config, probe: &impl Probe) {
    let is_local = config.is_on_loopback();
    for provider in config.registry.identity_providers.values() {
        if let Err((what, fix)) = ask(provider, probe, is_local).await {
            findings.fail(PROVIDERS, format!("provider `{}`: {what}", provider.issuer), fix);
        }
    }
    let asked = config.registry.identity_providers.len();
    findings.ok_unless_reported(PROVIDERS, format!("{asked} providers answer, with keys that fit"));

    let workloads = config.registry.workload_issuers.values().map(|issuer| {
        (format!("workload issuer `{}`", issuer.issuer), &issuer.keys, &issuer.reach, &issuer.algorithms)
    });
    let clients = config.registry.clients.values().filter_map(|client| match &client.authentication {
        ClientAuthentication::PrivateKeyJwt { keys, reach, algorithms } => {
            Some((format!("client `{}`", client.id), keys, reach, algorithms))
        }
        _ => None,
    });
    for (whose, keys, reach, algorithms) in workloads.chain(clients) {
        let KeySource::Uri(url) = keys else { continue };
        match probe.fetch(url, reach, is_local).await {
            Err(error) => {
                let what = format!("{whose}: {url} cannot be had: {error}");
                findings.fail(
                    KEYS,
                    what,
                    "see that it is up and reachable from here; or pin the keys in a `jwks_file`",
                );
            }
            Ok(document) => {
                if let Err((what, fix)) = usable_with(probe.key_algorithms(&document), algorithms) {
                    findings.fail(KEYS, format!("{whose}: {url} {what}"), fix);
                }
            }
        }
    }
    findings.ok_unless_reported(KEYS, "every other key set can be had, or is in a file");
}

/// Discovery (OIDC Discovery §4), then the keys.
async fn ask(
    provider: &IdentityProvider,
    probe: &impl Probe,
    is_local: bool,
) -> Result<(), (String, String)> {
    let url = match &provider.keys {
        KeySource::File(_) => return Ok(()),
        KeySource::Uri(url) => url.clone(),
        KeySource::Discovery => discover(provider, probe, is_local).await?,
    };
    let document = had(&url, &provider.reach, probe, is_local).await?;
    usable_with(probe.key_algorithms(&document), &provider.algorithms)
        .map_err(|(what, fix)| (format!("{url} {what}"), fix))
}

async fn had(
    url: &Url,
    reach: &Reach,
    probe: &impl Probe,
    is_local: bool,
) -> Result<Vec<u8>, (String, String)> {
    probe.fetch(url, reach, is_local).await.map_err(|error| {
        let fix = "see that it is up and reachable from here; `network`, `tls_ca_file` and `proxy` say how";
        (format!("{url} cannot be had: {error}"), fix.to_owned())
    })
}

async fn discover(
    provider: &IdentityProvider,
    probe: &impl Probe,
    is_local: bool,
) -> Result<Url, (String, String)> {
    let issuer = provider.issuer.as_str();
    let place = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let wrong = |what: String, fix: &str| (what, fix.to_owned());
    let url = Url::parse(&place)
        .map_err(|_| wrong(format!("{place} is no URL"), "write the issuer as in `iss`"))?;
    let document = had(&url, &provider.reach, probe, is_local).await?;
    let document: Value = serde_json::from_slice(&document)
        .map_err(|_| wrong(format!("{url} is no JSON"), "write the issuer as in `iss` of its ID tokens"))?;
    let named = document.get("issuer").and_then(Value::as_str).unwrap_or("nobody");
    if named != issuer {
        let what = format!("its discovery document names `{named}`");
        return Err(wrong(what, "write exactly that as `issuer`, if it is the one you mean"));
    }
    if let Some(signs) = document.get("id_token_signing_alg_values_supported").and_then(Value::as_array) {
        let mut signs = signs.iter().filter_map(Value::as_str).filter_map(Algorithm::parse);
        if !signs.any(|algorithm| provider.algorithms.contains(&algorithm)) {
            let what = "it signs ID tokens with no algorithm of `algorithms`".to_owned();
            return Err(wrong(what, "add one of its `id_token_signing_alg_values_supported`"));
        }
    }
    document.get("jwks_uri").and_then(Value::as_str).and_then(|text| Url::parse(text).ok()).ok_or_else(|| {
        wrong(
            "its discovery document has no `jwks_uri`".to_owned(),
            "name `jwks_uri` or `jwks_file` yourself",
        )
    })
}
