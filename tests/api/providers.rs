//! Providers as they are: the discovery documents and the tokens of well-known ones, after their public documentation,
//! each with every member that it has there. Their keys are made by the test and their hosts are on loopback; everything
//! else is the real binary. Each file in `providers/` also has the configuration that an operator would write for it.

use std::collections::BTreeMap;

use deputy::testing::Exchange;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::definition::{replaced, write};
use crate::jose::{Key, claims_of};
use crate::process_support::{Answer, Backend, Plan, Server, World, now, on_both_databases};
use crate::world::OtherKey;

const SUBJECT: (u16, &str, &str) = (400, "invalid_request", "subject_token_unacceptable");
const ACTOR: (u16, &str, &str) = (400, "invalid_request", "actor_token_unacceptable");

/// Those that sign users in.
const PROVIDERS: [(&str, &str); 11] = [
    ("Apple", include_str!("providers/apple.json")),
    ("Auth0", include_str!("providers/auth0.json")),
    ("authentik", include_str!("providers/authentik.json")),
    ("Cognito", include_str!("providers/cognito.json")),
    ("Entra v1", include_str!("providers/entra-v1.json")),
    ("Entra v2", include_str!("providers/entra-v2.json")),
    ("Google", include_str!("providers/google.json")),
    ("Keycloak", include_str!("providers/keycloak.json")),
    ("Okta", include_str!("providers/okta.json")),
    ("Ping", include_str!("providers/ping.json")),
    ("Zitadel", include_str!("providers/zitadel.json")),
];
/// Those that vouch for workloads, and sign nobody in.
const PLATFORMS: [(&str, &str); 7] = [
    ("AWS", include_str!("providers/aws.json")),
    ("Azure v1", include_str!("providers/azure-v1.json")),
    ("Azure v2", include_str!("providers/azure-v2.json")),
    ("GitLab", include_str!("providers/gitlab.json")),
    ("Google Cloud", include_str!("providers/gcp.json")),
    ("GitHub", include_str!("providers/github.json")),
    ("Kubernetes", include_str!("providers/kubernetes.json")),
];

/// One provider on loopback.
struct Provider {
    name: &'static str,
    file: Value,
    issuer: String,
    key: OtherKey,
    /// What stands for a value that is known only while the test runs.
    values: Vec<(&'static str, String)>,
}

impl Provider {
    fn read((name, text): (&'static str, &str), origin: &str, deputy: &str) -> Self {
        let file: Value = serde_json::from_str(text).expect(name);
        let issuer = format!("{origin}{}", file["path"].as_str().expect("a path"));
        // PingOne calls its key `default`.
        let kid = file["id_token"]["header"]["kid"].as_str().expect("a kid");
        let kid = if kid == "@kid@" { format!("{name}-1") } else { kid.to_owned() };
        let algorithm = if file["id_token"]["header"]["alg"] == "ES384" { "ES384" } else { "RS256" };
        let key = OtherKey::new(&kid, algorithm);
        let values = vec![
            ("@issuer@", issuer.clone()),
            ("@origin@", origin.to_owned()),
            ("@deputy@", deputy.to_owned()),
            ("@kid@", kid),
        ];
        Self { name, file, issuer, key, values }
    }

    fn filled(&self, text: &str) -> String {
        self.values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }

    /// What it serves, by path.
    fn documents(&self) -> [(String, String); 2] {
        let discovery = self.filled(&self.file["discovery"].to_string());
        let path = self.file["path"].as_str().expect("a path").trim_end_matches('/');
        let keys: Value = serde_json::from_str(&discovery).expect("a document");
        let keys = url::Url::parse(keys["jwks_uri"].as_str().expect("a URL")).expect("a URL");
        [
            (format!("{path}/.well-known/openid-configuration"), discovery),
            (keys.path().to_owned(), self.key.jwks().to_string()),
        ]
    }

    /// Its section of the configuration.
    fn toml(&self) -> String {
        let text = |member: &str| self.file[member].as_str().map(|text| self.filled(text));
        match (text("configuration"), text("workload")) {
            (Some(rest), _) => format!("\n[[identity_provider]]\nissuer = \"{}\"\n{rest}", self.issuer),
            (None, Some(rest)) => format!("\n[[workload_issuer]]\n{rest}"),
            (None, None) => panic!("{} has no configuration", self.name),
        }
    }

    /// A token of the file, signed; an opaque one as it is.
    fn token(&self, member: &str) -> String {
        let token = &self.file[member];
        if let Some(opaque) = token["opaque"].as_str() {
            return opaque.to_owned();
        }
        self.sign(&token["header"], token["claims"].clone())
    }

    fn sign(&self, header: &Value, mut claims: Value) -> String {
        fill_times(&mut claims);
        self.key.sign_text(&self.filled(&header.to_string()), &self.filled(&claims.to_string()))
    }

    /// The tokens that the platform signs and Deputy refuses: what each is, the token, and the cause.
    fn refused(&self) -> Vec<(&str, String, &str)> {
        let refused = self.file["refused"].as_array().map(Vec::as_slice).unwrap_or_default();
        let token = |changes: &Value| {
            let mut claims = self.file["id_token"]["claims"].clone();
            for (name, value) in changes.as_object().expect("claims") {
                match value {
                    Value::Null => _ = claims.as_object_mut().expect("claims").remove(name),
                    value => claims[name] = value.clone(),
                }
            }
            self.sign(&self.file["id_token"]["header"], claims)
        };
        let read = refused.iter().map(|entry| {
            let text = |member: &str| entry[member].as_str().expect("a text");
            (text("name"), token(&entry["claims"]), text("cause"))
        });
        read.collect()
    }

    /// Whether its credential counts only beside a proof of a key.
    fn demands_proof(&self) -> bool {
        self.file["proof"] == "required"
    }
}

/// Replaces `@now@`, `@now-5@` and the like by numbers.
fn fill_times(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(fill_times),
        Value::Array(elements) => elements.iter_mut().for_each(fill_times),
        Value::String(text) => {
            let Some(offset) = text.strip_prefix("@now").and_then(|rest| rest.strip_suffix('@')) else {
                return;
            };
            let offset: i64 = if offset.is_empty() { 0 } else { offset.parse().expect("an offset") };
            *value = (now() + offset).into();
        }
        _ => {}
    }
}

/// Serves these documents by their paths, all of them on one port of loopback.
pub async fn serve(listener: TcpListener, documents: BTreeMap<String, String>) {
    while let Ok((mut connection, _)) = listener.accept().await {
        let mut request = [0u8; 4096];
        let read = connection.read(&mut request).await.unwrap_or(0);
        let request = String::from_utf8_lossy(&request[..read]);
        let path = request.split(' ').nth(1).unwrap_or_default();
        let (status, body) = match documents.get(path) {
            Some(body) => ("200 OK", body.as_str()),
            None => ("404 Not Found", ""),
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len(),
        );
        _ = connection.write_all(answer.as_bytes()).await;
    }
}

/// A world with these providers in place of its own.
async fn world_with(
    backend: Backend,
    files: &[(&'static str, &'static str)],
) -> (World, Server, Vec<Provider>) {
    let world = World::of(backend, Plan::default()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    let providers: Vec<Provider> =
        files.iter().map(|file| Provider::read(*file, &origin, world.issuer())).collect();
    tokio::spawn(serve(listener, providers.iter().flat_map(Provider::documents).collect()));
    // No provider of these defines a level for the booking, and two of them may name two people alike.
    let toml = std::fs::read_to_string(world.config()).expect("the configuration");
    let toml = replaced(&toml, "assurance = \"phishing_resistant\", max_age_seconds", "max_age_seconds");
    let mut toml = replaced(&toml, "subject = \"upstream\"", "subject = \"pairwise\"");
    toml.extend(providers.iter().map(Provider::toml));
    let file = world.config().file_name().and_then(|name| name.to_str()).expect("a name");
    write(world.config().parent().expect("a directory"), file, toml);
    let server = world.start().await;
    (world, server, providers)
}

/// The cause of a refusal, as the operator looks it up.
async fn cause(world: &World, answer: &Answer) -> String {
    let request = answer.json["request_id"].as_str().expect("a request_id");
    let traced = world.deputy(&["audit", "trace", "--request", request, "--json"]).await;
    let text = String::from_utf8_lossy(&traced.stdout).into_owned();
    let after = text.split("\"cause\":").nth(1).unwrap_or_else(|| panic!("no cause in {text}"));
    after.split('"').nth(1).expect("a word").to_owned()
}

on_both_databases! {
    async fn an_id_token_of_each_provider_carries_an_exchange_and_its_access_token_does_not(backend: Backend) {
        let (world, mut server, providers) = world_with(backend, &PROVIDERS).await;
        let (base, assistant) = (server.base.clone(), world.caller("assistant"));
        for provider in &providers {
            let name = provider.name;
            let id_token = provider.token("id_token");

            let granted = assistant.sign_in(&base, &id_token, world.issuer(), "tickets:search").await;

            assert_eq!(granted.status, 200, "{name}: {}", granted.text);
            let access = assistant.exchange(&base, &granted.token(), "tickets", "tickets:search").await;
            assert_eq!(access.status, 200, "{name}: {}", access.text);
            let subject = claims_of(&access.token())["sub"].as_str().expect("a subject").to_owned();
            assert!(subject.starts_with("pw_"), "{name}: {subject}");
            assert!(world.caller("tickets-api").introspect(&base, &access.token()).await.is_active(), "{name}");

            let in_its_place = provider.token("access_token");
            let refused = assistant.sign_in(&base, &in_its_place, world.issuer(), "tickets:search").await;

            assert_eq!(refused.refusal(), SUBJECT, "{name}: {}", refused.text);
            let wanted = provider.file["access_token"]["cause"].as_str().expect("a cause");
            assert_eq!(cause(&world, &refused).await, wanted, "{name}");
        }
        server.stop().await;
        world.finish().await;
    }
}

on_both_databases! {
    async fn a_credential_of_each_platform_names_an_agent_and_signs_nobody_in(backend: Backend) {
        let (world, mut server, platforms) = world_with(backend, &PLATFORMS).await;
        let (base, assistant) = (server.base.clone(), world.caller("assistant"));
        for platform in &platforms {
            let name = platform.name;
            let credential = platform.token("id_token");
            let [key, other] = ["one", "other"].map(Key::new);
            let proving = async |actor: &str, key: Option<&Key>| {
                let id_token = world.id_token("ann");
                let exchange = Exchange::of_id_token(&id_token).audience("tickets").scope("tickets:search");
                let exchange = exchange.actor(actor);
                match key {
                    Some(key) => assistant.try_exchange_proving(&base, &exchange, &assistant.proof(key)).await,
                    None => assistant.try_token(&base, &exchange).await,
                }
                .expect("an answer")
            };
            let as_actor =
                async |actor: &str| proving(actor, platform.demands_proof().then_some(&key)).await;

            let granted = as_actor(&credential).await;

            assert_eq!(granted.status, 200, "{name}: {}", granted.text);
            let actor = claims_of(&granted.token())["act"]["sub"].as_str().expect("an actor").to_owned();
            assert!(actor.starts_with("agent_"), "{name}: {actor}");

            if platform.demands_proof() {
                let second = proving(&credential, Some(&other)).await;
                assert_eq!(second.status, 200, "{name}: {}", second.text);
                assert_ne!(claims_of(&second.token())["act"]["sub"], actor, "{name}: another process");
                let without = proving(&credential, None).await;
                let missing = (400, "invalid_dpop_proof", "proof_missing");
                assert_eq!(without.refusal(), missing, "{name}: {}", without.text);
            }

            let signed_in = assistant.sign_in(&base, &credential, world.issuer(), "tickets:search").await;
            assert_eq!(signed_in.refusal(), SUBJECT, "{name}: {}", signed_in.text);
            assert_eq!(cause(&world, &signed_in).await, "issuer_untrusted", "{name}: it is no provider of users");

            let in_its_place = as_actor(&platform.token("access_token")).await;
            assert_eq!(in_its_place.refusal(), ACTOR, "{name}: {}", in_its_place.text);
            let wanted = platform.file["access_token"]["cause"].as_str().expect("a cause");
            assert_eq!(cause(&world, &in_its_place).await, wanted, "{name}");

            for (what, token, wanted) in platform.refused() {
                let refused = as_actor(&token).await;
                assert_eq!(refused.refusal(), ACTOR, "{name}, {what}: {}", refused.text);
                assert_eq!(cause(&world, &refused).await, wanted, "{name}, {what}");
            }
        }
        server.stop().await;
        world.finish().await;
    }
}
