//! `deputy check`: an installation in which all is well, one thing broken, what is found and the fix.

mod agents;
mod broken;
mod broken_tls;
mod bundles;
mod certificates;
mod files;
mod meaning;
mod postgres;
mod provider;
mod tls;

use std::collections::BTreeSet;

use super::ports;
use super::served::{Served, serve};
use super::world::{NOW, World, key_set};
use crate::base::time::Timestamp;
use crate::doctor::{Finding, Status};
use crate::server::{self, Server};

/// How it is broken, which check says so, how bad it is, and words of the fix.
type Case = (&'static str, fn(&mut World), &'static str, Status, &'static str);

use Status::{Failed, Warning};

fn show(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("{finding}\n")).collect()
}

/// Whether one of the findings is of this check and status, and its fix has these words.
fn is_told(findings: &[Finding], (id, status, fix): (&str, Status, &str)) -> bool {
    findings.iter().any(|finding| finding.id == id && finding.status == status && finding.fix.contains(fix))
}

/// Everything that is said against an installation.
fn faults(findings: &[Finding]) -> String {
    show(&findings.iter().filter(|finding| finding.status != Status::Ok).cloned().collect::<Vec<_>>())
}

/// Breaks a sound installation in each of these ways, and demands that each is found. All that are not are told.
async fn run(cases: &[Case]) {
    let mut missed = Vec::new();
    for (what, break_it, id, status, fix) in cases {
        let mut world = World::migrated().await;
        break_it(&mut world);
        let findings = world.check().await;
        let told = faults(&findings);
        if !is_told(&findings, (id, *status, fix)) {
            missed.push(format!("{what}: expected {id} {status:?} with `{fix}`, got:\n{told}"));
        }
        assert!(!told.contains("hunter2"), "{what}: a password is told:\n{told}");
    }
    assert!(missed.is_empty(), "{} of {} are missed:\n\n{}", missed.len(), cases.len(), missed.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_said_against_a_sound_installation_and_every_check_speaks() {
    let world = World::migrated().await;

    let findings = world.check().await;

    assert!(findings.iter().all(|finding| finding.status == Status::Ok), "{}", show(&findings));
    let ids: BTreeSet<&str> = findings.iter().map(|finding| finding.id).collect();
    assert!(ids.len() >= 36, "only {} checks", ids.len());
    all_are_on_the_page(&findings);
    let left = std::fs::read_dir(world.path("data")).unwrap().filter_map(Result::ok);
    let left: Vec<_> = left.map(|entry| entry.file_name().into_string().unwrap()).collect();
    assert!(left.iter().all(|name| !name.starts_with(".deputy-check")), "{left:?}");
}

/// The page that lists the checks.
const PAGE: &str = include_str!("../../../docs/check.md");

/// Whether the page has a row for the check of each finding.
pub(super) fn all_are_on_the_page(findings: &[Finding]) {
    for finding in findings {
        assert!(PAGE.contains(&format!("| `{}` |", finding.id)), "docs/check.md lacks `{}`", finding.id);
    }
}

/// The text of every file in a directory and below it.
fn code_in(directory: &std::path::Path) -> String {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| if path.is_dir() { code_in(&path) } else { std::fs::read_to_string(path).unwrap() })
        .collect()
}

#[test]
fn the_page_lists_no_check_that_there_is_not() {
    let code = code_in(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/doctor"))
        + include_str!("../../doctor.rs");
    let listed: Vec<&str> = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
        .map(|(id, _)| id)
        .collect();
    assert!(listed.len() >= 36, "{listed:?}");
    for id in listed {
        assert!(
            code.contains(&format!("\"{id}\"")),
            "docs/check.md lists `{id}`, and no check has that name"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_admin_socket_cannot_be_made_opens_nothing() {
    let mut world = World::fresh();
    let long = "d".repeat(120);
    std::fs::create_dir(world.path(&long)).unwrap();
    world.edit("data_dir = \"data\"", &format!("data_dir = \"{long}\""));

    let refused = Server::start(world.config(), server::Surroundings::system()).await.err().unwrap();

    assert!(refused.to_string().contains("choose a `data_dir` with a shorter path"), "{refused}");
    assert_eq!(std::fs::read_dir(world.path(&long)).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_broken_file_is_found_with_its_fix() {
    run(files::FILES).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_of_the_certificate_is_found_with_its_fix() {
    run(tls::TLS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_of_the_certificates_of_clients_is_found_with_its_fix() {
    run(certificates::CERTIFICATES).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_setting_that_bites_is_found_with_its_fix() {
    run(meaning::MEANING).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_broken_installation_is_found_with_its_fix() {
    run(broken::BROKEN).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_mistake_of_those_who_make_their_own_certificate_is_found_with_its_fix() {
    run(broken_tls::BROKEN).await;
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
async fn a_node_that_moves_to_another_database_is_not_told_that_it_lost_one() {
    let mut world = World::migrated().await;
    world.edit("[tokens]", "[database]\nurl = \"sqlite://data/other.db\"\n[tokens]");

    let findings = world.check().await;

    assert!(is_told(&findings, ("schema", Warning, "deputy migrate")), "{}", faults(&findings));
    assert!(is_told(&findings, ("audit_reach", Status::Ok, "")), "{}", faults(&findings));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_an_editor_of_another_system_has_saved_is_read() {
    let mut world = World::migrated().await;
    world.text = format!("\u{feff}{}", world.text.replace('\n', "\r\n"));

    let findings = world.check().await;

    assert_eq!(faults(&findings), "");
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
    let discovery =
        |issuer: &str, rest: &str| Served::document(DISCOVERY, format!("{{\"issuer\": \"{issuer}\"{rest}}}"));
    let keys_document = |keys: &str| Served::document("/keys", keys);
    let keys = ", \"jwks_uri\": \"@self@/keys\"";
    /// What a provider serves at which path, what is found, and a word of the fix.
    type Story = (Vec<Served>, Status, &'static str);
    let stories: [Story; 6] = [
        (vec![discovery("@self@", keys), keys_document(&key_set())], Status::Ok, ""),
        (
            vec![discovery("https://other.example", keys), keys_document(&key_set())],
            Failed,
            "write exactly that",
        ),
        (vec![discovery("@self@", ""), keys_document(&key_set())], Failed, "name `jwks_uri`"),
        (vec![discovery("@self@", keys), keys_document("{\"keys\": []}")], Failed, "P-256"),
        (vec![discovery("@self@", keys)], Failed, "see that it is up"),
        (
            vec![
                discovery(
                    "@self@",
                    &format!("{keys}, \"id_token_signing_alg_values_supported\": [\"HS256\"]"),
                ),
                keys_document(&key_set()),
            ],
            Failed,
            "id_token_signing_alg_values_supported",
        ),
    ];
    for (documents, status, fix) in stories {
        let provider = serve(documents, None).await;
        let mut world = World::migrated().await;
        world.edit("https://localhost", "http://127.0.0.1");
        world.edit(super::world::TLS, "");
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
