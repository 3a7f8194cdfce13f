//! Tells the steps: to people ([`human`]), or as one JSON object a step ([`json`]).

pub mod human;
pub mod json;
mod layout;
pub mod look;
pub mod shown;

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

use super::step::Step;
use human::Offer;
use look::Look;

/// How steps are told on standard output.
#[derive(Clone, Copy, Debug)]
pub enum Narrator {
    Human(Look),
    Json,
}

impl Narrator {
    /// JSON if asked for; else lines as wide as standard output is, with colour where it takes it.
    pub fn for_stdout(json: bool) -> Self {
        if json { Self::Json } else { Self::Human(Look::of_stdout()) }
    }

    pub fn tell(&self, step: &Step) {
        match self {
            Self::Human(look) => print(&human::step(step, *look)),
            Self::Json => print(&format!("{}\n", json::step(step))),
        }
    }

    /// Says something between the steps. Programs are spared it.
    pub fn say(&self, title: &str, paragraphs: &[(Option<&str>, String)]) {
        if let Self::Human(look) = self {
            print(&human::passage(title, paragraphs, *look));
        }
    }

    /// Gives commands to copy, to people.
    pub fn offer(&self, title: &str, offers: &[Offer]) {
        if let Self::Human(look) = self {
            print(&human::to_copy(title, offers, *look));
        }
    }

    /// Says how the next step is reached, to people.
    pub fn prompt(&self, text: &str) {
        if let Self::Human(look) = self {
            print(&human::prompt(text, *look));
        }
    }

    /// Says why something was not played, to people.
    pub fn give_up(&self, why: &str) {
        if let Self::Human(look) = self {
            print(&human::verdict(why, false, *look));
        }
    }

    /// Says how a part went, to people.
    pub fn sum_up(&self, name: &str, steps: usize, differences: usize) {
        let Self::Human(look) = self else { return };
        let steps = if steps == 1 { "1 step".to_owned() } else { format!("{steps} steps") };
        let line = match differences {
            0 => format!("{name}: {steps}; everything came out as it should."),
            1 => format!("{name}: {steps}; one thing differs from what it should be; see DIFFERS above."),
            n => format!("{name}: {steps}; {n} things differ from what they should be; see DIFFERS above."),
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
