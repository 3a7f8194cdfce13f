//! Sets the stage: every party on a loopback port of its own, Deputy started from the file written for it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;

use super::agents::{self, AgeAgent, Assistant, BOOKING_APP, DeputyClient};
use super::clock::SandboxClock;
use super::deputy::{RunningDeputy, start_deputy};
use super::evidence::Names;
use super::jws::SigningKey;
use super::narrator::Narrator;
use super::platform::{self, Launcher, Platform};
use super::provider::{self, Account, Provider};
use super::records::Records;
use super::serve::{Server, bind, free_address};
use super::step::{Part, Step};
use super::tickets::{self, Tickets};
use super::user::User;
use super::wire::{Tape, Wire};
use super::world::{Cast, Directory, deputy_toml, secret};
use super::{BIRTHDATE, Options};
use crate::base::entropy::{Entropy, SystemEntropy, handle};

/// Everyone and everything.
pub struct Stage {
    /// Tells what happens.
    pub narrator: Narrator,
    /// What was said.
    pub tape: Tape,
    /// Everybody's clock.
    pub clock: Arc<SandboxClock>,
    /// Deputy's issuer identifier.
    pub issuer: String,
    /// Deputy's configuration file.
    pub config: PathBuf,
    /// Deputy's records.
    pub records: Records,
    /// Who is who.
    pub names: Names,
    /// The user.
    pub alice: User,
    /// The assistant.
    pub assistant: Arc<Assistant>,
    /// The age agent.
    pub age_agent: Arc<AgeAgent>,
    /// The couriers' client, for a drill.
    pub couriers: DeputyClient,
    /// The thief's client, for a drill.
    pub newsletter: DeputyClient,
    /// Has instances started.
    pub launcher: Launcher,
    /// The tickets API.
    pub tickets: Arc<Tickets>,
    /// The secret of the client `you`.
    pub your_secret: String,
    /// Where the parties are, for the curl lines.
    pub tickets_url: String,
    /// How many steps were told, and how many things differed, a part.
    told: [(usize, usize); 2],
    /// Whether all was played: who ends the sandbox after that has seen it whole.
    pub has_played: bool,
    deputy: Option<RunningDeputy>,
    entropy: Arc<dyn Entropy>,
    // Dropped in this order: first nobody serves, then the directory goes.
    _servers: Vec<Server>,
    /// The sandbox's directory.
    pub directory: Directory,
}

impl Stage {
    /// Starts everybody.
    ///
    /// # Errors
    /// A port, a file or Deputy's start fails.
    pub async fn set(options: &Options) -> anyhow::Result<Self> {
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::default());
        let clock = Arc::new(SandboxClock::default());
        let directory = Directory::create(&*entropy)?;
        let tape = Tape::default();
        let wire = Wire::new("viewer", &tape)?;
        let mut servers = Vec::new();

        let (public, management) = (free_address(&*entropy)?, free_address(&*entropy)?);
        let issuer = format!("http://{public}");
        let client = |id: &str, name: &'static str| -> anyhow::Result<DeputyClient> {
            let key = SigningKey::generate(&format!("{id}-1"))?;
            directory.write(&format!("{id}.jwks.json"), key.jwks().to_string())?;
            Ok(DeputyClient {
                wire: wire.of(name),
                id: id.to_owned(),
                key,
                issuer: issuer.clone(),
                clock: clock.clone(),
                entropy: entropy.clone(),
            })
        };

        let at_platform = bind()?;
        let platform = Arc::new(Platform::new(&at_platform.url, &issuer, clock.clone(), entropy.clone())?);
        let launcher = Launcher {
            wire: wire.of("age agent"),
            platform: at_platform.url.clone(),
            launch_key: platform.launch_key.clone(),
        };
        servers.push(at_platform.serve(platform::routes(&platform))?);

        let (at_provider, at_assistant, at_tickets, at_age_agent) = (bind()?, bind()?, bind()?, bind()?);
        let alice = User {
            wire: wire.of("Alice"),
            username: "alice".to_owned(),
            password: handle::<12>(&*entropy)?,
            key: SigningKey::generate("alice-1")?,
            provider: at_provider.url.clone(),
        };
        let assistant = Arc::new(Assistant {
            deputy: client("assistant", "assistant")?,
            provider: at_provider.url.clone(),
            own_url: at_assistant.url.clone(),
            tickets: at_tickets.url.clone(),
            age_agent: at_age_agent.url.clone(),
            pending: Mutex::default(),
            id_token: Mutex::default(),
        });
        let account = Account {
            subject: format!("user-{}", handle::<9>(&*entropy)?),
            password: alice.password.clone(),
            birthdate: BIRTHDATE.to_owned(),
            key: alice.key.public_jwk(),
        };
        let provider = Arc::new(Provider::new(
            &at_provider.url,
            SigningKey::generate("provider-1")?,
            HashMap::from([(alice.username.clone(), account)]),
            HashMap::from([(BOOKING_APP.to_owned(), assistant.redirect_uri())]),
            clock.clone(),
            entropy.clone(),
        ));
        let age_agent =
            Arc::new(AgeAgent { deputy: client("age-agent", "age agent")?, launcher: launcher.clone() });
        let tickets_secret = secret(&*entropy)?;
        let tickets = Arc::new(Tickets {
            wire: wire.of("tickets API"),
            issuer: issuer.clone(),
            client_id: "tickets-api".to_owned(),
            client_secret: tickets_secret.clone(),
            clock: clock.clone(),
            keys: Mutex::default(),
        });
        let tickets_url = at_tickets.url.clone();
        servers.push(at_provider.serve(provider::routes(&provider))?);
        servers.push(at_assistant.serve(agents::assistant_routes(&assistant))?);
        servers.push(at_tickets.serve(tickets::routes(&tickets))?);
        servers.push(at_age_agent.serve(agents::age_agent_routes(&age_agent))?);

        let your_secret = secret(&*entropy)?;
        let policy = options.policy.as_ref().map(std::fs::canonicalize).transpose();
        let policy = policy.context("read the policy directory")?;
        let mut master = [0; 32];
        entropy.fill(&mut master)?;
        directory.write("master.key", master)?;
        directory.write("tickets-api.secret", &tickets_secret)?;
        directory.write("you.secret", &your_secret)?;
        let couriers = client("couriers", "courier")?;
        let newsletter = client("newsletter", "newsletter")?;
        let toml = deputy_toml(&Cast {
            public,
            management,
            provider: &provider.issuer,
            platform: &platform.issuer,
            policy: policy.as_deref(),
        });
        let config = directory.write("deputy.toml", toml)?;
        let deputy = start_deputy(&config, clock.clone(), entropy.clone()).await?;

        Ok(Self {
            narrator: Narrator::for_stdout(options.json),
            records: Records::new(&directory.path().join("data"))?,
            names: Names::default(),
            told: [(0, 0); 2],
            has_played: false,
            deputy: Some(deputy),
            _servers: servers,
            tape,
            clock,
            issuer,
            config,
            alice,
            assistant,
            age_agent,
            couriers,
            newsletter,
            launcher,
            tickets,
            your_secret,
            tickets_url,
            entropy,
            directory,
        })
    }

    /// Tells a step, and remembers whether it came out as it should.
    pub fn tell(&mut self, step: Step) {
        let told = &mut self.told[usize::from(step.part == Part::Drill)];
        told.0 += 1;
        told.1 += step.differences().count();
        self.narrator.tell(&step);
    }

    /// Sums a part up.
    pub fn sum_up(&self, part: Part) {
        let (steps, differences) = self.told[usize::from(part == Part::Drill)];
        self.narrator.sum_up(part, steps, differences);
    }

    /// Whether every step came out as it should.
    pub fn is_as_it_should_be(&self) -> bool {
        self.told.iter().all(|(_, differences)| *differences == 0)
    }

    /// Stops Deputy as a signal would.
    pub async fn stop_deputy(&mut self) -> anyhow::Result<()> {
        match self.deputy.take() {
            Some(deputy) => deputy.stop().await,
            None => Ok(()),
        }
    }

    /// Whether Deputy is up.
    pub fn is_deputy_running(&self) -> bool {
        self.deputy.is_some()
    }

    /// Starts Deputy again from the same file.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start_deputy(&mut self) -> anyhow::Result<()> {
        self.deputy = Some(start_deputy(&self.config, self.clock.clone(), self.entropy.clone()).await?);
        Ok(())
    }

    /// A fresh login of Alice's, as the assistant gets it.
    ///
    /// # Errors
    /// The provider refuses.
    pub async fn sign_in(&self, acr_values: &str) -> anyhow::Result<String> {
        let link = self.assistant.login_link(acr_values)?;
        self.alice.sign_in(&link).await?;
        self.tape.take();
        self.assistant.take_id_token().context("the login gave no ID token")
    }
}
