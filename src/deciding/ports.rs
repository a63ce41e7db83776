//! Ports of the protocol: a store, a publisher, and a clock.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{
    Commit, Consistency, CorrelationRecord, DeadLetter, Lookup, Outgoing, PublicationChange, QueueError, Receipt,
    Received, Snapshot, StoreError, Units,
};
use crate::domain::StoredDecision;

/// Store of correlation records and usage rows.
pub trait Store: Send + Sync {
    /// Reads records and rows. What is not in the answer is not in the store.
    ///
    /// Usage rows are always read strongly consistent: a decision names every limit that it would break, and a stale
    /// row could hide one. Records are read as `records` says: a stale one is found out by the commit's condition.
    fn read(&self, lookup: &Lookup, records: Consistency) -> impl Future<Output = Result<Snapshot, StoreError>> + Send;

    /// Makes a commit: all of it or nothing. A commit that finds that it has been made already, because its answer was
    /// lost, succeeds.
    ///
    /// After an error only a strongly consistent read tells whether it has been made.
    fn commit(&self, commit: &Commit) -> impl Future<Output = Result<Units, StoreError>> + Send;

    /// Sets a record's publication and expiry to those of `record`, if it is still the record of the same message.
    /// Nothing else of it changes.
    fn set_publication(
        &self,
        record: &CorrelationRecord,
    ) -> impl Future<Output = Result<PublicationChange, StoreError>> + Send;
}

/// The queues that decisions and invalid input go to.
pub trait Publisher: Send + Sync {
    /// Publishes decisions of distinct customers, at most [`SEND_MAX`](super::SEND_MAX). Each may fail
    /// alone: the answers are in the order of the decisions.
    fn publish(&self, decisions: &[&StoredDecision]) -> impl Future<Output = Vec<Result<(), QueueError>>> + Send;

    /// Puts invalid input in the dead-letter queue, each message in a group of its own: it has no order to keep, and
    /// must not hide what comes behind it.
    fn dead_letter(&self, letter: &DeadLetter) -> impl Future<Output = Result<(), QueueError>> + Send;
}

/// The clock. It dates decisions and tells what has expired; it decides nothing.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> DateTime<Utc>;
    /// Waits.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}

/// A queue that messages are taken from.
///
/// A received message stays in the queue, invisible to others until its visibility time-out has run out; only deleting
/// takes it out. While a message is invisible, a FIFO queue returns no other message of its group.
pub trait Receiver: Send + Sync {
    /// Waits up to `wait` for messages, at most `max` of them. They stay invisible for `visibility`, or for as long as
    /// the queue itself says.
    fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Option<Duration>,
    ) -> impl Future<Output = Result<Vec<Received>, QueueError>> + Send;

    /// Takes messages out of the queue. Each may fail alone: the answers are in the order of the receipts.
    fn delete(&self, receipts: &[Receipt]) -> impl Future<Output = Vec<Result<(), QueueError>>> + Send;

    /// Makes messages invisible for so long from now on; with zero, gives them back at once. Each may fail alone.
    fn set_visibility(
        &self,
        receipts: &[Receipt],
        visibility: Duration,
    ) -> impl Future<Output = Vec<Result<(), QueueError>>> + Send;
}

/// A FIFO queue that messages are put on.
pub trait Sender: Send + Sync {
    /// Sends messages, each group in its order.
    ///
    /// # Errors
    /// [`QueueError`] of the first message that the queue does not take. Of its group, none after it has been sent.
    fn send(&self, messages: Vec<Outgoing>) -> impl Future<Output = Result<(), QueueError>> + Send;
}
