//! What was told so far: how the steps came out, who was granted what, and which rule refused the rest.

use super::narrator::human::title;
use super::step::{Denial, Granted, Part, Step};

/// What is remembered of the steps.
#[derive(Default)]
pub struct Told {
    counts: Vec<(Part, usize)>,
    granted: Vec<Granted>,
    denied: Vec<(String, Denial)>,
}

impl Told {
    pub fn remember(&mut self, step: &Step) {
        self.counts.push((step.part, step.differences().count()));
        self.granted.extend(step.granted.clone());
        self.denied.extend(step.denial.clone().map(|denial| (title(step), denial)));
    }

    /// How many steps of a part there were, and how many things differed in them.
    pub fn of(&self, part: Part) -> (usize, usize) {
        let counts = self.counts.iter().filter(|(of, _)| *of == part);
        counts.fold((0, 0), |(steps, sum), (_, differences)| (steps + 1, sum + differences))
    }

    /// What each agent was granted, in paragraphs that begin with its name.
    pub fn grants(&self) -> Vec<(Option<&str>, String)> {
        let mut before = "";
        let told = self.granted.iter().map(|granted| {
            let is_same = std::mem::replace(&mut before, &granted.who) == granted.who;
            (Some(if is_same { "" } else { granted.who.as_str() }), granted.what.clone())
        });
        told.collect()
    }

    /// Every refusal with its rule.
    pub fn denials(&self) -> impl Iterator<Item = String> {
        self.denied.iter().map(|(title, denial)| format!("{title}. The rule: {}.", denial.rule))
    }
}
