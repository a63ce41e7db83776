//! A customer's usage of the limits. Only accepted loads count.

use super::{Cents, Day, Limit, Measure, Window};

/// A customer's accepted loads of one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayUsage {
    /// The sum of their amounts.
    pub amount: Cents,
    /// Their number, which saturates.
    pub count: u32,
}

/// A customer's accepted loads of one ISO week, day by day. No limit depends on anything else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WeekUsage {
    /// Monday first.
    days: [DayUsage; 7],
}

impl DayUsage {
    fn plus(self, other: DayUsage) -> DayUsage {
        DayUsage { amount: self.amount.saturating_add(other.amount), count: self.count.saturating_add(other.count) }
    }
}

impl WeekUsage {
    /// Creates the usage of these days, Monday first.
    pub const fn new(days: [DayUsage; 7]) -> WeekUsage {
        WeekUsage { days }
    }

    /// Returns every day's usage, Monday first.
    pub const fn days(&self) -> &[DayUsage; 7] {
        &self.days
    }

    /// Returns the usage of that day of the week.
    pub fn day(&self, day: Day) -> DayUsage {
        self.days.get(usize::from(day.days_since_monday())).copied().unwrap_or_default()
    }

    /// Sets a day's usage.
    pub fn set_day(&mut self, days_since_monday: u8, usage: DayUsage) {
        if let Some(day) = self.days.get_mut(usize::from(days_since_monday)) {
            *day = usage;
        }
    }

    /// Returns the usage after one more accepted load on that day.
    #[must_use]
    pub fn with_load(mut self, day: Day, amount: Cents) -> WeekUsage {
        self.set_day(day.days_since_monday(), self.day(day).plus(DayUsage { amount, count: 1 }));
        self
    }

    /// Returns the total of a limit's window on that day: cents or loads. A long window is not answered by a week: it
    /// counts as full.
    pub fn used(&self, limit: &Limit, day: Day) -> u64 {
        let usage = match &limit.window {
            Window::Day(zone) if zone.is_utc() => self.day(day),
            Window::Week(zone) if zone.is_utc() => self.days.iter().copied().fold(DayUsage::default(), DayUsage::plus),
            Window::Load => return 0,
            _ => return u64::MAX,
        };
        match limit.measure {
            Measure::Amount => usage.amount.get(),
            Measure::Count => u64::from(usage.count),
        }
    }
}
