//! Tells the steps: to people ([`human`]), or as one JSON object a step ([`json`]).

pub mod human;
pub mod json;
pub mod shown;

use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use super::step::{Part, Step};
use human::Look;

/// How steps are told on standard output.
#[derive(Clone, Copy, Debug)]
pub enum Narrator {
    Human(Look),
    Json,
}

impl Narrator {
    /// JSON if asked for; else colour and boxes on a terminal, `NO_COLOR` honoured, and plain lines in a pipe.
    pub fn for_stdout(json: bool) -> Self {
        if json {
            return Self::Json;
        }
        let stdout = std::io::stdout();
        let has_colour = anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never;
        Self::Human(Look { has_boxes: stdout.is_terminal(), has_colour })
    }

    pub fn tell(&self, step: &Step) {
        match self {
            Self::Human(look) => print(&human::step(step, *look)),
            Self::Json => print(&format!("{}\n", json::step(step))),
        }
    }

    /// Says something between the steps. Programs are spared it.
    pub fn say(&self, title: &str, lines: &[String]) {
        if let Self::Human(look) = self {
            print(&human::passage(title, lines, *look));
        }
    }

    /// Gives lines to copy, to people.
    pub fn offer(&self, title: &str, lines: &[String]) {
        if let Self::Human(look) = self {
            print(&human::to_copy(title, lines, *look));
        }
    }

    /// Says why something was not played, to people.
    pub fn give_up(&self, why: &str) {
        if let Self::Human(look) = self {
            print(&human::verdict(why, false, *look));
        }
    }

    /// Says how a part went, to people.
    pub fn sum_up(&self, part: Part, steps: usize, differences: usize) {
        let Self::Human(look) = self else { return };
        let name = match part {
            Part::Story => "The story",
            Part::Drill => "The drills",
        };
        let line = match differences {
            0 => format!("{name}: {steps} steps, each came out as it should."),
            1 => format!("{name}: one thing differs from what it should be; see DIFFERS above."),
            n => format!("{name}: {n} things differ from what they should be; see DIFFERS above."),
        };
        print(&human::verdict(&line, differences == 0, *look));
    }
}

/// Whether standard output has been closed from the other end.
static IS_UNHEARD: AtomicBool = AtomicBool::new(false);

/// Whether nobody reads any more (`| head`): nothing to stay up for, though what was begun is ended in order.
pub fn is_unheard() -> bool {
    IS_UNHEARD.load(Ordering::Relaxed)
}

fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    if stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_err() {
        IS_UNHEARD.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
