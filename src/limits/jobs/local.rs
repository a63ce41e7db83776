//! A whole job in one process, for stores that no other process reaches.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;

use super::{JobDelivery, JobQueue, JobReader, JobStore, JobWorker, RECEIVES_MAX};
use crate::deciding::consumer::Deadline;
use crate::deciding::{Clock, QueueError, StoreError};
use crate::domain::{JobMessage, JobProgress};

/// Maximum time of one step.
const STEP_MAX: TimeDelta = TimeDelta::minutes(1);

/// Time between two reports of the progress: each is a query of all results.
const OBSERVE_EVERY: TimeDelta = TimeDelta::milliseconds(500);

/// A queue in memory. Clones share it. It knows no delays.
#[derive(Clone, Debug, Default)]
pub struct LocalQueue(Arc<Mutex<VecDeque<JobMessage>>>);

impl LocalQueue {
    fn pop(&self) -> Option<JobMessage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl JobQueue for LocalQueue {
    async fn send(&self, messages: &[JobMessage], _delay: Duration) -> Result<(), QueueError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(messages.iter().cloned());
        Ok(())
    }
}

/// Reason why a job did not reach its end.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LocalError {
    /// A step failed each time that it was tried.
    #[error(
        "the job has stopped: one of its steps has failed {RECEIVES_MAX} times. The log has the errors; start the job anew"
    )]
    Stuck,
    /// The job's item is missing.
    #[error("the job's item is missing in the table of customers' own limits: restore it")]
    Gone,
    /// The job's progress could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Performs all steps of the jobs in the queue. Reports the progress of the job with this number now and
/// then, and returns it at the end.
///
/// # Errors
/// [`LocalError`].
pub async fn run_job<S: JobStore, C: Clock>(
    worker: &JobWorker<S, LocalQueue, C>,
    number: u64,
    mut observe: impl FnMut(&JobProgress),
) -> Result<JobProgress, LocalError> {
    let reader = JobReader { store: &worker.store, clock: &worker.clock };
    let mut observed_at = worker.clock.now();
    while let Some(message) = worker.queue.pop() {
        let mut receive_count = 1;
        loop {
            let now = worker.clock.now();
            let delivery = JobDelivery { message: Some(message.clone()), receive_count, sent_at: Some(now) };
            let handled = worker.handle(&[delivery], Deadline::before(now + STEP_MAX, now)).await;
            if handled.failed.is_empty() {
                break;
            }
            if receive_count >= RECEIVES_MAX {
                return Err(LocalError::Stuck);
            }
            receive_count += 1;
        }
        if worker.clock.now() - observed_at >= OBSERVE_EVERY {
            observed_at = worker.clock.now();
            reader.get(number).await?.iter().for_each(&mut observe);
        }
    }
    reader.get(number).await?.ok_or(LocalError::Gone)
}
