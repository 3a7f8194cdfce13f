//! Trust domains whose bundle cannot be used as it is, each served on loopback.

use serde_json::{Value, json};

use super::super::served::{Served, serve};
use super::super::world::{TLS, World, key_set};
use super::{faults, is_told};
use crate::doctor::Finding;
use crate::doctor::Status::{Failed, Ok, Warning};

const DOMAIN: &str = r#"
[[workload_issuer]]
preset = "spiffe"
trust_domain = "agents.example"
@bundle@

[[workload_issuer.class]]
name = "buyer"
when = { claim = "sub", under = "spiffe://agents.example/agents/" }
lifetime = "instance"
clients = ["assistant"]
scopes = ["tickets:search"]
targets = ["tickets"]
"#;

/// A bundle with one key for this purpose, and this hint.
fn bundle(purpose: &str, hint: Value) -> String {
    let mut bundle: Value = serde_json::from_str(&key_set()).unwrap();
    bundle["keys"][0]["use"] = json!(purpose);
    bundle["spiffe_refresh_hint"] = hint;
    bundle.to_string()
}

/// What `deputy check` finds where the bundle endpoint answers so.
async fn checked(answer: Served) -> Vec<Finding> {
    let address = serve(vec![answer], None).await;
    named(&format!("bundle_endpoint = \"http://{address}/\"")).await
}

async fn named(bundle: &str) -> Vec<Finding> {
    let mut world = World::migrated().await;
    world.edit("https://localhost", "http://127.0.0.1");
    world.edit(TLS, "");
    world.write("bundle.json", &self::bundle("jwt-svid", json!(300)));
    world.text.push_str(&DOMAIN.replace("@bundle@", bundle));
    world.check().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_that_its_publisher_renews_is_sound() {
    let findings = checked(Served::document("/", bundle("jwt-svid", json!(300)))).await;
    for id in ["remote_keys", "bundles"] {
        assert!(is_told(&findings, (id, Ok, "")), "{id}: {}", faults(&findings));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_bundle_is_told() {
    let not_there = checked(Served::document("/elsewhere", bundle("jwt-svid", json!(300)))).await;
    assert!(is_told(&not_there, ("remote_keys", Failed, "profile `https_web`")), "{}", faults(&not_there));
    let of_certificates = checked(Served::document("/", bundle("x509-svid", json!(300)))).await;
    let words = "whose keys for JWT-SVIDs have `kid` and the `use` `jwt-svid`";
    assert!(is_told(&of_certificates, ("remote_keys", Failed, words)), "{}", faults(&of_certificates));
    let plain_set = checked(Served::document("/", key_set())).await;
    assert!(is_told(&plain_set, ("remote_keys", Failed, words)), "{}", faults(&plain_set));
    let page = checked(Served::document("/", "<!doctype html>")).await;
    assert!(is_told(&page, ("remote_keys", Failed, "not of a page")), "{}", faults(&page));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_often_a_bundle_is_renewed_is_told() {
    let silent = checked(Served::document("/", bundle("jwt-svid", json!(null)))).await;
    assert!(
        is_told(&silent, ("bundles", Warning, "`refresh_hint` of SPIRE's server")),
        "{}",
        faults(&silent)
    );
    let slow = checked(Served::document("/", bundle("jwt-svid", json!(86_400)))).await;
    assert!(is_told(&slow, ("bundles", Warning, "set a shorter hint")), "{}", faults(&slow));
    let pinned = named("bundle_file = \"bundle.json\"").await;
    assert!(is_told(&pinned, ("bundles", Warning, "send SIGHUP")), "{}", faults(&pinned));
}
