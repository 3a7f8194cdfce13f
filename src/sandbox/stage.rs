//! Sets the stage: every party on a loopback port of its own, Deputy started from the file written for it.

mod parties;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::Context as _;

use super::Options;
use super::agents::{AgeAgent, Assistant, Pods};
use super::evidence::Names;
use super::narrator::Narrator;
use super::records::Records;
use super::serve::{self, free_address};
use super::step::{Part, Step};
use super::user::User;
use super::wire::{Tape, Wire};
use super::world::{Directory, deputy_toml};
use crate::base::entropy::{Entropy, SystemEntropy};
use crate::base::time::{Clock, Lifetime, SystemClock, Timestamp};
use crate::config::Config;
use crate::sdk::Client;
use crate::server::{Server, Surroundings};
use parties::Makings;

/// One clock for all parties: the system's clock, advanced by the time that the drills let pass.
#[derive(Debug, Default)]
pub struct SandboxClock {
    system: SystemClock,
    ahead_millis: AtomicI64,
}

impl SandboxClock {
    /// Lets time pass for everyone at once.
    pub fn advance(&self, by: Lifetime) {
        self.ahead_millis.fetch_add(by.millis(), Ordering::SeqCst);
    }
}

impl Clock for SandboxClock {
    fn now(&self) -> Timestamp {
        let now = self.system.now();
        Timestamp::from_millis(now.millis().saturating_add(self.ahead_millis.load(Ordering::SeqCst)))
    }
}

pub struct Stage {
    pub narrator: Narrator,
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
    /// Where the tickets API is, for the curl lines.
    pub tickets_url: String,
    /// How many steps were told, and how many things differed, in each part.
    told: [(usize, usize); 2],
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
            clock: Arc::new(SandboxClock::default()),
            entropy,
        };
        let mut servers = Vec::new();
        let pods = makings.platform(&mut servers)?;
        let parties = makings.parties(&pods, &mut servers).await?;
        let you = makings.client_with_secret("you")?;

        let policy = options.policy.as_ref().map(std::fs::canonicalize).transpose();
        let policy = policy.context("read the policy directory")?;
        let toml = deputy_toml([public, management], &parties.alice.provider, policy.as_deref());
        let Makings { issuer, directory, clock, entropy, .. } = makings;
        let mut master = [0; 32];
        entropy.fill(&mut master)?;
        directory.write("master.key", master)?;

        let mut stage = Self {
            narrator: Narrator::for_stdout(options.json),
            records: Records::new(&directory.path().join("data"))?,
            names: Names::default(),
            told: [(0, 0); 2],
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
            tickets_url: parties.tickets_url,
            entropy,
            directory,
        };
        stage.start_deputy().await?;
        Ok(stage)
    }

    /// Tells a step, and remembers whether it came out as it should.
    pub fn tell(&mut self, step: Step) {
        let told = &mut self.told[usize::from(step.part == Part::Drill)];
        told.0 += 1;
        told.1 += step.differences().count();
        self.narrator.tell(&step);
    }

    pub fn sum_up(&self, part: Part) {
        let (steps, differences) = self.told[usize::from(part == Part::Drill)];
        self.narrator.sum_up(part, steps, differences);
    }

    /// Whether every step came out as it should.
    pub fn is_as_it_should_be(&self) -> bool {
        self.told.iter().all(|(_, differences)| *differences == 0)
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
