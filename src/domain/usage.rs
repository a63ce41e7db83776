//! A customer's usage of the limits. Only accepted loads count.

use super::{Cents, Day, Measure, Window};

/// A customer's accepted loads of one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayUsage {
    /// Their amounts together.
    pub amount: Cents,
    /// Number of the loads. It saturates.
    pub count: u32,
}

/// A customer's accepted loads of one ISO week, day by day: all that any limit looks at.
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
    /// The usage of these days, Monday first.
    pub const fn new(days: [DayUsage; 7]) -> WeekUsage {
        WeekUsage { days }
    }

    /// Every day's usage, Monday first.
    pub const fn days(&self) -> &[DayUsage; 7] {
        &self.days
    }

    /// The usage of that day of the week.
    pub fn day(&self, day: Day) -> DayUsage {
        self.days.get(usize::from(day.days_since_monday())).copied().unwrap_or_default()
    }

    /// Puts a day's usage in its place.
    pub fn set_day(&mut self, days_since_monday: u8, usage: DayUsage) {
        if let Some(day) = self.days.get_mut(usize::from(days_since_monday)) {
            *day = usage;
        }
    }

    /// The usage as it would stand after one more accepted load on that day.
    #[must_use]
    pub fn with_load(mut self, day: Day, amount: Cents) -> WeekUsage {
        self.set_day(day.days_since_monday(), self.day(day).plus(DayUsage { amount, count: 1 }));
        self
    }

    /// Used part of a limit in the window that holds the day: cents, or loads.
    pub fn used(&self, measure: Measure, window: Window, day: Day) -> u64 {
        let usage = match window {
            Window::Day => self.day(day),
            Window::Week => self.days.iter().copied().fold(DayUsage::default(), DayUsage::plus),
        };
        match measure {
            Measure::Amount => usage.amount.get(),
            Measure::Count => u64::from(usage.count),
        }
    }
}
