//! `birthdate` (OIDC Core §5.1). Its two forms are read digit by digit: a lenient date parser would take a bare year
//! as its first of January.

use std::cmp::Ordering;
use std::fmt;

use jiff::civil::Date;
use jiff::{Span, ToSpan as _};
use serde_json::Value;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Answer, Unknown};
use crate::registry::LeapDay;

/// A date older than this is a mistake.
const OLDEST_YEARS: i16 = 130;

/// When somebody was born. Prints nothing, is serialised nowhere, is cleared on drop, and lives only
/// within the call that asks one question of it.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Birthdate {
    year: i16,
    /// 0 where only the year is known.
    month: i8,
    /// 0 where only the year is known.
    day: i8,
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
    pub fn parse(claim: Option<&Value>, today: Date) -> Result<Self, Unknown> {
        let text = match claim {
            None => return Err(Unknown::Unavailable),
            Some(Value::String(text)) => text.as_bytes(),
            Some(_) => return Err(Unknown::Invalid),
        };
        let birthdate = match *text {
            [y1, y2, y3, y4] => Self { year: number(&[y1, y2, y3, y4])?, month: 0, day: 0 },
            [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] => {
                Self { year: number(&[y1, y2, y3, y4])?, month: number(&[m1, m2])?, day: number(&[d1, d2])? }
            }
            _ => return Err(Unknown::Invalid),
        };
        let is_impossible = if text.len() == 4 {
            birthdate.year > today.year() || today.year() - birthdate.year > OLDEST_YEARS
        } else {
            // A date without its year has the year 0, which is a leap year and so has every day.
            let born = birthdate.date().map_err(|_| Unknown::Invalid)?;
            born > today || born.checked_add(OLDEST_YEARS.years()).is_ok_and(|last| last < today)
        };
        match birthdate.year {
            0 => Err(Unknown::Unavailable),
            _ if is_impossible => Err(Unknown::Invalid),
            _ => Ok(birthdate),
        }
    }

    /// The day. An error if only the year is known.
    fn date(&self) -> Result<Date, jiff::Error> {
        Date::new(self.year, self.month, self.day)
    }

    /// Whether `years` have passed by `today`. The birthday itself counts.
    pub fn is_at_least(&self, years: u16, leap_day: LeapDay, today: Date) -> Answer {
        let Ok(born) = self.date() else { return self.is_year_at_least(years, today) };
        let birthday = Span::new().try_years(years).and_then(|span| born.checked_add(span));
        let birthday = match birthday {
            // In a year without 29 February, jiff has put the birthday on the 28th.
            Ok(day) if day.day() != born.day() && matches!(leap_day, LeapDay::Mar1) => day.tomorrow(),
            birthday => birthday,
        };
        // A birthday after the end of the calendar has not come yet.
        Answer::from(birthday.is_ok_and(|birthday| today >= birthday))
    }

    /// Only the year of birth is known, so the birthday may be any day of that year. In the year in which the person
    /// reaches the age, only the last day gives a certain answer; every earlier year is false, and every later one true.
    fn is_year_at_least(&self, years: u16, today: Date) -> Answer {
        match i32::from(today.year()).cmp(&(i32::from(self.year) + i32::from(years))) {
            Ordering::Less => Answer::False,
            Ordering::Equal if (today.month(), today.day()) != (12, 31) => {
                Answer::Unknown(Unknown::Unavailable)
            }
            Ordering::Equal | Ordering::Greater => Answer::True,
        }
    }
}

/// Reads one number of at most four digits.
fn number<T: TryFrom<i16>>(digits: &[u8]) -> Result<T, Unknown> {
    let number = digits.iter().try_fold(0, |value, digit| match digit {
        b'0'..=b'9' => Ok(value * 10 + i16::from(digit - b'0')),
        _ => Err(Unknown::Invalid),
    })?;
    T::try_from(number).map_err(|_| Unknown::Invalid)
}
