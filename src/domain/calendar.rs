//! Days and weeks: UTC calendar days, and ISO weeks from Monday 00:00:00 UTC to Sunday.

use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveTime, Timelike, Utc};

/// A calendar day, of UTC unless a zone is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day {
    /// Days since 1970-01-01; negative before it.
    since_epoch_days: i32,
}

/// An ISO week, identified by its Monday. It may cross the end of a month or year: 2018-12-31 and 2019-01-01 share a
/// week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Week {
    monday: Day,
}

impl Day {
    /// Creates the day so many days after 1970-01-01; negative before it.
    pub const fn from_epoch_days(since_epoch_days: i32) -> Day {
        Day { since_epoch_days }
    }

    /// Creates the day of a date.
    pub fn of_date(date: NaiveDate) -> Day {
        Day { since_epoch_days: date.to_epoch_days() }
    }

    /// Returns the days since 1970-01-01; negative before it.
    pub const fn since_epoch_days(self) -> i32 {
        self.since_epoch_days
    }

    /// Returns the day's date. `None` only far outside the years in which a load may be.
    pub const fn date(self) -> Option<NaiveDate> {
        NaiveDate::from_epoch_days(self.since_epoch_days)
    }

    /// Returns the day so many days later; earlier if the number is negative.
    #[must_use]
    pub const fn plus(self, days: i32) -> Day {
        Day { since_epoch_days: self.since_epoch_days.saturating_add(days) }
    }

    /// Returns the UTC day that contains the instant.
    pub fn of(instant: DateTime<Utc>) -> Day {
        Day::of_date(instant.naive_utc().date())
    }

    /// Returns the day's place in its week: 0 is Monday, 6 is Sunday.
    pub fn days_since_monday(self) -> u8 {
        // 1970-01-01, day 0, was a Thursday, three days after a Monday.
        let days = self.since_epoch_days.saturating_add(3).rem_euclid(7);
        u8::try_from(days).unwrap_or_default()
    }

    /// Returns the week to which the day belongs.
    pub fn week(self) -> Week {
        let back = i32::from(self.days_since_monday());
        Week { monday: Day { since_epoch_days: self.since_epoch_days.saturating_sub(back) } }
    }
}

impl Week {
    /// Returns the week after this one.
    #[must_use]
    pub fn next(self) -> Week {
        self.monday.plus(7).week()
    }

    /// Returns the week's first day.
    pub const fn monday(self) -> Day {
        self.monday
    }
}

/// Formats the day like `2018-12-31`.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.date() {
            Some(date) => date.fmt(f),
            None => write!(f, "day {}", self.since_epoch_days),
        }
    }
}

/// Reason why a text is not an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The text is not `YYYY-MM-DDThh:mm:ss`, an optional fraction, and `Z` or an offset.
    #[error("is not an RFC 3339 date and time, like 2000-01-01T00:00:00Z")]
    Form,
    /// The text is well formed, but such a date, hour, minute, second or offset does not exist.
    #[error("names a date, time or offset that does not exist")]
    NoSuchTime,
    /// The text has a second 60 at another minute than 23:59 UTC, the only one with leap seconds.
    #[error("has a second 60 elsewhere than at 23:59:60 UTC")]
    LeapSecond,
}

/// Reads an RFC 3339 date and time with any offset, and converts it to UTC.
///
/// The grammar is exactly that of RFC 3339, section 5.6. `chrono` also accepts a space instead of the `T`, and a
/// typographic minus sign; this function rejects both.
///
/// # Errors
/// [`TimeError`] when the text is not in that grammar, or names a time that does not exist.
pub fn parse_time(text: &str) -> Result<DateTime<Utc>, TimeError> {
    if !text.is_ascii() || text.as_bytes().get(10) == Some(&b' ') {
        return Err(TimeError::Form);
    }
    let instant = DateTime::parse_from_rfc3339(text).map_err(explain)?.to_utc();
    // chrono represents second 60 as second 59 with at least 1,000,000,000 nanoseconds.
    let is_leap_second = instant.nanosecond() >= 1_000_000_000;
    if is_leap_second && (instant.hour(), instant.minute()) != (23, 59) {
        return Err(TimeError::LeapSecond);
    }
    Ok(instant)
}

/// Reads the instants of attempts that follow one another, as [`parse_time`] does. Most share their date with the one before, and
/// a date takes most of the time.
#[derive(Clone, Copy, Debug, Default)]
pub struct TimeReader {
    /// The last date of an instant in the form `YYYY-MM-DDThh:mm:ssZ`, as it was written.
    last: Option<([u8; 10], NaiveDate)>,
}

impl TimeReader {
    /// Reads an RFC 3339 date and time with any offset, and converts it to UTC.
    ///
    /// # Errors
    /// See [`parse_time`].
    #[inline]
    pub fn read(&mut self, text: &str) -> Result<DateTime<Utc>, TimeError> {
        match self.on_last_date(text) {
            Some(instant) => Ok(instant),
            None => self.read_any(text),
        }
    }

    /// Reads an instant of any form.
    fn read_any(&mut self, text: &str) -> Result<DateTime<Utc>, TimeError> {
        let instant = parse_time(text)?;
        if let [written @ .., b'T', _, _, b':', _, _, b':', _, _, b'Z'] = text.as_bytes() {
            self.last = written.try_into().ok().map(|written| (written, instant.date_naive()));
        }
        Ok(instant)
    }

    /// Reads an instant in the plain form, on the last date. `None` for all others, and for a second 60.
    #[inline]
    fn on_last_date(&self, text: &str) -> Option<DateTime<Utc>> {
        let (last, date) = self.last?;
        let [written @ .., b'T', h1, h2, b':', m1, m2, b':', s1, s2, b'Z'] = text.as_bytes() else { return None };
        if *written != last {
            return None;
        }
        let time = NaiveTime::from_hms_opt(two_digits(*h1, *h2)?, two_digits(*m1, *m2)?, two_digits(*s1, *s2)?)?;
        Some(date.and_time(time).and_utc())
    }
}

fn two_digits(tens: u8, ones: u8) -> Option<u32> {
    let digit = |byte: u8| byte.checked_sub(b'0').filter(|value| *value < 10).map(u32::from);
    digit(tens)?.checked_mul(10)?.checked_add(digit(ones)?)
}

fn explain(error: chrono::ParseError) -> TimeError {
    match error.kind() {
        chrono::format::ParseErrorKind::OutOfRange => TimeError::NoSuchTime,
        _ => TimeError::Form,
    }
}
