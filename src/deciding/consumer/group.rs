//! Publishing of one customer's stored decisions, in order, and beside it their entries in the decision log.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::future::{join, join_all};

use crate::deciding::backoff::Backoff;
use crate::deciding::consumer::batch::{Batch, log_failed};
use crate::deciding::consumer::requests::Access;
use crate::deciding::consumer::targets::{DecisionsQueue, Log};
use crate::deciding::log::BATCH_TRIES;
use crate::deciding::{
    Clock, CorrelationRecord, Cost, Delivery, LOG_ENTRIES_MAX, Outcome, Publisher, QueueError, Remedy, Sink, Stopped,
    Store, StoreError, Undecided, confirmed, is_pending_long_enough, pending, remedy, since, with_sources,
    write_publication,
};
use crate::domain::LogEntry;

/// Maximum number of times that a decision is offered to the queue before it is left for redelivery. The client also
/// repeats whole requests by itself.
const OFFERS_MAX: u32 = 3;

/// Wait before the second offer. Each further wait is twice as long, up to `WAIT_MAX`.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const WAIT_MAX: Duration = Duration::from_secs(1);

/// Publishes one customer's decisions.
pub struct GroupPublisher<'b, 'c, S: Store, Q: Publisher, C: Clock> {
    /// The batch that the group is part of.
    pub batch: &'b Batch<'c, S, Q, C>,
    /// The group's number in the batch.
    pub number: usize,
    /// Access to the decisions queue.
    pub queue: Access<DecisionsQueue<'b, Q>>,
    /// Access to the decision log; `None` where there is none.
    pub log: Option<Access<Log<'b, 'c, S, Q, C>>>,
}

/// Reason for leaving a decision for redelivery.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("stored, but not published")]
    NotPublished(#[source] QueueError),
    /// The message must not count as settled: every duplicate would be published for as long as the record is
    /// pending.
    #[error("published, but its record is still pending")]
    NotConfirmed(#[source] StoreError),
}

impl<S: Store, Q: Publisher, C: Clock> Sink for GroupPublisher<'_, '_, S, Q, C> {
    async fn take(&mut self, settled: Vec<(Delivery, Outcome)>) -> Result<(), Stopped> {
        let begun = self.batch.now();
        let taken = self.publish_all(settled.into()).await;
        self.batch.note_publish_time(self.number, since(begun, self.batch.now()));
        taken
    }

    fn may_begin(&self) -> bool {
        self.batch.may_begin()
    }

    fn spent(&self, cost: Cost) {
        self.batch.note_cost(self.number, cost);
    }
}

impl<'b, 'c, S: Store, Q: Publisher, C: Clock> GroupPublisher<'b, 'c, S, Q, C> {
    /// Leaves deliveries for redelivery. Sets those records of theirs that are stored to pending.
    pub async fn leave(&self, unsettled: Undecided) {
        log_failed(&unsettled.deliveries, "not decided", &unsettled.reason);
        let mut stored = unsettled.stored;
        join_all(stored.iter_mut().map(|record| self.set_pending(record))).await;
    }

    /// Publishes and logs deliveries. Neither waits for the other. The first failure stops the customer.
    async fn publish_all(&self, mut waiting: VecDeque<(Delivery, Outcome)>) -> Result<(), Stopped> {
        self.set_redelivered_pending(&mut waiting).await;
        let (published, logged) = join(self.publish_each(&waiting), self.log(&waiting)).await;
        if logged.is_ok() && published.is_ok() {
            return Ok(());
        }
        // Without its entry in the log, no message of these is settled.
        let settled = published.as_ref().err().filter(|_| logged.is_ok()).map_or(0, |(settled, _)| *settled);
        waiting.drain(..settled);
        let deliveries = || waiting.iter().map(|(delivery, _)| delivery);
        if let Err((_, failure)) = published {
            log_failed(deliveries(), "stored, and not published", &failure);
        }
        if let Err(error) = logged {
            log_failed(deliveries(), "stored, and not in the decision log", &error);
        }
        self.leave_stored(waiting).await;
        Err(Stopped)
    }

    /// Publishes decisions one after another.
    ///
    /// # Errors
    /// The first failure, with the number of deliveries before it.
    async fn publish_each(&self, waiting: &VecDeque<(Delivery, Outcome)>) -> Result<(), (usize, Failure)> {
        for (place, (delivery, outcome)) in waiting.iter().enumerate() {
            match outcome {
                Outcome::Ignored { is_altered } => log_duplicate(delivery, *is_altered),
                Outcome::Decided(record) | Outcome::Redelivered { record, .. } => {
                    self.publish(record).await.map_err(|failure| (place, failure))?;
                }
            }
            self.batch.note_published(delivery.index, outcome);
        }
        Ok(())
    }

    /// Writes the entries of these decisions to the log. A decision that was made while the log was off has none.
    async fn log(&self, waiting: &VecDeque<(Delivery, Outcome)>) -> Result<(), StoreError> {
        if let Some(log) = &self.log {
            let entry = |(_, outcome): &(Delivery, Outcome)| outcome.record().and_then(CorrelationRecord::log_entry);
            let mut entries: Vec<LogEntry> = waiting.iter().filter_map(entry).collect();
            while !entries.is_empty() {
                let rest = entries.split_off(entries.len().min(LOG_ENTRIES_MAX));
                self.offer(log, std::mem::replace(&mut entries, rest)).await?;
            }
        }
        for (delivery, _) in waiting {
            self.batch.note_logged(delivery.index);
        }
        Ok(())
    }

    /// Offers entries to the log until it has taken each of them.
    async fn offer(&self, log: &Access<Log<'b, 'c, S, Q, C>>, mut entries: Vec<LogEntry>) -> Result<(), StoreError> {
        let mut tries = BATCH_TRIES;
        loop {
            let answers = log.offer(entries.clone()).await;
            let refused = entries.into_iter().zip(answers).filter_map(|(entry, answer)| Some((entry, answer.err()?)));
            let (left, errors): (Vec<LogEntry>, Vec<StoreError>) = refused.unzip();
            let Some(error) = errors.into_iter().next() else { return Ok(()) };
            if remedy(&error) == Remedy::GiveUp || !tries.again(self.batch.clock()).await {
                return Err(error);
            }
            entries = left;
        }
    }

    /// Publishes one decision, and confirms its record if the record was pending.
    async fn publish(&self, record: &CorrelationRecord) -> Result<(), Failure> {
        let mut offers = Backoff::new(OFFERS_MAX, FIRST_WAIT, WAIT_MAX);
        while let Err(error) = self.offer_decision(record).await {
            self.batch.note(|report| report.publish_failures += 1);
            if !error.is_retryable || !offers.again(self.batch.clock()).await {
                return Err(Failure::NotPublished(error));
            }
        }
        if record.is_pending() {
            self.set_publication(&confirmed(record)).await.map_err(Failure::NotConfirmed)?;
        }
        Ok(())
    }

    async fn offer_decision(&self, record: &CorrelationRecord) -> Result<(), QueueError> {
        let answer = self.queue.offer(vec![record.decision.clone()]).await.pop();
        answer.unwrap_or_else(|| Err(QueueError::no_answer()))
    }

    /// Leaves deliveries for redelivery. Their decisions are stored. Sets their records to pending.
    async fn leave_stored(&self, mut waiting: VecDeque<(Delivery, Outcome)>) {
        let records = waiting.iter_mut().filter_map(|(_, outcome)| outcome.record_mut());
        join_all(records.map(|record| self.set_pending(record))).await;
    }

    /// Sets the records of redelivered messages to pending before they are published. If this delivery fails too, and
    /// is the last before the dead-letter queue, the message may come back under another id. Then its decision is
    /// still published.
    async fn set_redelivered_pending(&self, waiting: &mut VecDeque<(Delivery, Outcome)>) {
        let again = waiting.iter_mut().filter(|(delivery, _)| delivery.source.is_redelivery);
        join_all(again.filter_map(|(_, outcome)| outcome.record_mut()).map(|record| self.set_pending(record))).await;
    }

    /// Sets a record to pending. A failed write does not stop the batch, but it is logged, because a later redrive
    /// may depend on the pending record.
    async fn set_pending(&self, record: &mut CorrelationRecord) {
        let now = self.batch.now();
        if is_pending_long_enough(record, now) {
            return;
        }
        let as_pending = pending(record, now);
        match self.set_publication(&as_pending).await {
            Ok(()) => *record = as_pending,
            Err(error) => {
                let error = with_sources(&error);
                let message_id = &record.message_id;
                tracing::warn!(message_id, error, "the record could not be set to pending");
            }
        }
    }

    async fn set_publication(&self, record: &CorrelationRecord) -> Result<(), StoreError> {
        let units = write_publication(self.batch.store(), self.batch.clock(), record).await?;
        self.batch.note(|report| report.units += units);
        Ok(())
    }
}

fn log_duplicate(delivery: &Delivery, is_altered: bool) {
    let message_id = &delivery.source.message_id;
    if is_altered {
        tracing::warn!(message_id, "a duplicate that asks for something else: ignored");
    } else {
        tracing::info!(message_id, "a duplicate: ignored");
    }
}
