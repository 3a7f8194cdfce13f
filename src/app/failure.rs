//! Why a request is not answered as it asked: it is refused, or something inside failed.

use crate::base::entropy::EntropyUnavailable;
use crate::keys::KeyError;
use crate::oauth::{Cause, Plain};
use crate::store::StoreError;
use crate::verification::KeysUnknown;

/// Something inside cannot answer: 503 `temporarily_unavailable`, nothing given. Logged once, where it is answered.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Keys(#[from] KeyError),
    #[error(transparent)]
    Entropy(#[from] EntropyUnavailable),
    /// Nobody knows whether an issuer has the key.
    #[error("keys cannot be had: {0}")]
    IssuerKeys(KeysUnknown),
    /// A rule could not be evaluated: that denies. The audit row names it.
    #[error("a policy rule could not be evaluated")]
    Policy,
    /// The clock is behind the highest time recorded.
    #[error("the clock is behind the highest time recorded")]
    ClockBehind,
    /// The clock of this machine and that of the database server are further apart than can be tolerated.
    #[error("the clock of this machine is more than a minute from that of the database")]
    ClockDisagrees,
    /// Others kept changing what this request was about.
    #[error("the records kept changing")]
    Contention,
}

impl Failure {
    /// In how many seconds it is worth trying again.
    pub const fn retry_after(&self) -> u32 {
        // An issuer is asked again after this time for a key that nobody knows.
        if matches!(self, Self::IssuerKeys(_)) { 5 } else { 2 }
    }

    /// Whether something may have been recorded although the request failed: the store promises nothing of an entry
    /// whose commit it did not see.
    pub const fn may_have_changed(&self) -> bool {
        matches!(self, Self::Store(error) if !matches!(error, StoreError::Busy | StoreError::ClockDisagrees))
    }
}

/// Why a request is not answered as asked.
#[derive(Debug)]
pub enum Stop {
    /// Refused, with its true cause.
    Refused(Cause),
    Failed(Failure),
}

impl From<Cause> for Stop {
    fn from(cause: Cause) -> Self {
        Self::Refused(cause)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Plain> for Stop {
    fn from(plain: Plain) -> Self {
        Self::Refused(plain.into())
    }
}

macro_rules! failed {
    ($($error:ty),*) => { $(
        impl From<$error> for Stop {
            fn from(error: $error) -> Self {
                Self::Failed(error.into())
            }
        }
    )* };
}
failed!(StoreError, KeyError, EntropyUnavailable);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_entry_that_was_refused_at_once_is_known_not_to_be_written() {
        let late = Failure::from(StoreError::Database("no commit in 10 s".to_owned()));
        assert!(late.may_have_changed());
        assert!(!Failure::from(StoreError::Busy).may_have_changed());
        assert!(!Failure::ClockBehind.may_have_changed());
    }
}
