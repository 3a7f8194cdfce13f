//! What the sandbox lays out on disk: one directory, gone when it ends, with Deputy's configuration,
//! the public keys of the platform, and later its database.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use data_encoding::HEXLOWER;

use crate::base::entropy::Entropy;

/// A directory of the sandbox's own, removed with everything in it when dropped.
#[derive(Debug)]
pub struct Directory(PathBuf);

impl Directory {
    /// A new one among the temporary files, open to nobody else.
    pub fn create(entropy: &dyn Entropy) -> anyhow::Result<Self> {
        // Lower-case hex: a socket's path is short, and some file systems fold case.
        let mut random = [0; 5];
        entropy.fill(&mut random)?;
        let name = HEXLOWER.encode(&random);
        let path = std::env::temp_dir().join(format!("deputy-sandbox-{name}"));
        DirBuilder::new().mode(0o700).create(&path).with_context(|| format!("make `{}`", path.display()))?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file that only its owner may read.
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

/// The `deputy.toml` of the sandbox: the template beside this file, with the addresses of this run and a policy
/// directory of the viewer's.
///
/// The tests have a definition of their own (`tests/world/deputy.toml`). This one is part of the program: its viewer reads
/// it, so it names only the parties of the story.
pub fn deputy_toml([public, management]: [SocketAddr; 2], provider: &str, policy: Option<&Path>) -> String {
    // A TOML basic string and a JSON string escape the characters of a path in the same way.
    let policy = policy.map_or(String::new(), |directory| {
        format!("\n[policy]\ndirectory = {}\n", serde_json::Value::from(directory.to_string_lossy()))
    });
    include_str!("deputy.toml")
        .replace("@public@", &public.to_string())
        .replace("@management@", &management.to_string())
        .replace("@provider@", provider)
        .replace("@platform@", super::platform::ISSUER)
        .replace("@policy@", &policy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::{SystemEntropy, handle};
    use crate::jose::{Algorithm, SigningKey};
    use crate::sandbox::provider::jwks;

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
            directory.write(name, handle::<32>(&SystemEntropy::default()).unwrap()).unwrap();
        }
        let key = SigningKey::generate(Algorithm::ES256).unwrap();
        directory.write("cluster.jwks.json", jwks(&key).to_string()).unwrap();
        let addresses = [([127, 0, 0, 1], 4001).into(), ([127, 0, 0, 1], 4002).into()];
        let toml = deputy_toml(addresses, "http://127.0.0.1:4003", None);
        let config = crate::config::Config::parse(&toml, directory.path());
        assert!(config.is_ok(), "{}", config.unwrap_err());
    }
}
