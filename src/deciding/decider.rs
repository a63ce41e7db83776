//! The decider: a store, a clock and the limits in force; outcomes, and what an error of the store means.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::{CorrelationRecord, StoreError};
use crate::domain::Limits;

/// Lifetime of a pending record, from the last time that it became pending: longer than its message can last.
///
/// After its last delivery a message may wait in the input queue for as long as that keeps it, 14 days at most. Its
/// time in a FIFO dead-letter queue, 14 days at most, begins when it is moved there (the SQS developer guide,
/// "Understanding message retention periods for dead-letter queues"). The lifetime is renewed when it is a day old.
pub const PENDING_TTL: TimeDelta = TimeDelta::days(30);

/// Result of processing one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its event has been decided now.
    Decided(CorrelationRecord),
    /// Its event had been decided before, and the decision has to be published again.
    Redelivered {
        /// The stored record.
        record: CorrelationRecord,
        /// True when this very message had brought the event. If not, the decision is not known to be published.
        is_same_message: bool,
    },
    /// Its event had been decided before, for another message: a duplicate.
    Ignored {
        /// True when it asks for another amount, or at another time, than the attempt that was decided.
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
    /// Store of records and usage rows.
    pub store: S,
    /// Dates decisions.
    pub clock: C,
    /// The limits in force.
    pub limits: Limits,
    /// Time that an event is remembered after its decision.
    pub correlation_ttl: TimeDelta,
}

/// Reaction to a store error, for one customer.
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

/// Expiry of a record, in whole seconds.
pub(super) fn expiry(decided_at: DateTime<Utc>, ttl: TimeDelta) -> DateTime<Utc> {
    decided_at.checked_add_signed(ttl).unwrap_or(DateTime::<Utc>::MAX_UTC).trunc_subsecs(0)
}
