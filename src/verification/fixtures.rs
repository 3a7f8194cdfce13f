//! A small world for the tests of client authentication and verification: parties of the definition of all tests, with
//! keys that are pinned in files, and a workload issuer that signs what Kubernetes signs.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::base::time::Timestamp;
use crate::config::*;
use crate::jose::{Algorithm, SigningKey};
use crate::keys::NodeSecrets;
use crate::oauth::ClientId;
use crate::registry::*;
use crate::testing::definition;
use crate::verification::Verifier;

pub const DEPUTY: &str = "https://deputy.example";
pub const PROVIDER: &str = "https://op.example";
pub const WORKLOADS: &str = definition::WORKLOADS;
/// 2026-11-22T06:13:20Z.
pub const NOW: Timestamp = Timestamp::from_seconds(1_795_328_000);

pub struct World {
    pub config: Config,
    pub verifier: Verifier,
    pub secrets: NodeSecrets,
    pub provider_key: SigningKey,
    pub workload_key: SigningKey,
    pub client_key: SigningKey,
    pub files: tempfile::TempDir,
}

impl World {
    pub fn new() -> Self {
        Self::with_algorithm(Algorithm::ES256)
    }

    pub fn with_algorithm(algorithm: Algorithm) -> Self {
        let files = tempfile::tempdir().unwrap();
        let provider_key = SigningKey::generate(algorithm).unwrap();
        let workload_key = SigningKey::generate(algorithm).unwrap();
        let client_key = SigningKey::generate(algorithm).unwrap();
        let mut config = config(files.path());
        let mut provider = provider();
        provider.keys = pin(files.path(), "provider.json", &[&provider_key]);
        add_provider(&mut config, provider);
        let mut workloads = workload_issuer();
        workloads.keys = pin(files.path(), "workloads.json", &[&workload_key]);
        add_workload_issuer(&mut config, workloads);
        let keys = pin(files.path(), "client.json", &[&client_key]);
        for client in [
            client(
                "assistant",
                ClientAuthentication::PrivateKeyJwt {
                    keys,
                    reach: Reach::default(),
                    algorithms: BTreeSet::from([algorithm]),
                    audience: AssertionAudience::Issuer,
                },
            ),
            client("basic", ClientAuthentication::ClientSecretBasic(vec![secret("s3cret-of-basic", None)])),
            client("post", ClientAuthentication::ClientSecretPost(vec![secret("s3cret-of-post", None)])),
            client("other", ClientAuthentication::ClientSecretBasic(vec![secret("s3cret-of-other", None)])),
        ] {
            config.registry.clients.insert(client.id.clone(), Arc::new(client));
        }
        let (verifier, secrets) = (Verifier::default(), NodeSecrets::from_master(&[7; 32]));
        Self { config, verifier, secrets, provider_key, workload_key, client_key, files }
    }

    pub fn client_id(&self) -> ClientId {
        ClientId::new("assistant")
    }
}

/// A key set file with these keys.
pub fn pin(dir: &Path, name: &str, keys: &[&SigningKey]) -> KeySource {
    let path = dir.join(name);
    std::fs::write(&path, key_set(keys)).unwrap();
    KeySource::File(path)
}

pub fn key_set(keys: &[&SigningKey]) -> String {
    let keys: Vec<Value> = keys.iter().map(|key| Value::Object(key.jwk().clone())).collect();
    json!({ "keys": keys }).to_string()
}

/// A compact JWS of `claims` with this `typ`.
pub fn sign(key: &SigningKey, typ: &str, claims: &Value) -> String {
    key.sign_compact(&key.header_segment(typ), claims.to_string().as_bytes()).unwrap()
}

/// A compact JWS with this very header.
pub fn sign_with_header(key: &SigningKey, header: &Value, claims: &Value) -> String {
    use base64::Engine as _;
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(header.to_string());
    key.sign_compact(&header, claims.to_string().as_bytes()).unwrap()
}

/// `claims` with changes: `null` removes a member.
pub fn but(mut claims: Value, changes: Value) -> Value {
    let (Some(object), Value::Object(changes)) = (claims.as_object_mut(), changes) else { unreachable!() };
    for (name, value) in changes {
        if value.is_null() {
            object.remove(&name);
        } else {
            object.insert(name, value);
        }
    }
    claims
}

/// The claims of a good ID token.
pub fn id_claims() -> Value {
    let now = NOW.seconds();
    json!({
        "iss": PROVIDER, "sub": "248289761001", "aud": "booking-app", "exp": now + 300, "iat": now - 5,
        "auth_time": now - 30, "nonce": "n-0S6_WzA2Mj", "acr": "2", "amr": ["pwd", "mfa"],
        "sid": "session-1", "birthdate": "1990-06-05", "groups": ["travel"], "email": "a@example.com",
    })
}

/// The claims of a good workload token.
pub fn workload_claims() -> Value {
    let now = NOW.seconds();
    json!({
        "iss": WORKLOADS, "sub": "system:serviceaccount:shop:age", "aud": [DEPUTY], "exp": now + 600,
        "iat": now - 5, "nbf": now - 5,
        "kubernetes.io": {
            "namespace": "shop",
            "serviceaccount": {"name": "age", "uid": "sa-uid"},
            "pod": {"name": "age-7f", "uid": "pod-uid"},
        },
    })
}

/// The claims of a good client assertion.
pub fn assertion_claims() -> Value {
    let now = NOW.seconds();
    json!({
        "iss": "assistant", "sub": "assistant", "aud": DEPUTY, "exp": now + 60, "iat": now, "jti": "a-1",
    })
}

/// The definition of all tests, read.
fn defined() -> Config {
    let text = definition::on_loopback(DEPUTY, PROVIDER, "") + definition::TLS;
    Config::parse(&text, Path::new(definition::DIRECTORY)).unwrap()
}

pub fn provider() -> IdentityProvider {
    let mut provider = IdentityProvider::clone(&defined().registry.identity_providers[PROVIDER]);
    provider.policy_claims.push("department".to_owned());
    provider.relying_parties.retain(|client_id, _| client_id == "booking-app");
    provider.relying_parties.get_mut("booking-app").unwrap().clients =
        BTreeSet::from([ClientId::new("assistant")]);
    provider
}

pub fn workload_issuer() -> WorkloadIssuer {
    let defined = WorkloadIssuer::clone(&defined().registry.workload_issuers[WORKLOADS]);
    let class = |name: &str, namespace: &str, lifetime| {
        Arc::new(AgentClass {
            name: name.to_owned(),
            when: Some(When {
                all: vec![ClaimCheck {
                    claim: "kubernetes.io.namespace".to_owned(),
                    test: ClaimMatch::Equals(json!(namespace)),
                }],
            }),
            lifetime,
            clients: BTreeSet::from([ClientId::new("assistant")]),
            ..AgentClass::clone(&defined.classes[0])
        })
    };
    WorkloadIssuer {
        stable_id: IdClaims::of(["kubernetes.io.serviceaccount.uid"]),
        instance_id: Some(InstanceId::Claims(IdClaims::of(["kubernetes.io.pod.uid"]))),
        classes: vec![
            class("age-verifier", "shop", AgentLifetime::Task),
            class("batch", "batch", AgentLifetime::Principal),
        ],
        ..defined
    }
}

/// A client that authenticates in this way, else like the assistant.
pub fn client(id: &str, authentication: ClientAuthentication) -> Client {
    let assistant = Client::clone(&defined().registry.clients["assistant"]);
    Client { id: ClientId::new(id), authentication, may_act_as_agent: false, ..assistant }
}

pub fn secret(value: &str, expires_at: Option<Timestamp>) -> ClientSecret {
    ClientSecret { value: value.to_owned().into(), expires_at }
}

pub fn add_provider(config: &mut Config, provider: IdentityProvider) {
    config.registry.identity_providers.insert(provider.issuer.clone(), Arc::new(provider));
}

pub fn add_workload_issuer(config: &mut Config, issuer: WorkloadIssuer) {
    config.registry.workload_issuers.insert(issuer.issuer.clone(), Arc::new(issuer));
}

/// The settings and the predicates of the definition, with no other party yet.
pub fn config(dir: &Path) -> Config {
    let mut config = defined();
    config.data_dir = dir.join("data");
    config.database = Database::Sqlite(dir.join("deputy.db"));
    config.keys.master_key_file = dir.join("master.key");
    config.audit.checkpoint_file = dir.join("checkpoints");
    config.tls = None;
    config.tokens.subject = SubjectForm::Upstream;
    config.registry = Registry { predicates: config.registry.predicates.clone(), ..Registry::default() };
    config
}
