//! Items of a store: a correlation record for each decided event, and a usage row for each customer's week.

use chrono::{DateTime, Utc};

use crate::domain::{StoredDecision, Week, WeekUsage};

/// The longest amount or time, in bytes, that a decision repeats as it was written. A longer one (leading zeros, a long
/// fraction) is repeated in its shortest form: what a store keeps of an attempt is bounded.
pub const WRITTEN_BYTES_MAX: usize = 64;

/// A customer's week.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsageKey {
    /// The customer.
    pub customer_id: String,
    /// The week.
    pub week: Week,
}

/// The record of one decided event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorrelationRecord {
    /// The decision.
    pub decision: StoredDecision,
    /// The message that carried the attempt. The same message again is a redelivery, another one a duplicate.
    pub message_id: String,
    /// A digest of the attempt's amount and instant: tells a duplicate that asks for something else.
    pub fingerprint: String,
    /// Publication of the decision, as far as it is known.
    pub publication: Publication,
    /// From when on the record counts as absent, in whole seconds.
    pub expires_at: DateTime<Utc>,
}

/// Publication of a stored decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publication {
    /// Nothing says that the decision is unpublished: its message publishes it, or has done so. Duplicates are ignored.
    Confirmed,
    /// The decision may be unpublished: any message that brings its event publishes it.
    Pending,
}

/// A customer's usage in a week, and the number of changes to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageRow {
    /// The usage.
    pub usage: WeekUsage,
    /// 0 for a row that is not there yet; each change adds 1.
    pub version: u64,
}

/// A usage row as it shall stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageChange {
    /// Which week.
    pub week: Week,
    /// The row as it was read. The change holds only if its version still stands.
    pub before: UsageRow,
    /// The usage after it.
    pub after: WeekUsage,
}

/// A usage row that a decision relies on and does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageCheck {
    /// Which week.
    pub week: Week,
    /// The version that was read; 0 for a row that was not there. The commit holds only if it still stands.
    pub version: u64,
}

/// One atomic write: everything that deciding some attempts of one customer changes, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The customer.
    pub customer_id: String,
    /// Items to write. Each new record holds only if its event has none that is still in force.
    pub writes: Writes,
    /// The instant at which records were taken for expired or in force.
    pub now: DateTime<Utc>,
}

/// Contents of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Writes {
    /// The record of a lone decline, which changes no usage: one conditional put.
    Record(Box<CorrelationRecord>),
    /// Several records, or records with the usage that they change or rely on: one transaction.
    Transaction {
        /// The new records.
        records: Vec<CorrelationRecord>,
        /// The changed rows.
        usage: Vec<UsageChange>,
        /// The rows that must still stand as they were read.
        checks: Vec<UsageCheck>,
    },
}

impl Commit {
    /// The new records, in the order of their deliveries.
    pub fn records(&self) -> &[CorrelationRecord] {
        match &self.writes {
            Writes::Record(record) => std::slice::from_ref(record),
            Writes::Transaction { records, .. } => records,
        }
    }

    /// The changed rows.
    pub fn usage(&self) -> &[UsageChange] {
        match &self.writes {
            Writes::Record(_) => &[],
            Writes::Transaction { usage, .. } => usage,
        }
    }

    /// The rows that must still stand as they were read.
    pub fn checks(&self) -> &[UsageCheck] {
        match &self.writes {
            Writes::Record(_) => &[],
            Writes::Transaction { checks, .. } => checks,
        }
    }
}

impl CorrelationRecord {
    /// Returns true when the decision may be unpublished.
    pub fn is_pending(&self) -> bool {
        self.publication == Publication::Pending
    }

    /// Returns true when the record counts as absent, although the store may not have deleted it yet.
    pub fn is_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires_at <= now
    }
}
