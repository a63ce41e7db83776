//! Interface to a store of customers' own limits.

use super::{CustomerLimits, KeptAnswer, LimitPointer, VersionedLimit};
use crate::deciding::StoreError;
use crate::domain::ChangeRecord;

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
    /// changed since they were read, or if an answer is kept under the same key.
    ///
    /// After an error, only a read shows whether the write was made.
    fn write(&self, write: &LimitWrite) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Reads a customer's limits, in the order of their ids, each with its reported progress.
    fn read_limits(&self, user_id: &str) -> impl Future<Output = Result<Vec<ReportedLimit>, StoreError>> + Send;

    /// Reads at most `max` changes of a limit in the order of their versions: the first ones, or those behind a version.
    fn read_changes(
        &self,
        limit_id: &str,
        after: Option<u64>,
        max: u16,
    ) -> impl Future<Output = Result<ChangePage, StoreError>> + Send;
}

/// Stored data that a change or a limit event depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredLimit {
    /// The limit's pointer; `None` if nobody has named the limit.
    pub pointer: Option<LimitPointer>,
    /// The limits of the limit's customer.
    pub customer: CustomerLimits,
}

/// One conditional write, of one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitWrite {
    /// The limit.
    pub limit_id: String,
    /// The limit's customer.
    pub user_id: String,
    /// Change of the limit's pointer; `None` if it stays.
    pub pointer: Option<PointerWrite>,
    /// Change of the customer's limits; `None` if only the pointer changes.
    pub customer: Option<CustomerWrite>,
}

/// Change of a limit's pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointerWrite {
    /// The pointer as it was read. The write fails if it has changed since.
    pub before: Option<LimitPointer>,
    /// The pointer after the write.
    pub after: LimitPointer,
}

/// Change of a customer's limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomerWrite {
    /// The version that was read. The write fails if the stored one is another.
    pub read_version: u64,
    /// The limits after the write, under their new version.
    pub after: CustomerLimits,
    /// The record of the change.
    pub change: ChangeRecord,
    /// The answer to the request, if it is to be repeated.
    pub answer: Option<KeptAnswer>,
}

/// A limit with its reported progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedLimit {
    /// The limit, with its version.
    pub known: VersionedLimit,
    /// The reported progress, in hundredths of the currency; 0 without a report.
    pub reported: u64,
}

/// Some changes of a limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangePage {
    /// The changes, in the order of their versions.
    pub changes: Vec<ChangeRecord>,
    /// The version behind which the next page begins; `None` at the end.
    pub next: Option<u64>,
}
