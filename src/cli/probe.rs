//! What `deputy check` asks the other modules.

use std::collections::BTreeSet;

use url::Url;

use crate::config::{self, Config};
use crate::doctor::{DatabaseFound, PolicyFound, Probe, SchemaFound};
use crate::jose::Algorithm;
use crate::jose::KeySet;
use crate::policy;
use crate::registry::Reach;
use crate::store::inspect::inspect;
use crate::verification::{HttpKeys, RemoteKeys as _};

/// The modules of this build.
pub struct Modules;

/// Discovery documents and key sets are far shorter.
const LONGEST_DOCUMENT: usize = 512 * 1024;

impl Probe for Modules {
    fn key_algorithms(&self, document: &[u8]) -> Result<Vec<Algorithm>, String> {
        let set = KeySet::parse(document).map_err(|error| error.to_string())?;
        Ok(set.algorithms().collect::<BTreeSet<_>>().into_iter().collect())
    }

    fn policy(&self, policy: &config::Policy) -> Result<PolicyFound, String> {
        let summary = policy::check::check(policy.directory.as_deref()).map_err(|error| error.to_string())?;
        let warnings = summary.warnings.iter().map(ToString::to_string).collect();
        Ok(PolicyFound { rules: summary.rules.len(), warnings })
    }

    async fn database(&self, config: &Config) -> Result<DatabaseFound, String> {
        let found = inspect(config).await.map_err(|error| error.to_string())?;
        let schema = match found.pending {
            0 => SchemaFound::Current,
            _ if found.is_empty => SchemaFound::Empty,
            pending => SchemaFound::Behind(pending),
        };
        Ok(DatabaseFound {
            schema,
            durability: found.settings,
            is_durable: found.is_durable,
            highest_time: found.highest_time,
        })
    }

    async fn fetch(&self, url: &Url, reach: &Reach, is_local: bool) -> Result<Vec<u8>, String> {
        let fetched = HttpKeys::default().fetch(url, reach, LONGEST_DOCUMENT, is_local).await;
        fetched.map(|document| document.body).map_err(|error| error.to_string())
    }
}
