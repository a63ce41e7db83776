//! Worker: a process that polls the input queue and handles several customers at once.
//!
//! The queue returns no other message of a customer while some of the customer's messages are invisible. If a
//! visibility time-out expires early, the pool keeps the customer's second batch waiting until the first is done.

mod pool;
mod run;
mod steps;

use std::sync::Arc;
use std::time::Duration;

use crate::deciding::consumer::{BatchReport, Consumer};
use crate::deciding::{Clock, Publisher, QueueError, Receiver, Store};
use crate::runtime::worker::run::WorkerLoop;

/// Settings of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Maximum number of customers handled at once.
    pub customers_in_parallel: usize,
    /// Time for which a request waits for messages.
    pub poll_wait: Duration,
    /// Visibility time-out of the queue. The worker extends it three times within its length while it holds messages.
    pub visibility: Duration,
    /// Maximum time for one customer's messages.
    pub work_timeout: Duration,
    /// Maximum time for stopping.
    pub stop_timeout: Duration,
}

/// Consumes the input queue until it is stopped.
#[derive(Debug)]
pub struct Worker<S, Q, C, I> {
    /// Consumer that settles messages.
    pub consumer: Consumer<S, Q, C>,
    /// Input queue.
    pub receiver: I,
    /// Settings.
    pub settings: Settings,
}

/// Observes a worker.
pub trait WorkerObserver: Send + Sync {
    /// Called after a poll, with the number of messages received, possibly 0, or with the error.
    fn received(&self, received: Result<usize, &QueueError>);
    /// Called with the number of customers in progress.
    fn working(&self, customers: usize);
    /// Called after one customer's messages have been handled, with the time this took.
    fn handled(&self, report: &BatchReport, time: Duration);
    /// Called when the worker stops receiving messages.
    fn stopping(&self);
}

/// Result of stopping a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerStopped {
    /// Batches that had begun are finished, the other messages returned.
    Clean,
    /// The stop time-out expired. Some messages are delivered again after their visibility time-out.
    CutShort,
}

impl<S, Q, C, I> Worker<S, Q, C, I>
where
    S: Store + 'static,
    Q: Publisher + 'static,
    C: Clock + 'static,
    I: Receiver + 'static,
{
    /// Consumes until `stop` completes. Then it finishes the batches that have begun and returns the other messages,
    /// within the stop time-out.
    pub async fn run(self: Arc<Self>, observer: &impl WorkerObserver, stop: impl Future<Output = ()>) -> WorkerStopped {
        let mut run = WorkerLoop::new(Arc::clone(&self));
        run.until(stop, observer).await;
        observer.stopping();
        run.stop();
        run.until(self.consumer.decider.clock.sleep(self.settings.stop_timeout), observer).await;
        run.end().await
    }
}
