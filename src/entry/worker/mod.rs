//! The queue's door for a process of its own: it polls the input queue, and works on several customers at once.
//!
//! The queue gives out none of a customer's messages while some of them are invisible. Where a visibility time-out runs out
//! all the same, the pool keeps a second batch of a customer waiting until the first is done.

mod pool;

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use tokio::select;
use tokio::task::JoinSet;

use super::message::message;
use crate::app::consumer::{Consumer, Deadline, Report};
use crate::app::{Clock, Inbox, QueueError, Queues, RECEIVE_MAX, Receipt, Received, Store, with_sources};
use pool::{Batch, Pool};

/// How often a message that is settled is tried to be deleted. The client has its own repetitions besides.
const DELETIONS_MAX: u32 = 3;

/// How long to wait before deleting again; each further time twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// How long to wait before polling again after polling has failed; each further time twice as long, up to the longest.
const POLL_FIRST_WAIT: Duration = Duration::from_millis(200);
const POLL_WAIT_MAX: Duration = Duration::from_secs(10);

/// How a worker works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many customers are worked on at once.
    pub customers_in_parallel: usize,
    /// How long a request waits for messages.
    pub poll_wait: Duration,
    /// The queue's visibility time-out. While messages are held it is set anew, three times within it.
    pub visibility: Duration,
    /// How long one customer's messages may be worked on.
    pub work_timeout: Duration,
    /// How long the end may take.
    pub stop_timeout: Duration,
}

/// Consumes the input queue until it is told to stop.
#[derive(Debug)]
pub struct Worker<S, Q, C, I> {
    /// What settles messages.
    pub consumer: Consumer<S, Q, C>,
    /// The input queue.
    pub inbox: I,
    /// How.
    pub settings: Settings,
}

/// Who is told what a worker does.
pub trait Observer: Send + Sync {
    /// So many messages have been received, possibly none; or none could be.
    fn received(&self, received: Result<usize, &QueueError>);
    /// So many customers are worked on now.
    fn working(&self, customers: usize);
    /// One customer's messages have been worked on, for so long.
    fn handled(&self, report: &Report, time: Duration);
    /// No more messages are received from now on.
    fn stopping(&self);
}

/// How a worker has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// What was begun is finished, the rest given back.
    Clean,
    /// The time was up: some messages come again when their visibility time-out has run out.
    CutShort,
}

/// What a task has come to.
enum Done {
    Polled(Result<Vec<Received>, QueueError>),
    Worked { batch: u64, report: Box<Report>, time: Duration },
    Extended { batch: u64, invisible_until: Option<DateTime<Utc>> },
    GivenBack,
}

/// A worker under way.
struct Run<S, Q, C, I> {
    worker: Arc<Worker<S, Q, C, I>>,
    pool: Pool,
    tasks: JoinSet<Done>,
    polls: usize,
    /// How often polling has failed in a row.
    poll_failures: u32,
    is_stopping: bool,
}

impl<S, Q, C, I> Worker<S, Q, C, I>
where
    S: Store + 'static,
    Q: Queues + 'static,
    C: Clock + 'static,
    I: Inbox + 'static,
{
    /// Consumes until `stop` ends. Then what is begun is finished, what is not is given back, in bounded time.
    pub async fn run(self: Arc<Self>, observer: &impl Observer, stop: impl Future<Output = ()>) -> Stopped {
        let pool = Pool::new(self.settings.customers_in_parallel);
        let (tasks, worker) = (JoinSet::new(), Arc::clone(&self));
        let mut run = Run { worker, pool, tasks, polls: 0, poll_failures: 0, is_stopping: false };
        run.until(stop, observer).await;
        observer.stopping();
        run.is_stopping = true;
        let given_back = run.pool.take_waiting();
        run.give_back(given_back.into_iter().flat_map(Batch::into_receipts).collect());
        let time_out = self.consumer.decider.clock.sleep(self.settings.stop_timeout);
        run.until(time_out, observer).await;
        if run.tasks.is_empty() {
            return Stopped::Clean;
        }
        tracing::error!(customers = run.pool.working(), "stopped before all was done; left for redelivery");
        run.tasks.shutdown().await;
        Stopped::CutShort
    }

    async fn poll(&self, failures: u32) -> Done {
        if failures > 0 {
            let wait = POLL_FIRST_WAIT.saturating_mul(1 << (failures - 1).min(8)).min(POLL_WAIT_MAX);
            self.consumer.decider.clock.sleep(wait).await;
        }
        Done::Polled(self.inbox.receive(RECEIVE_MAX, self.settings.poll_wait, None).await)
    }

    /// Settles one customer's messages, and deletes those that are settled.
    async fn work(&self, batch: Batch) -> Done {
        let (id, begun) = (batch.id, self.consumer.decider.clock.now());
        let (mut messages, mut receipts, mut unusable) = (Vec::new(), Vec::new(), 0);
        for (place, received) in (0..).zip(batch.messages) {
            let receipt = received.receipt.clone();
            match message(place, received) {
                Some(message) => {
                    receipts.push((message.place, receipt));
                    messages.push(message);
                }
                None => unusable += 1,
            }
        }
        let work_timeout = TimeDelta::from_std(self.settings.work_timeout).unwrap_or(TimeDelta::MAX);
        let mut handled = self.consumer.handle(messages, Deadline::before(begun + work_timeout, begun)).await;
        handled.report.failed += unusable;
        let settled = receipts.into_iter().filter(|(place, _)| !handled.failed.contains(place));
        self.delete(settled.map(|(_, receipt)| receipt).collect()).await;
        let time = (self.consumer.decider.clock.now() - begun).to_std().unwrap_or_default();
        Done::Worked { batch: id, report: Box::new(handled.report), time }
    }

    /// Deletes messages. One that stays is delivered again, and found to be decided.
    async fn delete(&self, mut receipts: Vec<Receipt>) {
        let mut tries = 1;
        while !receipts.is_empty() {
            let answers = self.inbox.delete(&receipts).await;
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

    /// Keeps messages invisible for another visibility time-out.
    async fn extend(&self, batch: u64, receipts: Vec<Receipt>) -> Done {
        let until = self.consumer.decider.clock.now() + self.settings.visibility;
        let answers = self.inbox.set_visibility(&receipts, self.settings.visibility).await;
        let error = answers.into_iter().find_map(Result::err);
        if let Some(error) = &error {
            let error = with_sources(error);
            tracing::warn!(error, "messages may become visible while they are worked on");
        }
        Done::Extended { batch, invisible_until: Some(until).filter(|_| error.is_none()) }
    }

    /// Lets others have messages at once.
    async fn give_back(&self, receipts: Vec<Receipt>) -> Done {
        let answers = self.inbox.set_visibility(&receipts, Duration::ZERO).await;
        if let Some(error) = answers.iter().find_map(|answer| answer.as_ref().err()) {
            let error = with_sources(error);
            tracing::warn!(error, "messages could not be given back; they come again after their visibility time-out");
        }
        Done::GivenBack
    }
}

impl<S, Q, C, I> Run<S, Q, C, I>
where
    S: Store + 'static,
    Q: Queues + 'static,
    C: Clock + 'static,
    I: Inbox + 'static,
{
    /// Goes on until `end`; when stopping, until nothing is left to do.
    async fn until(&mut self, end: impl Future<Output = ()>, observer: &impl Observer) {
        let mut end = std::pin::pin!(end.fuse());
        let worker = Arc::clone(&self.worker);
        let heartbeat = || worker.consumer.decider.clock.sleep(worker.settings.visibility / 3).boxed();
        let mut next_heartbeat = heartbeat();
        loop {
            self.begin();
            observer.working(self.pool.working());
            if self.is_stopping && self.tasks.is_empty() {
                return;
            }
            select! {
                biased;
                () = &mut end => return,
                done = self.tasks.join_next(), if !self.tasks.is_empty() => self.note(done, observer),
                () = &mut next_heartbeat => {
                    self.extend_all();
                    next_heartbeat = heartbeat();
                }
            }
        }
    }

    /// Begins what can be begun: customers who wait, and polls for more.
    fn begin(&mut self) {
        if self.is_stopping {
            return;
        }
        let stale = self.pool.drop_visible(self.worker.consumer.decider.clock.now());
        if stale > 0 {
            tracing::warn!(messages = stale, "waited for longer than their visibility time-out; delivered again");
        }
        while let Some(batch) = self.pool.begin_next() {
            let (worker, id) = (Arc::clone(&self.worker), batch.id);
            self.tasks.spawn(async move {
                // One customer's trouble is only that customer's, even where it is a defect of this program.
                let ended = AssertUnwindSafe(worker.work(batch)).catch_unwind().await;
                ended.unwrap_or_else(|_| {
                    tracing::error!("a customer's work has panicked; its messages are left for redelivery");
                    Done::Worked { batch: id, report: Box::default(), time: Duration::ZERO }
                })
            });
        }
        // One poll brings ten customers at the most. After a failure, one is enough to find out whether it has passed.
        let polls_wanted = self.pool.free().div_ceil(RECEIVE_MAX);
        let polls_wanted = if self.poll_failures > 0 { polls_wanted.min(1) } else { polls_wanted };
        for _ in self.polls..polls_wanted {
            let (worker, failures) = (Arc::clone(&self.worker), self.poll_failures);
            self.tasks.spawn(async move { worker.poll(failures).await });
            self.polls += 1;
        }
    }

    fn note(&mut self, done: Option<Result<Done, tokio::task::JoinError>>, observer: &impl Observer) {
        match done {
            None | Some(Ok(Done::GivenBack)) => {}
            Some(Ok(Done::Polled(polled))) => self.note_poll(polled, observer),
            Some(Ok(Done::Worked { batch, report, time })) => {
                self.pool.end(batch);
                observer.handled(&report, time);
            }
            Some(Ok(Done::Extended { batch, invisible_until })) => self.pool.extended(batch, invisible_until),
            // No customer's work, but a poll's or the like: whoever runs this starts it anew.
            Some(Err(error)) => {
                if let Ok(panic) = error.try_into_panic() {
                    resume_unwind(panic);
                }
            }
        }
    }

    fn note_poll(&mut self, polled: Result<Vec<Received>, QueueError>, observer: &impl Observer) {
        self.polls -= 1;
        observer.received(polled.as_ref().map(Vec::len));
        match polled {
            Ok(messages) if self.is_stopping => {
                self.give_back(messages.into_iter().map(|message| message.receipt).collect());
            }
            Ok(messages) => {
                self.poll_failures = 0;
                let until = self.worker.consumer.decider.clock.now() + self.worker.settings.visibility;
                self.pool.add(messages, until);
            }
            Err(error) => {
                self.poll_failures = self.poll_failures.saturating_add(1);
                tracing::error!(error = with_sources(&error), "could not receive; tried again");
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
