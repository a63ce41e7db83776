//! Ports of the protocol: a store, a publisher, and a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt;
use std::ops::AddAssign;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::deciding::{Commit, CorrelationRecord, DeadLetter, UsageKey, UsageRow};
use crate::domain::{EventKey, StoredDecision};

/// Store of correlation records and usage rows.
pub trait Store: Send + Sync {
    /// Reads records and rows. What is not in the answer is not in the store.
    ///
    /// Usage rows are always read strongly consistent: a decision names every limit that it would break, and a stale
    /// row
    /// could hide one. Records are read as `records` says: a stale one is found out by the commit's condition.
    fn read(&self, lookup: &Lookup, records: Consistency) -> impl Future<Output = Result<Snapshot, StoreError>> + Send;

    /// Makes a commit: all of it or nothing. A commit that finds that it has been made already, because its answer was
    /// lost, succeeds.
    ///
    /// After an error only a strongly consistent read tells whether it has been made.
    fn commit(&self, commit: &Commit) -> impl Future<Output = Result<Units, StoreError>> + Send;

    /// Sets a record's publication and expiry to those of `record`, if it is still the record of the same message.
    /// Nothing
    /// else
    /// of it changes.
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
    /// must not
    /// hide what comes behind it.
    fn dead_letter(&self, letter: &DeadLetter) -> impl Future<Output = Result<(), QueueError>> + Send;
}

/// The clock. It dates decisions and tells what has expired; it decides nothing.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> DateTime<Utc>;
    /// Waits.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}

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

/// Reason why a store did not do what it was asked to.
#[derive(Clone, Debug)]
pub enum StoreError {
    /// Another writer was first: this was not written. Read again and decide again.
    Conflict(Cause),
    /// The store has no capacity at the moment: this was not written.
    Throttled(Cause),
    /// No answer, or one that does not say what happened: a write may have happened or not.
    Unavailable(Cause),
    /// A stored item cannot be understood. No repetition helps.
    Corrupt(Cause),
    /// A table is missing or of another shape, or may not be used; or a request could not be built, which is a defect
    /// of
    /// this program. Nothing was written. No repetition helps.
    Misconfigured(Cause),
}

/// Cause of an error: one sentence that says what happened, where, and what to do, and the error beneath, if there is
/// one.
#[derive(Clone, Debug)]
pub struct Cause {
    /// One plain sentence.
    pub what: String,
    /// The error beneath.
    pub source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Cause {
    /// A cause with nothing beneath.
    pub fn new(what: impl Into<String>) -> Cause {
        Cause { what: what.into(), source: None }
    }

    /// A cause with the error beneath it.
    pub fn with(what: impl Into<String>, source: impl Error + Send + Sync + 'static) -> Cause {
        Cause { what: what.into(), source: Some(Arc::new(source)) }
    }
}

impl StoreError {
    fn cause(&self) -> &Cause {
        match self {
            StoreError::Conflict(cause)
            | StoreError::Throttled(cause)
            | StoreError::Unavailable(cause)
            | StoreError::Corrupt(cause)
            | StoreError::Misconfigured(cause) => cause,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause().what)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause().source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

/// Reason why a message was not put in a queue, or may not have been.
#[derive(Clone, Debug)]
pub struct QueueError {
    /// The cause.
    pub cause: Cause,
    /// True when trying again may help.
    pub is_retryable: bool,
}

impl fmt::Display for QueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause.what)
    }
}

impl Error for QueueError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

impl QueueError {
    /// The queue's answer says nothing of a message.
    pub fn no_answer() -> QueueError {
        QueueError { cause: Cause::new("the queue's answer does not mention the message"), is_retryable: true }
    }
}

/// An error's sentence with those of everything beneath it, for a line of a log.
pub fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut beneath = error.source();
    while let Some(error) = beneath {
        text = format!("{text}: {error}");
        beneath = error.source();
    }
    text
}
