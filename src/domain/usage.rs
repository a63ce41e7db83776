//! A customer's usage of the limits. Only accepted loads count.

use super::{Cents, Day, Limit, Measure, Window};

/// A total of accepted loads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadTotal {
    /// The sum of their amounts.
    pub amount: Cents,
    /// Their number, which saturates.
    pub count: u32,
}

/// A customer's accepted loads of one ISO week, day by day. No limit depends on anything else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WeekUsage {
    /// Monday first.
    days: [LoadTotal; 7],
}

impl LoadTotal {
    /// Returns the total after one more load of this amount.
    #[must_use]
    pub fn with_load(self, amount: Cents) -> LoadTotal {
        self.plus(LoadTotal { amount, count: 1 })
    }

    /// Returns what this total has beyond another one.
    pub(super) const fn beyond(self, other: LoadTotal) -> LoadTotal {
        LoadTotal {
            amount: Cents::new(self.amount.get().saturating_sub(other.amount.get())),
            count: self.count.saturating_sub(other.count),
        }
    }

    /// Returns the quantity that a limit adds up: cents or loads.
    pub fn measured(self, measure: Measure) -> u64 {
        match measure {
            Measure::Amount => self.amount.get(),
            Measure::Count => u64::from(self.count),
        }
    }

    /// Returns the sum of two totals. Both parts saturate.
    #[must_use]
    pub fn plus(self, other: LoadTotal) -> LoadTotal {
        LoadTotal { amount: self.amount.saturating_add(other.amount), count: self.count.saturating_add(other.count) }
    }
}

impl WeekUsage {
    /// Creates the usage of these days, Monday first.
    pub const fn new(days: [LoadTotal; 7]) -> WeekUsage {
        WeekUsage { days }
    }

    /// Returns every day's usage, Monday first.
    pub const fn days(&self) -> &[LoadTotal; 7] {
        &self.days
    }

    /// Returns the usage of that day of the week.
    pub fn day(&self, day: Day) -> LoadTotal {
        self.days.get(usize::from(day.days_since_monday())).copied().unwrap_or_default()
    }

    /// Sets a day's usage.
    pub fn set_day(&mut self, days_since_monday: u8, usage: LoadTotal) {
        if let Some(day) = self.days.get_mut(usize::from(days_since_monday)) {
            *day = usage;
        }
    }

    /// Returns the usage after one more accepted load on that day.
    #[must_use]
    pub fn with_load(mut self, day: Day, amount: Cents) -> WeekUsage {
        self.set_day(day.days_since_monday(), self.day(day).with_load(amount));
        self
    }

    /// Returns the totals of that day and of the week.
    pub fn totals(&self, day: Day) -> DayAndWeek {
        DayAndWeek { day: self.day(day), week: self.days.iter().copied().fold(LoadTotal::default(), LoadTotal::plus) }
    }

    /// Returns the total of a limit's window on that day: see [`DayAndWeek::used`].
    pub fn used(&self, limit: &Limit, day: Day) -> u64 {
        self.totals(day).used(limit)
    }
}

/// A customer's accepted loads of one UTC day, and of the week that contains it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayAndWeek {
    /// The total of the day.
    pub day: LoadTotal,
    /// The total of the week, the day included.
    pub week: LoadTotal,
}

impl DayAndWeek {
    /// Returns the total of a limit's window: cents or loads. A long window is not answered by a week: it counts as full.
    pub fn used(&self, limit: &Limit) -> u64 {
        let usage = match &limit.window {
            Window::Day(zone) if zone.is_utc() => self.day,
            Window::Week(zone) if zone.is_utc() => self.week,
            Window::Load => return 0,
            _ => return u64::MAX,
        };
        usage.measured(limit.measure)
    }
}
