//! What lies in `examples/` loads, and says what its README says.

use std::path::{Path, PathBuf};

use super::super::Config;
use crate::registry::{AssuranceLevel, ClaimTest};

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

fn load(name: &str) -> Config {
    Config::load(&directory(name).join("deputy.toml"), []).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_example_loads() {
    let mut loaded = 0;
    for entry in std::fs::read_dir(directory("")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert!(path.join("README.md").exists(), "{} has no README", path.display());
            if path.join("deputy.toml").exists() {
                load(path.file_name().unwrap().to_str().unwrap());
                loaded += 1;
            }
        }
    }
    assert!(loaded >= 3, "only {loaded} examples");
}

#[test]
fn the_single_node_plays_the_story() {
    let config = load("single-node");

    assert!(config.tls.is_some());
    assert_eq!(config.registry.targets["age-agent"].onward.len(), 1);
    assert!(config.registry.targets["tickets"].answers.keys().any(|scope| scope.as_str() == "age_over_18"));
    assert!(config.registry.clients["assistant"].answers.is_empty());
}

/// Whether the claims of the example's ID token meet a level, by the plain meaning of its conditions.
fn meets(level: &AssuranceLevel, claims: &serde_json::Value) -> bool {
    level.any_of.iter().any(|condition| match &condition.test {
        ClaimTest::In(values) => values.iter().any(|value| claims[&condition.claim] == **value),
        ClaimTest::Contains(values) => values.iter().all(|value| {
            claims[&condition.claim].as_array().is_some_and(|held| held.iter().any(|one| *one == **value))
        }),
    })
}

#[test]
fn the_id_token_beside_each_provider_example_is_of_its_shape() {
    for name in ["provider-acr-amr", "provider-acrs-oid"] {
        let config = load(name);
        let text = std::fs::read_to_string(directory(name).join("id-token.json")).unwrap();
        let claims: serde_json::Value = serde_json::from_str(&text).unwrap();

        let provider = &config.registry.identity_providers[claims["iss"].as_str().unwrap()];

        assert!(provider.relying_parties.contains_key(claims["aud"].as_str().unwrap()), "{name}");
        assert!(claims[&provider.subject_claim].is_string(), "{name}");
        assert!(claims["auth_time"].is_i64(), "{name}");
        for level in ["mfa", "phishing_resistant"] {
            assert!(meets(&provider.assurance[level], &claims), "{name}: {level}");
        }
    }
}
