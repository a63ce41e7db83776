//! Figures of a backtest: sums by day and by reason, and examples of flips.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::domain::{Cents, Day};

/// Maximum number of days with figures of their own, about a century. The figures of later days are added up.
pub const DAYS_MAX: usize = 36_600;

/// Maximum number of examples of each flip of a candidate.
pub const EXAMPLES_MAX: usize = 20;

/// Number of some attempts, and the sum of their amounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// The number of attempts.
    pub count: u64,
    /// The sum of their amounts, in cents.
    pub cents: u128,
}

/// Difference between a candidate's decision and the base's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flip {
    /// The base declines the attempt, and the candidate accepts it.
    ToAccepted,
    /// The base accepts the attempt, and the candidate declines it.
    ToDeclined,
}

/// A value for each flip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerFlip<T> {
    /// The value for [`Flip::ToAccepted`].
    pub to_accepted: T,
    /// The value for [`Flip::ToDeclined`].
    pub to_declined: T,
}

/// Figures of the attempts that count in one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayFigures {
    /// Accepted attempts.
    pub accepted: Total,
    /// Declined attempts.
    pub declined: Total,
    /// Attempts that the base decides otherwise.
    pub flips: PerFlip<Total>,
}

/// Figures by day: of the earliest [`DAYS_MAX`] days with a decided attempt, and of all later days together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByDay {
    days: BTreeMap<Day, DayFigures>,
    later: DayFigures,
}

/// A flipped attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The number of its line, from 1.
    pub line: u64,
    /// The event's id.
    pub id: String,
    /// The customer's id.
    pub customer_id: String,
    /// The amount.
    pub amount: Cents,
    /// The attempt's own time.
    pub time: DateTime<Utc>,
    /// The codes of the limits of the base that it would break; none if the base accepts it.
    pub base_reasons: Vec<String>,
    /// The same for the candidate.
    pub candidate_reasons: Vec<String>,
}

impl Total {
    /// Returns the total of one attempt of this amount.
    pub(super) fn of(amount: Cents) -> Total {
        Total { count: 1, cents: u128::from(amount.get()) }
    }

    /// Adds one attempt of this amount.
    pub(super) fn count(&mut self, amount: Cents) {
        self.add(Total::of(amount));
    }

    /// Adds other attempts.
    pub fn add(&mut self, other: Total) {
        self.count = self.count.saturating_add(other.count);
        self.cents = self.cents.saturating_add(other.cents);
    }
}

impl Flip {
    /// All flips.
    pub const ALL: [Flip; 2] = [Flip::ToAccepted, Flip::ToDeclined];

    /// Returns the flip from the base's decision to the candidate's; `None` if they are the same.
    pub(super) const fn between(base_accepts: bool, candidate_accepts: bool) -> Option<Flip> {
        match (base_accepts, candidate_accepts) {
            (false, true) => Some(Flip::ToAccepted),
            (true, false) => Some(Flip::ToDeclined),
            (true, true) | (false, false) => None,
        }
    }
}

impl<T> PerFlip<T> {
    /// Returns the value for a flip.
    pub const fn get(&self, flip: Flip) -> &T {
        match flip {
            Flip::ToAccepted => &self.to_accepted,
            Flip::ToDeclined => &self.to_declined,
        }
    }

    /// Returns the value for a flip, to change it.
    pub(super) const fn get_mut(&mut self, flip: Flip) -> &mut T {
        match flip {
            Flip::ToAccepted => &mut self.to_accepted,
            Flip::ToDeclined => &mut self.to_declined,
        }
    }

    /// Maps references to both values.
    pub(super) fn map_ref<U>(&self, mut to: impl FnMut(&T) -> U) -> PerFlip<U> {
        PerFlip { to_accepted: to(&self.to_accepted), to_declined: to(&self.to_declined) }
    }

    /// Maps both values.
    pub(super) fn map<U>(self, mut to: impl FnMut(T) -> U) -> PerFlip<U> {
        PerFlip { to_accepted: to(self.to_accepted), to_declined: to(self.to_declined) }
    }
}

impl DayFigures {
    /// Counts a decided attempt.
    pub(super) fn count(&mut self, is_accepted: bool, flip: Option<Flip>, amount: Cents) {
        if is_accepted { &mut self.accepted } else { &mut self.declined }.count(amount);
        if let Some(flip) = flip {
            self.flips.get_mut(flip).count(amount);
        }
    }

    /// Adds other figures.
    pub(super) fn add(&mut self, other: &DayFigures) {
        self.accepted.add(other.accepted);
        self.declined.add(other.declined);
        self.flips.to_accepted.add(other.flips.to_accepted);
        self.flips.to_declined.add(other.flips.to_declined);
    }
}

impl ByDay {
    /// Adds figures to those of a day. The order of such additions does not matter.
    pub(super) fn add(&mut self, day: Day, figures: &DayFigures) {
        self.add_within(day, figures, DAYS_MAX);
    }

    fn add_within(&mut self, day: Day, figures: &DayFigures, days_max: usize) {
        if let Some(known) = self.days.get_mut(&day) {
            known.add(figures);
            return;
        }
        self.days.insert(day, *figures);
        if self.days.len() > days_max
            && let Some((_, last)) = self.days.pop_last()
        {
            self.later.add(&last);
        }
    }

    /// Returns the days, in order, with their figures.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Day, &DayFigures)> {
        self.days.iter().map(|(day, figures)| (*day, figures))
    }

    /// Returns the figures of all later days; `None` if there are no later days.
    pub fn later(&self) -> Option<&DayFigures> {
        (self.later != DayFigures::default()).then_some(&self.later)
    }

    /// Returns the figures of all days.
    pub fn sum(&self) -> DayFigures {
        let mut sum = self.later;
        self.days.values().for_each(|figures| sum.add(figures));
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_beyond_the_bound_are_added_up_whatever_the_order() {
        let days = [5, 1, 9, 3, 7, 1, 9, 5, 2];
        let by_day = |days: &[i32]| {
            let mut by_day = ByDay::default();
            for day in days {
                let mut figures = DayFigures::default();
                figures.count(true, None, Cents::new(u64::try_from(*day).unwrap()));
                by_day.add_within(Day::from_epoch_days(*day), &figures, 3);
            }
            by_day
        };
        let mut sorted = days;
        sorted.sort_unstable();
        let kept = by_day(&days);
        assert_eq!(kept, by_day(&sorted));
        assert_eq!(kept.iter().map(|(day, _)| day.since_epoch_days()).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(kept.later().unwrap().accepted, Total { count: 5, cents: 5 + 9 + 7 + 9 + 5 });
        assert_eq!(kept.sum().accepted, Total { count: 9, cents: 42 });
    }
}
