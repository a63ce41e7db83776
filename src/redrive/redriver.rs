//! The action for a dead letter with a valid load attempt. Only the store's records determine it.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::deciding::backoff::Backoff;
use crate::deciding::{
    Cause, Clock, Consistency, CorrelationRecord, Delivery, Lookup, Outcome, Outgoing, Publisher, QueueError, Sender,
    Snapshot, Store, StoreError, confirmed, confirmed_and_kept, judge_seen, write_log, write_publication,
};
use crate::domain::{Currency, LogEntry};

/// Maximum number of times that a decision is offered to the queue. The client also repeats whole requests by itself.
const OFFERS_MAX: u32 = 3;

/// Wait before the second offer. Each further wait is twice as long, up to `WAIT_MAX`.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const WAIT_MAX: Duration = Duration::from_secs(1);

/// Action that a dead letter needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Publish the stored decision: the event has been decided, but its publication is not known.
    Publish(Box<CorrelationRecord>),
    /// Return the message to the input queue: its event has not been decided.
    SendBack,
    /// Only delete the message: its event has been decided for another message, and the decision is published.
    Delete {
        /// True when its amount or time differs from those of the attempt that was decided.
        is_altered: bool,
    },
}

/// Reason why an action failed. The dead letter stays in the queue.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PerformError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A queue failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Settles dead letters. Every step is repeatable: a dead letter that was settled, but not deleted, is settled again.
#[derive(Clone, Debug)]
pub struct Redriver<S, Q, C, O> {
    /// Keeps records.
    pub store: S,
    /// Publishes decisions.
    pub publisher: Q,
    /// The clock.
    pub clock: C,
    /// The input queue.
    pub input: O,
    /// The currency of all amounts.
    pub currency: Currency,
    /// True when the store has the decision log.
    pub has_log: bool,
}

impl<S: Store, Q: Publisher, C: Clock, O: Sender> Redriver<S, Q, C, O> {
    /// Looks up the actions that dead letters need.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn actions(&self, letters: &[&Delivery]) -> Result<Actions, StoreError> {
        let lookup = Lookup { events: letters.iter().map(|letter| letter.event()).collect(), ..Lookup::default() };
        let snapshot = self.store.read(&lookup, Consistency::Strong).await?;
        Ok(Actions { snapshot, now: self.clock.now() })
    }

    /// Performs the action. Afterwards the dead letter can be deleted.
    ///
    /// # Errors
    /// [`PerformError`] when the action is not known to have succeeded. Then the dead letter must not be deleted.
    pub async fn perform(&self, letter: &Delivery, body: &str, action: &Action) -> Result<(), PerformError> {
        match action {
            Action::Publish(record) => self.publish(record).await,
            Action::SendBack => Ok(self.input.send(vec![send_back(letter, body)]).await?),
            Action::Delete { .. } => Ok(()),
        }
    }

    /// Publishes a stored decision, writes it to the decision log, and confirms its record. An expired record is extended:
    /// otherwise duplicates of its event, which may be in the dead-letter queue too, would be decided again.
    async fn publish(&self, record: &CorrelationRecord) -> Result<(), PerformError> {
        let entry = self.log_entry(record)?;
        let mut offers = Backoff::new(OFFERS_MAX, FIRST_WAIT, WAIT_MAX);
        while let Err(error) = self.offer(record).await {
            if !error.is_retryable || !offers.again(&self.clock).await {
                return Err(error.into());
            }
        }
        write_log(&self.store, &self.clock, entry).await?;
        let now = self.clock.now();
        let known = if record.is_expired(now) { confirmed_and_kept(record, now) } else { confirmed(record) };
        if known != *record {
            write_publication(&self.store, &self.clock, &known).await?;
        }
        Ok(())
    }

    /// Returns the entry of a record in the decision log; none if it was decided while the log was off.
    fn log_entry(&self, record: &CorrelationRecord) -> Result<Vec<LogEntry>, StoreError> {
        let entry: Vec<LogEntry> = record.log_entry().into_iter().collect();
        if entry.is_empty() || self.has_log {
            return Ok(entry);
        }
        let what = "the decision belongs in the decision log: name its table with --decision-log-table";
        Err(StoreError::Misconfigured(Cause::new(what)))
    }

    async fn offer(&self, record: &CorrelationRecord) -> Result<(), QueueError> {
        let answer = self.publisher.publish(&[&record.decision]).await.pop();
        answer.unwrap_or_else(|| Err(QueueError::no_answer()))
    }
}

/// Records of some dead letters' events.
#[derive(Clone, Debug)]
pub struct Actions {
    snapshot: Snapshot,
    now: DateTime<Utc>,
}

impl Actions {
    /// Returns the action for one of these dead letters.
    ///
    /// # Errors
    /// [`StoreError`] when the record of its event cannot be parsed.
    pub fn action(&self, letter: &Delivery) -> Result<Action, StoreError> {
        let record = self.snapshot.records.get(&letter.event()).map(Result::as_ref).transpose();
        let Some(record) = record.map_err(StoreError::clone)? else { return Ok(Action::SendBack) };
        Ok(match judge_seen(letter, record) {
            // The record of the same message holds even if it has expired: deciding the attempt again would count it
            // twice.
            Outcome::Redelivered { record, is_same_message: true } => Action::Publish(Box::new(record)),
            _ if record.is_expired(self.now) => Action::SendBack,
            Outcome::Redelivered { record, .. } | Outcome::Decided(record) => Action::Publish(Box::new(record)),
            Outcome::Ignored { is_altered } => Action::Delete { is_altered },
        })
    }
}

/// Returns the dead letter as a message for the input queue. Its id becomes its deduplication id, as when SQS itself
/// moves a message. So the queue drops a repetition within five minutes, and the message is recognised as the one
/// that brought its event's record.
fn send_back(letter: &Delivery, body: &str) -> Outgoing {
    Outgoing {
        group_id: letter.customer_id().to_owned(),
        deduplication_id: letter.source.message_id.clone(),
        body: body.to_owned(),
    }
}
