//! Steps of a worker, each in a task of its own: poll, work, extend, give back.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::select;
use tokio::sync::watch;
use tracing::Instrument;

use crate::deciding::consumer::{BatchReport, Deadline};
use crate::deciding::{
    Clock, Publisher, QueueError, RECEIVE_MAX, Receipt, Received, Receiver, Store, message, with_sources,
};
use crate::runtime::worker::Worker;
use crate::runtime::worker::pool::Batch;

/// Maximum number of attempts to delete a settled message. The client's own retries come on top.
const DELETIONS_MAX: u32 = 3;

/// Delay before the second attempt to delete. It doubles with each further attempt.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// Delay before polling again after a failed poll. It doubles with each further failure, up to the maximum.
const POLL_FIRST_WAIT: Duration = Duration::from_millis(200);
const POLL_WAIT_MAX: Duration = Duration::from_secs(10);

/// Result of a task.
pub(super) enum StepResult {
    Polled(Result<Vec<Received>, QueueError>),
    Worked {
        batch: u64,
        report: Box<BatchReport>,
        time: Duration,
    },
    /// Result of an extension, with the instant until which the messages stay invisible.
    Extended {
        batch: u64,
        extended: Result<DateTime<Utc>, QueueError>,
    },
    GivenBack,
}

impl<S, Q, C, I> Worker<S, Q, C, I>
where
    S: Store + 'static,
    Q: Publisher + 'static,
    C: Clock + 'static,
    I: Receiver + 'static,
{
    /// Waits for messages; after failures, delays first. Receives nothing once the worker is stopping.
    pub(super) async fn poll(&self, failures: u32, mut is_stopping: watch::Receiver<bool>) -> StepResult {
        if failures > 0 {
            let wait = POLL_FIRST_WAIT.saturating_mul(1 << (failures - 1).min(8)).min(POLL_WAIT_MAX);
            select! {
                () = self.consumer.decider.clock.sleep(wait) => {}
                _ = is_stopping.wait_for(|is_stopping| *is_stopping) => {}
            }
        }
        if *is_stopping.borrow() {
            return StepResult::Polled(Ok(vec![]));
        }
        StepResult::Polled(
            self.receiver.receive(RECEIVE_MAX, self.settings.poll_wait, Some(self.settings.visibility)).await,
        )
    }

    /// Settles one customer's messages, and deletes the settled ones.
    pub(super) async fn work(&self, batch: Batch) -> StepResult {
        let (id, begun) = (batch.id, self.consumer.decider.clock.now());
        let receipts: Vec<Receipt> = batch.messages.iter().map(|received| received.receipt.clone()).collect();
        let currency = self.consumer.decider.currency;
        let messages = (0..).zip(batch.messages).map(|(index, received)| message(index, received, currency)).collect();
        let work_timeout = TimeDelta::from_std(self.settings.work_timeout).unwrap_or(TimeDelta::MAX);
        let handled = self.consumer.handle(messages, Deadline::before(begun + work_timeout, begun));
        // The consumer names the run.
        let handled = handled.instrument(tracing::info_span!("batch", run_id = tracing::field::Empty)).await;
        log_run(&handled.report);
        let settled = (0..).zip(receipts).filter(|(index, _)| !handled.failed.contains(index));
        self.delete(settled.map(|(_, receipt)| receipt).collect()).await;
        let time = (self.consumer.decider.clock.now() - begun).to_std().unwrap_or_default();
        StepResult::Worked { batch: id, report: Box::new(handled.report), time }
    }

    /// Deletes messages. A message that could not be deleted is delivered again, and recognised as already decided.
    async fn delete(&self, mut receipts: Vec<Receipt>) {
        let mut tries = 1;
        while !receipts.is_empty() {
            let answers = self.receiver.delete(&receipts).await;
            let left = receipts.into_iter().zip(answers).filter_map(|(receipt, answer)| Some((receipt, answer.err()?)));
            let (left, errors): (Vec<_>, Vec<_>) = left.unzip();
            receipts = left;
            if let Some(error) = errors.first().filter(|_| tries == DELETIONS_MAX) {
                let error = with_sources(error);
                tracing::warn!(messages = receipts.len(), error, "settled, but not deleted; delivered again");
                return;
            }
            if !receipts.is_empty() {
                self.consumer.decider.clock.sleep(FIRST_WAIT.saturating_mul(1 << (tries - 1))).await;
                tries += 1;
            }
        }
    }

    /// Extends the messages' invisibility by another visibility time-out.
    pub(super) async fn extend(&self, batch: u64, receipts: Vec<Receipt>) -> StepResult {
        let until = self.consumer.decider.clock.now() + self.settings.visibility;
        let answers = self.receiver.set_visibility(&receipts, self.settings.visibility).await;
        let failed = answers.into_iter().find_map(Result::err);
        StepResult::Extended { batch, extended: failed.map_or(Ok(until), Err) }
    }

    /// Makes messages visible to other receivers at once.
    pub(super) async fn give_back(&self, receipts: Vec<Receipt>) -> StepResult {
        let answers = self.receiver.set_visibility(&receipts, Duration::ZERO).await;
        if let Some(error) = answers.iter().find_map(|answer| answer.as_ref().err()) {
            let error = with_sources(error);
            tracing::warn!(
                error,
                "messages could not be returned to the queue; they become visible after their visibility time-out"
            );
        }
        StepResult::GivenBack
    }
}

/// Logs a batch whose decisions are in the decision log.
fn log_run(report: &BatchReport) {
    let Some(run_id) = &report.run_id else { return };
    let BatchReport { accepted, declined, ignored, redelivered, invalid, failed, units, .. } = report;
    let whole = |halves: u64| format!("{}{}", halves / 2, if halves % 2 == 1 { ".5" } else { "" });
    tracing::info!(
        run_id,
        accepted,
        declined,
        ignored,
        redelivered,
        invalid,
        failed,
        consumed_read_units = whole(units.read_halves),
        consumed_write_units = whole(units.write_halves),
        "handled"
    );
}
