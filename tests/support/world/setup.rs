//! The configuration of a world, and what may be changed of it before it starts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::definition::{
    DEFINITION, FETCHED, TLS, UNLIMITED, certify, filled, key_clients, replaced, write, write_files,
};
use crate::jose::Key;

/// What is changed of the usual world.
#[derive(Default)]
pub struct Setup {
    base: Option<String>,
    replacements: Vec<(String, String)>,
    tail: String,
    postgres: Option<String>,
    files: Vec<(String, String)>,
    has_other_provider: bool,
    pub(super) starts_at: Option<i64>,
    pub(super) issuer_path: String,
    pub(super) is_tls: bool,
}

/// What was written.
pub struct Made {
    pub toml: String,
    pub workload_key: Key,
    pub client_keys: BTreeMap<String, Key>,
}

impl Setup {
    /// Plays this configuration instead of the usual one; `@issuer@`, `@public@` and `@provider@` in it
    /// are replaced with those of the world.
    pub fn of(toml: &str) -> Self {
        Self { base: Some(toml.to_owned()), ..Self::default() }
    }

    /// Replaces text of the configuration; it must be there. `@issuer@` in the new text is replaced with that of the world.
    pub fn replace(mut self, from: &str, to: &str) -> Self {
        self.replacements.push((from.to_owned(), to.to_owned()));
        self
    }

    /// Adds tables at the end of the configuration.
    pub fn add(mut self, toml: &str) -> Self {
        self.tail.push_str(toml);
        self.tail.push('\n');
        self
    }

    /// Keeps everything in this PostgreSQL database instead of SQLite.
    pub fn on_postgres(mut self, url: &str) -> Self {
        self.postgres = Some(url.to_owned());
        self
    }

    /// Writes a file beside the configuration, mode 0600.
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Starts the clock at this second instead of [`super::NOON`].
    pub fn at(mut self, seconds: i64) -> Self {
        self.starts_at = Some(seconds);
        self
    }

    /// Puts a path into the issuer.
    pub fn issuer_path(mut self, path: &str) -> Self {
        self.issuer_path = path.to_owned();
        self
    }

    /// Serves TLS with a certificate made for this world, which its HTTP client trusts.
    pub fn tls(mut self) -> Self {
        self.is_tls = true;
        self
    }

    /// Trusts the second provider too. With two providers every target is pairwise.
    pub fn with_other_provider(mut self) -> Self {
        self.has_other_provider = true;
        self.replace("subject = \"upstream\"\n", "")
    }

    /// Writes keys, secrets and the configuration's text.
    pub fn write(self, directory: &Path, issuer: &str, provider: &str, other_provider: &str) -> Made {
        write_files(directory, "data");
        let mut client_keys = BTreeMap::new();
        for client in key_clients() {
            let key = Key::new(&format!("{client}-key"));
            write(directory, &format!("clients/{client}.json"), key.jwks().to_string());
            client_keys.insert(client.to_owned(), key);
        }
        let workload_key = Key::new("workload");
        write(directory, "workloads.json", workload_key.jwks().to_string());
        let master = directory.join("data/master.key");
        if !master.exists() {
            deputy::testing::create_master_key(&master).unwrap();
        }
        for (name, text) in &self.files {
            write(directory, name, text);
        }
        let port = url::Url::parse(issuer).unwrap().port().unwrap();
        let mut toml = self.base.clone().unwrap_or_else(|| format!("{DEFINITION}{UNLIMITED}"));
        if self.has_other_provider {
            toml.push_str(OTHER_PROVIDER);
        }
        if self.is_tls {
            certify(directory);
            toml.push_str(TLS);
        }
        if let Some(url) = &self.postgres {
            let _ = write!(toml, "\n[database]\nurl = \"{url}\"\n");
        }
        let mut toml = filled(
            &toml,
            &[
                ("issuer", issuer),
                ("public", &format!("127.0.0.1:{port}")),
                ("management", "127.0.0.1:0"),
                ("provider", provider),
                ("provider_keys", FETCHED),
                ("other_provider", other_provider),
            ],
        );
        for (from, to) in &self.replacements {
            toml = replaced(&toml, from, &filled(to, &[("issuer", issuer)]));
        }
        toml.push_str(&self.tail);
        Made { toml, workload_key, client_keys }
    }
}

/// The second provider, with the same relying party.
const OTHER_PROVIDER: &str = r#"
[[identity_provider]]
issuer = "@other_provider@"
network = "private"

[[identity_provider.relying_party]]
client_id = "booking-app"
clients = ["assistant"]

[[identity_provider.assurance]]
name = "phishing_resistant"
any_of = [{ claim = "acr", in = ["phr", "phrh"] }]
"#;
