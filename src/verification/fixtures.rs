//! A small world for the tests of client authentication and verification: one provider, one workload issuer, a few clients, keys
//! pinned in files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::base::time::{Lifetime, Timestamp};
use crate::config::*;
use crate::jose::{Algorithm, SigningKey};
use crate::keys::NodeSecrets;
use crate::oauth::{ClientId, GrantType, Issuer, Scope, ScopeToken};
use crate::registry::*;
use crate::verification::Verifier;

pub const DEPUTY: &str = "https://deputy.example";
pub const PROVIDER: &str = "https://op.example";
pub const WORKLOADS: &str = "https://cluster.example";
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
        "iss": PROVIDER, "sub": "248289761001", "aud": "web-app", "exp": now + 300, "iat": now - 5,
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

pub fn provider() -> IdentityProvider {
    let party = RelyingParty { clients: BTreeSet::from([ClientId::new("assistant")]) };
    let mfa = AssuranceLevel {
        name: "mfa".to_owned(),
        any_of: vec![ClaimCondition {
            claim: "amr".to_owned(),
            test: ClaimTest::Contains(vec!["mfa".to_owned()]),
        }],
    };
    let phishing_resistant = AssuranceLevel {
        name: "phishing_resistant".to_owned(),
        any_of: vec![ClaimCondition {
            claim: "acr".to_owned(),
            test: ClaimTest::In(vec!["phr".to_owned(), "phrh".to_owned()]),
        }],
    };
    IdentityProvider {
        issuer: Issuer::new(PROVIDER),
        algorithms: BTreeSet::from([
            Algorithm::ES256,
            Algorithm::ES384,
            Algorithm::EdDSA,
            Algorithm::PS256,
            Algorithm::RS256,
        ]),
        reach: Reach::default(),
        keys: KeySource::Discovery,
        max_id_token_age: Lifetime::from_seconds(600),
        max_session: Lifetime::from_seconds(28_800),
        subject_claim: "sub".to_owned(),
        policy_claims: vec!["groups".to_owned(), "department".to_owned()],
        infer_mfa_from_amr: false,
        keys_stale: Lifetime::from_seconds(86_400),
        relying_parties: BTreeMap::from([("web-app".to_owned(), party)]),
        assurance: [mfa, phishing_resistant].into_iter().map(|level| (level.name.clone(), level)).collect(),
    }
}

pub fn workload_issuer() -> WorkloadIssuer {
    let class = |name: &str, namespace: Option<&str>, lifetime| {
        Arc::new(AgentClass {
            name: name.to_owned(),
            when: namespace.map(|ns| ("kubernetes.io.namespace".to_owned(), json!(ns))),
            lifetime,
            clients: BTreeSet::from([ClientId::new("assistant")]),
            scopes: Scope::empty(),
            targets: BTreeSet::new(),
            answers: BTreeSet::new(),
        })
    };
    WorkloadIssuer {
        issuer: Issuer::new(WORKLOADS),
        audience: DEPUTY.to_owned(),
        keys: KeySource::Discovery,
        reach: Reach::default(),
        algorithms: BTreeSet::from([
            Algorithm::ES256,
            Algorithm::ES384,
            Algorithm::EdDSA,
            Algorithm::PS256,
            Algorithm::RS256,
        ]),
        stable_id_claim: "kubernetes.io.serviceaccount.uid".to_owned(),
        instance_id_claim: Some("kubernetes.io.pod.uid".to_owned()),
        max_token_lifetime: Lifetime::from_seconds(3600),
        classes: vec![
            class("age-verifier", Some("shop"), AgentLifetime::Task),
            class("batch", Some("batch"), AgentLifetime::Principal),
        ],
    }
}

pub fn client(id: &str, authentication: ClientAuthentication) -> Client {
    Client {
        id: ClientId::new(id),
        authentication,
        grants: BTreeSet::from(GrantType::DEFAULT),
        may_act_as_agent: false,
        scopes: Scope::empty(),
        targets: BTreeSet::new(),
        answers: BTreeSet::new(),
    }
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

pub fn config(dir: &Path) -> Config {
    let scope = ScopeToken::parse("age_over_18").unwrap();
    let predicate = Predicate {
        scope: scope.clone(),
        claim: "birthdate".to_owned(),
        question: Question::AtLeastYears { years: 18, leap_day: LeapDay::Mar1 },
    };
    let loopback = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    Config {
        issuer: Issuer::new(DEPUTY),
        data_dir: dir.to_owned(),
        listen: Listen { public: loopback, management: loopback, trusted_proxies: Vec::new() },
        tls: None,
        database: Database::Sqlite(dir.join("deputy.db")),
        keys: Keys {
            master_key_file: dir.join("master.key"),
            signing_algorithm: Algorithm::ES256,
            jwks_max_age: Lifetime::from_seconds(300),
        },
        tokens: Tokens { lifetime: Lifetime::from_seconds(300), subject: SubjectForm::Upstream },
        tasks: Tasks { max_lifetime: Lifetime::from_seconds(3600), max_chain_depth: 4 },
        registry: Registry {
            predicates: BTreeMap::from([(scope, Arc::new(predicate))]),
            ..Registry::default()
        },
        policy: Policy { directory: None, remember_decisions: true },
        audit: Audit { checkpoint_file: dir.join("checkpoints") },
        limits: Limits {
            failures_per_minute: 60,
            unknown_tokens_per_minute: 600,
            unauthenticated_rows_per_minute: 60,
        },
    }
}
