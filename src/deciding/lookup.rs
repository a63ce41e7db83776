//! Reads: their keys, their consistency, their result and their cost.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;

use super::{CorrelationRecord, Delivery, StoreError, UsageKey, UsageRow};
use crate::domain::EventKey;

/// True when a read must show every write that was confirmed before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// It may miss the latest. Half the price.
    Eventual,
    /// It must.
    Strong,
}

/// Result of setting a record's publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicationChange {
    /// The publication is written, at this cost.
    Written(Units),
    /// The record is another message's, or there is none: nothing was written, and nothing is to be.
    Superseded,
}

/// Keys to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lookup {
    /// Events, for their correlation records.
    pub events: BTreeSet<EventKey>,
    /// Customers' weeks, for their usage rows.
    pub weeks: BTreeSet<UsageKey>,
}

/// Records and rows that were read. One that cannot be understood is an error of its own customer only.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The records found, expired ones too.
    pub records: BTreeMap<EventKey, Result<CorrelationRecord, StoreError>>,
    /// The rows found.
    pub usage: BTreeMap<UsageKey, Result<UsageRow, StoreError>>,
    /// Capacity that the read consumed.
    pub units: Units,
}

/// Capacity units that a store says were consumed. DynamoDB counts reads in halves.
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

/// Consistency of the first read of records. The record of a redelivered message may have been written just now, and
/// must be found: its decision is published, or becomes pending, whatever happens to the messages before it. Of other
/// messages, the commit's condition finds a stale one out.
pub fn consistency<'d>(deliveries: impl IntoIterator<Item = &'d Delivery>) -> Consistency {
    let mut deliveries = deliveries.into_iter();
    if deliveries.any(|delivery| delivery.source.is_redelivery) { Consistency::Strong } else { Consistency::Eventual }
}

/// Keys that must be read before these deliveries can be decided.
pub fn lookup<'d>(deliveries: impl IntoIterator<Item = &'d Delivery>) -> Lookup {
    let mut lookup = Lookup::default();
    for delivery in deliveries {
        lookup.events.insert(delivery.event());
        lookup.weeks.insert(delivery.week());
    }
    lookup
}
