//! A directory in which every check of `deputy check` passes, and ways to break it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::json;
use tempfile::TempDir;

use super::ports::free_port;
use crate::audit::{Event, Outcome, PolicyLoadEvent, Told};
use crate::base::entropy::SystemEntropy;
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::doctor::{Finding, Surroundings, check};
use crate::jose::{Algorithm, SigningKey};
use crate::keys::NodeSecrets;
use crate::setup::certificates::dev_certificates;
use crate::store::{Entry, Opening, Store};
use crate::testing::definition::{DEFINITION, PINNED, filled, key_clients, replaced, write_files};

/// When the checks are made, unless a story says otherwise.
pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

/// The definition of all tests as an operator would write it for one machine, about which nothing is to be said.
fn sound(port: u16, management: u16) -> String {
    let values = [
        ("issuer", format!("https://localhost:{port}")),
        ("public", format!("127.0.0.1:{port}")),
        ("management", format!("127.0.0.1:{management}")),
        ("provider", "https://login.example".to_owned()),
        ("provider_keys", PINNED.to_owned()),
    ];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    let text = filled(DEFINITION, &values).replace("provider.json", KEYS).replace("workloads.json", KEYS);
    CHANGES.iter().fold(text, |text, (from, to)| replaced(&text, from, to)) + TLS
}

/// What an operator would write otherwise than the tests need it: resource servers have no grants, every target can be
/// introspected, every client is of use, the agents of a platform prove a key,
/// and no target leads onward in a circle.
const CHANGES: &[(&str, &str)] = &[
    (
        "secret_file = \"secrets/tickets-api\"",
        "secret_files = [{ file = \"secrets/tickets-api\", expires_at = 2027-11-01T00:00:00Z }]\ngrants = []",
    ),
    ("secret_file = \"secrets/files-api\"", "secret_file = \"secrets/files-api\"\ngrants = []"),
    ("identifier = \"age-agent\"", "identifier = \"age-agent\"\nresource_server = \"no-exchange\""),
    ("stable_id_claim = \"sub\"\n", "stable_id_claim = \"sub\"\nproof = \"required\"\n"),
    ("clients = [\"stranger\"]", "clients = [\"stranger\", \"svc5\"]"),
    ("onward = [\"deep1\", \"deep3\"]", "onward = [\"deep3\"]"),
];

/// The one file in which the identity provider and the workload issuer have their keys.
const KEYS: &str = "keys.json";

/// What `dev_certificates` makes.
pub(super) const TLS: &str = "
[tls]
certificate_file = \"certs/server.pem\"
key_file = \"certs/server-key.pem\"
";

/// A set of one P-256 key.
pub(super) fn key_set() -> String {
    let key = SigningKey::generate(Algorithm::ES256).unwrap();
    json!({"keys": [key.jwk()]}).to_string()
}

/// One installation.
pub(super) struct World {
    pub(super) directory: TempDir,
    pub(super) text: String,
    pub(super) now: Timestamp,
    pub(super) port: u16,
    /// The environment of the program.
    pub(super) environment: Vec<(String, String)>,
}

impl World {
    /// An installation in which all is well, the database not yet made.
    pub(super) fn fresh() -> Self {
        let directory = TempDir::new().unwrap();
        let [port, management] = [free_port(), free_port()];
        let world =
            Self { directory, text: sound(port, management), now: NOW, port, environment: Vec::new() };
        dev_certificates(&world.path("certs"), NOW).unwrap();
        write_files(world.directory.path(), "data");
        NodeSecrets::create(&world.path("data/master.key"), &SystemEntropy::default()).unwrap();
        world.write(KEYS, &key_set());
        std::fs::create_dir(world.path("clients")).unwrap();
        for client in key_clients() {
            world.write(&format!("clients/{client}.json"), &key_set());
        }
        world
    }

    /// As [`World::fresh`], served once before.
    pub(super) async fn migrated() -> Self {
        let world = Self::fresh();
        world.migrate().await;
        world
    }

    /// The configuration as a server would read it.
    pub(super) fn config(&self) -> Config {
        self.save();
        Config::load(&self.path("deputy.toml"), []).unwrap()
    }

    pub(super) async fn migrate(&self) {
        let config = self.config();
        let secrets = NodeSecrets::load(&config.keys.master_key_file).unwrap();
        let entropy = SystemEntropy::default();
        let opening = Opening { config: &config, secrets: &secrets, entropy: &entropy };
        let store = Store::open(opening).await.unwrap();
        let event = Event::PolicyLoad(PolicyLoadEvent { set: "0123456789abcdef".to_owned() });
        store.record(Entry::note(Told::of_server(self.now, Outcome::Granted, event))).await.unwrap();
        store.close().await.unwrap();
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(super) fn chmod(&self, name: &str, mode: u32) {
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Changes the configuration; what is replaced has to be there.
    pub(super) fn edit(&mut self, from: &str, to: &str) {
        assert!(self.text.contains(from), "`{from}` is not in the configuration");
        self.text = self.text.replacen(from, to, 1);
    }

    /// Writes the configuration, unless the story has put something else in its place.
    fn save(&self) {
        if self.text.is_empty() {
            return;
        }
        if !self.path("deputy.toml").exists() {
            self.write("deputy.toml", "");
            self.chmod("deputy.toml", 0o644);
        }
        self.write("deputy.toml", &self.text);
    }

    /// What `deputy check` finds.
    pub(super) async fn check(&self) -> Vec<Finding> {
        self.save();
        let environment = self.environment.clone();
        let surroundings = Surroundings { environment, now: self.now, is_offline: false };
        check(&self.path("deputy.toml"), surroundings).await
    }
}
