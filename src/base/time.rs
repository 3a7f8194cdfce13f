//! Points in time and how they are read. Nothing else in Deputy reads a wall clock.

use std::fmt;
use std::time::Duration;

use jiff::Zoned;
use jiff::tz::TimeZone;

/// A point in time: milliseconds since the Unix epoch, never negative in practice.
///
/// JWT NumericDates are whole seconds (RFC 7519 §2): [`Timestamp::seconds`] rounds down.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From whole seconds since the epoch; saturates.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// From RFC 3339, with any offset; what is finer than a millisecond is cut off.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|at| Self(at.as_millisecond()))
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This time in `zone`. `None` beyond the years -9999 to 9999 of the calendar.
    pub fn zoned(self, zone: &TimeZone) -> Option<Zoned> {
        Some(jiff::Timestamp::from_millisecond(self.0).ok()?.to_zoned(zone.clone()))
    }

    /// This time `lifetime` later; saturates.
    pub const fn plus(self, lifetime: Lifetime) -> Self {
        Self(self.0.saturating_add(lifetime.millis()))
    }

    /// This time `lifetime` earlier; saturates.
    pub const fn minus(self, lifetime: Lifetime) -> Self {
        Self(self.0.saturating_sub(lifetime.millis()))
    }

    /// Milliseconds from `earlier` to this time; negative if `earlier` is later.
    pub const fn millis_since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whether two clocks that show these times agree: they are not further apart than [`CLOCK_TOLERANCE`].
    pub const fn agrees_with(self, other: Timestamp) -> bool {
        self.millis_since(other).saturating_abs() <= CLOCK_TOLERANCE.millis()
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, to the millisecond.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

/// A span of time in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lifetime(u32);

impl Lifetime {
    pub const fn from_seconds(seconds: u32) -> Self {
        Self(seconds)
    }

    /// From a length in words, such as `90s`, `15m`, `1h` or `2d`, in whole seconds. A day has 24 hours.
    pub fn parse(text: &str) -> Option<Self> {
        let span = text.parse::<jiff::Span>().ok()?;
        let length = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()?;
        length.as_secs().try_into().ok().map(Self)
    }

    pub const fn seconds(self) -> u32 {
        self.0
    }

    pub const fn millis(self) -> i64 {
        self.0 as i64 * 1000
    }
}

/// Tolerance for the clocks of others: their tokens are taken this long after `exp` and before
/// `nbf`/`iat`. Deputy's own `exp` has none.
pub const FOREIGN_LEEWAY: Lifetime = Lifetime::from_seconds(60);

/// The system clock may be this far behind the highest time recorded. Beyond it nothing is issued, because what had
/// expired would become valid again. It may also be this far from the clock of a database server, in either direction.
pub const CLOCK_TOLERANCE: Lifetime = Lifetime::from_seconds(60);

/// Where `now` comes from. Read once a request and passed on as a value.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        let since_epoch =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The clock that a process runs by: the system's. Builds with debug assertions, and only they, let a test
/// move it by `DEPUTY_TEST_CLOCK_OFFSET_SECONDS`.
pub fn process_clock() -> std::sync::Arc<dyn Clock> {
    #[cfg(debug_assertions)]
    if let Some(seconds) = std::env::var("DEPUTY_TEST_CLOCK_OFFSET_SECONDS").ok().and_then(|s| s.parse().ok())
    {
        return std::sync::Arc::new(MovedClock { millis: Timestamp::from_seconds(seconds).millis() });
    }
    std::sync::Arc::new(SystemClock)
}

/// The system's clock, moved.
#[cfg(debug_assertions)]
struct MovedClock {
    millis: i64,
}

#[cfg(debug_assertions)]
impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        Timestamp(SystemClock.now().0.saturating_add(self.millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_with_any_offset_and_written_in_utc() {
        let read = |text| Timestamp::parse(text).map(|at| at.to_string());
        let written = Some("2026-11-27T12:00:00.250Z".to_owned());
        assert_eq!(read("2026-11-27T12:00:00.25Z"), written);
        assert_eq!(read("2026-11-27T14:00:00.2509+02:00"), written);
        assert_eq!((read("yesterday"), read("2026-11-27")), (None, None));
    }

    #[test]
    fn a_length_is_read_in_words() {
        let read = |text| Lifetime::parse(text).map(Lifetime::seconds);
        assert_eq!([read("90s"), read("15m"), read("1h"), read("2d")], [90, 900, 3600, 172_800].map(Some));
        assert_eq!([read("1"), read("-1h"), read("1y"), read("soon")], [None; 4]);
    }
}
