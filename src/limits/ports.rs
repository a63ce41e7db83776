//! Interface to a store of customers' own limits.

use super::{CustomerLimits, LimitPointer};
use crate::deciding::StoreError;
use crate::domain::OwnLimit;

/// Storage of customers' own limits.
///
/// Each limit has a pointer of its own, and each customer one item with all of its limits. So a report of progress
/// changes no item that decisions read.
pub trait LimitStore: Send + Sync {
    /// Reads a limit's pointer and the limits of a customer, strongly consistent. The two may belong to different moments.
    fn read(&self, limit_id: &str, user_id: &str) -> impl Future<Output = Result<StoredLimit, StoreError>> + Send;

    /// Reads a limit's pointer, strongly consistent.
    fn read_pointer(&self, limit_id: &str) -> impl Future<Output = Result<Option<LimitPointer>, StoreError>> + Send;

    /// Makes a write, all or nothing. Fails with [`StoreError::Conflict`] if the pointer or the customer's limits have
    /// changed since they were read.
    ///
    /// After an error, only a read shows whether the write was made.
    fn write(&self, write: &LimitWrite) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Reads a customer's limits, in the order of their ids, each with its reported progress.
    fn read_limits(&self, user_id: &str) -> impl Future<Output = Result<Vec<ReportedLimit>, StoreError>> + Send;
}

/// Stored data that an event depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredLimit {
    /// The limit's pointer; `None` if no event has named the limit.
    pub pointer: Option<LimitPointer>,
    /// The limits of the event's customer.
    pub customer: CustomerLimits,
}

/// One conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitWrite {
    /// The limit.
    pub limit_id: String,
    /// The limit's pointer as it was read. The write fails if it has changed since.
    pub before: Option<LimitPointer>,
    /// The limit's pointer after the write.
    pub after: LimitPointer,
    /// The customer's limits after the write, under the version that was read; the write stores the next version, and
    /// fails if the stored version has changed since. `None` if only the pointer changes.
    pub customer: Option<CustomerLimits>,
}

/// A limit with its reported progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedLimit {
    /// The limit.
    pub limit: OwnLimit,
    /// The limit's version.
    pub version: u64,
    /// The reported progress, in hundredths of the currency; 0 without a report.
    pub reported: u64,
}
