//! `deputy sandbox`: the whole story on this machine, with nothing to install and nothing left behind.
//!
//! A built-in identity provider, Deputy itself from a configuration file, a tickets API, an assistant and
//! an age-verification agent, each on a loopback port of its own and speaking HTTP to the others. Nothing
//! here is reachable from `serve`: only the command line starts it.
//!
//! [`stage`] starts everybody, [`story`], [`handover`], [`job`] and [`drills`] play, [`limits`] tries what Deputy does not
//! prevent,
//! [`evidence`] checks each step against what it should be, and [`narrator`] tells it at the [`pace`] of the viewer.

mod agents;
mod directory;
mod drills;
mod evidence;
mod handover;
mod job;
mod limits;
mod narrator;
mod pace;
mod platform;
mod provider;
mod recap;
mod records;
mod serve;
mod stage;
mod stay;
mod step;
mod story;
mod tickets;
mod user;
mod wire;
mod world;

use std::path::PathBuf;
use std::pin::pin;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use stage::Stage;
use step::Part;

pub use drills::Drill;

/// Alice's, which only the provider and Deputy may read. The sandbox looks for it where it must not be.
pub const BIRTHDATE: &str = "1991-05-17";

#[derive(Clone, Debug, Default)]
pub struct Options {
    /// End after the story and the drills.
    pub once: bool,
    /// One JSON object a step.
    pub json: bool,
    /// Policies of the viewer's own instead of the default set.
    pub policy: Option<PathBuf>,
    /// Wait for the viewer after each step.
    pub steps: bool,
    /// Tell this drill alone, and end. The story is played before it, but not told.
    pub drill: Option<Drill>,
}

/// Plays the story and the drills; without `once` stays up until a signal. Gives whether every step came
/// out as it should.
pub async fn run(options: &Options) -> anyhow::Result<bool> {
    let mut interrupt = signal(SignalKind::interrupt()).context("watch for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("watch for SIGTERM")?;
    let mut hang_up = signal(SignalKind::hangup()).context("watch for the end of the terminal")?;
    let mut interrupted = pin!(async {
        tokio::select! {
            _ = interrupt.recv() => (),
            _ = terminate.recv() => (),
            _ = hang_up.recv() => (),
        }
    });
    let mut stage = tokio::select! {
        stage = Stage::set(options) => stage?,
        () = &mut interrupted => return Ok(false),
    };
    let played = tokio::select! {
        played = play(&mut stage, options) => Some(played),
        () = &mut interrupted => None,
    };
    let stopped = stage.stop_deputy().await;
    let is_whole = played.transpose()?.is_some() || stage.has_played;
    stopped?;
    Ok(is_whole && stage.is_as_it_should_be())
}

async fn play(stage: &mut Stage, options: &Options) -> anyhow::Result<()> {
    if options.drill.is_none() {
        stay::welcome(stage).await;
    }
    let leftovers = story::play(stage).await?;
    let story = if stage.is_quiet { "The story was played without being told" } else { "The story" };
    stage.sum_up(Part::Story, story);
    stage.is_quiet = false;
    match leftovers {
        Some(leftovers) => {
            if options.drill.is_none() {
                handover::play(stage).await?;
                job::play(stage).await?;
                stage.sum_up(Part::Agents, "Agents that bring in others, and act for themselves");
            }
            drills::play(stage, &leftovers, options.drill).await?;
            stage.sum_up(Part::Drill, "The drills");
            if options.drill.is_none() {
                stage.start_deputy().await?;
                limits::play(stage).await?;
            }
        }
        None => stage.narrator.give_up("The story could not go on from here, so the drills were not played."),
    }
    if options.drill.is_some() {
        return Ok(());
    }
    stay::recapitulate(stage);
    if !options.once {
        stay::stay(stage).await?;
    }
    Ok(())
}
