//! The decider: a store, a clock and the limits in force; outcomes, and what an error of the store means.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::{CorrelationRecord, StoreError};
use crate::domain::Limits;

/// Lifetime of the record of an unpublished decision, from its last mark on: longer than its message can last.
///
/// After its last delivery a message may wait in the input queue for as long as that keeps it, 14 days at most. Its time in a FIFO
/// dead-letter queue, 14 days at most, begins when it is moved there (the SQS developer guide, "Understanding message retention
/// periods for dead-letter queues"). A mark is renewed when it is a day old.
pub const PENDING_TTL: TimeDelta = TimeDelta::days(30);

/// What became of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its event has been decided now.
    Decided(CorrelationRecord),
    /// Its event had been decided before, and the decision has to be published again.
    Redelivered {
        /// The stored record.
        record: CorrelationRecord,
        /// Whether this very message had brought the event. If not, the decision is not known to be published.
        is_same_message: bool,
    },
    /// Its event had been decided before, for another message: a duplicate.
    Ignored {
        /// Whether it asks for another amount, or at another time, than the attempt that was decided.
        is_altered: bool,
    },
}

impl Outcome {
    /// The record whose decision is to be published. None for a duplicate.
    pub const fn record(&self) -> Option<&CorrelationRecord> {
        match self {
            Outcome::Decided(record) | Outcome::Redelivered { record, .. } => Some(record),
            Outcome::Ignored { .. } => None,
        }
    }

    /// The same, to be changed.
    pub const fn record_mut(&mut self) -> Option<&mut CorrelationRecord> {
        match self {
            Outcome::Decided(record) | Outcome::Redelivered { record, .. } => Some(record),
            Outcome::Ignored { .. } => None,
        }
    }
}

/// Decides over a store.
#[derive(Clone, Debug)]
pub struct Decider<S, C> {
    /// Where records and rows are kept.
    pub store: S,
    /// What dates decisions.
    pub clock: C,
    /// The limits in force.
    pub limits: Limits,
    /// How long an event is remembered after its decision.
    pub correlation_ttl: TimeDelta,
}

/// What to do about a customer after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Read strongly consistent and decide again.
    TryAgain,
    /// Leave the messages to a later delivery, or to a person.
    GiveUp,
}

/// The one place that says what an error of the store means for a customer's deliveries.
pub const fn remedy(error: &StoreError) -> Remedy {
    match error {
        StoreError::Conflict(_) | StoreError::Throttled(_) | StoreError::Unavailable(_) => Remedy::TryAgain,
        StoreError::Corrupt(_) | StoreError::Misconfigured(_) => Remedy::GiveUp,
    }
}

/// When a record expires, in whole seconds.
pub(super) fn expiry(decided_at: DateTime<Utc>, ttl: TimeDelta) -> DateTime<Utc> {
    decided_at.checked_add_signed(ttl).unwrap_or(DateTime::<Utc>::MAX_UTC).trunc_subsecs(0)
}
