//! Makes the parties of the sandbox and has them serve, each on a loopback port of its own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use openidconnect::{IssuerUrl, RedirectUrl};

use super::super::BIRTHDATE;
use super::super::agents::{self, AgeAgent, Agent, Assistant, BOOKING_APP, BookingApp, Pods};
use super::super::directory::Directory;
use super::super::job;
use super::super::platform::{self, Launcher, Platform};
use super::super::provider::{Account, Host, Provider, jwks};
use super::super::serve::{Server, bind, free_address};
use super::super::tickets::{self, Tickets};
use super::super::user::User;
use super::super::wire::Wire;
use super::SandboxClock;
use crate::base::entropy::{Entropy, handle, uuid_v7};
use crate::base::time::Clock as _;
use crate::jose::{Algorithm, SigningKey};
use crate::policy::BUILTIN_FILES;
use crate::sdk::{Client, Credential, Endpoints};

/// Where the sandbox's own policies are, in its directory.
pub const POLICIES: &str = "policies";

/// What every party is made with.
pub struct Makings {
    /// Deputy's issuer identifier.
    pub issuer: String,
    pub directory: Directory,
    pub wire: Wire,
    /// The one clock of all parties.
    pub clock: Arc<SandboxClock>,
    pub entropy: Arc<dyn Entropy>,
}

/// The parties of the story, the platform aside.
pub struct Parties {
    pub alice: User,
    pub assistant: Arc<Assistant>,
    pub age_agent: Arc<AgeAgent>,
    pub provider: Host,
    pub tickets: Arc<Tickets>,
}

fn new_key() -> anyhow::Result<SigningKey> {
    Ok(SigningKey::generate(Algorithm::ES256)?)
}

impl Makings {
    /// A client with a secret, which is written where Deputy's configuration names it.
    pub fn client_with_secret(&self, id: &str) -> anyhow::Result<Client> {
        let secret = handle::<32>(&*self.entropy)?;
        self.directory.write(&format!("{id}.secret"), &secret)?;
        let (clock, entropy) = (self.clock.clone(), self.entropy.clone());
        let endpoints = Endpoints::of_deputy(&self.issuer);
        Ok(Client::new(&self.issuer, endpoints, id, Credential::Basic(secret.into()), clock, entropy))
    }

    /// The platform, serving, with its keys written where Deputy's configuration names them: what starts agents on it.
    pub fn platform(&self, servers: &mut Vec<Server>) -> anyhow::Result<Pods> {
        let listener = bind()?;
        let mut accounts = HashMap::new();
        for account in ["assistant", agents::ROLE, "courier", job::ROLE] {
            accounts.insert(account, uuid_v7(&*self.entropy, self.clock.now())?);
        }
        let platform = Arc::new(Platform {
            audience: self.issuer.clone(),
            launch_key: handle::<20>(&*self.entropy)?,
            accounts,
            key: new_key()?,
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
        });
        self.directory.write("cluster.jwks.json", jwks([&platform.key]).to_string())?;
        let launcher = Launcher {
            wire: self.wire.clone(),
            platform: listener.url.clone(),
            launch_key: platform.launch_key.clone(),
        };
        servers.push(listener.serve(&platform, platform::routes)?);
        let (clock, entropy) = (self.clock.clone(), self.entropy.clone());
        Ok(Pods { launcher, issuer: self.issuer.clone(), clock, entropy })
    }

    /// The directory of the policies, and whether it is the sandbox's own: with the rules that ship with Deputy, in
    /// files that can be edited while Deputy runs. The viewer's own directory is used as it is.
    pub fn policies(&self, of_viewer: Option<&Path>) -> anyhow::Result<(PathBuf, bool)> {
        if let Some(directory) = of_viewer {
            let directory = std::fs::canonicalize(directory);
            return Ok((directory.context("read the policy directory")?, false));
        }
        let directory = self.directory.make(POLICIES)?;
        for (name, text) in BUILTIN_FILES {
            self.directory.write(&format!("{POLICIES}/{name}"), text)?;
        }
        Ok((directory, true))
    }

    /// The identity provider with its user, the assistant, the age agent and the tickets API, all serving.
    pub async fn parties(&self, pods: &Pods, servers: &mut Vec<Server>) -> anyhow::Result<Parties> {
        let (at_assistant, at_tickets, at_age_agent) = (bind()?, bind()?, bind()?);
        // It is stopped and started again, so nobody else should be given its port meanwhile.
        let at_provider = free_address(&*self.entropy)?;
        let issuer = format!("http://{at_provider}");
        let alice = User {
            wire: self.wire.of("Alice"),
            username: "alice".to_owned(),
            password: handle::<12>(&*self.entropy)?,
            key: new_key()?,
            provider: issuer.clone(),
        };
        let redirect_uri = format!("{}/callback", at_assistant.url);
        let provider = Arc::new(self.provider(&issuer, &alice, &redirect_uri)?);
        let Agent { deputy, pod_token } = pods.start("assistant", "assistant").await?;
        let assistant = Arc::new(Assistant {
            deputy,
            pod_token,
            app: BookingApp {
                wire: self.wire.of("assistant"),
                provider: IssuerUrl::new(issuer)?,
                redirect_uri: RedirectUrl::new(redirect_uri)?,
                clock: self.clock.clone(),
                entropy: self.entropy.clone(),
                pending: Mutex::default(),
                id_token: Mutex::default(),
            },
            tickets: at_tickets.url.clone(),
            age_agent: at_age_agent.url.clone(),
        });
        let age_agent = Arc::new(AgeAgent { pods: pods.clone() });
        let tickets = Arc::new(Tickets {
            wire: self.wire.of("tickets API"),
            deputy: self.client_with_secret("tickets-api")?,
            clock: self.clock.clone(),
            url: at_tickets.url.clone(),
            keys: Mutex::default(),
            proofs: Mutex::default(),
        });
        let provider = Host::start_at(at_provider, provider)?;
        servers.push(at_assistant.serve(&assistant, agents::assistant_routes)?);
        servers.push(at_tickets.serve(&tickets, tickets::routes)?);
        servers.push(at_age_agent.serve(&age_agent, agents::age_agent_routes)?);
        Ok(Parties { alice, assistant, age_agent, provider, tickets })
    }

    /// The identity provider, which knows the user and the booking application.
    fn provider(&self, url: &str, alice: &User, redirect_uri: &str) -> anyhow::Result<Provider> {
        let account = Account {
            subject: format!("user-{}", handle::<9>(&*self.entropy)?),
            password: alice.password.clone(),
            birthdate: BIRTHDATE.to_owned(),
            key: alice.key.public()?,
        };
        let (clock, entropy) = (self.clock.clone(), self.entropy.clone());
        Provider::new(url, (&alice.username, account), (BOOKING_APP, redirect_uri), clock, entropy)
    }
}
