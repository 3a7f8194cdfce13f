//! What `deputy check` asks the other rooms.

use std::time::Duration;

use serde_json::Value;
use url::Url;

use crate::config::check::{DatabaseFound, PolicyFound, Probe};
use crate::config::{self, Algorithm, Config, Reach};
use crate::policy;

/// The rooms of this build.
pub struct Rooms;

const TIMEOUT: Duration = Duration::from_secs(10);
/// Discovery documents and key sets are far shorter.
const LONGEST_DOCUMENT: usize = 1024 * 1024;

impl Probe for Rooms {
    fn key_algorithms(&self, document: &[u8]) -> Result<Vec<Algorithm>, String> {
        let document: Value = serde_json::from_slice(document).map_err(|error| error.to_string())?;
        let keys = document.get("keys").and_then(Value::as_array).ok_or("no member `keys`")?;
        Ok(keys.iter().filter_map(|key| Algorithm::parse(key.get("alg")?.as_str()?)).collect())
    }

    fn policy(&self, policy: &config::Policy) -> Result<PolicyFound, String> {
        let summary = policy::check::check(policy.directory.as_deref()).map_err(|error| error.to_string())?;
        let warnings = summary.warnings.iter().map(ToString::to_string).collect();
        Ok(PolicyFound { rules: summary.rules.len(), warnings })
    }

    async fn database(&self, _config: &Config) -> Result<DatabaseFound, String> {
        Err("not composed yet".to_owned())
    }

    async fn fetch(&self, url: &Url, reach: &Reach) -> Result<Vec<u8>, String> {
        let mut builder = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        if let Some(proxy) = &reach.proxy {
            builder = builder.proxy(reqwest::Proxy::all(proxy.clone()).map_err(|_| "the proxy's URL")?);
        }
        if let Some(file) = &reach.tls_ca_file {
            let pem = std::fs::read(file).map_err(|error| format!("{}: {}", file.display(), error.kind()))?;
            let roots = reqwest::Certificate::from_pem_bundle(&pem).map_err(|_| "the CA file is no PEM")?;
            builder = builder.tls_certs_only(roots);
        }
        let client = builder.build().map_err(|error| error.to_string())?;
        let mut response = client.get(url.clone()).send().await.map_err(|error| {
            if error.is_timeout() {
                "no answer in 10 s"
            } else {
                "no connection, or its certificate is not trusted"
            }
        })?;
        if !response.status().is_success() {
            return Err(format!("it answers {}", response.status()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|_| "the answer broke off")? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > LONGEST_DOCUMENT {
                return Err("the document is too long".to_owned());
            }
        }
        Ok(bytes)
    }
}
