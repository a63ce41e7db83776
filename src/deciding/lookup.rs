//! Reads: their keys, their consistency, their result and their cost.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;

use super::{CorrelationRecord, Delivery, StoreError, UsageKey, UsageRow};
use crate::domain::EventKey;

/// Consistency of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// The read may miss the latest writes. It costs half as much.
    Eventual,
    /// The read shows every write that was confirmed before it.
    Strong,
}

/// Result of setting a record's publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicationChange {
    /// The publication is written, at this cost.
    Written(Units),
    /// The record belongs to another message, or does not exist. Nothing was written, and no write is needed.
    Superseded,
}

/// Keys to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lookup {
    /// Events whose correlation records are read.
    pub events: BTreeSet<EventKey>,
    /// Customers' weeks whose usage rows are read.
    pub weeks: BTreeSet<UsageKey>,
}

/// Result of a read. A record or row that cannot be parsed is an error of its own customer only.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The records found, including expired ones.
    pub records: BTreeMap<EventKey, Result<CorrelationRecord, StoreError>>,
    /// The rows found.
    pub usage: BTreeMap<UsageKey, Result<UsageRow, StoreError>>,
    /// Capacity consumed by the read.
    pub units: Units,
}

/// Capacity units consumed, as reported by the store. They are counted in halves, as DynamoDB charges reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Units {
    /// Half read units.
    pub read_halves: u64,
    /// Half write units.
    pub write_halves: u64,
}

impl AddAssign for Units {
    fn add_assign(&mut self, other: Units) {
        self.read_halves += other.read_halves;
        self.write_halves += other.write_halves;
    }
}

/// Returns the consistency with which records must be read first. If a message was received before, its record may be
/// very recent, and must be found, so that it is published, or at least becomes pending, even if an earlier delivery
/// fails. For other messages, an eventually consistent read suffices, because the commit's condition detects a stale
/// one.
pub fn consistency<'d>(deliveries: impl IntoIterator<Item = &'d Delivery>) -> Consistency {
    let mut deliveries = deliveries.into_iter();
    if deliveries.any(|delivery| delivery.source.is_redelivery) { Consistency::Strong } else { Consistency::Eventual }
}

/// Returns the keys that must be read before these deliveries can be decided.
pub fn lookup<'d>(deliveries: impl IntoIterator<Item = &'d Delivery>) -> Lookup {
    let mut lookup = Lookup::default();
    for delivery in deliveries {
        lookup.events.insert(delivery.event());
        lookup.weeks.insert(delivery.week());
    }
    lookup
}
