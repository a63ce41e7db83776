//! Publishing what was decided, in each customer's order.
//!
//! A queue may refuse one message of a request and take the others. So two decisions of one customer never share a
//! request, and the second does not go before the first is confirmed; distinct customers share requests.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use futures_util::future::join_all;

use super::batch::{Batch, tell_failed};
use crate::app::deciding::{Decider, Delivery, Outcome, is_well_marked, marked, since, unmarked, write_mark};
use crate::app::{Clock, CorrelationRecord, QueueError, Queues, SEND_MAX, Store, StoreError, with_sources};

/// How often a decision is offered to the queue before it is left for redelivery. The client has its own repetitions
/// of whole requests besides.
const OFFERS_MAX: u32 = 3;

/// How long to wait before the second offer; before each further one twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// One customer's deliveries that have become something, in order.
struct Line {
    waiting: VecDeque<(Delivery, Outcome)>,
    /// How often the first one has been offered.
    offers: u32,
    /// Whether the queue has refused a decision of this customer for good: then none goes after it.
    is_stopped: bool,
}

impl<S: Store, Q: Queues, C: Clock> Batch<'_, S, Q, C> {
    /// Publishes what was settled and tells which customers were stopped.
    pub async fn publish(&self, settled: Vec<Vec<(Delivery, Outcome)>>) -> BTreeSet<String> {
        let begun = self.consumer.decider.clock.now();
        let mut lines: Vec<Line> = settled.into_iter().map(Line::new).collect();
        join_all(lines.iter_mut().map(|line| self.mark_redelivered(line))).await;
        loop {
            for line in &mut lines {
                self.pass_ignored(line);
            }
            let mut next: Vec<&mut Line> = lines.iter_mut().filter(|line| line.next().is_some()).collect();
            if next.is_empty() {
                break;
            }
            join_all(next.chunks_mut(SEND_MAX).map(|lines| self.offer(lines))).await;
            let offers = next.iter().filter(|line| !line.is_stopped).map(|line| line.offers).max().unwrap_or(0);
            if offers > 0 {
                self.consumer.decider.clock.sleep(FIRST_WAIT.saturating_mul(1 << (offers - 1))).await;
            }
        }
        let stopped: Vec<&mut Line> = lines.iter_mut().filter(|line| line.is_stopped).collect();
        let customers = stopped.iter().filter_map(|line| line.customer_id()).collect();
        join_all(stopped.into_iter().map(|line| self.mark_unpublished(line))).await;
        self.note(|report| report.publish_time += since(begun, self.consumer.decider.clock.now()));
        customers
    }

    /// Settles the duplicates before a customer's next decision: there is nothing to publish.
    fn pass_ignored(&self, line: &mut Line) {
        while let Some((delivery, outcome @ Outcome::Ignored { is_altered })) = line.next_waiting() {
            let message_id = &delivery.carrier.message_id;
            if *is_altered {
                tracing::warn!(message_id, "a duplicate that asks for something else: ignored");
            } else {
                tracing::info!(message_id, "a duplicate: ignored");
            }
            self.note(|report| report.count(outcome, self.begun));
            self.settle(delivery.place);
            line.waiting.pop_front();
        }
    }

    /// Offers the next decision of each customer in one request.
    async fn offer(&self, lines: &mut [&mut Line]) {
        let decisions: Vec<_> = lines.iter().filter_map(|line| line.next()).map(|record| &record.decision).collect();
        let mut answers = self.consumer.queues.publish(&decisions).await.into_iter();
        let each = lines.iter_mut().map(|line| {
            let answer = answers.next().unwrap_or_else(|| Err(QueueError::no_answer()));
            async move {
                match answer {
                    Ok(()) => self.confirm(line).await,
                    Err(error) => self.refuse(line, &error),
                }
            }
        });
        join_all(each).await;
    }

    /// A customer's next decision is published: it is settled as soon as the store knows. Were it settled without, every
    /// duplicate would be published for as long as the mark stands.
    async fn confirm(&self, line: &mut Line) {
        let Some((delivery, outcome)) = line.waiting.front() else { return };
        if let Some(record) = outcome.record().filter(|record| record.is_unpublished)
            && let Err(error) = self.remark(&unmarked(record)).await
        {
            let waiting = line.waiting.iter().map(|(delivery, _)| delivery);
            tell_failed(waiting, &with_sources(&error), "the first published, but its record not unmarked");
            line.is_stopped = true;
            return;
        }
        self.note(|report| report.count(outcome, self.begun));
        self.settle(delivery.place);
        line.waiting.pop_front();
        line.offers = 0;
    }

    fn refuse(&self, line: &mut Line, error: &QueueError) {
        line.offers += 1;
        self.note(|report| report.publish_failures += 1);
        line.is_stopped = !error.is_retryable || line.offers >= OFFERS_MAX;
        if line.is_stopped {
            let waiting = line.waiting.iter().map(|(delivery, _)| delivery);
            tell_failed(waiting, &with_sources(error), "decided, not published");
        }
    }

    /// Marks what was received before: should this delivery fail too and be the last before the dead-letter queue, the
    /// decision is published when the message comes back under another id.
    async fn mark_redelivered(&self, line: &mut Line) {
        let again = line.waiting.iter_mut().filter(|(delivery, _)| delivery.carrier.is_redelivery);
        join_all(again.map(|(delivery, outcome)| self.mark(delivery, outcome))).await;
    }

    /// Marks what could not be published, for the same reason.
    async fn mark_unpublished(&self, line: &mut Line) {
        join_all(line.waiting.iter_mut().map(|(delivery, outcome)| self.mark(delivery, outcome))).await;
    }

    /// A mark that cannot be written changes nothing now. It is told, because a later redrive may depend on it.
    async fn mark(&self, delivery: &Delivery, outcome: &mut Outcome) {
        let now = self.consumer.decider.clock.now();
        let Some(record) = outcome.record_mut().filter(|record| !is_well_marked(record, now)) else { return };
        let with_mark = marked(record, now);
        match self.remark(&with_mark).await {
            Ok(()) => *record = with_mark,
            Err(error) => {
                let error = with_sources(&error);
                let message_id = &delivery.carrier.message_id;
                tracing::warn!(message_id, error, "the record could not be marked as unpublished");
            }
        }
    }

    async fn remark(&self, record: &CorrelationRecord) -> Result<(), StoreError> {
        let Decider { store, clock, .. } = &self.consumer.decider;
        let units = write_mark(store, clock, record).await?;
        self.note(|report| report.units += units);
        Ok(())
    }
}

impl Line {
    fn new(settled: Vec<(Delivery, Outcome)>) -> Line {
        Line { waiting: settled.into(), offers: 0, is_stopped: false }
    }

    /// What comes next, unless the customer is stopped.
    fn next_waiting(&self) -> Option<&(Delivery, Outcome)> {
        self.waiting.front().filter(|_| !self.is_stopped)
    }

    /// The next decision that may be published.
    fn next(&self) -> Option<&CorrelationRecord> {
        self.next_waiting().and_then(|(_, outcome)| outcome.record())
    }

    fn customer_id(&self) -> Option<String> {
        self.waiting.front().map(|(delivery, _)| delivery.customer_id().to_owned())
    }
}
