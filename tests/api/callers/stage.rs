//! A page's configuration with the parties around it: a provider whose user signed in, a platform, the caller.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::page::Configuration;
use super::request::Request;
use crate::definition::{UNLIMITED, replaced, write};
use crate::jose::{Key, fresh_id};
use crate::process_support::{Answer, Backend, Plan, Server, World, now};
use crate::world::OtherKey;

/// As it stands on the pages.
const ISSUER: &str = "https://deputy.example";
const PROVIDER: &str = "https://login.example";
const TLS: &str = "[tls]\ncertificate_file = \"tls/deputy.crt\"\nkey_file         = \"tls/deputy.key\"\n";

pub struct Stage {
    pub world: World,
    configuration: Configuration,
    provider: Key,
    platform: OtherKey,
    client: Key,
    secret: String,
}

impl Stage {
    /// Writes the page's configuration into a world of its own, on loopback and with keys of the test.
    pub async fn set(configuration: Configuration) -> Self {
        let provider = Key::new("provider-1");
        let plan = Plan { provider_key: provider.clone(), ..Plan::default() };
        let stage = Self {
            world: World::of(Backend::Sqlite, plan).await,
            configuration,
            provider,
            platform: OtherKey::new("platform-1", "RS256"),
            client: Key::new("client-1"),
            secret: format!("{}{}", fresh_id(), fresh_id()),
        };
        stage.write();
        stage
    }

    fn write(&self) {
        let directory = self.world.path("");
        let own = std::fs::read_to_string(self.world.config()).unwrap();
        std::fs::write(self.world.config(), self.toml(&own.parse().unwrap())).unwrap();
        for entry in self.configuration.entries("workload_issuer") {
            if let Some(file) = entry.get("jwks_file").and_then(toml::Value::as_str) {
                write(&directory, file, self.platform.jwks().to_string());
            }
        }
        write(&directory, "platform.jwks.json", self.platform.jwks().to_string());
        let mut bundle = self.platform.jwks();
        bundle["keys"][0]["use"] = json!("jwt-svid");
        write(&directory, "platform.bundle.json", bundle.to_string());
        for entry in self.configuration.entries("client") {
            self.write_client(&directory, &entry);
        }
    }

    fn write_client(&self, directory: &Path, client: &toml::Table) {
        let file = |member: &str| client.get(member).and_then(toml::Value::as_str);
        if let Some(name) = file("jwks_file") {
            write(directory, name, self.client.jwks().to_string());
        }
        if let Some(name) = file("secret_file") {
            write(directory, name, &self.secret);
        }
    }

    /// The page's text, listening where the world does. The keys of provider and platform are those of the test.
    fn toml(&self, world: &toml::Table) -> String {
        let listen = toml::to_string(&world["listen"]).unwrap();
        let text = replaced(&self.configuration.text, TLS, &format!("[listen]\n{listen}"));
        let text = replaced(&text, ISSUER, self.world.issuer());
        let provider = format!("issuer = \"{PROVIDER}\"");
        let text = replaced(&text, &provider, &format!("{provider}\njwks_file = \"provider.json\""));
        let text = self.with_platform_keys(text);
        let data_dir = toml::Value::from(world["data_dir"].as_str().unwrap());
        let text = replaced(&text, "data_dir = \"data\"", &format!("data_dir = {data_dir}"));
        let text: Vec<&str> = text
            .lines()
            .map(|line| match line.split(' ').next() {
                Some("jwks_uri") => "jwks_file = \"platform.jwks.json\"",
                Some("bundle_endpoint") => "bundle_file = \"platform.bundle.json\"",
                _ => line,
            })
            .collect();
        format!("{}\n\n[keys]\nmaster_key_file = \"master.key\"\n{UNLIMITED}", text.join("\n"))
    }

    /// Pins the keys of platforms whose place the preset knows.
    fn with_platform_keys(&self, text: String) -> String {
        let has_keys =
            |entry: &toml::Table| ["jwks_uri", "jwks_file"].iter().any(|key| entry.contains_key(*key));
        let entries = self.configuration.entries("workload_issuer");
        let issuer = |entry: &toml::Table| Some(format!("= \"{}\"", entry.get("issuer")?.as_str()?));
        let known: Vec<String> = entries.iter().filter(|entry| !has_keys(entry)).filter_map(issuer).collect();
        let with_keys = |line: &str| match known.iter().any(|issuer| line.contains(issuer.as_str())) {
            true => format!("{line}\njwks_file = \"platform.jwks.json\""),
            false => line.to_owned(),
        };
        text.lines().map(with_keys).collect::<Vec<_>>().join("\n")
    }

    /// Sends a request as the caller would.
    pub async fn send(&self, server: &Server, request: &Request) -> Answer {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut post = client.post(format!("{}/token", server.base));
        for (name, value) in &request.headers {
            post = post.header(name, self.filled(request, value.as_str().unwrap()));
        }
        let form: Vec<(&str, String)> =
            request.form.iter().map(|(name, value)| (&**name, self.filled(request, value))).collect();
        let response = post.form(&form).send().await.unwrap();
        let status = response.status().as_u16();
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let retry_after = retry_after.map(ToOwned::to_owned);
        let text = response.text().await.unwrap();
        let json: Value = serde_json::from_str(&text).unwrap_or_default();
        if let Some(token) = json["access_token"].as_str() {
            self.world.witness.saw(token.to_owned());
        }
        Answer { status, retry_after, text, json }
    }

    /// The cause that the audit has for a refusal.
    pub async fn audited_cause(&self, answer: &Answer) -> String {
        let id = answer.json["request_id"].as_str().unwrap();
        let trace = self.world.deputy(&["--json", "audit", "trace", "--request", id]).await;
        let trace: Value = serde_json::from_slice(&trace.stdout).unwrap();
        let rows = trace["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 1, "one refusal, one row: {trace}");
        rows[0]["row"]["cause"].as_str().unwrap().to_owned()
    }

    /// A value with its placeholders filled in.
    fn filled(&self, request: &Request, value: &str) -> String {
        let saw = |token: String| self.world.witness.saw(token);
        let filled = match value {
            "<access token>" => saw(self.access_token(request)),
            "<id token>" => saw(self.id_token(request)),
            "<platform token>" => saw(self.platform_token(request)),
            "<proof>" => saw(self.world.caller_named("").proof(&self.client)),
            "<client assertion>" => saw(self.client_assertion(request)),
            _ => value.replace("<client secret>", &self.secret),
        };
        let basic = STANDARD.encode(format!("{}:{}", self.client_id(), self.secret));
        let filled = filled.replace("<issuer>", self.world.issuer()).replace("<basic>", &basic);
        assert!(!filled.contains('<'), "`{filled}` is not filled in");
        filled
    }

    fn client_id(&self) -> String {
        self.configuration.entries("client")[0]["id"].as_str().unwrap().to_owned()
    }

    /// The user's access token for the resource that the page's first client is.
    fn access_token(&self, request: &Request) -> String {
        let provider = &self.configuration.entries("identity_provider")[0];
        let block = &provider["access_token"].as_array().unwrap()[0];
        let audience = block["audience"].as_str().unwrap().replace(ISSUER, self.world.issuer());
        let claims = json!({
            "iss": PROVIDER, "sub": "alice", "aud": audience, "iat": now() - 30, "exp": now() + 600,
            "client_id": block["authorized_parties"][0].as_str().unwrap(), "azp": "travel-app",
            "scope": "openid profile", "jti": fresh_id(), "auth_time": now() - 60, "amr": ["pwd", "mfa"],
        });
        self.provider.sign_typed("at+jwt", &with(claims, &request.user_token))
    }

    fn id_token(&self, request: &Request) -> String {
        let provider = &self.configuration.entries("identity_provider")[0];
        let audience = provider["relying_party"][0]["client_id"].as_str().unwrap();
        let claims = json!({
            "iss": PROVIDER, "sub": "alice", "aud": audience, "iat": now() - 30, "exp": now() + 600,
            "auth_time": now() - 60, "amr": ["pwd", "mfa"],
        });
        self.provider.sign_typed("JWT", &with(claims, &request.user_token))
    }

    fn platform_token(&self, request: &Request) -> String {
        let issuer = &self.configuration.entries("workload_issuer")[0];
        let header = json!({"alg": "RS256", "kid": self.platform.kid});
        let claims = match issuer.get("issuer").and_then(toml::Value::as_str) {
            Some(issuer) => json!({
                "iss": issuer, "aud": [self.world.issuer()], "iat": now() - 30, "nbf": now() - 30, "exp": now() + 600,
                "jti": fresh_id(),
            }),
            // An SVID has no more.
            None => json!({"aud": [self.world.issuer()], "iat": now() - 30, "exp": now() + 300}),
        };
        self.platform.sign_text(&header.to_string(), &with(claims, &request.platform_token).to_string())
    }

    fn client_assertion(&self, request: &Request) -> String {
        let id = self.client_id();
        let issuer = self.world.issuer().to_owned();
        let audience = if request.assertion_for_endpoint { format!("{issuer}/token") } else { issuer };
        let claims = json!({"iss": id, "sub": id, "aud": audience, "jti": fresh_id(), "iat": now(), "exp": now() + 60});
        self.client.sign_typed("JWT", &claims)
    }
}

/// `claims` with some replaced or added.
fn with(mut claims: Value, other: &Map<String, Value>) -> Value {
    for (name, value) in other {
        claims[name] = value.clone();
    }
    claims
}
