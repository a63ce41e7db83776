//! Main loop of a running worker: begins tasks and collects their results.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use tokio::select;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::deciding::consumer::BatchReport;
use crate::deciding::{Clock, Publisher, QueueError, RECEIVE_MAX, Receipt, Received, Receiver, Store, with_sources};
use crate::runtime::worker::pool::{Batch, Pool};
use crate::runtime::worker::steps::StepResult;
use crate::runtime::worker::{Worker, WorkerObserver, WorkerStopped};

/// A running worker.
pub struct WorkerLoop<S, Q, C, I> {
    worker: Arc<Worker<S, Q, C, I>>,
    pool: Pool,
    tasks: JoinSet<StepResult>,
    polls: usize,
    /// Number of consecutive poll failures.
    poll_failures: u32,
    is_stopping: watch::Sender<bool>,
}

impl<S, Q, C, I> WorkerLoop<S, Q, C, I>
where
    S: Store + 'static,
    Q: Publisher + 'static,
    C: Clock + 'static,
    I: Receiver + 'static,
{
    pub fn new(worker: Arc<Worker<S, Q, C, I>>) -> WorkerLoop<S, Q, C, I> {
        let pool = Pool::new(worker.settings.customers_in_parallel);
        WorkerLoop {
            worker,
            pool,
            tasks: JoinSet::new(),
            polls: 0,
            poll_failures: 0,
            is_stopping: watch::Sender::new(false),
        }
    }

    fn is_stopping(&self) -> bool {
        *self.is_stopping.borrow()
    }

    /// Stops beginning batches, and returns the messages of waiting ones.
    pub fn stop(&mut self) {
        self.is_stopping.send_replace(true);
        let waiting = self.pool.take_waiting();
        self.give_back(waiting.into_iter().flat_map(Batch::into_receipts).collect());
    }

    /// Aborts all tasks that are still running.
    pub async fn end(mut self) -> WorkerStopped {
        if self.tasks.len() <= self.polls {
            if self.polls > 0 {
                let error = "the input queue has not answered; what it may have handed out comes again";
                tracing::warn!(polls = self.polls, error, "stopped");
            }
            self.tasks.shutdown().await;
            return WorkerStopped::Clean;
        }
        tracing::error!(customers = self.pool.working(), "stopped before all was done; left for redelivery");
        self.tasks.shutdown().await;
        WorkerStopped::CutShort
    }

    /// Runs until `end` completes, or, when stopping, until no work is left.
    pub async fn until(&mut self, end: impl Future<Output = ()>, observer: &impl WorkerObserver) {
        let mut end = std::pin::pin!(end.fuse());
        let worker = Arc::clone(&self.worker);
        let heartbeat = || worker.consumer.decider.clock.sleep(worker.settings.visibility / 3).boxed();
        let mut next_heartbeat = heartbeat();
        loop {
            self.begin();
            observer.working(self.pool.working());
            if self.is_stopping() && self.tasks.is_empty() {
                return;
            }
            select! {
                biased;
                () = &mut end => return,
                () = &mut next_heartbeat => {
                    self.extend_all();
                    next_heartbeat = heartbeat();
                }
                done = self.tasks.join_next(), if !self.tasks.is_empty() => self.note(done, observer),
            }
        }
    }

    /// Begins tasks while there is room: waiting batches, and polls for more.
    fn begin(&mut self) {
        if self.is_stopping() {
            return;
        }
        let stale = self.pool.drop_visible(self.worker.consumer.decider.clock.now());
        if stale > 0 {
            tracing::warn!(messages = stale, "waited for longer than their visibility time-out; delivered again");
        }
        while let Some(batch) = self.pool.begin_next() {
            let (worker, id, failed) = (Arc::clone(&self.worker), batch.id, batch.messages.len() as u64);
            self.tasks.spawn(async move {
                // A panic in one customer's task must not affect other customers.
                let ended = AssertUnwindSafe(worker.work(batch)).catch_unwind().await;
                ended.unwrap_or_else(|_| {
                    tracing::error!(messages = failed, "a customer's work has panicked; left for redelivery");
                    let report = Box::new(BatchReport { failed, ..BatchReport::default() });
                    StepResult::Worked { batch: id, report, time: Duration::ZERO }
                })
            });
        }
        // One poll returns messages of ten customers at most. After a failure, one poll suffices to detect recovery.
        let polls_wanted = self.pool.free().div_ceil(RECEIVE_MAX);
        let polls_wanted = if self.poll_failures > 0 { polls_wanted.min(1) } else { polls_wanted };
        for _ in self.polls..polls_wanted {
            let (worker, failures, is_stopping) =
                (Arc::clone(&self.worker), self.poll_failures, self.is_stopping.subscribe());
            self.tasks.spawn(async move { worker.poll(failures, is_stopping).await });
            self.polls += 1;
        }
    }

    fn note(&mut self, done: Option<Result<StepResult, tokio::task::JoinError>>, observer: &impl WorkerObserver) {
        match done {
            None | Some(Ok(StepResult::GivenBack)) => {}
            Some(Ok(StepResult::Polled(polled))) => self.note_poll(polled, observer),
            Some(Ok(StepResult::Worked { batch, report, time })) => {
                self.pool.end(batch);
                observer.handled(&report, time);
            }
            Some(Ok(StepResult::Extended { batch, extended })) => self.note_extension(batch, extended),
            // A task without a customer, such as a poll, has panicked. The supervisor restarts the process.
            Some(Err(error)) => {
                if let Ok(panic) = error.try_into_panic() {
                    resume_unwind(panic);
                }
            }
        }
    }

    fn note_poll(&mut self, polled: Result<Vec<Received>, QueueError>, observer: &impl WorkerObserver) {
        self.polls -= 1;
        observer.received(polled.as_ref().map(Vec::len));
        match polled {
            Ok(messages) if self.is_stopping() => {
                self.give_back(messages.into_iter().map(|message| message.receipt).collect());
            }
            Ok(messages) => {
                self.poll_failures = 0;
                let until = self.worker.consumer.decider.clock.now() + self.worker.settings.visibility;
                self.pool.add(messages, until);
            }
            Err(error) => {
                self.poll_failures = self.poll_failures.saturating_add(1);
                tracing::error!(error = with_sources(&error), "could not receive");
            }
        }
    }

    /// An extension also fails for messages that were deleted in the meantime. So one failure alone is not conclusive.
    fn note_extension(&mut self, batch: u64, extended: Result<DateTime<Utc>, QueueError>) {
        match extended {
            Ok(invisible_until) => self.pool.extended(batch, invisible_until),
            Err(error) => {
                let soon = self.worker.consumer.decider.clock.now() + self.worker.settings.visibility / 3;
                if self.pool.becomes_visible(batch, soon) {
                    let error = with_sources(&error);
                    tracing::warn!(error, "messages may become visible while they are worked on");
                }
            }
        }
    }

    fn extend_all(&mut self) {
        for (batch, receipts) in self.pool.held() {
            let worker = Arc::clone(&self.worker);
            self.tasks.spawn(async move { worker.extend(batch, receipts).await });
        }
    }

    fn give_back(&mut self, receipts: Vec<Receipt>) {
        if !receipts.is_empty() {
            let worker = Arc::clone(&self.worker);
            self.tasks.spawn(async move { worker.give_back(receipts).await });
        }
    }
}
