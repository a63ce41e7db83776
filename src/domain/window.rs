//! Windows: the spans of time over which limits add up loads. Everything is measured in whole milliseconds.

use std::num::NonZeroU16;

use chrono::{DateTime, Datelike, Months, NaiveDate, Timelike, Utc};

use super::{Day, Week, Zone};

/// Length of a UTC day, in milliseconds.
pub const DAY_MS: i64 = 24 * HOUR_MS;

const HOUR_MS: i64 = 60 * 60 * 1000;

/// An instant in whole milliseconds since 1970-01-01T00:00:00Z; negative before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(i64);

/// A span of time, from an instant up to, and without, another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first instant.
    pub start: Millis,
    /// The first instant after it.
    pub end: Millis,
}

/// Length of a rolling window: 1 to [`RollingHours::MAX`] hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollingHours(NonZeroU16);

/// Window over which a limit adds up loads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Window {
    /// The load alone.
    Load,
    /// The calendar day.
    Day(Zone),
    /// The ISO week, Monday to Sunday. It may cross the end of a month or year.
    Week(Zone),
    /// The calendar month.
    Month(Zone),
    /// All time.
    Lifetime,
    /// Every span of so many hours that holds the load.
    Rolling(RollingHours),
    /// Spans that are counted from an instant.
    Anchored(Anchored),
}

/// Spans that are counted from an instant, the anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchored {
    /// The anchor.
    pub anchor: Millis,
    /// The length of a span.
    pub period: Period,
}

/// Length of an anchored span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// Exactly 24 hours.
    Day,
    /// Exactly 7 times 24 hours.
    Week,
    /// A calendar month in UTC, always counted from the anchor. A day that a month lacks becomes its last day.
    Month,
    /// No end.
    Indefinite,
}

impl Millis {
    /// Creates an instant.
    pub const fn new(since_epoch_ms: i64) -> Millis {
        Millis(since_epoch_ms)
    }

    /// The instant before all others.
    pub const FIRST: Millis = Millis(i64::MIN);

    /// Converts an instant. What it has beyond a millisecond is cut off. A leap second counts as 23:59:59.999.
    pub fn of(instant: DateTime<Utc>) -> Millis {
        // chrono represents second 60 as second 59 with at least 1,000,000,000 nanoseconds.
        let nanoseconds = instant.nanosecond().min(999_999_999);
        Millis(instant.timestamp().saturating_mul(1000).saturating_add(i64::from(nanoseconds / 1_000_000)))
    }

    /// Returns the milliseconds since 1970-01-01T00:00:00Z.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Returns the instant so many milliseconds later; earlier if it is negative.
    #[must_use]
    pub const fn plus(self, milliseconds: i64) -> Millis {
        Millis(self.0.saturating_add(milliseconds))
    }

    /// Returns the UTC day that contains the instant.
    pub fn day(self) -> Day {
        let days = self.0.div_euclid(DAY_MS);
        Day::from_epoch_days(i32::try_from(days).unwrap_or(if days < 0 { i32::MIN } else { i32::MAX }))
    }

    /// Returns the instant; `None` outside the years that RFC 3339 can write, 0 to 9999.
    pub fn instant(self) -> Option<DateTime<Utc>> {
        let instant = DateTime::from_timestamp_millis(self.0)?;
        (0..=9999).contains(&instant.year()).then_some(instant)
    }
}

impl Span {
    /// All time.
    pub const ALWAYS: Span = Span { start: Millis::FIRST, end: Millis(i64::MAX) };

    /// Returns true when the span holds the instant.
    pub fn holds(self, instant: Millis) -> bool {
        self.start <= instant && instant < self.end
    }

    /// Creates the span of whole days, from `first` up to, and without, `next`.
    pub(super) fn of_days(zone: &Zone, first: Day, next: Day) -> Span {
        Span { start: zone.start_of(first), end: zone.start_of(next) }
    }
}

impl RollingHours {
    /// The longest rolling window: 31 days.
    pub const MAX: u16 = 744;

    /// Creates the length of a rolling window. Returns `None` for 0 and for more than [`RollingHours::MAX`] hours.
    pub fn new(hours: u16) -> Option<RollingHours> {
        NonZeroU16::new(hours).filter(|hours| hours.get() <= RollingHours::MAX).map(RollingHours)
    }

    /// Returns the number of hours.
    pub const fn get(self) -> u16 {
        self.0.get()
    }

    /// Returns the length in milliseconds.
    pub fn milliseconds(self) -> i64 {
        i64::from(self.0.get()).saturating_mul(HOUR_MS)
    }
}

impl Window {
    /// Returns true for a window that a UTC week's daily totals do not answer.
    pub const fn is_long(&self) -> bool {
        match self {
            Window::Load => false,
            Window::Day(zone) | Window::Week(zone) => !zone.is_utc(),
            Window::Month(_) | Window::Lifetime | Window::Rolling(_) | Window::Anchored(_) => true,
        }
    }

    /// Returns the span that holds the instant. `None` for a window without a single one: [`Window::Load`] and
    /// [`Window::Rolling`].
    pub fn span(&self, instant: Millis) -> Option<Span> {
        match self {
            Window::Load | Window::Rolling(_) => None,
            Window::Lifetime => Some(Span::ALWAYS),
            Window::Day(zone) => {
                let day = zone.day_of(instant);
                Some(Span::of_days(zone, day, day.plus(1)))
            }
            Window::Week(zone) => {
                let monday = zone.day_of(instant).week().monday();
                Some(Span::of_days(zone, monday, monday.plus(7)))
            }
            Window::Month(zone) => {
                let [first, next] = month(zone.day_of(instant));
                Some(Span::of_days(zone, first, next))
            }
            Window::Anchored(anchored) => Some(anchored.span(instant)),
        }
    }

    /// Returns the first and the last week that a span around the instant touches. `None` for a window without other
    /// loads, and for one without an end: see [`Window::since`].
    pub fn weeks(&self, instant: Millis) -> Option<[Week; 2]> {
        let Span { start, end } = match self {
            Window::Rolling(hours) => {
                let length_ms = hours.milliseconds();
                Span { start: instant.plus(length_ms.saturating_neg()).plus(1), end: instant.plus(length_ms) }
            }
            _ if self.since().is_some() => return None,
            _ => self.span(instant)?,
        };
        Some([start, end.plus(-1)].map(|instant| instant.day().week()))
    }

    /// Returns the beginning of a window that has no end. `None` for every other window.
    pub const fn since(&self) -> Option<Millis> {
        match self {
            Window::Lifetime => Some(Millis::FIRST),
            Window::Anchored(Anchored { anchor, period: Period::Indefinite }) => Some(*anchor),
            _ => None,
        }
    }

    /// Returns the end of the span that holds the instant, at which a limit's usage begins anew. `None` where there is
    /// no such end, or where RFC 3339 cannot write it.
    pub fn resets_at(&self, instant: Millis) -> Option<DateTime<Utc>> {
        self.span(instant)?.end.instant()
    }
}

/// Returns the first day of the day's month, and that of the next month.
fn month(day: Day) -> [Day; 2] {
    let first = day.date().and_then(|date| date.with_day(1));
    let next = first.and_then(|first| first.checked_add_months(Months::new(1)));
    // Every day of the years -1 to 10,000 is a date.
    [first, next].map(|date| date.map_or(day, Day::of_date))
}

impl Anchored {
    fn span(self, instant: Millis) -> Span {
        match self.period {
            Period::Day => self.fixed(DAY_MS, instant),
            Period::Week => self.fixed(7 * DAY_MS, instant),
            Period::Month => self.month(instant),
            Period::Indefinite => Span { start: self.anchor, ..Span::ALWAYS },
        }
    }

    fn fixed(self, length_ms: i64, instant: Millis) -> Span {
        let since = instant.0.saturating_sub(self.anchor.0).div_euclid(length_ms);
        let start = self.anchor.plus(since.saturating_mul(length_ms));
        Span { start, end: start.plus(length_ms) }
    }

    fn month(self, instant: Millis) -> Span {
        let months = months_between(self.anchor.day(), instant.day());
        // The anchor's time of day, or the length of a month, may put the instant before that span, never after it.
        let months = if self.after_months(months) > instant { months.saturating_sub(1) } else { months };
        Span { start: self.after_months(months), end: self.after_months(months.saturating_add(1)) }
    }

    /// Returns the instant so many calendar months after the anchor.
    fn after_months(self, months: i32) -> Millis {
        let day = self.anchor.day();
        let add = |date: NaiveDate| match u32::try_from(months) {
            Ok(months) => date.checked_add_months(Months::new(months)),
            Err(_) => date.checked_sub_months(Months::new(months.unsigned_abs())),
        };
        let end = if months < 0 { Millis(i64::MIN) } else { Millis(i64::MAX) };
        let Some(moved) = day.date().and_then(add).map(Day::of_date) else { return end };
        let time_of_day = self.anchor.0.rem_euclid(DAY_MS);
        Zone::UTC.start_of(moved).plus(time_of_day)
    }
}

/// Returns the number of calendar months from one day's to another's.
fn months_between(from: Day, to: Day) -> i32 {
    let months = |day: Day| {
        let date = day.date().unwrap_or(NaiveDate::MIN);
        let year = date.year().saturating_mul(12);
        year.saturating_add(i32::try_from(date.month0()).unwrap_or_default())
    };
    months(to).saturating_sub(months(from))
}
