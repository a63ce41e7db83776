//! The ledger in memory: decided events, and each customer's usage of the limits. It is not an accounting ledger: it
//! has no balances.
//!
//! It keeps every event, and every day with an accepted load, until the process ends. So it makes up most of a
//! replay's memory:
//!
//! - 13 bytes for an event;
//! - 19 bytes for a week in which a customer has accepted loads on one day, and 49 more from the second day on,
//!   because the first row leaves its slot empty;
//! - 88 bytes more, and the 49 in any case, for a week with a day of more than 2^32 - 1 cents or 255 loads;
//! - one table for each calendar week.
//!
//! Limits that need the accepted loads themselves get them instead of the weeks: [`CUSTOMER_BYTES_MAX`] and
//! [`LOAD_BYTES_MAX`].
//!
//! A backtest keeps the events once, and the usage once for each candidate.
//!
//! All but the 88 bytes are in hash tables, which are between 7/16 and 7/8 full once they have grown. The constants
//! below are the resulting bounds.

mod events;
mod identity;
mod load_table;
mod usage;
mod week_table;
mod wide_weeks;

use chrono::{DateTime, NaiveDate, Utc};

use crate::domain::{Day, Decision, LoadAttempt, ShadowJudgement, Week};
use crate::limits::AllLimits;
pub(crate) use crate::replay::ledger::events::Events;
pub use crate::replay::ledger::identity::{Identifier, Identity, Key};
pub use crate::replay::ledger::load_table::{CUSTOMER_BYTES_MAX, LOAD_BYTES_MAX};
pub(crate) use crate::replay::ledger::usage::{Usage, customers};
use crate::wire::DecisionHead;

/// Maximum memory for a distinct event, in bytes.
pub const EVENT_BYTES_MAX: u64 = 31;

/// Maximum memory for a customer's week with accepted loads on one day, in bytes.
pub const ONE_DAY_BYTES_MAX: u64 = 45;

/// Maximum memory for a customer's week with accepted loads on several days, in bytes.
pub const SEVERAL_DAYS_BYTES_MAX: u64 = 158;

/// Maximum memory for a customer's week with a day of more than $42,949,672.95 or 255 loads, in bytes.
pub const WIDE_BYTES_MAX: u64 = 246;

/// Maximum memory for a calendar week with accepted loads in one ledger, in bytes: the entry for its tables, and
/// their minimum size.
pub const CALENDAR_WEEK_BYTES_MAX: u64 = 384;

/// Outcome of a valid load attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineOutcome<'l> {
    /// It was decided, now and for good.
    Decided(Decision<'l>),
    /// Its event had been decided before. It has no decision, and changes nothing.
    Ignored,
}

/// Events and usage of some customers. All attempts of one customer belong to the same ledger.
#[derive(Debug, Default)]
pub struct Ledger {
    events: Events,
    usage: Usage,
}

/// A valid load attempt that passes through a ledger.
#[derive(Clone, Debug)]
pub struct PendingAttempt<'a> {
    /// The attempt.
    pub attempt: LoadAttempt<'a>,
    /// The beginning of its line, where that of its decision is the same.
    pub(crate) line_head: Option<&'a str>,
    /// The day in which it counts.
    day: Day,
    /// The week of that day.
    week: Week,
    /// The day's place in the week: 0 is Monday.
    days_since_monday: u8,
    /// Its customer and event.
    pub identity: Identity,
    /// The number of its line in the line's block, from 0.
    pub line_in_block: u64,
    /// Its outcome. `None` until it has been decided.
    pub outcome: Option<LineOutcome<'a>>,
    /// Judgement of the shadow limits; `None` where there are none.
    pub shadow: Option<ShadowJudgement<'a>>,
}

impl Ledger {
    /// Decides each attempt, in this order, unless its event has been seen, and remembers its event and its effect on
    /// usage.
    pub fn decide<'a>(&mut self, limits: &'a AllLimits, attempts: &mut [&mut PendingAttempt<'a>]) {
        self.usage.touch(limits, &customers(attempts));
        self.events.remember(attempts);
        self.usage.decide(limits, attempts);
    }
}

impl<'a> PendingAttempt<'a> {
    /// Creates an attempt that has not been decided.
    pub fn new(
        attempt: LoadAttempt<'a>,
        line_head: Option<&'a str>,
        line_in_block: u64,
        identifier: &Identifier,
        dates: &mut Dates,
    ) -> PendingAttempt<'a> {
        let identity = identifier.identify(&attempt);
        let Date { day, week, days_since_monday, .. } = dates.of(attempt.time);
        let (outcome, shadow) = (None, None);
        PendingAttempt { attempt, line_head, day, week, days_since_monday, identity, line_in_block, outcome, shadow }
    }

    /// Returns the beginning of its decision's line.
    pub(crate) fn head(&self) -> DecisionHead<'_> {
        match self.line_head {
            Some(line) => DecisionHead::OfAttempt(line),
            None => DecisionHead::Ids { id: self.attempt.id.as_str(), customer_id: self.attempt.customer_id.as_str() },
        }
    }

    /// Returns the day in which the attempt counts.
    pub const fn day(&self) -> Day {
        self.day
    }
}

/// Finds the days of attempts that follow one another. Most have the date of the one before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dates(Option<Date>);

/// A date, and what the ledger needs of it.
#[derive(Clone, Copy, Debug)]
struct Date {
    of: NaiveDate,
    day: Day,
    week: Week,
    days_since_monday: u8,
}

impl Dates {
    fn of(&mut self, time: DateTime<Utc>) -> Date {
        let date = time.naive_utc().date();
        match self.0 {
            Some(last) if last.of == date => last,
            _ => *self.0.insert(Date::new(date)),
        }
    }
}

impl Date {
    fn new(date: NaiveDate) -> Date {
        let day = Day::of_date(date);
        Date { of: date, day, week: day.week(), days_since_monday: day.days_since_monday() }
    }
}

#[cfg(test)]
mod tests {
    use chrono::Days;

    use super::*;
    use crate::domain::{AttemptText, Limit, Limits, Measure, Window, Zone};
    use crate::replay::ledger::week_table::WeekTable;

    /// Memory that an empty ledger may use: the first chunk of the wide weeks.
    const LEDGER_BYTES: u64 = 8 * 1024;

    /// Maximum memory of a map's entry, in entries. Nodes are at least 5/11 full, and also hold pointers.
    const MAP_FILL: u64 = 3;

    /// Decides valid attempts one by one, each of a distinct event. Checks that the memory is within the bounds after
    /// each of the first 64, and then after every 64th. Returns the highest percentage of the bound that more than
    /// 10,000 events used.
    fn percent_of_allowed_max(attempts: impl Iterator<Item = (u32, u32, &'static str)>) -> u64 {
        let limit = |measure, max| Limit { code: format!("{measure:?}"), measure, window: Window::Day(Zone::UTC), max };
        let limits = [limit(Measure::Amount, u64::MAX), limit(Measure::Count, 1_000_000)];
        let limits = AllLimits::from(Limits::new(limits.into()).unwrap());
        let (mut ledger, identifier) = (Ledger::default(), Identifier::new([7; 16]));
        let mut percent_max = 0;
        for (events, (customer, days, amount)) in (1_u64..).zip(attempts) {
            let time = DateTime::<Utc>::UNIX_EPOCH + Days::new(days.into());
            let (id, customer_id) = (events.to_string().into(), customer.to_string().into());
            let text = AttemptText { id, customer_id, load_amount: amount.into(), time: time.to_rfc3339().into() };
            let mut pending =
                PendingAttempt::new(LoadAttempt::check(text).unwrap(), None, 0, &identifier, &mut Dates::default());
            ledger.decide(&limits, &mut [&mut pending]);
            assert_eq!(pending.outcome, Some(LineOutcome::Decided(Decision::Accepted)));
            let (mut one_day, mut several) = (0, 0);
            if events % 64 > 0 && events > 64 {
                continue;
            }
            let Ledger { events: seen, usage: Usage { weeks, wide, .. } } = &ledger;
            let mut bytes = seen.allocated_bytes() + wide.allocated_bytes();
            for table in weeks.values() {
                bytes += table.allocated_bytes();
                let [days, weeks] = table.rows();
                (one_day, several) = (one_day + days as u64, several + weeks as u64);
            }
            let (wide, weeks) = (wide.len() as u64, weeks.len() as u64);
            let taken = bytes as u64 + MAP_FILL * weeks * size_of::<(Week, WeekTable)>() as u64;
            let allowed = LEDGER_BYTES
                + EVENT_BYTES_MAX * events
                + ONE_DAY_BYTES_MAX * one_day
                + SEVERAL_DAYS_BYTES_MAX * (several - wide)
                + WIDE_BYTES_MAX * wide
                + CALENDAR_WEEK_BYTES_MAX * weeks;
            assert!(taken <= allowed, "{taken} of {allowed} bytes for {events} events");
            if events > 10_000 {
                percent_max = percent_max.max(taken * 100 / allowed);
            }
        }
        percent_max
    }

    /// Maps an event's number to its customer and day.
    type Shape = fn(u32) -> (u32, u32);

    #[test]
    fn memory_is_within_its_bounds_whatever_the_customers_times_and_amounts() {
        let (little, much) = ("$1.00", "$90,000,000,000,000.00");
        let shapes: [(&str, Shape); 5] = [
            ("each customer on one day", |n| (n, 4)),
            ("each customer on two days of a week", |n| (n / 2, 4 + n % 2)),
            ("all customers on one day, then all on another", |n| (n % 15_000, 4 + n / 15_000)),
            ("each event in a week of its own", |n| (n % 3, 7 * n)),
            ("customers that come often", |n| (n % 100, 4 + n / 3_000)),
        ];
        for (name, shape) in shapes {
            for amount in [little, much] {
                let percent = percent_of_allowed_max((0..30_000).map(|n| (shape(n).0, shape(n).1, amount)));
                assert!(percent >= 50, "the bounds say little of {name}, {amount}: {percent} %");
            }
        }
    }
}
