//! Stored data: a correlation record for each decided event, and a usage row for each customer's week. Also: their
//! reads and writes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;

use chrono::{DateTime, Utc};

use crate::deciding::{Fence, FenceWrite, StoreError};
use crate::domain::{AcceptedLoads, EventKey, LogEntry, OwnLimit, PlanVersion, StoredDecision, Week, WeekUsage};

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageRow {
    /// The totals of all accepted loads, by their days.
    pub usage: WeekUsage,
    /// The accepted loads that are kept: those of a customer with a fence.
    pub loads: AcceptedLoads,
    /// Number of changes by commits that also changed the fence.
    pub fenced_changes: u64,
    /// 0 for a row that does not exist yet. Each change adds 1.
    pub version: u64,
}

/// A change of a usage row. The commit fails if the row's version is not one less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageChange {
    /// The week of the row.
    pub week: Week,
    /// The row after the change.
    pub after: UsageRow,
}

impl UsageChange {
    /// Returns the version that was read; 0 for a row that does not exist.
    pub const fn read_version(&self) -> u64 {
        self.after.version.saturating_sub(1)
    }
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
        /// What is required of the customer's fence, or done with it; `None` for a customer without one.
        fence: Option<FenceWrite>,
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

impl Commit {
    /// Returns what is required of the customer's fence, or done with it.
    pub const fn fence(&self) -> Option<&FenceWrite> {
        match &self.writes {
            Writes::Record(_) => None,
            Writes::Transaction { fence, .. } => fence.as_ref(),
        }
    }
}

impl CorrelationRecord {
    /// Returns true when the decision may be unpublished.
    pub fn is_pending(&self) -> bool {
        self.publication == Publication::Pending
    }

    /// Returns the entry of the decision log; `None` if it was decided while the log was off.
    pub fn log_entry(&self) -> Option<LogEntry> {
        let (decision, message_id) = (self.decision.clone(), self.message_id.clone());
        Some(LogEntry { position: decision.log.clone()?, message_id, decision })
    }

    /// Returns true when the record counts as absent, even if the store has not deleted it yet.
    pub fn is_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires_at <= now
    }
}

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
    /// Customers whose settings are read.
    pub settings: BTreeSet<String>,
    /// Customers whose fences are read.
    pub fences: BTreeSet<String>,
}

impl Lookup {
    /// Returns the number of keys.
    pub fn keys(&self) -> usize {
        self.events.len() + self.weeks.len() + self.settings.len() + self.fences.len()
    }
}

/// Settings that determine which limits apply to a customer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomerSettings {
    /// The customer's own limits, enforced or not.
    pub own_limits: Vec<OwnLimit>,
    /// The plan version that is linked to the customer.
    pub link: Option<PlanVersion>,
    /// The customer's programme.
    pub program_id: Option<String>,
}

/// Result of a read. A record or row that cannot be parsed is an error of its own customer only.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The instant at which the read began, as the reader dates it. A commit that knows no fence must follow soon: see
    /// [`SNAPSHOT_AGE_MAX`](super::SNAPSHOT_AGE_MAX).
    pub read_at: DateTime<Utc>,
    /// The records found, including expired ones.
    pub records: BTreeMap<EventKey, Result<CorrelationRecord, StoreError>>,
    /// The rows found.
    pub usage: BTreeMap<UsageKey, Result<UsageRow, StoreError>>,
    /// The customers' settings found.
    pub settings: BTreeMap<String, Result<CustomerSettings, StoreError>>,
    /// The customers' fences found.
    pub fences: BTreeMap<String, Result<Fence, StoreError>>,
    /// Capacity consumed by the read.
    pub units: Units,
}

/// A value with the capacity that its read has consumed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metered<T> {
    /// The value.
    pub value: T,
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
