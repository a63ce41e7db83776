//! A worker under way: one loop that begins tasks and notes what they have come to.

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

/// A worker under way.
pub struct WorkerLoop<S, Q, C, I> {
    worker: Arc<Worker<S, Q, C, I>>,
    pool: Pool,
    tasks: JoinSet<StepResult>,
    polls: usize,
    /// Number of times that polling has failed in a row.
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

    /// From now on nothing is begun. What waits is given back.
    pub fn stop(&mut self) {
        self.is_stopping.send_replace(true);
        let waiting = self.pool.take_waiting();
        self.give_back(waiting.into_iter().flat_map(Batch::into_receipts).collect());
    }

    /// Ends whatever is still under way.
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

    /// Goes on until `end`; when stopping, until nothing is left to do.
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

    /// Begins what can be begun: customers who wait, and polls for more.
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
                // One customer's trouble is only that customer's, even where it is a defect of this program.
                let ended = AssertUnwindSafe(worker.work(batch)).catch_unwind().await;
                ended.unwrap_or_else(|_| {
                    tracing::error!(messages = failed, "a customer's work has panicked; left for redelivery");
                    let report = Box::new(BatchReport { failed, ..BatchReport::default() });
                    StepResult::Worked { batch: id, report, time: Duration::ZERO }
                })
            });
        }
        // One poll brings ten customers at the most. After a failure, one is enough to find out whether it has passed.
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
            // No customer's work, but a poll's or the like: whoever runs this starts it anew.
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

    /// An extension also fails for messages that have been deleted meanwhile. So one failure tells nothing yet.
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
