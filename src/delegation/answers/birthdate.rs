//! `birthdate` (OIDC Core §5.1), parsed by hand: a lenient date parser would make a bare year its
//! first of January.

use std::fmt;

use serde_json::Value;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Answer, Unknown};
use crate::base::time::Timestamp;
use crate::registry::{LeapDay, Zone};

/// A date older than this is a mistake.
const OLDEST_YEARS: i32 = 130;

/// A civil day. Ordered as days are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    year: i32,
    month: u8,
    day: u8,
}

impl Day {
    /// The day that `now` is in `zone`. Never the server's own zone, never one the user names.
    pub fn at(now: Timestamp, zone: &Zone) -> Option<Self> {
        let date = jiff::Timestamp::from_millisecond(now.millis()).ok()?.to_zoned(zone.0.clone()).date();
        Some(Self {
            year: date.year().into(),
            month: date.month().unsigned_abs(),
            day: date.day().unsigned_abs(),
        })
    }
}

/// When somebody was born. Prints nothing, is serialised nowhere, is cleared on drop, and lives only
/// within the call that asks one question of it.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Birthdate {
    year: i32,
    /// 0 where only the year is known.
    month: u8,
    /// 0 where only the year is known.
    day: u8,
}

impl fmt::Debug for Birthdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Birthdate(…)")
    }
}

impl Birthdate {
    /// Reads `YYYY-MM-DD` or `YYYY`. `today` is the day in the question's zone.
    ///
    /// # Errors
    /// [`Unknown::Unavailable`] without a claim or a year (`0000`); [`Unknown::Invalid`] for any other
    /// form (`null` included), no day of the calendar, a day to come, or more than 130 years ago.
    pub fn parse(claim: Option<&Value>, today: Day) -> Result<Self, Unknown> {
        let text = match claim {
            None => return Err(Unknown::Unavailable),
            Some(Value::String(text)) => text.as_bytes(),
            Some(_) => return Err(Unknown::Invalid),
        };
        let (year, month, day) = match *text {
            [y1, y2, y3, y4] => (number(&[y1, y2, y3, y4])?, 0, 0),
            [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] => {
                (number(&[y1, y2, y3, y4])?, number(&[m1, m2])?, number(&[d1, d2])?)
            }
            _ => return Err(Unknown::Invalid),
        };
        let is_whole = text.len() == 10;
        // With the year left out, any day that some year has is a day.
        let calendar_year = if year == 0 { 2000 } else { year };
        if is_whole && !(1..=days_in(calendar_year, month)).contains(&day) {
            return Err(Unknown::Invalid);
        }
        if year == 0 {
            return Err(Unknown::Unavailable);
        }
        // Both are at most two digits here.
        let birthdate =
            Self { year, month: u8::try_from(month).unwrap_or(0), day: u8::try_from(day).unwrap_or(0) };
        if birthdate.is_to_come(today) || birthdate.is_too_long_ago(today) {
            return Err(Unknown::Invalid);
        }
        Ok(birthdate)
    }

    fn is_year_only(&self) -> bool {
        self.month == 0
    }

    fn is_to_come(&self, today: Day) -> bool {
        if self.is_year_only() {
            return self.year > today.year;
        }
        Day { year: self.year, month: self.month, day: self.day } > today
    }

    fn is_too_long_ago(&self, today: Day) -> bool {
        if self.is_year_only() {
            return today.year - self.year > OLDEST_YEARS;
        }
        Day { year: self.year + OLDEST_YEARS, month: self.month, day: self.day } < today
    }

    /// Whether `years` have passed by `today`. The birthday itself counts. Of a bare year only the last
    /// day of the year is sure to be no birthday too early, and any day of the year before it too late.
    pub fn is_at_least(&self, years: u16, leap_day: LeapDay, today: Day) -> Answer {
        let year = self.year + i32::from(years);
        if self.is_year_only() {
            return if today >= (Day { year, month: 12, day: 31 }) {
                Answer::True
            } else if today.year < year {
                Answer::False
            } else {
                Answer::Unknown(Unknown::Unavailable)
            };
        }
        let (month, day) = match (self.month, self.day, leap_day) {
            (2, 29, LeapDay::Mar1) if !is_leap(year) => (3, 1),
            (2, 29, LeapDay::Feb28) if !is_leap(year) => (2, 28),
            (month, day, _) => (month, day),
        };
        Answer::from(today >= Day { year, month, day })
    }
}

fn number(digits: &[u8]) -> Result<i32, Unknown> {
    digits.iter().try_fold(0, |value, digit| match digit {
        b'0'..=b'9' => Ok(value * 10 + i32::from(digit - b'0')),
        _ => Err(Unknown::Invalid),
    })
}

const fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of a month in the Gregorian calendar; none in a month that is not.
const fn days_in(year: i32, month: i32) -> i32 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 0,
    }
}
