//! A decision as it is stored and published.

use chrono::{DateTime, Utc};

use super::{Decision, Limit, LimitOrigin, Limits, LimitsInForce, LoadAttempt, Millis, OwnRule, ShadowJudgement};

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
    /// Judgement of the shadow limits.
    pub shadow: ShadowCodes,
    /// Position in the decision log; `None` if it was decided while the log was off. Of it, the run is published.
    pub log: Option<LogPosition>,
}

/// Judgement of shadow limits, by their codes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShadowCodes {
    /// The shadow limits that the attempt would have broken.
    pub broken: Vec<String>,
    /// The shadow limits that were not judged, because what was read for the limits in force does not show their usage.
    pub unjudged: Vec<String>,
}

/// Position of a decision in the decision log. It follows from what is stored, so that a decision that is logged again
/// is the same entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPosition {
    /// The run that made the decision: one invocation of the function, one batch of the worker, or one replay.
    pub run_id: String,
    /// Place of the attempt in the run: in its batch, or in its file.
    pub seq: u64,
    /// The instant from which the entry counts as absent, in whole seconds.
    pub expires_at: DateTime<Utc>,
}

impl From<ShadowJudgement<'_>> for ShadowCodes {
    fn from(judgement: ShadowJudgement<'_>) -> ShadowCodes {
        ShadowCodes {
            broken: judgement.broken().map(str::to_owned).collect(),
            unjudged: judgement.unjudged().map(str::to_owned).collect(),
        }
    }
}

/// An entry of the decision log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The position.
    pub position: LogPosition,
    /// The message that brought the attempt. In a replay, it consists of the run's name and the line.
    pub message_id: String,
    /// The decision.
    pub decision: StoredDecision,
}

impl LogEntry {
    /// Returns true when the entry counts as absent, even if the store has not deleted it yet.
    pub fn is_expired(&self, now: DateTime<Utc>) -> bool {
        self.position.expires_at <= now
    }
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
    /// True for a shadow limit.
    pub is_shadow: bool,
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
            is_shadow: false,
            resets_at: limit.window.resets_at(at),
        };
        limits.applying_to(at).map(of_limit).collect()
    }

    /// Returns the usage of every shadow limit of a table at an instant, in order. `used` returns the total of a limit's
    /// window; `None` if it is not known.
    pub fn of_shadow(at: Millis, limits: &Limits, used: impl Fn(&Limit) -> Option<u64>) -> Vec<LimitUsage> {
        let of_limit = |limit: &Limit| {
            Some(LimitUsage {
                code: limit.code.clone(),
                limit_id: None,
                used: used(limit)?,
                limit: limit.max,
                is_shadow: true,
                resets_at: limit.window.resets_at(at),
            })
        };
        limits.shadow().filter_map(of_limit).collect()
    }

    /// Returns the usage of every shadow limit of a table, after the decision on an attempt, in order. `used` returns the
    /// total of a limit's window before it, as for [`judge_shadow`](super::judge_shadow()).
    pub fn shadow_after(
        decision: Decision<'_>,
        attempt: &LoadAttempt<'_>,
        limits: &Limits,
        used: impl Fn(&Limit) -> Option<u64>,
    ) -> Vec<LimitUsage> {
        let after = |limit: &Limit| {
            let before = used(limit)?;
            Some(if decision.is_accepted() { limit.with_load(before, attempt.amount) } else { before })
        };
        LimitUsage::of_shadow(Millis::of(attempt.time), limits, after)
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
