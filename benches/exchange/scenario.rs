//! What is asked, each time with a token of its own.

use deputy::testing::{Client, Credential, Endpoint, Endpoints, Exchange};
use serde_json::{Value, json};

use super::definition::{WORKLOADS, key_clients, secret_of};
use super::jose::{Key, fresh_id};
use super::process_support::world::PROVIDER;
use super::world::World;

/// Users who sign in.
pub const USERS: usize = 2_000;
/// What `subject_token_type` says of a handover.
const JWT_TYPE: &str = "urn:ietf:params:oauth:token-type:jwt";
/// Agents that are service accounts.
const AGENTS: usize = 500;

/// One kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// An ID token becomes a task token; the client has a secret and is the agent itself.
    HopZeroSecret,
    /// The task token is continued to an access token.
    Continue,
    /// That access token is exchanged onward by its audience, which has a key.
    Onward,
    /// The outcome is introspected by its resource server.
    Introspect,
    /// An ID token and an actor token become an access token; the client has a key, its agents are
    /// service accounts seen before.
    HopZeroAssertion,
    /// The same by an agent never seen before.
    HopZeroNewAgent,
    /// An ID token becomes an access token that is bound to the agent's own key: the credential of its platform is all
    /// that the agent has, beside the proof of that key.
    HopZeroPod,
    /// The same with a credential that the platform has just renewed, so that Deputy has not seen it before.
    HopZeroRenewed,
    /// The task token is handed over to a class of agents.
    Handover,
    /// An agent of that class accepts it for a target, by the credential of its platform and a proof of its key.
    Accept,
    /// The same agent gets a token about itself.
    AgentToken,
}

/// Tokens that one scenario got and another needs.
#[derive(Default)]
pub struct Tokens {
    task: Vec<String>,
    handed_over: Vec<String>,
    onward: Vec<String>,
    tickets: Vec<String>,
}

impl Tokens {
    /// Keeps what a scenario was given.
    pub fn keep(&mut self, scenario: Scenario, bodies: Vec<Vec<u8>>) {
        let kept = match scenario {
            Scenario::HopZeroSecret => &mut self.task,
            Scenario::Continue => &mut self.onward,
            Scenario::Onward => &mut self.tickets,
            Scenario::Handover => &mut self.handed_over,
            _ => return,
        };
        *kept = bodies
            .iter()
            .map(|body| {
                let answer: Value = serde_json::from_slice(body).expect("JSON");
                answer["access_token"].as_str().expect("a token").to_owned()
            })
            .collect();
    }
}

impl Scenario {
    /// In this order, as each needs tokens of those before.
    pub const ALL: [Self; 11] = [
        Self::HopZeroSecret,
        Self::Continue,
        Self::Onward,
        Self::Introspect,
        Self::HopZeroAssertion,
        Self::HopZeroNewAgent,
        Self::HopZeroPod,
        Self::HopZeroRenewed,
        Self::Handover,
        Self::Accept,
        Self::AgentToken,
    ];

    /// One word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::HopZeroSecret => "hop0-secret",
            Self::HopZeroAssertion => "hop0-assertion",
            Self::HopZeroNewAgent => "hop0-new-agent",
            Self::HopZeroPod => "hop0-pod",
            Self::HopZeroRenewed => "hop0-renewed",
            Self::Continue => "hop1-continue",
            Self::Onward => "hop1-onward",
            Self::Introspect => "introspect",
            Self::Handover => "handover",
            Self::Accept => "accept",
            Self::AgentToken => "agent-token",
        }
    }

    /// Whose tokens it needs.
    pub const fn needs(self) -> Option<Self> {
        match self {
            Self::HopZeroSecret | Self::HopZeroAssertion | Self::HopZeroNewAgent => None,
            Self::HopZeroPod | Self::HopZeroRenewed | Self::AgentToken => None,
            Self::Continue | Self::Handover => Some(Self::HopZeroSecret),
            Self::Accept => Some(Self::Handover),
            Self::Onward => Some(Self::Continue),
            Self::Introspect => Some(Self::Onward),
        }
    }

    /// Signatures that a request presents or needs made. A token of Deputy's own counts as verified, although it is only
    /// compared with its record, and so does a platform's credential each time, although it is verified once by each
    /// process, so that the rows can be compared with those of earlier versions. With a renewed credential all three
    /// signatures of a first hop are verified.
    pub const fn signatures(self) -> (u32, u32) {
        match self {
            Self::HopZeroSecret | Self::Continue | Self::Handover => (1, 1),
            Self::Onward | Self::AgentToken => (2, 1),
            Self::HopZeroAssertion | Self::HopZeroNewAgent => (3, 1),
            Self::HopZeroPod | Self::HopZeroRenewed | Self::Accept => (3, 1),
            Self::Introspect => (1, 0),
        }
    }

    /// What has to be in every answer.
    pub const fn expected(self) -> &'static [u8] {
        match self {
            Self::Introspect => b"\"active\":true",
            _ => b"\"access_token\":",
        }
    }

    /// `count` requests, ready to be sent.
    pub fn requests(self, world: &World, tokens: &Tokens, count: usize) -> Vec<Vec<u8>> {
        let signer = Signer { world, now: now() };
        let pods: Vec<Pod> = match self {
            Self::HopZeroPod | Self::HopZeroRenewed | Self::Accept | Self::AgentToken => {
                (0..AGENTS).map(|_| signer.pod()).collect()
            }
            _ => Vec::new(),
        };
        (0..count)
            .map(|number| match self {
                Self::HopZeroSecret => {
                    let id_token = signer.id_token(number);
                    let exchange = Exchange::of_id_token(&id_token)
                        .audience(world.issuer())
                        .scope("tickets:search tickets:book")
                        .with("purpose", "a trip to Lisbon in May");
                    signer.token("basic-app", &exchange)
                }
                Self::Continue => signer.token(
                    "basic-app",
                    &Exchange::of_access_token(&tokens.task[number])
                        .audience("agent-b")
                        .scope("tickets:search"),
                ),
                Self::Onward => signer.token(
                    "agent-b",
                    &Exchange::of_access_token(&tokens.onward[number])
                        .audience("tickets")
                        .scope("tickets:search"),
                ),
                Self::Introspect => {
                    let params = [("token", tokens.tickets[number].as_str())];
                    signer.request("tickets-api", Endpoint::Introspection, &params)
                }
                Self::HopZeroAssertion => signer.by_assistant(number, &signer.planner(number)),
                Self::HopZeroNewAgent => signer.by_assistant(number, &signer.instance()),
                Self::HopZeroPod => {
                    let id_token = signer.id_token(number);
                    let exchange =
                        Exchange::of_id_token(&id_token).audience("tickets").scope("tickets:search");
                    signer.by_pod(&pods[number % pods.len()], exchange.params())
                }
                Self::HopZeroRenewed => {
                    let id_token = signer.id_token(number);
                    let exchange =
                        Exchange::of_id_token(&id_token).audience("tickets").scope("tickets:search");
                    let pod = &pods[number % pods.len()];
                    signer.by_pod_with(pod, &signer.credential(&pod.instance), exchange.params())
                }
                Self::Handover => signer.token(
                    "basic-app",
                    &Exchange::of_access_token(&tokens.task[number])
                        .audience(world.issuer())
                        .scope("tickets:search")
                        .with("requested_actor", "class:courier"),
                ),
                Self::Accept => {
                    let exchange = Exchange::of(&tokens.handed_over[number], JWT_TYPE);
                    let exchange = exchange.audience("tickets").scope("tickets:search");
                    signer.by_pod(&pods[number % pods.len()], exchange.params())
                }
                Self::AgentToken => {
                    let params = [
                        ("grant_type", "client_credentials"),
                        ("audience", "tickets"),
                        ("scope", "tickets:search"),
                    ];
                    signer.by_pod(&pods[number % pods.len()], &params)
                }
            })
            .collect()
    }
}

/// An agent that has nothing but the credential of its platform and a key that it made.
struct Pod {
    instance: String,
    credential: String,
    key: Key,
}

/// Signs what the parties around Deputy sign.
struct Signer<'a> {
    world: &'a World,
    now: i64,
}

impl Signer<'_> {
    /// What a provider says of a user who signed in with a security key half a minute ago.
    fn id_token(&self, number: usize) -> String {
        let now = self.now;
        self.world.sign(
            "provider",
            &json!({
                "iss": PROVIDER, "sub": format!("user-{:05}", number % USERS), "aud": "booking-app",
                "iat": now - 10, "exp": now + 600, "auth_time": now - 30, "acr": "phr",
                "amr": ["pwd", "hwk", "mfa"], "sid": fresh_id(), "nonce": fresh_id(), "groups": ["staff", "travel"],
            }),
        )
    }

    fn assertion(&self, client: &str) -> String {
        let claims = json!({
            "iss": client, "sub": client, "aud": self.world.issuer(), "iat": self.now, "exp": self.now + 300,
            "jti": fresh_id(),
        });
        self.world.sign(client, &claims)
    }

    fn planner(&self, number: usize) -> String {
        let stable = format!("planner-{:04}", number % AGENTS);
        self.workload(&json!({ "sub": stable, "kind": "planner" }))
    }

    fn instance(&self) -> String {
        self.workload(&json!({ "sub": "age-agent", "kind": "age", "instance": fresh_id() }))
    }

    fn workload(&self, of: &Value) -> String {
        let mut claims = json!({
            "iss": WORKLOADS, "aud": self.world.issuer(), "iat": self.now - 5, "exp": self.now + 600, "jti": fresh_id(),
        });
        claims.as_object_mut().unwrap().extend(of.as_object().unwrap().clone());
        self.world.sign("workloads", &claims)
    }

    fn by_assistant(&self, number: usize, actor: &str) -> Vec<u8> {
        let id_token = self.id_token(number);
        let exchange = Exchange::of_id_token(&id_token).audience("tickets").scope("tickets:search");
        self.token("assistant", &exchange.actor(actor))
    }

    fn pod(&self) -> Pod {
        let instance = fresh_id();
        Pod { credential: self.credential(&instance), instance, key: Key::new("pod") }
    }

    /// What the platform says of a pod, with a new `jti` each time.
    fn credential(&self, instance: &str) -> String {
        self.workload(&json!({ "sub": "courier", "kind": "courier", "instance": instance }))
    }

    fn by_pod(&self, pod: &Pod, params: &[(&str, &str)]) -> Vec<u8> {
        self.by_pod_with(pod, &pod.credential, params)
    }

    fn by_pod_with(&self, pod: &Pod, credential: &str, params: &[(&str, &str)]) -> Vec<u8> {
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": pod.key.jwk() });
        let claims = json!({
            "jti": fresh_id(), "htm": "POST", "htu": format!("{}/token", self.world.issuer()), "iat": self.now,
        });
        let proof = pod.key.sign_text(&header.to_string(), &claims.to_string());
        let credential = Credential::Platform(credential.into());
        self.bytes("couriers", credential, Endpoint::Token, params, Some(&proof))
    }

    fn token(&self, client: &str, exchange: &Exchange<'_>) -> Vec<u8> {
        self.request(client, Endpoint::Token, exchange.params())
    }

    /// The whole HTTP/1.1 request of a client that has a key in this world, or else the secret.
    fn request(&self, client: &str, endpoint: Endpoint, params: &[(&str, &str)]) -> Vec<u8> {
        let credential = match key_clients().contains(&client) {
            true => Credential::Assertion(self.assertion(client).into()),
            false => Credential::Basic(secret_of(client).into()),
        };
        self.bytes(client, credential, endpoint, params, None)
    }

    fn bytes(
        &self,
        client: &str,
        credential: Credential,
        endpoint: Endpoint,
        params: &[(&str, &str)],
        proof: Option<&str>,
    ) -> Vec<u8> {
        let issuer = self.world.issuer();
        let client = Client::of_system(issuer, Endpoints::of_deputy(issuer), client, credential);
        let request = client.request(endpoint, params).expect("a request");
        let body = request.body().and_then(reqwest::Body::as_bytes).expect("a form");
        let mut bytes = format!("POST {} HTTP/1.1\r\nHost: {}\r\n", request.url().path(), self.world.address)
            .into_bytes();
        for (name, value) in request.headers() {
            bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        if let Some(proof) = proof {
            bytes.extend(format!("DPoP: {proof}\r\n").into_bytes());
        }
        bytes.extend(format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes());
        bytes.extend_from_slice(body);
        bytes
    }
}

#[expect(clippy::disallowed_methods, reason = "the parties around Deputy have a clock of their own")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}
