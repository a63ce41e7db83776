//! The one rule that every door obeys.

use super::{Day, LimitSet, Limits, LoadAttempt, WeekUsage};

/// What was decided about a load attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Within every limit: the load counts.
    Accepted,
    /// It would break these limits, at least one: it counts for nothing, but it is remembered.
    Declined(LimitSet),
}

impl Decision {
    /// Whether the load is accepted.
    pub const fn is_accepted(self) -> bool {
        matches!(self, Decision::Accepted)
    }

    /// The limits that it would break: none when it is accepted.
    pub fn reasons(self) -> LimitSet {
        match self {
            Decision::Accepted => LimitSet::default(),
            Decision::Declined(broken) => broken,
        }
    }
}

/// Decides an attempt that has not been seen before, and says what the customer's usage is after it.
///
/// `usage` must be the customer's usage of the week in which the attempt's own time lies, whatever was decided in between:
/// a late attempt is decided against its own day and week. Usage does not know its week: who looks it up answers for it. A declined attempt leaves the usage as it was.
pub fn decide(limits: &Limits, usage: &WeekUsage, attempt: &LoadAttempt<'_>) -> (Decision, WeekUsage) {
    let day = Day::of(attempt.time);
    let after = usage.with_load(day, attempt.amount);
    let broken = limits.exceeded_by(&after, day);
    if broken.is_empty() { (Decision::Accepted, after) } else { (Decision::Declined(broken), *usage) }
}
