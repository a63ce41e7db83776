//! What a store keeps: a correlation record for each decided event, and a usage row for each customer's week.

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
    /// What was decided.
    pub decision: StoredDecision,
    /// The message that carried the attempt. The same message again is a redelivery, another one a duplicate.
    pub message_id: String,
    /// A digest of the attempt's amount and instant: tells a duplicate that asks for something else.
    pub fingerprint: String,
    /// Whether the decision may not have been published yet: then it is published whatever message asks for it.
    pub is_unpublished: bool,
    /// From when on the record counts as absent, in whole seconds.
    pub expires_at: DateTime<Utc>,
}

/// What a customer has used in a week, and how often that has changed.
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

/// Everything that deciding some attempts of one customer changes: all of it, or nothing. Where no usage changes, every record
/// is a decline and may stand without those behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The customer.
    pub customer_id: String,
    /// The new records. Each holds only if its event has none that is still in force.
    pub records: Vec<CorrelationRecord>,
    /// The changed rows.
    pub usage: Vec<UsageChange>,
    /// The instant at which records were taken for expired or in force.
    pub now: DateTime<Utc>,
}

impl CorrelationRecord {
    /// Whether the record counts as absent, although the store may not have deleted it yet.
    pub fn is_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires_at <= now
    }
}
