//! Interfaces to the outside: a store, a publisher, queues and a clock. Their bounds are those of the services behind the
//! adapters, so that no other module needs to know these.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{
    AllRows, Commit, Consistency, CorrelationRecord, DeadLetter, FencedLookup, FencedSnapshot, Lookup, Metered,
    Outgoing, PublicationChange, QueueError, Receipt, Received, Snapshot, StoreError, Units,
};
use crate::domain::{Limits, LogEntry, PlanVersion, StoredDecision};

/// Maximum number of keys that a store reads in one request (the DynamoDB API reference, `BatchGetItem`). A longer lookup
/// takes several.
pub const READ_KEYS_MAX: usize = 100;

/// Maximum number of actions, records and rows together, in one commit (the DynamoDB API reference,
/// `TransactWriteItems`).
pub const COMMIT_ACTIONS_MAX: usize = 100;

/// Maximum number of entries of the decision log in one request (the DynamoDB API reference, `BatchWriteItem`).
pub const LOG_ENTRIES_MAX: usize = 25;

/// Maximum number of messages in one request to a queue (the SQS API reference, `SendMessageBatch`).
pub const SEND_MAX: usize = 10;

/// Maximum number of messages in one answer of a queue (the SQS API reference, `ReceiveMessage`).
pub const RECEIVE_MAX: usize = 10;

/// Storage of correlation records and usage rows.
pub trait Store: Send + Sync {
    /// Reads records and rows. A key without an entry in the answer is not in the store.
    ///
    /// Usage rows, fences and customers' settings are always read strongly consistent: a decision names every limit that
    /// the load would break, and a stale row could hide one. Records are read with the consistency `records`: the commit's condition detects a
    /// stale one.
    fn read(&self, lookup: &Lookup, records: Consistency) -> impl Future<Output = Result<Snapshot, StoreError>> + Send;

    /// Reads a customer's fence and rows as they stand at one moment: one transaction, which no commit passes.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a commit is being applied to one of them.
    fn read_fenced(&self, lookup: &FencedLookup) -> impl Future<Output = Result<FencedSnapshot, StoreError>> + Send;

    /// Reads all usage rows of a customer, one by one, strongly consistent. They may be of different moments.
    fn read_rows(&self, customer_id: &str) -> impl Future<Output = Result<AllRows, StoreError>> + Send;

    /// Reads the default plan of a programme, strongly consistent; `None` if it has none.
    fn read_default_plan(
        &self,
        program_id: &str,
    ) -> impl Future<Output = Result<Metered<Option<PlanVersion>>, StoreError>> + Send;

    /// Reads the limits of a plan version, strongly consistent.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], also if the version is missing: none is ever deleted.
    fn read_plan(&self, plan: &PlanVersion) -> impl Future<Output = Result<Metered<Limits>, StoreError>> + Send;

    /// Makes a commit, all or nothing. A commit that was already made, but whose answer was lost, succeeds.
    ///
    /// After an error, only a strongly consistent read shows whether the commit was made.
    fn commit(&self, commit: &Commit) -> impl Future<Output = Result<Units, StoreError>> + Send;

    /// Sets a stored record's publication and expiry to those of `record`, if the stored record belongs to the same
    /// message. Changes nothing else.
    fn set_publication(
        &self,
        record: &CorrelationRecord,
    ) -> impl Future<Output = Result<PublicationChange, StoreError>> + Send;

    /// Writes at most [`LOG_ENTRIES_MAX`] entries of the decision log, each alone. An entry that is there already is
    /// replaced: it is the same. Returns the places of those entries that are not written, with the capacity that the
    /// others have consumed.
    ///
    /// After an error, any of them may be written.
    fn write_log(&self, entries: &[&LogEntry]) -> impl Future<Output = Result<Metered<Vec<usize>>, StoreError>> + Send;
}

/// Publisher of decisions and dead letters.
pub trait Publisher: Send + Sync {
    /// Publishes decisions of distinct customers, at most [`SEND_MAX`]. Each may fail alone. The
    /// results are in the order of the decisions.
    fn publish(&self, decisions: &[&StoredDecision]) -> impl Future<Output = Vec<Result<(), QueueError>>> + Send;

    /// Puts invalid input in the dead-letter queue, each message in a group of its own. Invalid input has no order to
    /// keep, and must not delay later messages.
    fn dead_letter(&self, letter: &DeadLetter) -> impl Future<Output = Result<(), QueueError>> + Send;
}

/// The clock. It dates decisions and determines which records have expired. No decision depends on it.
pub trait Clock: Send + Sync {
    /// Returns the current instant.
    fn now(&self) -> DateTime<Utc>;
    /// Waits for `duration`.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}

/// A queue that messages are received from.
///
/// A received message stays in the queue, invisible to other consumers, until its visibility time-out ends. Only
/// deleting removes it. While a message is invisible, a FIFO queue returns no other message of that group.
pub trait Receiver: Send + Sync {
    /// Waits up to `wait` for at most `max` messages. They stay invisible for `visibility`, or for the queue's own
    /// visibility time-out if it is `None`.
    fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Option<Duration>,
    ) -> impl Future<Output = Result<Vec<Received>, QueueError>> + Send;

    /// Deletes messages from the queue. Each deletion may fail alone. The results are in the order of the receipts.
    fn delete(&self, receipts: &[Receipt]) -> impl Future<Output = Vec<Result<(), QueueError>>> + Send;

    /// Makes messages invisible for `visibility` from now on. Zero makes them visible at once. Each message may fail
    /// alone.
    fn set_visibility(
        &self,
        receipts: &[Receipt],
        visibility: Duration,
    ) -> impl Future<Output = Vec<Result<(), QueueError>>> + Send;
}

/// A FIFO queue that messages are sent to.
pub trait Sender: Send + Sync {
    /// Sends messages, each group in its order.
    ///
    /// # Errors
    /// [`QueueError`] of the first message that the queue refuses. No later message of the same group has been sent.
    fn send(&self, messages: Vec<Outgoing>) -> impl Future<Output = Result<(), QueueError>> + Send;
}
