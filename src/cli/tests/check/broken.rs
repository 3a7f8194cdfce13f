//! Installations that are broken in ways in which people break them: what `deputy check` says of each.

use serde_json::json;

use super::super::world::{World, key_set};
use super::Case;
use crate::base::entropy::SystemEntropy;
use crate::doctor::Status::{Failed, Warning};
use crate::jose::{Algorithm, SigningKey};
use crate::keys::NodeSecrets;

/// A directory of policies with one rule beside those of the built-in set.
fn rule(world: &mut World, rule: &str) {
    std::fs::create_dir(world.path("policy")).unwrap();
    for (name, text) in crate::policy::BUILTIN_FILES {
        world.write(&format!("policy/{name}"), text);
    }
    world.write("policy/mine.cedar", rule);
    world.edit("[tokens]", "[policy]\ndirectory = \"policy\"\n[tokens]");
}

/// Names this database.
fn database(world: &mut World, url: &str) {
    world.edit("[tokens]", &format!("[database]\nurl = \"{url}\"\n[tokens]"));
}

pub(super) const BROKEN: &[Case] = &[
    (
        "the configuration was saved as UTF-16",
        |w| {
            let text: Vec<u8> = w.text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            std::fs::write(w.path("deputy.toml"), [vec![0xff, 0xfe], text].concat()).unwrap();
            w.text.clear();
        },
        "configuration",
        Failed,
        "UTF-8",
    ),
    (
        "the configuration is a directory",
        |w| {
            std::fs::remove_file(w.path("deputy.toml")).unwrap();
            std::fs::create_dir(w.path("deputy.toml")).unwrap();
            w.text.clear();
        },
        "configuration",
        Failed,
        "name the file",
    ),
    (
        "an IPv6 address without brackets",
        |w| {
            let from = format!("public = \"127.0.0.1:{}\"", w.port);
            w.edit(&from, &format!("public = \"::1:{}\"", w.port));
        },
        "configuration",
        Failed,
        "brackets",
    ),
    (
        "a password with characters of URLs",
        |w| database(w, "postgres://deputy:p@ss/hunter2#1@127.0.0.1:1/deputy?sslmode=disable"),
        "configuration",
        Failed,
        "percent-encode",
    ),
    ("an empty secret", |w| w.write("secrets/tickets-api", "\n"), "configuration", Failed, "make one with"),
    (
        "a master key of zeros",
        |w| {
            w.chmod("data/master.key", 0o600);
            std::fs::write(w.path("data/master.key"), [0; 32]).unwrap();
        },
        "master_key",
        Failed,
        "deputy init",
    ),
    (
        "a master key of digits",
        |w| {
            w.chmod("data/master.key", 0o600);
            w.write("data/master.key", "0f1e2d3c4b5a69788796a5b4c3d2e1f0");
        },
        "master_key",
        Warning,
        "deputy init",
    ),
    (
        "the master key of another installation",
        |w| {
            std::fs::remove_file(w.path("data/master.key")).unwrap();
            NodeSecrets::create(&w.path("data/master.key"), &SystemEntropy::default()).unwrap();
        },
        "sealed_keys",
        Failed,
        "restore the master key",
    ),
    (
        "a checkpoint file that is a directory",
        |w| {
            std::fs::create_dir(w.path("checkpoints")).unwrap();
            w.edit("[tokens]", "[audit]\ncheckpoint_file = \"checkpoints\"\n[tokens]");
        },
        "checkpoint_file",
        Failed,
        "name a file",
    ),
    (
        "a database that was lost",
        |w| {
            for file in ["deputy.db", "deputy.db-wal", "deputy.db-shm"] {
                let _ = std::fs::remove_file(w.path("data").join(file));
            }
        },
        "audit_reach",
        Failed,
        "Restore a copy",
    ),
    (
        "a directory in the place of the admin socket",
        |w| std::fs::create_dir(w.path("data/admin.sock")).unwrap(),
        "admin_socket",
        Failed,
        "remove",
    ),
    (
        "a private key among a client's public ones",
        |w| {
            let public = SigningKey::generate(Algorithm::ES256).unwrap();
            let mut private = SigningKey::generate(Algorithm::ES256).unwrap().jwk().clone();
            private.insert("d".to_owned(), json!("u1qAQqvLTwBs9gkGWJEKBhVXTaEQ4ShM4vPsHLdmSE0"));
            let set = json!({"keys": [public.jwk(), private]}).to_string();
            w.write("clients/assistant.json", &set);
        },
        "key_files",
        Warning,
        "public keys only",
    ),
    (
        "two clients with one key",
        |w| {
            let keys = key_set();
            w.write("clients/agent-b.json", &keys);
            w.write("clients/agent-c.json", &keys);
        },
        "client_keys",
        Warning,
        "key pair of its own",
    ),
    (
        "a secret that many libraries send wrongly",
        |w| w.write("secrets/tickets-api", "q+J7cX0yT4k%Zr8uVb2nLw6sEa1hPd5gMf9"),
        "client_secrets",
        Warning,
        "deputy key make --secret",
    ),
    (
        "no policy in the directory",
        |w| {
            std::fs::create_dir(w.path("policy")).unwrap();
            w.write("policy/mine.cedar.txt", "permit(principal, action, resource);");
            w.edit("[tokens]", "[policy]\ndirectory = \"policy\"\n[tokens]");
        },
        "policy",
        Failed,
        "`.cedar`",
    ),
    (
        "a policy directory that is a file",
        |w| {
            w.write("mine.cedar", "permit(principal, action, resource);");
            w.edit("[tokens]", "[policy]\ndirectory = \"mine.cedar\"\n[tokens]");
        },
        "policy",
        Failed,
        "name the directory",
    ),
    (
        "a rule about a class that there is not",
        |w| {
            rule(
                w,
                "@id(\"no-booking-at-night\")\nforbid (principal in Deputy::AgentClass::\"assistant\", action, resource)\nwhen { context.hour < 6 };",
            );
        },
        "policy_words",
        Warning,
        "`client`",
    ),
    (
        "a rule about a scope that there is not",
        |w| {
            rule(
                w,
                "@id(\"no-booking\")\nforbid (principal, action, resource)\nwhen { context.scopes.contains(\"tickets:bok\") };",
            );
        },
        "policy_words",
        Warning,
        "`tickets:book`",
    ),
    (
        "a class after another one for the same tokens",
        |w| w.edit("equals = \"planner\"", "equals = \"age\""),
        "classes",
        Warning,
        "narrow",
    ),
    (
        "a target of a client that has none of its scopes",
        |w| {
            w.edit(
                "targets = [\"tickets\", \"agent-c\", \"agent-d\"]",
                "targets = [\"tickets\", \"agent-c\", \"agent-d\", \"deep5\"]",
            )
        },
        "clients",
        Warning,
        "add a scope of that target",
    ),
    (
        "an issuer with another port than the listener",
        |w| {
            let (from, to) = (format!("public = \"127.0.0.1:{}\"", w.port), w.port - 1);
            w.edit(&from, &format!("public = \"127.0.0.1:{to}\""));
        },
        "issuer_port",
        Warning,
        "listen.public",
    ),
    (
        "a reverse proxy that is not trusted",
        |w| w.edit("https://localhost", "https://deputy.example"),
        "trusted_proxies",
        Warning,
        "trusted_proxies",
    ),
    (
        "keys of a private certificate authority that are no certificate",
        |w| {
            w.edit(
                "jwks_file = \"keys.json\"",
                "jwks_file = \"keys.json\"\ntls_ca_file = \"certs/server-key.pem\"",
            );
        },
        "key_files",
        Failed,
        "BEGIN CERTIFICATE",
    ),
];
