//! The rule that accepts or declines load attempts, the same for every program.

use super::{BrokenLimits, Day, Limits, LoadAttempt, WeekUsage};

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

/// Decides an attempt that has not been seen before. Returns the decision, and the customer's usage after it.
///
/// The caller must pass the customer's usage of the week in which the attempt's own time lies, whatever was decided in
/// between: a late attempt is decided against its own day and week. A declined attempt leaves the usage as it was.
pub fn decide<'l>(limits: &'l Limits, usage: &WeekUsage, attempt: &LoadAttempt<'_>) -> (Decision<'l>, WeekUsage) {
    let day = Day::of(attempt.time);
    let after = usage.with_load(day, attempt.amount);
    match limits.exceeded_by(&after, day) {
        None => (Decision::Accepted, after),
        Some(broken) => (Decision::Declined(broken), *usage),
    }
}
