//! Sets the stage: every party on a loopback port of its own, Deputy started from the file written for it.

mod parties;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;

use super::Options;
use super::agents::{AgeAgent, Assistant, DeputyClient};
use super::clock::SandboxClock;
use super::deputy::{RunningDeputy, start_deputy};
use super::evidence::Names;
use super::narrator::Narrator;
use super::platform::Launcher;
use super::records::Records;
use super::serve::{Server, free_address};
use super::step::{Part, Step};
use super::tickets::Tickets;
use super::user::User;
use super::wire::{Tape, Wire};
use super::world::{Cast, Directory, deputy_toml, secret};
use crate::base::entropy::{Entropy, SystemEntropy};
use parties::Makings;

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
        let tape = Tape::default();
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::default());
        let (public, management) = (free_address(&*entropy)?, free_address(&*entropy)?);
        let makings = Makings {
            issuer: format!("http://{public}"),
            directory: Directory::create(&*entropy)?,
            wire: Wire::new("viewer", &tape)?,
            clock: Arc::new(SandboxClock::default()),
            entropy,
        };
        let mut servers = Vec::new();
        let (launcher, platform) = makings.platform(&mut servers)?;
        let parties = makings.parties(&launcher, &mut servers)?;
        let your_secret = secret(&*makings.entropy)?;
        let couriers = makings.client("couriers", "courier")?;
        let newsletter = makings.client("newsletter", "newsletter")?;

        let policy = options.policy.as_ref().map(std::fs::canonicalize).transpose();
        let policy = policy.context("read the policy directory")?;
        let toml = deputy_toml(&Cast {
            public,
            management,
            provider: &parties.provider,
            platform: &platform,
            policy: policy.as_deref(),
        });
        makings.write_secrets(&parties.tickets.client_secret, &your_secret)?;
        let Makings { issuer, directory, clock, entropy, .. } = makings;
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
            alice: parties.alice,
            assistant: parties.assistant,
            age_agent: parties.age_agent,
            couriers,
            newsletter,
            launcher,
            tickets: parties.tickets,
            your_secret,
            tickets_url: parties.tickets_url,
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
