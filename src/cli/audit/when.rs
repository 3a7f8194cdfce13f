//! A time on the command line.

use std::str::FromStr;

use crate::base::time::{Lifetime, Timestamp};

/// A time, or how long ago it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    At(Timestamp),
    Ago(Lifetime),
}

impl When {
    /// The time that is meant at `now`.
    pub const fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Ago(length) => now.minus(length),
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = Timestamp::parse(text).map(Self::At).or_else(|| Lifetime::parse(text).map(Self::Ago));
        read.ok_or_else(|| {
            "write a time such as `2026-11-27T06:00:00Z`, or how long ago: `15m`, `1h`, `2d`".to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_given_or_counted_back_from_now() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let at = |text: &str| text.parse::<When>().map(|when| when.at(now));
        assert_eq!(at("1h"), Ok(Timestamp::from_seconds(1_799_996_400)));
        assert_eq!(at("2027-01-15T08:00:00Z"), Ok(now));
        assert!(at("an hour").unwrap_err().contains("`1h`"));
    }
}
