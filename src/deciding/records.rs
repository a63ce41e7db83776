//! Stored data: a correlation record for each decided event, and a usage row for each customer's week.

use chrono::{DateTime, Utc};

use crate::domain::{StoredDecision, Week, WeekUsage};

/// Maximum length, in bytes, of an amount or time that a decision repeats as it was written. A longer one (leading
/// zeros, a long fraction) is repeated in its shortest form, so that stored data is bounded.
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
    /// The message that brought the attempt. The same message again is a redelivery; another one is a duplicate.
    pub message_id: String,
    /// A digest of the attempt's amount and instant. It reveals a duplicate with another amount or time.
    pub fingerprint: String,
    /// Publication of the decision, as far as it is known.
    pub publication: Publication,
    /// The instant from which the record counts as absent, in whole seconds.
    pub expires_at: DateTime<Utc>,
}

/// Publication of a stored decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publication {
    /// The decision's message publishes it, or has done so. Duplicates are ignored.
    Confirmed,
    /// The decision may be unpublished. Any message that brings its event publishes it.
    Pending,
}

/// A customer's usage of one week, with a version that counts its changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageRow {
    /// The usage.
    pub usage: WeekUsage,
    /// 0 for a row that does not exist yet. Each change adds 1.
    pub version: u64,
}

/// A change of a usage row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageChange {
    /// The week of the row.
    pub week: Week,
    /// The row as it was read. The commit fails if the row's version has changed since.
    pub before: UsageRow,
    /// The usage after the change.
    pub after: WeekUsage,
}

/// A usage row that a decision relies on but does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageCheck {
    /// The week of the row.
    pub week: Week,
    /// The version that was read; 0 for a row that does not exist. The commit fails if the version has changed since.
    pub version: u64,
}

/// One atomic write, all or nothing, of the changes that result from deciding some attempts of one customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The customer.
    pub customer_id: String,
    /// The contents. The commit fails if an event of a new record already has a record that has not expired.
    pub writes: Writes,
    /// The instant by which a record counts as expired or in force.
    pub now: DateTime<Utc>,
}

/// Contents of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Writes {
    /// The record of a single decline, which changes no usage: one conditional put.
    Record(Box<CorrelationRecord>),
    /// Several records, or records with the usage rows that they change or rely on: one transaction.
    Transaction {
        /// The new records.
        records: Vec<CorrelationRecord>,
        /// The changed rows.
        usage: Vec<UsageChange>,
        /// The rows whose version must not have changed since they were read.
        checks: Vec<UsageCheck>,
    },
}

impl Commit {
    /// Returns the new records, in the order of their deliveries.
    pub fn records(&self) -> &[CorrelationRecord] {
        match &self.writes {
            Writes::Record(record) => std::slice::from_ref(record),
            Writes::Transaction { records, .. } => records,
        }
    }

    /// Returns the changed rows.
    pub fn usage(&self) -> &[UsageChange] {
        match &self.writes {
            Writes::Record(_) => &[],
            Writes::Transaction { usage, .. } => usage,
        }
    }

    /// Returns the rows whose version must not have changed since they were read.
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

    /// Returns true when the record counts as absent, even if the store has not deleted it yet.
    pub fn is_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires_at <= now
    }
}
