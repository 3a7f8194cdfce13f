//! The configuration that the sandbox writes for Deputy.

use std::net::SocketAddr;
use std::path::Path;

/// The `deputy.toml` of the sandbox: the template beside this file, with the addresses of this run and the
/// policy directory.
///
/// The tests have a definition of their own (`tests/world/deputy.toml`). This one is part of the program: its viewer reads
/// it, so it names only the parties of the story.
pub fn deputy_toml([public, management]: [SocketAddr; 2], provider: &str, policy: &Path) -> String {
    // A TOML basic string and a JSON string escape the characters of a path in the same way.
    let policy = serde_json::Value::from(policy.to_string_lossy()).to_string();
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
    use crate::sandbox::directory::Directory;
    use crate::sandbox::provider::jwks;

    #[test]
    fn the_configuration_it_writes_is_accepted() {
        let directory = Directory::create(&SystemEntropy::default()).unwrap();
        for name in ["tickets-api.secret", "you.secret"] {
            directory.write(name, handle::<32>(&SystemEntropy::default()).unwrap()).unwrap();
        }
        let key = SigningKey::generate(Algorithm::ES256).unwrap();
        directory.write("cluster.jwks.json", jwks([&key]).to_string()).unwrap();
        let addresses = [([127, 0, 0, 1], 4001).into(), ([127, 0, 0, 1], 4002).into()];
        let toml = deputy_toml(addresses, "http://127.0.0.1:4003", Path::new("policies"));
        let config = crate::config::Config::parse(&toml, directory.path());
        assert!(config.is_ok(), "{}", config.unwrap_err());
    }
}
