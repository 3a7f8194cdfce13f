//! What the sandbox lays out on disk: one directory, gone when it ends, with Deputy's configuration,
//! the public keys of its clients, and later its database.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::base::entropy::{Entropy, handle};

/// A directory of the sandbox's own, removed with everything in it when dropped.
#[derive(Debug)]
pub struct Directory(PathBuf);

impl Directory {
    /// A new one among the temporary files, open to nobody else.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(entropy: &dyn Entropy) -> anyhow::Result<Self> {
        // Lower-case hex: a socket's path is short, and some file systems fold case.
        let mut random = [0; 5];
        entropy.fill(&mut random)?;
        let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = std::env::temp_dir().join(format!("deputy-sandbox-{name}"));
        DirBuilder::new().mode(0o700).create(&path).with_context(|| format!("make `{}`", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file that only its owner may read.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> anyhow::Result<PathBuf> {
        let path = self.0.join(name);
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(content.as_ref()))
            .with_context(|| format!("write `{}`", path.display()))?;
        Ok(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            anstream::eprintln!("could not remove `{}`: {error}", self.0.display());
        }
    }
}

/// Everything that Deputy's configuration names.
pub struct Cast<'a> {
    /// Deputy's public listener.
    pub public: SocketAddr,
    /// Deputy's management listener.
    pub management: SocketAddr,
    /// The identity provider's issuer.
    pub provider: &'a str,
    /// The platform's issuer.
    pub platform: &'a str,
    /// A policy directory of the viewer's.
    pub policy: Option<&'a Path>,
}

/// A secret for a client that has one: 256 random bits.
///
/// # Errors
/// No random bytes can be had.
pub fn secret(entropy: &dyn Entropy) -> anyhow::Result<String> {
    Ok(handle::<32>(entropy)?)
}

/// The `deputy.toml` of the sandbox (design.md 6): what an operator would write.
pub fn deputy_toml(cast: &Cast<'_>) -> String {
    let Cast { public, management, provider, platform, policy } = cast;
    let policy = policy.map_or(String::new(), |directory| {
        // A TOML basic string and a JSON string escape alike what can stand in a path.
        format!(
            "\n[policy]\ndirectory = {}\n",
            serde_json::Value::from(directory.to_string_lossy().into_owned())
        )
    });
    format!(
        r#"# Written by `deputy sandbox`.
issuer   = "http://{public}"
data_dir = "data"

[listen]
public     = "{public}"
management = "{management}"

[keys]
master_key_file = "master.key"

[tasks]
max_lifetime_seconds = 3600
max_chain_depth      = 4
{policy}
# Where Alice signs in.
[[identity_provider]]
issuer     = "{provider}"
algorithms = ["ES256"]
network    = "private"

[[identity_provider.relying_party]]
client_id = "booking-app"
clients   = ["assistant", "you"]

[[identity_provider.assurance]]
name   = "phishing_resistant"
any_of = [{{ claim = "acr", in = ["phr", "phrh"] }}]

# Who vouches for instances of agents. No instance is known beforehand.
[[workload_issuer]]
issuer            = "{platform}"
preset            = "generic"
jwks_uri          = "{platform}/jwks"
network           = "private"
algorithms        = ["ES256"]
stable_id_claim   = "sub"
instance_id_claim = "instance_id"

[[workload_issuer.class]]
name     = "age-verification"
when     = {{ claim = "role", equals = "age-verification" }}
lifetime = "task"
clients  = ["age-agent"]
scopes   = ["age_over_18"]
targets  = ["tickets"]
answers  = ["age_over_18"]

[[workload_issuer.class]]
name     = "courier"
when     = {{ claim = "role", equals = "courier" }}
lifetime = "task"
clients  = ["couriers"]
scopes   = ["ticket:carry"]
targets  = ["courier-desk", "courier-van"]

[[client]]
id             = "assistant"
authentication = "private_key_jwt"
jwks_file      = "assistant.jwks.json"
scopes         = ["tickets:search", "tickets:book", "age_over_18", "ticket:carry"]
targets        = ["tickets", "age-agent", "courier-desk"]

[[client]]
id             = "age-agent"
authentication = "private_key_jwt"
jwks_file      = "age-agent.jwks.json"
scopes         = ["age_over_18"]
targets        = ["tickets"]

[[client]]
id             = "couriers"
authentication = "private_key_jwt"
jwks_file      = "couriers.jwks.json"
scopes         = ["ticket:carry"]
targets        = ["courier-desk", "courier-van"]

# Registered like the others, for a newsletter. It turns thief in a drill.
[[client]]
id             = "newsletter"
authentication = "private_key_jwt"
jwks_file      = "newsletter.jwks.json"
scopes         = ["tickets:search", "age_over_18"]
targets        = ["tickets", "age-agent"]

# The tickets API asks Deputy about the tokens it is shown.
[[client]]
id             = "tickets-api"
authentication = "client_secret_basic"
allow_secret   = true
secret_file    = "tickets-api.secret"
grants         = []

# You, with curl. A client with a secret acts as an agent only where this is said.
[[client]]
id               = "you"
authentication   = "client_secret_basic"
allow_secret     = true
secret_file      = "you.secret"
may_act_as_agent = true
scopes           = ["tickets:search", "tickets:book"]
targets          = ["tickets"]

[[predicate]]
scope          = "age_over_18"
claim          = "birthdate"
at_least_years = 18

[[target]]
identifier      = "tickets"
scopes          = {{ "tickets:search" = {{}}, "tickets:book" = {{ assurance = "phishing_resistant", max_age_seconds = 900, sensitive = true }}, age_over_18 = {{}} }}
answers         = {{ age_over_18 = {{ zone = "UTC-12" }} }}
resource_server = "tickets-api"
subject         = "pairwise"

[[target]]
identifier      = "age-agent"
scopes          = {{ age_over_18 = {{}} }}
exchange_client = "age-agent"
onward          = ["tickets"]
subject         = "pairwise"

[[target]]
identifier      = "courier-desk"
scopes          = {{ "ticket:carry" = {{}} }}
exchange_client = "couriers"
onward          = ["courier-van"]
subject         = "pairwise"

[[target]]
identifier      = "courier-van"
scopes          = {{ "ticket:carry" = {{}} }}
exchange_client = "couriers"
onward          = ["courier-desk"]
subject         = "pairwise"
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SystemEntropy;

    #[test]
    fn nothing_is_left_of_a_directory_that_was_dropped() {
        let directory = Directory::create(&SystemEntropy::default()).unwrap();
        let file = directory.write("a", "b").unwrap();
        let path = directory.path().to_owned();
        assert!(file.exists());
        drop(directory);
        assert!(!path.exists());
    }

    #[test]
    fn only_the_owner_may_read_what_is_in_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = Directory::create(&SystemEntropy::default()).unwrap();
        let file = directory.write("a", "b").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(directory.path()), mode(&file)), (0o700, 0o600));
    }

    #[test]
    fn the_configuration_it_writes_is_accepted() {
        let directory = Directory::create(&SystemEntropy::default()).unwrap();
        for name in ["tickets-api.secret", "you.secret"] {
            directory.write(name, secret(&SystemEntropy::default()).unwrap()).unwrap();
        }
        let toml = deputy_toml(&Cast {
            public: ([127, 0, 0, 1], 4001).into(),
            management: ([127, 0, 0, 1], 4002).into(),
            provider: "http://127.0.0.1:4003",
            platform: "http://127.0.0.1:4004",
            policy: None,
        });
        let config = crate::config::Config::parse(&toml, directory.path());
        assert!(config.is_ok(), "{}", config.unwrap_err());
    }
}
