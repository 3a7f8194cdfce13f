//! Makes the parties of the sandbox and has them serve, each on a loopback port of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::super::BIRTHDATE;
use super::super::agents::{self, AgeAgent, Assistant, BOOKING_APP, DeputyClient};
use super::super::clock::SandboxClock;
use super::super::jws::SigningKey;
use super::super::platform::{self, Launcher, Platform};
use super::super::provider::{self, Account, Provider};
use super::super::serve::{Server, bind};
use super::super::tickets::{self, Tickets};
use super::super::user::User;
use super::super::wire::Wire;
use super::super::world::{Directory, secret};
use crate::base::entropy::{Entropy, handle};

/// What every party is made with.
pub struct Makings {
    /// Deputy's issuer identifier.
    pub issuer: String,
    /// The sandbox's directory.
    pub directory: Directory,
    /// Sends and records requests.
    pub wire: Wire,
    /// Everybody's clock.
    pub clock: Arc<SandboxClock>,
    /// Everybody's random bytes.
    pub entropy: Arc<dyn Entropy>,
}

/// The parties of the story, the platform aside.
pub struct Parties {
    /// The issuer identifier of the identity provider.
    pub provider: String,
    /// The user.
    pub alice: User,
    /// The assistant.
    pub assistant: Arc<Assistant>,
    /// The age agent.
    pub age_agent: Arc<AgeAgent>,
    /// The tickets API.
    pub tickets: Arc<Tickets>,
    /// Where the tickets API serves.
    pub tickets_url: String,
}

impl Makings {
    /// A client with a key of its own, whose public part is written where Deputy's configuration names it.
    ///
    /// # Errors
    /// The key cannot be made or written.
    pub fn client(&self, id: &str, name: &'static str) -> anyhow::Result<DeputyClient> {
        let key = SigningKey::generate(&format!("{id}-1"))?;
        self.directory.write(&format!("{id}.jwks.json"), key.jwks().to_string())?;
        Ok(DeputyClient {
            wire: self.wire.of(name),
            id: id.to_owned(),
            key,
            issuer: self.issuer.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
        })
    }

    /// The platform, serving: what has its instances started, and its issuer identifier.
    ///
    /// # Errors
    /// A key cannot be made, or no port is free.
    pub fn platform(&self, servers: &mut Vec<Server>) -> anyhow::Result<(Launcher, String)> {
        let listener = bind()?;
        let (clock, entropy) = (self.clock.clone(), self.entropy.clone());
        let platform = Arc::new(Platform::new(&listener.url, &self.issuer, clock, entropy)?);
        let launcher = Launcher {
            wire: self.wire.of("age agent"),
            platform: listener.url.clone(),
            launch_key: platform.launch_key.clone(),
        };
        servers.push(listener.serve(platform::routes(&platform))?);
        Ok((launcher, platform.issuer.clone()))
    }

    /// The identity provider with its user, the assistant, the age agent and the tickets API, all serving.
    ///
    /// # Errors
    /// A key cannot be made or written, or no port is free.
    pub fn parties(&self, launcher: &Launcher, servers: &mut Vec<Server>) -> anyhow::Result<Parties> {
        let (at_provider, at_assistant, at_tickets, at_age_agent) = (bind()?, bind()?, bind()?, bind()?);
        let alice = User {
            wire: self.wire.of("Alice"),
            username: "alice".to_owned(),
            password: handle::<12>(&*self.entropy)?,
            key: SigningKey::generate("alice-1")?,
            provider: at_provider.url.clone(),
        };
        let assistant = Arc::new(Assistant {
            deputy: self.client("assistant", "assistant")?,
            provider: at_provider.url.clone(),
            own_url: at_assistant.url.clone(),
            tickets: at_tickets.url.clone(),
            age_agent: at_age_agent.url.clone(),
            pending: Mutex::default(),
            id_token: Mutex::default(),
        });
        let provider = Arc::new(self.provider(&at_provider.url, &alice, &assistant)?);
        let age_agent =
            Arc::new(AgeAgent { deputy: self.client("age-agent", "age agent")?, launcher: launcher.clone() });
        let tickets = Arc::new(Tickets {
            wire: self.wire.of("tickets API"),
            issuer: self.issuer.clone(),
            client_id: "tickets-api".to_owned(),
            client_secret: secret(&*self.entropy)?,
            clock: self.clock.clone(),
            keys: Mutex::default(),
        });
        let tickets_url = at_tickets.url.clone();
        servers.push(at_provider.serve(provider::routes(&provider))?);
        servers.push(at_assistant.serve(agents::assistant_routes(&assistant))?);
        servers.push(at_tickets.serve(tickets::routes(&tickets))?);
        servers.push(at_age_agent.serve(agents::age_agent_routes(&age_agent))?);
        Ok(Parties { provider: provider.issuer.clone(), alice, assistant, age_agent, tickets, tickets_url })
    }

    /// The identity provider, which knows the user and the assistant.
    fn provider(&self, url: &str, alice: &User, assistant: &Assistant) -> anyhow::Result<Provider> {
        let account = Account {
            subject: format!("user-{}", handle::<9>(&*self.entropy)?),
            password: alice.password.clone(),
            birthdate: BIRTHDATE.to_owned(),
            key: alice.key.public_jwk(),
        };
        Ok(Provider::new(
            url,
            SigningKey::generate("provider-1")?,
            HashMap::from([(alice.username.clone(), account)]),
            HashMap::from([(BOOKING_APP.to_owned(), assistant.redirect_uri())]),
            self.clock.clone(),
            self.entropy.clone(),
        ))
    }

    /// Writes Deputy's master key, and the secrets of the clients that have one.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write_secrets(&self, tickets: &str, yours: &str) -> anyhow::Result<()> {
        let mut master = [0; 32];
        self.entropy.fill(&mut master)?;
        self.directory.write("master.key", master)?;
        self.directory.write("tickets-api.secret", tickets)?;
        self.directory.write("you.secret", yours)?;
        Ok(())
    }
}
