//! Sets the stage: every party on a loopback port of its own, Deputy started from the file written for it.

mod clock;
mod parties;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use super::Options;
use super::agents::{AgeAgent, Assistant, Pods};
use super::directory::Directory;
use super::evidence::Names;
use super::narrator::Narrator;
use super::pace::Pace;
use super::provider::Host;
use super::recap::Told;
use super::records::Records;
use super::serve::{self, free_address};
use super::step::{Part, Step};
use super::tickets::Tickets;
use super::user::User;
use super::wire::{Tape, Wire};
use super::world::deputy_toml;
use crate::base::entropy::{Entropy, SystemEntropy};
use crate::base::time::SystemClock;
use crate::config::Config;
use crate::sdk::Client;
use crate::server::{Server, Surroundings};
pub use clock::SandboxClock;
use parties::Makings;
pub use parties::POLICIES;

pub struct Stage {
    pub narrator: Narrator,
    pace: Pace,
    /// Whether steps that came out as they should are not told.
    pub is_quiet: bool,
    pub tape: Tape,
    pub clock: Arc<SandboxClock>,
    /// Deputy's issuer identifier.
    pub issuer: String,
    config: PathBuf,
    pub records: Records,
    pub names: Names,
    pub alice: User,
    pub assistant: Arc<Assistant>,
    pub age_agent: Arc<AgeAgent>,
    /// The viewer's client, for the curl lines.
    pub you: Client,
    /// What starts agents.
    pub pods: Pods,
    /// The identity provider, which a drill stops.
    pub provider: Host,
    /// The tickets API, which is asked what it would believe.
    pub tickets: Arc<Tickets>,
    /// The directory of the policies, if it is the sandbox's own.
    pub policies: Option<PathBuf>,
    /// What was told so far.
    pub told: Told,
    /// Whether all was played: who ends the sandbox after that has seen it whole.
    pub has_played: bool,
    deputy: Option<Server>,
    entropy: Arc<dyn Entropy>,
    // Dropped in this order: first nobody serves, then the directory goes.
    _servers: Vec<serve::Server>,
    pub directory: Directory,
}

impl Stage {
    pub async fn set(options: &Options) -> anyhow::Result<Self> {
        let tape = Tape::default();
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::default());
        let (public, management) = (free_address(&*entropy)?, free_address(&*entropy)?);
        let makings = Makings {
            issuer: format!("http://{public}"),
            directory: Directory::create(&*entropy)?,
            wire: Wire::new("viewer", &tape)?,
            clock: Arc::new(SandboxClock::new(Arc::new(SystemClock))),
            entropy,
        };
        let mut servers = Vec::new();
        let pods = makings.platform(&mut servers)?;
        let parties = makings.parties(&pods, &mut servers).await?;
        let you = makings.client_with_secret("you")?;

        let (policies, is_own) = makings.policies(options.policy.as_deref())?;
        let named = if is_own { Path::new(POLICIES) } else { &policies };
        let toml = deputy_toml([public, management], &parties.alice.provider, named);
        let Makings { issuer, directory, clock, entropy, .. } = makings;
        let mut master = [0; 32];
        entropy.fill(&mut master)?;
        directory.write("master.key", master)?;

        let mut stage = Self {
            narrator: Narrator::for_stdout(options.json),
            pace: if options.steps { Pace::on_enter() } else { Pace::Through },
            is_quiet: options.drill.is_some(),
            records: Records::new(&directory.path().join("data"), policies.clone())?,
            names: Names::default(),
            told: Told::default(),
            policies: is_own.then_some(policies),
            has_played: false,
            deputy: None,
            _servers: servers,
            tape,
            clock,
            issuer,
            config: directory.write("deputy.toml", toml)?,
            alice: parties.alice,
            assistant: parties.assistant,
            age_agent: parties.age_agent,
            you,
            pods,
            provider: parties.provider,
            tickets: parties.tickets,
            entropy,
            directory,
        };
        stage.start_deputy().await?;
        Ok(stage)
    }

    /// Tells a step, remembers how it came out, and waits until the viewer wants the next one. Meanwhile the time of
    /// the sandbox stands still, so that no token ends because somebody reads slowly.
    pub async fn tell(&mut self, step: Step) {
        let is_told = !self.is_quiet || step.differences().next().is_some();
        self.told.remember(&step);
        if !is_told {
            return;
        }
        self.narrator.tell(&step);
        self.wait().await;
    }

    /// Waits until the viewer wants to go on.
    pub async fn wait(&mut self) {
        if !self.pace.waits() {
            return;
        }
        self.narrator.prompt("-- Enter goes on, \"a\" and Enter goes on to the end, Ctrl-C ends.");
        self.clock.stop();
        self.pace.next().await;
        self.clock.go_on();
    }

    /// Says how a part went, under this name.
    pub fn sum_up(&self, part: Part, name: &str) {
        let (steps, differences) = self.told.of(part);
        self.narrator.sum_up(name, steps, differences);
    }

    /// Whether every step came out as it should.
    pub fn is_as_it_should_be(&self) -> bool {
        Part::ALL.into_iter().all(|part| self.told.of(part).1 == 0)
    }

    /// Starts Deputy from its configuration file, with the sandbox's clock, unless it is running. The `DEPUTY_…`
    /// variables of this process belong to another Deputy and are not read.
    pub async fn start_deputy(&mut self) -> anyhow::Result<()> {
        if self.deputy.is_none() {
            let surroundings = Surroundings { clock: self.clock.clone(), entropy: self.entropy.clone() };
            self.deputy = Some(Server::start(Config::load(&self.config, [])?, surroundings).await?);
        }
        Ok(())
    }

    /// Stops Deputy as a signal would: it answers what is under way, writes what waits, and closes the database.
    pub async fn stop_deputy(&mut self) -> anyhow::Result<()> {
        match self.deputy.take() {
            Some(deputy) => Ok(deputy.stop().await?),
            None => Ok(()),
        }
    }

    /// A fresh login of Alice's, as the booking application gets it.
    pub async fn sign_in(&self, acr_values: &str) -> anyhow::Result<String> {
        let link = self.assistant.app.login_link(acr_values).await?;
        self.alice.sign_in(&link).await?;
        self.tape.take();
        self.assistant.app.take_id_token().context("the login gave no ID token")
    }
}
