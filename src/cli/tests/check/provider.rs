//! Identity providers that cannot be used as they are, each a real server on loopback.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};

use super::super::served::{Served, serve};
use super::super::world::{NOW, TLS, World, key_set};
use super::broken_tls::{authority, params};
use super::{faults, is_told};
use crate::base::time::Lifetime;
use crate::doctor::Status::{self, Failed, Warning};

const DISCOVERY: &str = "/.well-known/openid-configuration";

/// How a provider is served, and how the configuration names it.
struct Provider {
    metadata: Value,
    keys: Served,
    /// What stands in the place of the discovery document.
    discovery: Option<Served>,
    issuer: &'static str,
    /// The certificate chain and its key, for TLS.
    tls: Option<(Vec<rcgen::Certificate>, KeyPair)>,
    world: World,
}

impl Provider {
    async fn sound() -> Self {
        Self {
            metadata: json!({"issuer": "@self@", "jwks_uri": "@self@/keys"}),
            keys: Served::document("/keys", key_set()),
            discovery: None,
            issuer: "@self@",
            tls: None,
            world: World::migrated().await,
        }
    }

    /// Serves it by TLS with this certificate; `authority` is what Deputy is told to trust.
    fn by_tls(&mut self, chain: Vec<rcgen::Certificate>, key: KeyPair, authority: &str) {
        self.world.write("provider-ca.pem", authority);
        self.tls = Some((chain, key));
    }

    /// As [`Provider::by_tls`], with a certificate that an authority of its own has signed.
    fn certified(&mut self, leaf: CertificateParams) {
        let (ca, ca_key) = authority("provider CA");
        let key = KeyPair::generate().unwrap();
        let leaf = leaf.signed_by(&key, &Issuer::from_params(&ca, &ca_key)).unwrap();
        let trusted = ca.self_signed(&ca_key).unwrap().pem();
        self.by_tls(vec![leaf], key, &trusted);
    }

    /// What `deputy check` finds.
    async fn check(mut self) -> Vec<crate::doctor::Finding> {
        let discovery =
            self.discovery.unwrap_or_else(|| Served::document(DISCOVERY, self.metadata.to_string()));
        let (tls, reach) = match self.tls {
            None => (None, String::new()),
            Some((chain, key)) => {
                let chain = chain.iter().map(|certificate| certificate.der().clone()).collect();
                let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
                let config = rustls::ServerConfig::builder().with_no_client_auth();
                let config = config.with_single_cert(chain, key).unwrap();
                (Some(config), "\nnetwork = \"private\"\ntls_ca_file = \"provider-ca.pem\"".to_owned())
            }
        };
        let scheme = if tls.is_some() { "https" } else { "http" };
        let address = serve(vec![discovery, self.keys], tls).await;
        let issuer = self.issuer.replace("@self@", &format!("{scheme}://{address}"));
        self.world.edit("https://localhost", "http://127.0.0.1");
        self.world.edit(TLS, "");
        self.world.edit(
            "issuer = \"https://login.example\"\njwks_file = \"keys.json\"",
            &format!("issuer = \"{issuer}\"{reach}"),
        );
        self.world.check().await
    }
}

/// A provider, what is wrong with it, which check says so, how bad it is, and words of the fix.
type Story = (&'static str, fn(&mut Provider), &'static str, Status, &'static str);

const STORIES: &[Story] = &[
    (
        "a page in the place of the keys",
        |p| p.keys = Served::document("/keys", "<!doctype html><title>Sign in</title>"),
        "providers",
        Failed,
        "not of a page",
    ),
    (
        "an issuer with one slash more",
        |p| p.metadata["issuer"] = json!("@self@/"),
        "providers",
        Failed,
        "write exactly",
    ),
    (
        "an issuer without its realm",
        |p| p.discovery = Some(Served::document("/realms/shop/.well-known/openid-configuration", "{}")),
        "providers",
        Failed,
        "write the issuer",
    ),
    (
        "a redirect to the discovery document",
        |p| {
            let head = "location: @self@/login\r\n".to_owned();
            p.discovery = Some(Served { path: DISCOVERY, status: 302, head, body: String::new() });
        },
        "providers",
        Failed,
        "redirect",
    ),
    (
        "a level that its `acr` values cannot meet",
        |p| p.metadata["acr_values_supported"] = json!(["urn:mace:incommon:iap:silver", "1", "0"]),
        "levels",
        Warning,
        "urn:mace:incommon:iap:silver",
    ),
    (
        "a question about a claim that it does not have",
        |p| p.metadata["claims_supported"] = json!(["sub", "email", "acr", "amr", "groups"]),
        "provider_claims",
        Warning,
        "birthdate",
    ),
    (
        "a clock that is an hour behind the provider's",
        |p| {
            p.keys.head = "date: Wed, 18 Nov 2026 12:06:40 GMT\r\n".to_owned();
        },
        "clock",
        Failed,
        "NTP",
    ),
    (
        "a certificate of `openssl req -x509`",
        |p| {
            let key = KeyPair::generate().unwrap();
            let mut own = params(&["127.0.0.1"]);
            own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let own = own.self_signed(&key).unwrap();
            let trusted = own.pem();
            p.by_tls(vec![own], key, &trusted);
        },
        "providers",
        Failed,
        "CA:FALSE",
    ),
    (
        "a certificate for another name",
        |p| p.certified(params(&["login.internal"])),
        "providers",
        Failed,
        "subjectAltName",
    ),
    (
        "an expired certificate",
        |p| {
            let mut leaf = params(&["127.0.0.1"]);
            leaf.not_after = date_time_ymd(2025, 1, 1);
            p.certified(leaf);
        },
        "providers",
        Failed,
        "renew",
    ),
    (
        "a certificate of the future",
        |p| {
            let mut leaf = params(&["127.0.0.1"]);
            leaf.not_before = date_time_ymd(2090, 1, 1);
            p.certified(leaf);
        },
        "providers",
        Failed,
        "clock",
    ),
    (
        "a certificate of an authority that is not known",
        |p| {
            p.certified(params(&["127.0.0.1"]));
            let (other, key) = authority("another CA");
            p.world.write("provider-ca.pem", &other.self_signed(&key).unwrap().pem());
        },
        "providers",
        Failed,
        "tls_ca_file",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_provider_that_cannot_be_used_is_found_with_its_fix() {
    let mut missed = Vec::new();
    for (what, change, id, status, fix) in STORIES {
        let mut provider = Provider::sound().await;
        change(&mut provider);
        let findings = provider.check().await;
        if !is_told(&findings, (id, *status, fix)) {
            missed
                .push(format!("{what}: expected {id} {status:?} with `{fix}`, got:\n{}", faults(&findings)));
        }
    }
    assert!(missed.is_empty(), "{} of {} are missed:\n\n{}", missed.len(), STORIES.len(), missed.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_whose_clock_agrees_and_that_meets_every_level_is_sound() {
    let mut provider = Provider::sound().await;
    provider.metadata["acr_values_supported"] = json!(["phr", "1"]);
    provider.metadata["claims_supported"] = json!(["sub", "birthdate", "groups"]);
    provider.world.now = NOW.plus(Lifetime::from_seconds(30));
    provider.keys.head = "date: Wed, 18 Nov 2026 11:06:40 GMT\r\n".to_owned();

    let findings = provider.check().await;

    let against: Vec<_> = findings.iter().filter(|finding| finding.status != Status::Ok).collect();
    assert!(against.iter().all(|finding| finding.id == "plain_http"), "{}", faults(&findings));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_refuses_is_named() {
    let mut world = World::migrated().await;
    world.edit("jwks_file = \"keys.json\"", "network = \"private\"\nproxy = \"http://127.0.0.1:1\"");

    let findings = world.check().await;

    assert!(is_told(&findings, ("providers", Failed, "http://127.0.0.1:1")), "{}", faults(&findings));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_of_the_environment_is_said_to_count_for_nothing() {
    let mut world = World::migrated().await;
    world.edit(
        "issuer = \"https://login.example\"\njwks_file = \"keys.json\"",
        "issuer = \"https://127.0.0.1:1\"\nnetwork = \"private\"",
    );
    world.environment = vec![("HTTPS_PROXY".to_owned(), "http://proxy.example:3128".to_owned())];

    let findings = world.check().await;

    assert!(is_told(&findings, ("providers", Failed, "HTTPS_PROXY")), "{}", faults(&findings));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_server_that_answers_nobody_without_a_token_is_told() {
    let refused = Served { path: "/keys", status: 401, head: String::new(), body: String::new() };
    let server = serve(vec![refused], None).await;
    let mut world = World::migrated().await;
    world.edit("https://localhost", "http://127.0.0.1");
    world.edit(TLS, "");
    world.edit(
        "issuer = \"https://workloads.example\"\njwks_file = \"keys.json\"",
        &format!("issuer = \"https://workloads.example\"\njwks_uri = \"http://{server}/keys\""),
    );

    let findings = world.check().await;

    assert!(is_told(&findings, ("remote_keys", Failed, "keys_token_file")), "{}", faults(&findings));
}
