//! Erasure of everything that a store keeps about a customer.
//!
//! The order of the deletions lets an interrupted erasure be repeated: entries of the decision log are found through
//! records, so they go first; a customer's fence goes last. While the fence is there, a commit that has read it, or a usage
//! row, fails.

mod eraser;

pub use eraser::Eraser;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::deciding::{LogReader, RecordReader, Store, StoreError, Units, UsageKey};
use crate::domain::EventKey;

/// Maximum number of items that are deleted in one request (the DynamoDB API reference, `BatchWriteItem`).
pub const DELETED_MAX: usize = 25;

/// An item of a store that is about one customer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CustomerItem {
    /// An entry of the decision log.
    LogEntry {
        /// The run.
        run_id: String,
        /// The sequence number.
        seq: u64,
    },
    /// A correlation record.
    Record(EventKey),
    /// A usage row.
    UsageRow(UsageKey),
    /// The pointer of one of the customer's own limits.
    Pointer {
        /// The limit.
        limit_id: String,
    },
    /// The record of a change of one of the customer's own limits.
    Change {
        /// The limit.
        limit_id: String,
        /// The version that the change made.
        version: u64,
    },
    /// The customer's entry in the roster of a programme.
    RosterEntry {
        /// The programme.
        program_id: String,
        /// The customer.
        customer_id: String,
    },
    /// The customer's own limits, link and programme.
    Settings {
        /// The customer.
        customer_id: String,
    },
}

/// Place in the table of limits, behind which a scan continues: the two parts of a key.
pub type LimitStart = (String, String);

/// One customer's items in a part of the table of limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitScan {
    /// Pointers, changes and roster entries, in no order.
    pub items: Vec<CustomerItem>,
    /// The place behind which the scan continues; `None` at the end.
    pub next: Option<LimitStart>,
    /// Capacity consumed.
    pub units: Units,
}

/// Storage from which a customer can be erased.
pub trait ErasableStore: Store + RecordReader + LogReader {
    /// Reads at most `max` items of the table of limits, strongly consistent: from the beginning, or behind a place. Returns
    /// those that are about the customer. Limits that have ended long ago are in no other item of it.
    fn scan_limits(
        &self,
        customer_id: &str,
        start: Option<LimitStart>,
        max: u16,
    ) -> impl Future<Output = Result<LimitScan, StoreError>> + Send;

    /// Deletes at most [`DELETED_MAX`] different items. One that is not there counts as deleted. Returns the places of those
    /// that are not deleted.
    fn delete_items(&self, items: &[CustomerItem]) -> impl Future<Output = Result<Vec<usize>, StoreError>> + Send;

    /// Deletes the customer's fence if it has this version, or is not there.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if it has another version.
    fn delete_fence(&self, customer_id: &str, version: u64) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Numbers of items about one customer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Entries of the decision log.
    pub log_entries: u64,
    /// Correlation records.
    pub records: u64,
    /// Usage rows.
    pub usage_rows: u64,
    /// Fences: at most one.
    pub fences: u64,
    /// Pointers of the customer's own limits, one for each limit.
    pub limits: u64,
    /// Changes of the customer's own limits.
    pub changes: u64,
    /// Entries in rosters of programmes.
    pub roster_entries: u64,
    /// Items with own limits, link and programme: at most one.
    pub settings: u64,
}

/// A reason not to erase a customer now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Decisions may be unpublished. Their messages are in a queue.
    Pending {
        /// Number of these decisions.
        decisions: u64,
    },
    /// A decision is so recent that a commit that has read the customer's usage may still be under way.
    Recent {
        /// The instant from which it is not recent any more.
        until: DateTime<Utc>,
    },
}

/// What a store keeps about a customer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// The items.
    pub holdings: Holdings,
    /// The reason not to erase the customer now.
    pub obstacle: Option<Obstacle>,
}

/// Reason why a customer is not erased.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// Nothing was deleted.
    #[error("nothing was deleted: {0}")]
    Refused(Obstacle),
    /// A load of the customer was decided meanwhile.
    #[error(
        "a load of the customer was decided during the erasure, so it stopped, and some items are deleted: stop the sender of \
         the customer's loads, wait for 15 minutes, and run the command again"
    )]
    Decided,
    /// The store failed.
    #[error("some items may be deleted; run the command again once the cause is corrected")]
    Store(#[from] StoreError),
}

impl Holdings {
    /// Returns true if there are no items.
    pub fn is_empty(&self) -> bool {
        *self == Holdings::default()
    }

    fn count(&mut self, item: &CustomerItem) {
        let number = match item {
            CustomerItem::LogEntry { .. } => &mut self.log_entries,
            CustomerItem::Record(_) => &mut self.records,
            CustomerItem::UsageRow(_) => &mut self.usage_rows,
            CustomerItem::Pointer { .. } => &mut self.limits,
            CustomerItem::Change { .. } => &mut self.changes,
            CustomerItem::RosterEntry { .. } => &mut self.roster_entries,
            CustomerItem::Settings { .. } => &mut self.settings,
        };
        *number += 1;
    }
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Obstacle::Pending { decisions } => write!(
                f,
                "{decisions} decisions of the customer may be unpublished, and their messages are in the input queue or among \
                 the dead letters: let them be delivered, or publish them with `loadgate redrive --go`, and run the command \
                 again"
            ),
            Obstacle::Recent { until } => write!(
                f,
                "a load of the customer was decided less than 15 minutes ago, and another commit may be under way: stop the \
                 sender of the customer's loads, and run the command again after {}",
                until.to_rfc3339_opts(SecondsFormat::Secs, true)
            ),
        }
    }
}
