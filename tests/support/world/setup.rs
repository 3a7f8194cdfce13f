//! The configuration of a world, and what may be changed of it before it starts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::keys::Key;

/// The secret of client `name`: high-entropy, and known to tests.
pub fn secret_of(name: &str) -> String {
    format!("{name}-secret-0123456789abcdefghijklmnopqrstuvwxyz")
}

/// Clients with `private_key_jwt`.
const KEY_CLIENTS: &[&str] =
    &["assistant", "age-agent", "stranger", "files-service", "svc1", "svc2", "svc3", "svc4", "svc5"];

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
    /// Plays this configuration instead of the usual one; `{issuer}`, `{port}` and `{provider}` in it stand
    /// for those of the world.
    pub fn of(toml: &str) -> Self {
        Self { base: Some(toml.to_owned()), ..Self::default() }
    }

    /// Replaces text of the configuration; it must be there.
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
        let write = |name: &str, text: &str| {
            let path = directory.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        };
        let mut client_keys = BTreeMap::new();
        for &client in KEY_CLIENTS {
            let key = Key::new(&format!("{client}-key"));
            write(&format!("clients/{client}.json"), &key.jwks().to_string());
            client_keys.insert(client.to_owned(), key);
        }
        for client in ["tickets-api", "files-api", "basic-app", "post-app", "no-exchange"] {
            write(&format!("secrets/{client}"), &secret_of(client));
        }
        let workload_key = Key::new("workload");
        write("workloads.json", &workload_key.jwks().to_string());
        let data = directory.join("data");
        std::fs::create_dir_all(&data).unwrap();
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o700)).unwrap();
        }
        let master = data.join("master.key");
        if !master.exists() {
            deputy::testing::create_master_key(&master).unwrap();
        }
        for (name, text) in &self.files {
            write(name, text);
        }
        let port = url::Url::parse(issuer).unwrap().port().unwrap();
        let base = self.base.as_deref().unwrap_or(BASE);
        let mut toml = base
            .replace("{issuer}", issuer)
            .replace("{port}", &port.to_string())
            .replace("{provider}", provider);
        if self.has_other_provider {
            toml.push_str(&OTHER_PROVIDER.replace("{other_provider}", other_provider));
        }
        if self.is_tls {
            let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
            write("tls/certificate.pem", &certified.cert.pem());
            write("tls/key.pem", &certified.signing_key.serialize_pem());
            toml.push_str(
                "\n[tls]\ncertificate_file = \"tls/certificate.pem\"\nkey_file = \"tls/key.pem\"\n",
            );
        }
        if let Some(url) = &self.postgres {
            let _ = write!(toml, "\n[database]\nurl = \"{url}\"\n");
        }
        for (from, to) in &self.replacements {
            assert!(toml.contains(from.as_str()), "`{from}` is in the world's configuration");
            toml = toml.replace(from.as_str(), to);
        }
        toml.push_str(&self.tail);
        Made { toml, workload_key, client_keys }
    }
}

/// The second provider, with the same relying party.
const OTHER_PROVIDER: &str = r#"
[[identity_provider]]
issuer = "{other_provider}"
network = "private"

[[identity_provider.relying_party]]
client_id = "travel-app"
clients = ["assistant"]

[[identity_provider.assurance]]
name = "phishing_resistant"
any_of = [{ claim = "acr", in = ["phr", "phrh"] }]
"#;

/// `tickets` and `age-agent` have pairwise subjects; `https://files.example/` sees the
/// provider's own subject; `deep1` … `deep5` make long chains: `svc1` exchanges what is for `deep1`
/// onward to `deep2`, and so on.
pub const BASE: &str = r#"
issuer = "{issuer}"
data_dir = "data"

[listen]
public = "127.0.0.1:{port}"
management = "127.0.0.1:0"

[tokens]
subject = "pairwise"

[limits]
failures_per_minute = 1000000
unknown_tokens_per_minute = 1000000
unauthenticated_rows_per_minute = 1000000

[[identity_provider]]
issuer = "{provider}"
network = "private"
policy_claims = ["groups"]

[[identity_provider.relying_party]]
client_id = "travel-app"
clients = ["assistant", "basic-app", "post-app", "no-exchange", "age-agent"]

[[identity_provider.relying_party]]
client_id = "other-app"
clients = ["stranger"]

[[identity_provider.assurance]]
name = "phishing_resistant"
any_of = [{ claim = "acr", in = ["phr", "phrh"] }]

[[workload_issuer]]
issuer = "https://workloads.example"
jwks_file = "workloads.json"
stable_id_claim = "sub"
instance_id_claim = "instance"

[[workload_issuer.class]]
name = "age-verification"
when = { claim = "kind", equals = "age" }
lifetime = "task"
clients = ["age-agent"]
scopes = ["age_over_18", "age_over_21"]
targets = ["tickets"]
answers = ["age_over_18", "age_over_21"]

[[workload_issuer.class]]
name = "planner"
when = { claim = "kind", equals = "planner" }
lifetime = "principal"
clients = ["assistant"]
scopes = ["tickets:search", "files.read"]
targets = ["tickets", "https://files.example/"]

[[client]]
id = "assistant"
jwks_file = "clients/assistant.json"
scopes = ["tickets:search", "tickets:book", "age_over_18", "age_over_21", "files.read", "files.write", "deep", "deeper"]
targets = ["tickets", "age-agent", "https://files.example/", "deep1"]

[[client]]
id = "age-agent"
jwks_file = "clients/age-agent.json"
scopes = ["age_over_18", "age_over_21"]
targets = ["tickets"]

[[client]]
id = "stranger"
jwks_file = "clients/stranger.json"
scopes = ["tickets:search", "tickets:book", "files.read"]
targets = ["tickets", "https://files.example/"]

[[client]]
id = "files-service"
jwks_file = "clients/files-service.json"
scopes = ["files.read"]
targets = ["https://archive.example/"]

[[client]]
id = "tickets-api"
authentication = "client_secret_basic"
allow_secret = true
secret_file = "secrets/tickets-api"

[[client]]
id = "files-api"
authentication = "client_secret_basic"
allow_secret = true
secret_file = "secrets/files-api"

[[client]]
id = "basic-app"
authentication = "client_secret_basic"
allow_secret = true
may_act_as_agent = true
secret_file = "secrets/basic-app"
scopes = ["tickets:search", "files.read"]
targets = ["tickets", "https://files.example/"]

[[client]]
id = "post-app"
authentication = "client_secret_post"
allow_secret = true
may_act_as_agent = true
secret_file = "secrets/post-app"
scopes = ["tickets:search"]
targets = ["tickets"]

[[client]]
id = "no-exchange"
authentication = "client_secret_basic"
allow_secret = true
may_act_as_agent = true
secret_file = "secrets/no-exchange"
grants = []
scopes = ["tickets:search"]
targets = ["tickets"]

[[client]]
id = "svc1"
jwks_file = "clients/svc1.json"
scopes = ["deep", "deeper"]
targets = ["deep2"]

[[client]]
id = "svc2"
jwks_file = "clients/svc2.json"
scopes = ["deep", "deeper"]
targets = ["deep1", "deep3"]

[[client]]
id = "svc3"
jwks_file = "clients/svc3.json"
scopes = ["deep", "deeper"]
targets = ["deep4"]

[[client]]
id = "svc4"
jwks_file = "clients/svc4.json"
scopes = ["deep", "deeper"]
targets = ["deep5"]

[[client]]
id = "svc5"
jwks_file = "clients/svc5.json"
scopes = ["deep"]
targets = ["deep5"]

[[predicate]]
scope = "age_over_18"
claim = "birthdate"
at_least_years = 18

[[predicate]]
scope = "age_over_21"
claim = "birthdate"
at_least_years = 21

[[target]]
identifier = "tickets"
scopes = { "tickets:search" = {}, "tickets:book" = { assurance = "phishing_resistant", max_age_seconds = 900 } }
answers = { age_over_18 = {}, age_over_21 = {} }
resource_server = "tickets-api"
claims = ["acr"]

[[target]]
identifier = "age-agent"
scopes = { age_over_18 = {}, age_over_21 = {} }
exchange_client = "age-agent"
onward = ["tickets"]

[[target]]
identifier = "https://files.example/"
scopes = { "files.read" = {}, "files.write" = {} }
resource_server = "files-api"
exchange_client = "files-service"
onward = ["https://archive.example/"]
subject = "upstream"

[[target]]
identifier = "https://archive.example/"
scopes = { "files.read" = {} }
resource_server = "files-api"

[[target]]
identifier = "deep1"
scopes = { deep = {}, deeper = {} }
resource_server = "tickets-api"
exchange_client = "svc1"
onward = ["deep2"]

[[target]]
identifier = "deep2"
scopes = { deep = {}, deeper = {} }
resource_server = "tickets-api"
exchange_client = "svc2"
onward = ["deep1", "deep3"]

[[target]]
identifier = "deep3"
scopes = { deep = {}, deeper = {} }
resource_server = "tickets-api"
exchange_client = "svc3"
onward = ["deep4"]

[[target]]
identifier = "deep4"
scopes = { deep = {} }
resource_server = "tickets-api"
exchange_client = "svc4"
onward = ["deep5"]

[[target]]
identifier = "deep5"
scopes = { deep = {} }
resource_server = "tickets-api"
"#;
