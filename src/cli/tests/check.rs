//! `deputy check`: an installation in which all is well, one thing broken, what is found and the fix.

use std::collections::BTreeSet;

use super::world::{NOW, World, key_set, serve};
use crate::base::time::{Lifetime, Timestamp};
use crate::config::check::{Finding, Status};
use crate::config::development::dev_certificates;

const DAY: u32 = 86_400;

/// How it is broken, which check says so, how bad it is, and words of the fix.
type Case = (&'static str, fn(&mut World), &'static str, Status, &'static str);

use Status::{Failed, Warning};

const FILES: &[Case] = &[
    (
        "a key unknown",
        |w| w.edit("[tokens]", "[tokens]\nlifetime = 3"),
        "configuration",
        Failed,
        "lifetime_seconds",
    ),
    (
        "a value out of range",
        |w| w.edit("[tokens]", "[tokens]\nlifetime_seconds = 9999"),
        "configuration",
        Failed,
        "write 1 to 900",
    ),
    (
        "a file others may write",
        |w| {
            w.write("deputy.toml", "");
            w.chmod("deputy.toml", 0o666);
        },
        "config_file",
        Failed,
        "chmod go-w",
    ),
    ("an open data directory", |w| w.chmod("data", 0o755), "data_dir", Failed, "chmod 0700"),
    (
        "no data directory",
        |w| w.edit("data_dir = \"data\"", "data_dir = \"nowhere\""),
        "data_dir",
        Failed,
        "deputy init",
    ),
    (
        "a master key for all to read",
        |w| w.chmod("data/master.key", 0o644),
        "master_key",
        Failed,
        "chmod 0600",
    ),
    (
        "half a master key",
        |w| {
            w.chmod("data/master.key", 0o600);
            w.write("data/master.key", "0123456789abcdef");
        },
        "master_key",
        Failed,
        "restore it",
    ),
    (
        "no master key",
        |w| std::fs::remove_file(w.path("data/master.key")).unwrap(),
        "master_key",
        Failed,
        "deputy init",
    ),
    (
        "a checkpoint file nowhere",
        |w| w.edit("[tokens]", "[audit]\ncheckpoint_file = \"no/such.jsonl\"\n[tokens]"),
        "checkpoint_file",
        Failed,
        "make its directory",
    ),
    (
        "a key file that is missing",
        |w| w.edit("jwks_file = \"keys.json\"", "jwks_file = \"none.json\""),
        "key_files",
        Failed,
        "RFC 7517",
    ),
    (
        "a key file that is none",
        |w| w.write("keys.json", "-----BEGIN PUBLIC KEY-----"),
        "key_files",
        Failed,
        "RFC 7517",
    ),
    (
        "a key file without a usable key",
        |w| w.write("keys.json", "{\"keys\": []}"),
        "key_files",
        Failed,
        "P-256",
    ),
    (
        "keys for other algorithms",
        |w| w.edit("jwks_file = \"keys.json\"", "jwks_file = \"keys.json\"\nalgorithms = [\"RS256\"]"),
        "key_files",
        Failed,
        "`algorithms` allows RS256",
    ),
    (
        "a policy set that is wrong",
        |w| {
            std::fs::create_dir(w.path("policy")).unwrap();
            w.write("policy/mine.cedar", "permit everything");
            w.edit("[tokens]", "[policy]\ndirectory = \"policy\"\n[tokens]");
        },
        "policy",
        Failed,
        "deputy policy check",
    ),
    ("a secret for all to read", |w| w.chmod("secret", 0o644), "secret_files", Warning, "chmod 0600"),
];

const TLS: &[Case] = &[
    (
        "no certificate",
        |w| std::fs::remove_file(w.path("certs/server.pem")).unwrap(),
        "tls_certificate",
        Failed,
        "dev-certs",
    ),
    (
        "a file without a certificate",
        |w| w.write("certs/server.pem", "nothing"),
        "tls_certificate",
        Failed,
        "PEM, leaf first",
    ),
    (
        "another's key",
        |w| {
            let other = dev_certificates(&w.path("other"), NOW).unwrap();
            std::fs::copy(other.key, w.path("certs/server-key.pem")).unwrap();
        },
        "tls_key",
        Failed,
        "the leaf comes first",
    ),
    ("a key for all to read", |w| w.chmod("certs/server-key.pem", 0o644), "tls_key", Warning, "chmod 0600"),
    (
        "an expired certificate",
        |w| w.now = NOW.plus(Lifetime::from_seconds(400 * DAY)),
        "tls_validity",
        Failed,
        "renew it",
    ),
    (
        "a certificate that expires soon",
        |w| w.now = NOW.plus(Lifetime::from_seconds(350 * DAY)),
        "tls_validity",
        Warning,
        "renew it now",
    ),
    (
        "a certificate of the future",
        |w| w.now = NOW.minus(Lifetime::from_seconds(9 * DAY)),
        "tls_validity",
        Failed,
        "clock",
    ),
    (
        "a certificate for another host",
        |w| w.edit("https://localhost", "https://deputy.example"),
        "tls_names",
        Failed,
        "write the certificate's name",
    ),
    (
        "plain HTTP",
        |w| {
            w.edit("https://localhost", "http://127.0.0.1");
            w.edit(
                "[tls]\ncertificate_file = \"certs/server.pem\"\nkey_file = \"certs/server-key.pem\"\n",
                "",
            );
        },
        "plain_http",
        Warning,
        "give `[tls]`",
    ),
];

const MEANING: &[Case] = &[
    (
        "no relying party",
        |w| {
            w.edit("[[identity_provider.relying_party]]\nclient_id = \"travel-app\"\nclients = [\"assistant\"]\n", "")
        },
        "relying_parties",
        Warning,
        "relying_party",
    ),
    (
        "a client with nothing to exchange",
        |w| w.edit("clients = [\"assistant\"]", "clients = [\"age-agent\"]"),
        "clients",
        Warning,
        "grants = []",
    ),
    (
        "a client with nothing to do",
        |w| w.edit("resource_server = \"tickets-api\"\n", ""),
        "clients",
        Warning,
        "remove it",
    ),
    (
        "a scope nobody may get",
        |w| w.edit("\"tickets:search\" = {}", "\"tickets:search\" = {}, \"tickets:audit\" = {}"),
        "scopes",
        Warning,
        "add scope and target to a client",
    ),
    (
        "a target that cannot ask",
        |w| w.edit("resource_server = \"age-agent\"\n", ""),
        "introspection",
        Warning,
        "resource_server",
    ),
    (
        "onward without a client",
        |w| w.edit("exchange_client = \"age-agent\"\n", ""),
        "onward",
        Warning,
        "exchange_client",
    ),
    (
        "onward with nothing to carry",
        |w| {
            w.edit("scopes = { age_over_18 = {} }", "scopes = { other = {} }");
            w.edit(
                "scopes = [\"tickets:search\", \"age_over_18\"]",
                "scopes = [\"tickets:search\", \"age_over_18\", \"other\"]",
            );
        },
        "onward",
        Warning,
        "add the scope that it carries onward",
    ),
    (
        "onward in a circle",
        |w| {
            w.edit("resource_server = \"tickets-api\"", "resource_server = \"tickets-api\"\nexchange_client = \"assistant\"\nonward = [\"age-agent\"]")
        },
        "onward",
        Warning,
        "no agent may stand twice",
    ),
    (
        "a question nobody may ask",
        |w| {
            w.edit("targets = [\"tickets\"]\nanswers = [\"age_over_18\"]", "targets = [\"tickets\"]");
        },
        "answers",
        Warning,
        "agent class",
    ),
    (
        "a question no target asks",
        |w| {
            w.edit("[[predicate]]", "[[predicate]]\nscope = \"age_over_21\"\nclaim = \"birthdate\"\nat_least_years = 21\n[[predicate]]")
        },
        "answers",
        Warning,
        "or remove it",
    ),
    (
        "tokens longer than tasks",
        |w| w.edit("[tokens]", "[tasks]\nmax_lifetime_seconds = 60\n[tokens]"),
        "lifetimes",
        Warning,
        "shorten",
    ),
    (
        "answers that live long",
        |w| {
            w.edit("answers = { age_over_18 = {} }", "lifetime_seconds = 600\nanswers = { age_over_18 = {} }")
        },
        "lifetimes",
        Warning,
        "lifetime_seconds = 120",
    ),
    (
        "everybody a proxy",
        |w| w.edit("[listen]", "[listen]\ntrusted_proxies = [\"0.0.0.0/0\"]"),
        "trusted_proxies",
        Failed,
        "own addresses",
    ),
    (
        "a wide network of proxies",
        |w| w.edit("[listen]", "[listen]\ntrusted_proxies = [\"10.0.0.0/8\"]"),
        "trusted_proxies",
        Warning,
        "own addresses",
    ),
    (
        "an egress proxy",
        |w| {
            w.edit(
                "jwks_file = \"keys.json\"",
                "jwks_file = \"keys.json\"\nproxy = \"http://proxy.example:3128\"",
            )
        },
        "egress",
        Warning,
        "private",
    ),
    (
        "a secret that expired",
        |w| w.edit("2027-11-01", "2026-11-01"),
        "client_secrets",
        Failed,
        "add a new one",
    ),
    (
        "a secret that expires soon",
        |w| w.edit("2027-11-01", "2026-11-20"),
        "client_secrets",
        Warning,
        "add a second one",
    ),
    (
        "a database that is no file",
        |w| w.edit("[tokens]", "[database]\nurl = \"sqlite://certs\"\n[tokens]"),
        "database",
        Failed,
        "name a file",
    ),
    (
        "a database that is something else",
        |w| {
            w.write("notes.txt", "this is no database, but long enough to be looked at");
            w.edit("[tokens]", "[database]\nurl = \"sqlite://notes.txt\"\n[tokens]");
        },
        "database",
        Failed,
        "name a file",
    ),
    (
        "a database that is down",
        |w| {
            w.edit("[tokens]", "[database]\nurl = \"postgres://deputy:hunter2@127.0.0.1:1/deputy?sslmode=disable\"\n[tokens]")
        },
        "database",
        Failed,
        "sslmode",
    ),
    (
        "a database without TLS",
        |w| {
            w.edit(
                "[tokens]",
                "[database]\nurl = \"postgres://deputy@127.0.0.1:1/deputy?sslmode=disable\"\n[tokens]",
            )
        },
        "database_tls",
        Warning,
        "verify-full",
    ),
    (
        "a password in the configuration",
        |w| {
            w.edit("[tokens]", "[database]\nurl = \"postgres://deputy:hunter2@127.0.0.1:1/deputy?sslmode=disable\"\n[tokens]")
        },
        "secret_files",
        Warning,
        "database.url_file",
    ),
    (
        "a clock that was set back",
        |w| w.now = NOW.minus(Lifetime::from_seconds(600)),
        "clock",
        Failed,
        "deputy clock reset",
    ),
    (
        "a client's keys that cannot be had",
        |w| {
            w.edit(
                "id = \"assistant\"\njwks_file = \"keys.json\"",
                "id = \"assistant\"\njwks_uri = \"https://127.0.0.1:1/keys\"\nnetwork = \"private\"",
            )
        },
        "remote_keys",
        Failed,
        "jwks_file",
    ),
];

fn show(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("{finding}\n")).collect()
}

async fn run(cases: &[Case]) {
    for (what, break_it, id, status, fix) in cases {
        let mut world = World::migrated().await;
        break_it(&mut world);

        let findings = world.check().await;

        let told = show(&findings);
        let found = findings
            .iter()
            .any(|finding| finding.id == *id && finding.status == *status && finding.fix.contains(fix));
        assert!(found, "{what}: expected {id} {status:?} with `{fix}`, got:\n{told}");
        assert!(!told.contains("hunter2"), "{what}: a password is told:\n{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_said_against_a_sound_installation_and_every_check_speaks() {
    let world = World::migrated().await;

    let findings = world.check().await;

    assert!(findings.iter().all(|finding| finding.status == Status::Ok), "{}", show(&findings));
    let ids: BTreeSet<&str> = findings.iter().map(|finding| finding.id).collect();
    assert!(ids.len() >= 25, "only {} checks", ids.len());
    let left = std::fs::read_dir(world.path("data")).unwrap().filter_map(Result::ok);
    let left: Vec<_> = left.map(|entry| entry.file_name().into_string().unwrap()).collect();
    assert!(left.iter().all(|name| !name.starts_with(".deputy-check")), "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_broken_file_is_found_with_its_fix() {
    run(FILES).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_of_the_certificate_is_found_with_its_fix() {
    run(TLS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_setting_that_bites_is_found_with_its_fix() {
    run(MEANING).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_was_never_used_is_said_to_be_empty_and_stays_so() {
    let world = World::fresh();

    let findings = world.check().await;

    let schema = findings.iter().find(|finding| finding.id == "schema").unwrap();
    assert_eq!((schema.status, schema.what.as_str()), (Warning, "the database is empty"));
    assert!(schema.fix.contains("deputy migrate"));
    assert!(!world.path("data/deputy.db").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_is_taken_is_found() {
    let world = World::migrated().await;
    let _holder = std::net::TcpListener::bind(("127.0.0.1", world.port)).unwrap();

    let findings = world.check().await;

    let ports = findings.iter().find(|finding| finding.id == "ports").unwrap();
    assert_eq!(ports.status, Failed);
    assert!(ports.fix.contains("choose another port"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_is_asked_for_its_discovery_document_and_keys() {
    const DISCOVERY: &str = "/.well-known/openid-configuration";
    let discovery = |issuer: &str, rest: &str| (DISCOVERY, format!("{{\"issuer\": \"{issuer}\"{rest}}}"));
    let keys = ", \"jwks_uri\": \"@self@/keys\"";
    /// What a provider serves at which path, what is found, and a word of the fix.
    type Story = (Vec<(&'static str, String)>, Status, &'static str);
    let stories: [Story; 6] = [
        (vec![discovery("@self@", keys), ("/keys", key_set())], Status::Ok, ""),
        (vec![discovery("https://other.example", keys), ("/keys", key_set())], Failed, "write exactly that"),
        (vec![discovery("@self@", ""), ("/keys", key_set())], Failed, "name `jwks_uri`"),
        (vec![discovery("@self@", keys), ("/keys", "{\"keys\": []}".to_owned())], Failed, "P-256"),
        (vec![discovery("@self@", keys)], Failed, "see that it is up"),
        (
            vec![
                discovery(
                    "@self@",
                    &format!("{keys}, \"id_token_signing_alg_values_supported\": [\"HS256\"]"),
                ),
                ("/keys", key_set()),
            ],
            Failed,
            "id_token_signing_alg_values_supported",
        ),
    ];
    for (documents, status, fix) in stories {
        let provider = serve(documents).await;
        let mut world = World::migrated().await;
        world.edit("https://localhost", "http://127.0.0.1");
        world.edit(
            "[tls]\ncertificate_file = \"certs/server.pem\"\nkey_file = \"certs/server-key.pem\"\n",
            "",
        );
        world.edit(
            "issuer = \"https://login.example\"\njwks_file = \"keys.json\"",
            &format!("issuer = \"http://{provider}\""),
        );

        let findings = world.check().await;

        let found = findings.iter().find(|finding| finding.id == "providers").unwrap();
        assert_eq!(found.status, status, "{found}");
        assert!(found.fix.contains(fix), "{found}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_recorded_is_read_without_changing_it() {
    let world = World::migrated().await;

    let first = world.check().await;
    let second = world.check().await;

    let clock =
        |findings: &[Finding]| findings.iter().find(|finding| finding.id == "clock").unwrap().what.clone();
    assert!(clock(&first).contains(&Timestamp::to_string(&NOW)), "{}", clock(&first));
    assert_eq!(clock(&first), clock(&second));
}
