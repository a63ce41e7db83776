//! Groups of consecutive days, for plots and tables of a bounded size.

use crate::backtest::figures::{ByDay, DayFigures};
use crate::domain::Day;

/// Figures of some consecutive days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayGroup {
    /// The first day.
    pub first: Day,
    /// The last day.
    pub last: Day,
    /// The sum of their figures.
    pub figures: DayFigures,
}

/// Divides the time from the first day to the last one into groups of the same number of days, at most `groups_max` and as
/// many as possible. A group without attempts has figures of 0. The last group may have fewer days.
pub fn group_days(by_day: &ByDay, groups_max: u16) -> Vec<DayGroup> {
    let Some((first, _)) = by_day.iter().next() else { return Vec::new() };
    let last = by_day.iter().map(|(day, _)| day).last().unwrap_or(first);
    let span_days = days_between(first, last) + 1;
    let group_days = span_days.div_ceil(u32::from(groups_max).max(1)).max(1);
    let begins = (0..span_days).step_by(group_days as usize).map(|begin| first.plus(to_i32(begin)));
    let mut groups: Vec<DayGroup> = begins
        .map(|begin| DayGroup {
            first: begin,
            last: begin.plus(to_i32(group_days) - 1).min(last),
            figures: DayFigures::default(),
        })
        .collect();
    for (day, figures) in by_day.iter() {
        let place = days_between(first, day) / group_days;
        if let Some(group) = groups.get_mut(place as usize) {
            group.figures.add(figures);
        }
    }
    groups
}

fn days_between(first: Day, last: Day) -> u32 {
    last.since_epoch_days().abs_diff(first.since_epoch_days())
}

fn to_i32(days: u32) -> i32 {
    i32::try_from(days).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Cents;

    fn groups(days: &[i32], groups_max: u16) -> Vec<(i32, i32, u64)> {
        let mut by_day = ByDay::default();
        for day in days {
            let mut figures = DayFigures::default();
            figures.count(true, None, Cents::new(1));
            by_day.add(Day::from_epoch_days(*day), &figures);
        }
        let groups = group_days(&by_day, groups_max);
        groups
            .iter()
            .map(|group| (group.first.since_epoch_days(), group.last.since_epoch_days(), group.figures.accepted.count))
            .collect()
    }

    #[test]
    fn days_are_grouped_only_as_far_as_needed() {
        assert_eq!(groups(&[], 3), []);
        assert_eq!(groups(&[7], 3), [(7, 7, 1)]);
        assert_eq!(groups(&[7, 9], 3), [(7, 7, 1), (8, 8, 0), (9, 9, 1)]);
        assert_eq!(groups(&[-1, 0, 2], 3), [(-1, 0, 2), (1, 2, 1)]);
        assert_eq!(groups(&[0, 3, 4, 6], 3), [(0, 2, 1), (3, 5, 2), (6, 6, 1)]);
        assert_eq!(groups(&[-719_528, 2_932_896], 60).len(), 60);
    }
}
