//! A decision as it is stored and published.

use chrono::{DateTime, Utc};

use super::{Decision, Limit, LimitOrigin, LimitsInForce, LoadAttempt, Millis, OwnRule};

/// An event. Its id is unique only for its customer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventKey {
    /// The customer.
    pub customer_id: String,
    /// The event's id.
    pub event_id: String,
}

/// A decision as it is stored and published. It never changes, even if the limits do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDecision {
    /// The event that was decided.
    pub key: EventKey,
    /// The verdict, with its reasons.
    pub verdict: Verdict,
    /// The amount as the attempt wrote it.
    pub load_amount: String,
    /// The time as the attempt wrote it.
    pub time: String,
    /// The instant of the decision, in whole milliseconds.
    pub decided_at: DateTime<Utc>,
    /// The usage of every limit, after the decision.
    pub usage: Vec<LimitUsage>,
    /// Origin of the limits that are not the customer's own. It is stored, but not published.
    pub origin: LimitOrigin,
}

/// Verdict of a stored decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The load is accepted.
    Accepted,
    /// The load is declined, for these reasons.
    Declined(DeclineReasons),
}

/// The codes of the limits that an attempt would have broken: at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclineReasons(Vec<String>);

/// Usage of one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitUsage {
    /// The limit's code.
    pub code: String,
    /// The limit's id; `None` unless it is a customer's own.
    pub limit_id: Option<String>,
    /// The amount used: cents or loads.
    pub used: u64,
    /// The maximum usage: cents or loads.
    pub limit: u64,
    /// The end of the span that holds the load. `None` for a window without one, and in decisions of versions before it
    /// was stored.
    pub resets_at: Option<DateTime<Utc>>,
}

impl LimitUsage {
    /// Returns the usage of every limit that applies to an attempt, after the decision on it, in the order of the limits.
    /// `used` returns the total of a limit's window before it, as for [`decide`](super::decide()).
    pub fn after(
        decision: Decision<'_>,
        attempt: &LoadAttempt<'_>,
        limits: LimitsInForce<'_>,
        used: impl Fn(&Limit) -> u64,
    ) -> Vec<LimitUsage> {
        let after = |limit: &Limit| {
            let before = used(limit);
            if decision.is_accepted() { limit.with_load(before, attempt.amount) } else { before }
        };
        LimitUsage::at(Millis::of(attempt.time), limits, after)
    }

    /// Returns the usage of every limit that applies to a load at an instant, in the order of the limits. `used` returns
    /// the total of a limit's window.
    pub fn at(at: Millis, limits: LimitsInForce<'_>, used: impl Fn(&Limit) -> u64) -> Vec<LimitUsage> {
        let of_limit = |(own, limit): (Option<&OwnRule>, &Limit)| LimitUsage {
            code: limit.code.clone(),
            limit_id: own.map(|own| own.limit_id.clone()),
            used: used(limit),
            limit: limit.max,
            resets_at: limit.window.resets_at(at),
        };
        limits.applying_to(at).map(of_limit).collect()
    }

    /// Returns what remains of the limit: cents or loads.
    pub fn remaining(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }
}

impl Verdict {
    /// The verdict that these two stored values state. `None` where they contradict each other: a declined load has a
    /// reason, an accepted one has none.
    pub fn new(is_accepted: bool, reasons: Vec<String>) -> Option<Verdict> {
        match (is_accepted, reasons.is_empty()) {
            (true, true) => Some(Verdict::Accepted),
            (false, false) => Some(Verdict::Declined(DeclineReasons(reasons))),
            (true, false) | (false, true) => None,
        }
    }

    /// Returns true when the load is accepted.
    pub const fn is_accepted(&self) -> bool {
        matches!(self, Verdict::Accepted)
    }

    /// The codes of the limits that the attempt would have broken: none when it is accepted.
    pub fn reasons(&self) -> &[String] {
        match self {
            Verdict::Accepted => &[],
            Verdict::Declined(DeclineReasons(codes)) => codes,
        }
    }
}

impl From<Decision<'_>> for Verdict {
    fn from(decision: Decision<'_>) -> Verdict {
        match decision {
            Decision::Accepted => Verdict::Accepted,
            Decision::Declined(broken) => {
                Verdict::Declined(DeclineReasons(broken.codes().map(str::to_owned).collect()))
            }
        }
    }
}
