//! Makes the parties of the sandbox and has them serve, each on a loopback port of its own.

use std::sync::{Arc, Mutex};

use openidconnect::{IssuerUrl, RedirectUrl};

use super::super::BIRTHDATE;
use super::super::agents::{self, AgeAgent, Assistant, BOOKING_APP, BookingApp, DeputyClient};
use super::super::platform::{self, Launcher, Platform};
use super::super::provider::{self, Account, Provider, jwks};
use super::super::serve::{Server, bind};
use super::super::tickets::{self, Tickets};
use super::super::user::User;
use super::super::wire::Wire;
use super::super::world::Directory;
use super::SandboxClock;
use crate::base::entropy::{Entropy, handle};
use crate::jose::{Algorithm, SigningKey};
use crate::sdk::{Client, Credential, Endpoints};

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
    /// Where the tickets API serves.
    pub tickets_url: String,
}

fn new_key() -> anyhow::Result<SigningKey> {
    Ok(SigningKey::generate(Algorithm::ES256)?)
}

impl Makings {
    /// A client with a key of its own, whose public part is written where Deputy's configuration names it.
    pub fn client(&self, id: &str, name: &'static str) -> anyhow::Result<DeputyClient> {
        let key = new_key()?;
        self.directory.write(&format!("{id}.jwks.json"), jwks(&key).to_string())?;
        Ok(DeputyClient { wire: self.wire.of(name), client: self.at_deputy(id, Credential::Key(key.into())) })
    }

    /// A client with a secret, which is written where Deputy's configuration names it.
    pub fn client_with_secret(&self, id: &str) -> anyhow::Result<Client> {
        let secret = handle::<32>(&*self.entropy)?;
        self.directory.write(&format!("{id}.secret"), &secret)?;
        Ok(self.at_deputy(id, Credential::Basic(secret.into())))
    }

    fn at_deputy(&self, id: &str, credential: Credential) -> Client {
        let (clock, entropy) = (self.clock.clone(), self.entropy.clone());
        Client::new(&self.issuer, Endpoints::of_deputy(&self.issuer), id, credential, clock, entropy)
    }

    /// The platform, serving: what has its instances started, and its issuer identifier.
    pub fn platform(&self, servers: &mut Vec<Server>) -> anyhow::Result<(Launcher, String)> {
        let listener = bind()?;
        let platform = Arc::new(Platform {
            issuer: listener.url.clone(),
            audience: self.issuer.clone(),
            launch_key: handle::<20>(&*self.entropy)?,
            key: new_key()?,
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
        });
        let launcher = Launcher {
            wire: self.wire.of("age agent"),
            platform: listener.url.clone(),
            launch_key: platform.launch_key.clone(),
        };
        servers.push(listener.serve(&platform, platform::routes)?);
        Ok((launcher, platform.issuer.clone()))
    }

    /// The identity provider with its user, the assistant, the age agent and the tickets API, all serving.
    pub fn parties(&self, launcher: &Launcher, servers: &mut Vec<Server>) -> anyhow::Result<Parties> {
        let (at_provider, at_assistant, at_tickets, at_age_agent) = (bind()?, bind()?, bind()?, bind()?);
        let alice = User {
            wire: self.wire.of("Alice"),
            username: "alice".to_owned(),
            password: handle::<12>(&*self.entropy)?,
            key: new_key()?,
            provider: at_provider.url.clone(),
        };
        let redirect_uri = format!("{}/callback", at_assistant.url);
        let provider = Arc::new(self.provider(&at_provider.url, &alice, &redirect_uri)?);
        let assistant = Arc::new(Assistant {
            deputy: self.client("assistant", "assistant")?,
            app: BookingApp {
                wire: self.wire.of("assistant"),
                provider: IssuerUrl::new(at_provider.url.clone())?,
                redirect_uri: RedirectUrl::new(redirect_uri)?,
                clock: self.clock.clone(),
                entropy: self.entropy.clone(),
                pending: Mutex::default(),
                id_token: Mutex::default(),
            },
            tickets: at_tickets.url.clone(),
            age_agent: at_age_agent.url.clone(),
        });
        let age_agent =
            Arc::new(AgeAgent { deputy: self.client("age-agent", "age agent")?, launcher: launcher.clone() });
        let tickets = Arc::new(Tickets {
            wire: self.wire.of("tickets API"),
            deputy: self.client_with_secret("tickets-api")?,
            clock: self.clock.clone(),
            keys: Mutex::default(),
        });
        let tickets_url = at_tickets.url.clone();
        servers.push(at_provider.serve(&provider, provider::routes)?);
        servers.push(at_assistant.serve(&assistant, agents::assistant_routes)?);
        servers.push(at_tickets.serve(&tickets, tickets::routes)?);
        servers.push(at_age_agent.serve(&age_agent, agents::age_agent_routes)?);
        Ok(Parties { alice, assistant, age_agent, tickets_url })
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
