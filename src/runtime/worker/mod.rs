//! Worker: polls the input queue in a process of its own, and works on several customers at once.
//!
//! The queue returns no other message of a customer while some of them are invisible. Where a visibility time-out runs
//! out all the same, the pool keeps a second batch of a customer waiting until the first is done.

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
    /// Number of customers that are worked on at once.
    pub customers_in_parallel: usize,
    /// Time that a request waits for messages.
    pub poll_wait: Duration,
    /// The queue's visibility time-out. While messages are held it is set anew, three times within it.
    pub visibility: Duration,
    /// Longest time that one customer's messages may be worked on.
    pub work_timeout: Duration,
    /// Longest time that the end may take.
    pub stop_timeout: Duration,
}

/// Consumes the input queue until it is stopped.
#[derive(Debug)]
pub struct Worker<S, Q, C, I> {
    /// Decides and publishes messages.
    pub consumer: Consumer<S, Q, C>,
    /// The input queue.
    pub receiver: I,
    /// Settings of the worker.
    pub settings: Settings,
}

/// Receives the events of a worker.
pub trait WorkerObserver: Send + Sync {
    /// So many messages have been received, possibly none; or none could be.
    fn received(&self, received: Result<usize, &QueueError>);
    /// So many customers are worked on now.
    fn working(&self, customers: usize);
    /// One customer's messages have been worked on, for so long.
    fn handled(&self, report: &BatchReport, time: Duration);
    /// No more messages are received from now on.
    fn stopping(&self);
}

/// End of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerStopped {
    /// The worker finished what it had begun, and returned the rest to the queue.
    Clean,
    /// The time was up: some messages come again when their visibility time-out has run out.
    CutShort,
}

impl<S, Q, C, I> Worker<S, Q, C, I>
where
    S: Store + 'static,
    Q: Publisher + 'static,
    C: Clock + 'static,
    I: Receiver + 'static,
{
    /// Consumes until `stop` ends. Then what is begun is finished, what is not is given back, in bounded time.
    pub async fn run(self: Arc<Self>, observer: &impl WorkerObserver, stop: impl Future<Output = ()>) -> WorkerStopped {
        let mut run = WorkerLoop::new(Arc::clone(&self));
        run.until(stop, observer).await;
        observer.stopping();
        run.stop();
        run.until(self.consumer.decider.clock.sleep(self.settings.stop_timeout), observer).await;
        run.end().await
    }
}
