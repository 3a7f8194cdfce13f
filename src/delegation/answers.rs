//! Yes/no claims: a question over a verified claim, answered without the claim.
//!
//! The claim is read at hop 0 and never leaves that call. What is kept is a [`SealedAnswer`]: the
//! boolean and until when it holds. `valid_until` is the next midnight for false and the task's end for
//! true, so that it does not reveal the day on which a false becomes true.

mod birthdate;

use std::fmt;

use serde_json::Value;

use crate::base::time::Timestamp;
use crate::registry::{AnswerRule, Question, Zone};

pub use birthdate::Birthdate;

/// Why there is no answer. It has only what may be logged, and does not distinguish a missing date from a partial one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The claim is missing, or does not settle the question.
    Unavailable,
    /// The claim has a form that OpenID Connect Core §5.1 does not define.
    Invalid,
}

/// One of three values: unknown is expressed by absence, never by false. `Debug` does not show which.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Yes; it stays yes.
    True,
    /// No, today.
    False,
    Unknown(Unknown),
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer(…)")
    }
}

impl From<bool> for Answer {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

/// Answers `question` on the civil day that `now` is in `zone`.
///
/// `claim` is the claim the question is over. `providers_own` is the claim named like the scope: where
/// the question is over a date and the provider answers it itself with a boolean, that is taken and no
/// date is looked at (YNC-14); of any other type it says nothing.
pub fn answer(
    question: &Question,
    claim: Option<&Value>,
    providers_own: Option<&Value>,
    zone: &Zone,
    now: Timestamp,
) -> Answer {
    match question {
        Question::AtLeastYears { years, leap_day } => {
            if let Some(Value::Bool(own)) = providers_own {
                return Answer::from(*own);
            }
            // The day in the question's zone: never the server's own zone, never one that the user names.
            let Some(today) = now.zoned(&zone.0).map(|here| here.date()) else {
                return Answer::Unknown(Unknown::Unavailable);
            };
            match Birthdate::parse(claim, today) {
                Ok(birthdate) => birthdate.is_at_least(*years, *leap_day, today),
                Err(unknown) => Answer::Unknown(unknown),
            }
        }
        Question::Equals(value) => match claim {
            None | Some(Value::Null) => Answer::Unknown(Unknown::Unavailable),
            // A claim of another type answers another question.
            Some(claim) if std::mem::discriminant(claim) != std::mem::discriminant(value) => {
                Answer::Unknown(Unknown::Unavailable)
            }
            Some(claim) => Answer::from(claim == value),
        },
    }
}

/// Answers `question` as [`answer`] does, with the time until which the answer may be given: false to
/// the next midnight in `zone`, true to the task's end. `None` where it is unknown.
pub fn evaluate(
    question: &Question,
    claim: Option<&Value>,
    providers_own: Option<&Value>,
    zone: &Zone,
    now: Timestamp,
    task_end: Timestamp,
) -> Option<SealedAnswer> {
    match answer(question, claim, providers_own, zone, now) {
        Answer::True => Some(SealedAnswer { value: true, valid_until: task_end }),
        Answer::False => Some(SealedAnswer { value: false, valid_until: next_midnight(zone, now)? }),
        Answer::Unknown(_) => None,
    }
}

/// The first instant of the next civil day in `zone`. `None` outside the years a calendar knows.
fn next_midnight(zone: &Zone, now: Timestamp) -> Option<Timestamp> {
    let midnight = now.zoned(&zone.0)?.tomorrow().ok()?.start_of_day().ok()?;
    Some(Timestamp::from_millis(midnight.timestamp().as_millisecond()))
}

/// An answer as it is sealed with the login. `Debug` does not show the value, because it would reveal who is a minor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SealedAnswer {
    pub value: bool,
    /// From then on it may not be given.
    pub valid_until: Timestamp,
}

impl fmt::Debug for SealedAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedAnswer(…)")
    }
}

impl SealedAnswer {
    /// How many bytes it takes: the same for yes and no, for the length of what is sealed shows.
    pub const BYTES: usize = 10;
    const VERSION: u8 = 1;

    /// What `rule` lets be said of it at `now`. `None` is `answer_unavailable`: it no longer holds, or it
    /// is false where only true is given.
    pub fn at(&self, now: Timestamp, rule: &AnswerRule) -> Option<bool> {
        let is_given = now < self.valid_until && (self.value || !rule.only_true);
        is_given.then_some(self.value)
    }

    /// Version, value, `valid_until` in milliseconds, big-endian. To be sealed before it is stored.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[0] = Self::VERSION;
        bytes[1] = u8::from(self.value);
        bytes[2..].copy_from_slice(&self.valid_until.millis().to_be_bytes());
        bytes
    }

    /// Reads what [`SealedAnswer::to_bytes`] wrote, and nothing else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&[Self::VERSION, value @ (0 | 1)], millis) = bytes.split_first_chunk::<2>()? else {
            return None;
        };
        let valid_until = Timestamp::from_millis(i64::from_be_bytes(millis.try_into().ok()?));
        Some(Self { value: value == 1, valid_until })
    }
}

#[cfg(test)]
mod tests;
