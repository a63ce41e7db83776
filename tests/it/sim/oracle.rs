//! Naive oracle of long limits: it keeps every load and tries every span. It shares no code with the library, and has
//! another library's time zones.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

pub const HOUR_MS: i64 = 3_600_000;
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// A window, as the specification defines it. Instants and lengths are in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Window {
    Load,
    Day(Tz),
    Week(Tz),
    Month(Tz),
    Lifetime,
    /// Every span of this length.
    Rolling(i64),
    /// Spans of this length, counted from an instant.
    Spans {
        anchor: i64,
        length: i64,
    },
    /// Calendar months, counted from an instant.
    Months {
        anchor: i64,
    },
    /// Everything from an instant on.
    Since(i64),
}

/// A limit, of the deployment or of a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub code: String,
    /// The limit's id, if it is a customer's own.
    pub limit_id: Option<String>,
    pub is_amount: bool,
    pub window: Window,
    pub max: u64,
    /// The first instant of the loads to which it applies, and the first one after them.
    pub applies: (i64, i64),
}

/// An accepted load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    pub ms: i64,
    pub cents: u64,
    /// False if only its day's total knows it.
    pub is_kept: bool,
}

/// Way of counting loads that only their day's total knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// Each counts at its own instant.
    Truth,
    /// Each counts in every span that touches its day, as the documentation of long limits has it.
    Documented,
}

impl Rule {
    /// Creates a limit of the deployment.
    pub fn new(code: &str, is_amount: bool, window: Window, max: u64) -> Rule {
        Rule { code: code.to_owned(), limit_id: None, is_amount, window, max, applies: (i64::MIN, i64::MAX) }
    }

    /// Returns true if a UTC week's totals do not answer the window.
    pub fn is_long(&self) -> bool {
        !matches!(self.window, Window::Load | Window::Day(Tz::UTC) | Window::Week(Tz::UTC))
    }

    pub fn applies_to(&self, at: i64) -> bool {
        (self.applies.0..self.applies.1).contains(&at)
    }

    /// Returns the instant from which a window without an end counts.
    pub const fn since(&self) -> Option<i64> {
        match self.window {
            Window::Lifetime => Some(i64::MIN),
            Window::Since(anchor) => Some(anchor),
            _ => None,
        }
    }

    /// Returns the quantity that the limit adds up of one load.
    pub const fn value(&self, cents: u64) -> u64 {
        if self.is_amount { cents } else { 1 }
    }

    /// Returns the end of the span that holds the instant, unless there is none.
    pub fn resets_at(&self, at: i64) -> Option<DateTime<Utc>> {
        self.span(at).filter(|(_, end)| *end < i64::MAX).map(|(_, end)| instant(end))
    }

    /// Returns the loads' total in the window around an instant, the largest one if it is rolling.
    pub fn used(&self, loads: &[Load], at: i64, counting: Counting) -> u64 {
        let counting = if self.is_long() { counting } else { Counting::Truth };
        match (&self.window, self.span(at)) {
            (Window::Rolling(length), _) => self.largest(loads, *length, at, counting),
            (_, Some(span)) => self.total(loads, span, counting),
            (_, None) => 0,
        }
    }

    fn total(&self, loads: &[Load], span: (i64, i64), counting: Counting) -> u64 {
        loads.iter().filter(|load| load.counts_in(span, counting)).map(|load| self.value(load.cents)).sum()
    }

    /// Tries every beginning at which the set of the counted loads changes.
    fn largest(&self, loads: &[Load], length: i64, at: i64, counting: Counting) -> u64 {
        let is_near = |load: &&Load| (load.ms - at).abs() < length + DAY_MS;
        let loads: Vec<Load> = loads.iter().filter(is_near).copied().collect();
        let mut begins = vec![at - length + 1, at];
        for load in &loads {
            let day = load.day();
            begins.extend([load.ms + 1, load.ms - length + 1, day.1, day.0 - length + 1]);
        }
        begins.retain(|begin| (at - length + 1..=at).contains(begin));
        begins.sort_unstable();
        begins.dedup();
        begins.into_iter().map(|begin| self.total(&loads, (begin, begin + length), counting)).max().unwrap()
    }

    /// Returns the span that holds the instant. A load alone has none, and a rolling window many.
    fn span(&self, at: i64) -> Option<(i64, i64)> {
        match self.window {
            Window::Load | Window::Rolling(_) => None,
            Window::Lifetime => Some((i64::MIN, i64::MAX)),
            Window::Since(anchor) => Some((anchor, i64::MAX)),
            Window::Day(zone) => {
                let date = local_date(zone, at);
                Some((day_start(zone, date), day_start(zone, date + Days::new(1))))
            }
            Window::Week(zone) => {
                let date = local_date(zone, at);
                let monday = date - Days::new(u64::from(date.weekday().num_days_from_monday()));
                Some((day_start(zone, monday), day_start(zone, monday + Days::new(7))))
            }
            Window::Month(zone) => {
                let first = local_date(zone, at).with_day(1).unwrap();
                Some((day_start(zone, first), day_start(zone, first + Months::new(1))))
            }
            Window::Spans { anchor, length } => {
                let start = at - (at - anchor).rem_euclid(length);
                Some((start, start + length))
            }
            Window::Months { anchor } => {
                let nth = |months: u32| (instant(anchor) + Months::new(months)).timestamp_millis();
                (0..1200).map(|months| (nth(months), nth(months + 1))).find(|(start, end)| (*start..*end).contains(&at))
            }
        }
    }
}

impl Load {
    fn counts_in(&self, (start, end): (i64, i64), counting: Counting) -> bool {
        if self.is_kept || counting == Counting::Truth {
            return (start..end).contains(&self.ms);
        }
        let day = self.day();
        start < day.1 && day.0 < end
    }

    /// Returns its UTC day, from the first instant up to the first one after it.
    pub const fn day(&self) -> (i64, i64) {
        let first = self.ms - self.ms.rem_euclid(DAY_MS);
        (first, first + DAY_MS)
    }

    /// Returns the days since 1970 of its week's Monday.
    pub const fn monday(&self) -> i64 {
        let days = self.ms.div_euclid(DAY_MS);
        // 1970 began on a Thursday.
        days - (days + 3).rem_euclid(7)
    }
}

pub fn instant(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap()
}

/// Parses a time, and cuts it off after its milliseconds.
pub fn milliseconds(time: &str) -> i64 {
    DateTime::parse_from_rfc3339(time).unwrap().timestamp_millis()
}

fn local_date(zone: Tz, at: i64) -> NaiveDate {
    instant(at).with_timezone(&zone).date_naive()
}

/// Returns the first instant at which the local clock shows the date.
fn day_start(zone: Tz, date: NaiveDate) -> i64 {
    let midnight = date.and_hms_opt(0, 0, 0).unwrap();
    let minutes = (0..180).map(|minute| midnight + TimeDelta::minutes(minute));
    let mut instants = minutes.filter_map(|local| zone.from_local_datetime(&local).earliest());
    instants.next().unwrap().timestamp_millis()
}

#[test]
fn the_largest_total_is_that_of_every_span() {
    let mut rng = fastrand::Rng::with_seed(1);
    for _ in 0..300 {
        let load = |rng: &mut fastrand::Rng| Load {
            ms: rng.i64(0..60) + [0, DAY_MS - 30][rng.usize(..2)],
            cents: rng.u64(..9),
            is_kept: rng.bool(),
        };
        let loads: Vec<Load> = (0..rng.u32(..12)).map(|_| load(&mut rng)).collect();
        let (length, at) = (rng.i64(1..20), rng.i64(0..60) + [0, DAY_MS - 30][rng.usize(..2)]);
        let rule = Rule::new("", rng.bool(), Window::Rolling(length), 0);
        for counting in [Counting::Truth, Counting::Documented] {
            let total = |begin| rule.total(&loads, (begin, begin + length), counting);
            let largest = (at - length + 1..=at).map(total).max().unwrap();
            assert_eq!(rule.used(&loads, at, counting), largest, "{loads:?} {length} {at}");
        }
    }
}
