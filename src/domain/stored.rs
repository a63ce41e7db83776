//! A decision as it is stored and published.

use chrono::{DateTime, Utc};

use super::{Day, Decision, Limits, WeekUsage};

/// An event: its id is unique for its customer only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventKey {
    /// The customer.
    pub customer_id: String,
    /// The event's id.
    pub event_id: String,
}

/// A decision as it is stored and published. It says the same for ever, whatever the limits are by then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDecision {
    /// Which event it is about.
    pub key: EventKey,
    /// Whether the load is accepted.
    pub accepted: bool,
    /// The codes of the limits that it would break: none when it is accepted.
    pub reasons: Vec<String>,
    /// The amount as the attempt wrote it.
    pub load_amount: String,
    /// The time as the attempt wrote it.
    pub time: String,
    /// When it was decided, in whole milliseconds.
    pub decided_at: DateTime<Utc>,
    /// What is used of every limit, after the decision.
    pub usage: Vec<LimitUsage>,
}

/// How much of a limit is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitUsage {
    /// The limit's code.
    pub code: String,
    /// What is used: cents or loads.
    pub used: u64,
    /// The most that may be used: cents or loads.
    pub limit: u64,
}

impl LimitUsage {
    /// What is used of every limit on that day of the week, in the order of the limits.
    pub fn of(limits: &Limits, usage: &WeekUsage, day: Day) -> Vec<LimitUsage> {
        let used = |limit: &super::Limit| usage.used(limit.measure, limit.window, day);
        let of_limit =
            |limit: &super::Limit| LimitUsage { code: limit.code.clone(), used: used(limit), limit: limit.max };
        limits.iter().map(of_limit).collect()
    }

    /// What may still be used: cents or loads.
    pub fn remaining(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }
}

impl StoredDecision {
    /// The decision in terms of these limits. A reason that they do not have is left out.
    pub fn decision(&self, limits: &Limits) -> Decision {
        if self.accepted { Decision::Accepted } else { Decision::Declined(limits.with_codes(&self.reasons)) }
    }
}
