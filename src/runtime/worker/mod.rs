//! The queue's door for a process of its own: it polls the input queue, and works on several customers at once.
//!
//! The queue gives out none of a customer's messages while some of them are invisible. Where a visibility time-out runs out
//! all the same, the pool keeps a second batch of a customer waiting until the first is done.

mod pool;
mod run;
mod steps;

use std::sync::Arc;
use std::time::Duration;

use crate::deciding::consumer::{BatchReport, Consumer};
use crate::deciding::{Clock, Publisher, QueueError, Receiver, Store};
use crate::runtime::worker::run::WorkerLoop;

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
    pub receiver: I,
    /// How.
    pub settings: Settings,
}

/// Who is told what a worker does.
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

/// How a worker has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerStopped {
    /// What was begun is finished, the rest given back.
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
