//! The configuration of one node.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::base::time::Lifetime;
use crate::config::{self, Config};
use crate::oauth::Issuer;
use crate::registry::{Registry, SubjectForm};

/// A configuration with nothing but what the store reads.
pub(super) fn configuration(data_dir: PathBuf, database: config::Database) -> Config {
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Config {
        issuer: Issuer::new("https://deputy.example"),
        listen: config::Listen { public: nowhere, management: nowhere, trusted_proxies: Vec::new() },
        tls: None,
        database,
        keys: config::Keys {
            master_key_file: data_dir.join("master.key"),
            signing_algorithm: crate::jose::Algorithm::ES256,
            jwks_max_age: Lifetime::from_seconds(300),
        },
        tokens: config::Tokens { lifetime: Lifetime::from_seconds(300), subject: SubjectForm::Upstream },
        tasks: config::Tasks { max_lifetime: Lifetime::from_seconds(3600), max_chain_depth: 4 },
        registry: Registry::default(),
        policy: config::Policy { directory: None, remember_decisions: true },
        audit: config::Audit { checkpoint_file: data_dir.join("checkpoints.jsonl") },
        limits: config::Limits {
            failures_per_minute: 60,
            unknown_tokens_per_minute: 600,
            unauthenticated_rows_per_minute: 60,
        },
        data_dir,
    }
}
