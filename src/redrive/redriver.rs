//! Actions on dead letters with a valid load attempt. The stored record alone selects the action.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::deciding::backoff::Backoff;
use crate::deciding::{
    Clock, Consistency, CorrelationRecord, Lookup, Outgoing, Publisher, QueueError, Sender, Snapshot, Store, StoreError,
};
use crate::deciding::{Delivery, Outcome, confirmed, confirmed_and_kept, judge_seen, write_publication};

/// Number of times that a decision is offered to the queue. The client has its own repetitions of whole requests
/// besides.
const OFFERS_MAX: u32 = 3;

/// Wait before the second offer; each further wait is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const WAIT_MAX: Duration = Duration::from_secs(1);

/// Action on a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Its event has been decided, and the decision is not known to be published: it is published as it is stored.
    Publish(Box<CorrelationRecord>),
    /// Its event has not been decided: it goes back to the input queue.
    SendBack,
    /// Its event has been decided for another message, and published: nothing is left to do.
    Delete {
        /// True when it asks for another amount, or at another time, than the attempt that was decided.
        is_altered: bool,
    },
}

/// Reason why nothing came of a dead letter: it stays where it is.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PerformError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A queue failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Settles dead letters. Everything may be repeated: a dead letter that was settled, but not deleted, is settled again.
#[derive(Clone, Debug)]
pub struct Redriver<S, Q, C, O> {
    /// Store of the records.
    pub store: S,
    /// Publishes decisions.
    pub publisher: Q,
    /// The clock.
    pub clock: C,
    /// The input queue.
    pub input: O,
}

impl<S: Store, Q: Publisher, C: Clock, O: Sender> Redriver<S, Q, C, O> {
    /// Looks up what is to become of dead letters.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn actions(&self, letters: &[&Delivery]) -> Result<Actions, StoreError> {
        let lookup = Lookup { events: letters.iter().map(|letter| letter.event()).collect(), ..Lookup::default() };
        let snapshot = self.store.read(&lookup, Consistency::Strong).await?;
        Ok(Actions { snapshot, now: self.clock.now() })
    }

    /// Does it. Afterwards the dead letter can be deleted.
    ///
    /// # Errors
    /// [`PerformError`] when it is not known to be done: the dead letter must not be deleted.
    pub async fn perform(&self, letter: &Delivery, body: &str, action: &Action) -> Result<(), PerformError> {
        match action {
            Action::Publish(record) => self.publish(record).await,
            Action::SendBack => Ok(self.input.send(vec![send_back(letter, body)]).await?),
            Action::Delete { .. } => Ok(()),
        }
    }

    /// Publishes a stored decision, and confirms its record. An expired record is kept: its duplicates may be in the
    /// dead-letter queue, too, and would be decided.
    async fn publish(&self, record: &CorrelationRecord) -> Result<(), PerformError> {
        let mut offers = Backoff::new(OFFERS_MAX, FIRST_WAIT, WAIT_MAX);
        while let Err(error) = self.offer(record).await {
            if !error.is_retryable || !offers.again(&self.clock).await {
                return Err(error.into());
            }
        }
        let now = self.clock.now();
        let known = if record.is_expired(now) { confirmed_and_kept(record, now) } else { confirmed(record) };
        if known != *record {
            write_publication(&self.store, &self.clock, &known).await?;
        }
        Ok(())
    }

    async fn offer(&self, record: &CorrelationRecord) -> Result<(), QueueError> {
        let answer = self.publisher.publish(&[&record.decision]).await.pop();
        answer.unwrap_or_else(|| Err(QueueError::no_answer()))
    }
}

/// Stored records of some dead letters, from which their actions follow.
#[derive(Clone, Debug)]
pub struct Actions {
    snapshot: Snapshot,
    now: DateTime<Utc>,
}

impl Actions {
    /// Selects the action on one of these dead letters.
    ///
    /// # Errors
    /// [`StoreError`] when the record of its event cannot be understood.
    pub fn action(&self, letter: &Delivery) -> Result<Action, StoreError> {
        let record = self.snapshot.records.get(&letter.event()).map(Result::as_ref).transpose();
        let Some(record) = record.map_err(StoreError::clone)? else { return Ok(Action::SendBack) };
        Ok(match judge_seen(letter, record) {
            // What this very message has brought is its own however old it is: decided again, it would count twice.
            Outcome::Redelivered { record, is_same_message: true } => Action::Publish(Box::new(record)),
            _ if record.is_expired(self.now) => Action::SendBack,
            Outcome::Redelivered { record, .. } | Outcome::Decided(record) => Action::Publish(Box::new(record)),
            Outcome::Ignored { is_altered } => Action::Delete { is_altered },
        })
    }
}

/// The dead letter as a message for the input queue. Its id becomes its deduplication id, as when SQS itself moves a
/// message: within five minutes the queue drops it when it is sent again, and a record that it has brought is known by
/// it.
fn send_back(letter: &Delivery, body: &str) -> Outgoing {
    Outgoing {
        group_id: letter.customer_id().to_owned(),
        deduplication_id: letter.source.message_id.clone(),
        body: body.to_owned(),
    }
}
