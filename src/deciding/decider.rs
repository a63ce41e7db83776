//! The decider: a store, a clock and the limits in force. Also: outcomes, and the remedy for each error of the store.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::{
    Clock, Consistency, CorrelationRecord, DecisionLog, Delivery, Lookup, PlanCache, Run, Snapshot, Store, StoreError,
    UsageKey,
};
use crate::domain::{Currency, Limits};

/// Lifetime of a pending record, from the last time that it became pending. It exceeds the lifetime of the record's
/// message.
///
/// After its last delivery a message may wait in the input queue for up to 14 days, the longest retention. Its time
/// in a FIFO dead-letter queue, 14 days at most, begins when it is moved there (the SQS developer guide,
/// "Understanding message retention periods for dead-letter queues"). A pending record is renewed when it is a day
/// old.
pub const PENDING_TTL: TimeDelta = TimeDelta::days(30);

/// Result of processing one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The event is decided now.
    Decided(CorrelationRecord),
    /// The event was decided before, and its decision must be published again.
    Redelivered {
        /// The stored record.
        record: CorrelationRecord,
        /// True when the same message brought the event before. Otherwise the decision is pending.
        is_same_message: bool,
    },
    /// The event was decided before, for another message: a duplicate.
    Ignored {
        /// True when its amount or time differs from those of the attempt that was decided.
        is_altered: bool,
    },
}

impl Outcome {
    /// Returns the record whose decision must be published; `None` for a duplicate.
    pub const fn record(&self) -> Option<&CorrelationRecord> {
        match self {
            Outcome::Decided(record) | Outcome::Redelivered { record, .. } => Some(record),
            Outcome::Ignored { .. } => None,
        }
    }

    /// Returns the same record as [`Outcome::record`], mutably.
    pub const fn record_mut(&mut self) -> Option<&mut CorrelationRecord> {
        match self {
            Outcome::Decided(record) | Outcome::Redelivered { record, .. } => Some(record),
            Outcome::Ignored { .. } => None,
        }
    }
}

/// Decides deliveries, and stores the decisions.
#[derive(Clone, Debug)]
pub struct Decider<S, C> {
    /// Keeps records and usage rows.
    pub store: S,
    /// Dates decisions.
    pub clock: C,
    /// The limits of the deployment, in force where no plan applies.
    pub limits: Limits,
    /// Plans that have been read.
    pub plans: PlanCache,
    /// True when the store keeps customers' settings: own limits, links and programmes.
    pub has_limit_table: bool,
    /// The currency of all amounts.
    pub currency: Currency,
    /// Lifetime of a record, from its decision.
    pub correlation_ttl: TimeDelta,
    /// The decision log; `None` if the store has none.
    pub log: Option<DecisionLog>,
}

impl<S, C: Clock> Decider<S, C> {
    /// Begins a run; `None` if new decisions are not logged.
    pub fn new_run(&self) -> Option<Run> {
        self.log?.new_run(self.clock.now())
    }
}

impl<S: Store, C: Clock> Decider<S, C> {
    /// Reads what these deliveries need, and dates the answer.
    ///
    /// # Errors
    /// [`StoreError`] when the whole read fails.
    pub async fn read<'d>(
        &self,
        deliveries: impl IntoIterator<Item = &'d Delivery>,
        records: Consistency,
    ) -> Result<Snapshot, StoreError> {
        let (wanted, read_at) = (self.lookup(deliveries), self.clock.now());
        Ok(Snapshot { read_at, ..self.store.read(&wanted, records).await? })
    }
}

impl<S, C> Decider<S, C> {
    /// Returns true when a customer may have a fence: where there are own limits in the store, or a long limit.
    pub fn has_fences(&self) -> bool {
        self.has_limit_table || self.limits.first_long().is_some()
    }

    /// Returns the keys that must be read before these deliveries can be decided.
    pub fn lookup<'d>(&self, deliveries: impl IntoIterator<Item = &'d Delivery>) -> Lookup {
        let mut lookup = Lookup::default();
        for delivery in deliveries {
            lookup.events.insert(delivery.event());
            self.add_customer(&mut lookup, delivery.week());
        }
        lookup
    }

    /// Adds the keys that any decision about a customer's load in this week needs.
    pub(super) fn add_customer(&self, lookup: &mut Lookup, key: UsageKey) {
        if self.has_limit_table {
            lookup.settings.insert(key.customer_id.clone());
        }
        if self.has_fences() {
            lookup.fences.insert(key.customer_id.clone());
        }
        lookup.weeks.insert(key);
    }
}

/// Reaction to a store error, for one customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Read strongly consistent, and decide again.
    TryAgain,
    /// Leave the messages to a later delivery, or to an operator.
    GiveUp,
}

/// Returns the reaction to a store error. No other code decides this.
pub const fn remedy(error: &StoreError) -> Remedy {
    match error {
        StoreError::Conflict(_) | StoreError::Throttled(_) | StoreError::Unavailable(_) => Remedy::TryAgain,
        StoreError::Corrupt(_) | StoreError::Misconfigured(_) => Remedy::GiveUp,
    }
}

/// Returns the instant at which a record expires, in whole seconds.
pub(super) fn expiry(decided_at: DateTime<Utc>, ttl: TimeDelta) -> DateTime<Utc> {
    decided_at.checked_add_signed(ttl).unwrap_or(DateTime::<Utc>::MAX_UTC).trunc_subsecs(0)
}
