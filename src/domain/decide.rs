//! The rule that accepts or declines load attempts, the same for every program.

use super::{BrokenLimits, Day, DayAndWeek, Limit, Limits, LimitsInForce, LoadAttempt, WeekUsage};

/// Decision about a load attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<'l> {
    /// The load is within every limit, and counts.
    Accepted,
    /// The attempt would break these limits. It counts for nothing, but its event is remembered.
    Declined(BrokenLimits<'l>),
}

impl<'l> Decision<'l> {
    /// Returns true when the load is accepted.
    pub const fn is_accepted(self) -> bool {
        matches!(self, Decision::Accepted)
    }

    /// The codes of the limits that the attempt would break: none when it is accepted.
    pub fn codes(self) -> impl Iterator<Item = &'l str> {
        let broken = match self {
            Decision::Accepted => None,
            Decision::Declined(broken) => Some(broken),
        };
        broken.into_iter().flat_map(BrokenLimits::codes)
    }
}

/// Decides an attempt that has not been seen before.
///
/// `used` must return, for each limit and its place, the customer's accepted loads in the limit's window around the
/// attempt's own time, without the attempt: cents or loads. So a late attempt is decided against its own spans, whatever
/// was decided in between.
pub fn decide<'l>(
    limits: LimitsInForce<'l>,
    attempt: &LoadAttempt<'_>,
    used: impl Fn(usize, &Limit) -> u64,
) -> Decision<'l> {
    let is_broken = |place: usize, limit: &Limit| limit.with_load(used(place, limit), attempt.amount) > limit.max;
    limits.broken(attempt.time, is_broken).map_or(Decision::Accepted, Decision::Declined)
}

/// Decides an attempt by the usage of the week in which its time lies. Returns the decision, and the usage after it,
/// which a declined attempt leaves as it was.
pub fn decide_in_week<'l>(
    limits: &'l Limits,
    usage: &WeekUsage,
    attempt: &LoadAttempt<'_>,
) -> (Decision<'l>, WeekUsage) {
    let day = Day::of(attempt.time);
    let decision = decide_by_totals(limits, &usage.totals(day), attempt);
    (decision, if decision.is_accepted() { usage.with_load(day, attempt.amount) } else { *usage })
}

/// Decides an attempt by the totals of the day and the week in which its time lies.
pub fn decide_by_totals<'l>(limits: &'l Limits, used: &DayAndWeek, attempt: &LoadAttempt<'_>) -> Decision<'l> {
    decide(limits.into(), attempt, |_, limit| used.used(limit))
}
