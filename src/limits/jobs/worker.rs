//! Worker of the queue of assignments: handles deliveries, and returns which of them the queue must deliver again.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::{Either, select};

use super::chunk::Chunk;
use super::{JobQueue, JobStore, ORPHAN_AGE, PAGE_CUSTOMERS_MAX, TRIES};
use crate::deciding::backoff::retried;
use crate::deciding::consumer::Deadline;
use crate::deciding::{Clock, QueueError, StoreError, with_sources};
use crate::domain::{CHUNK_CUSTOMERS_MAX, JobCounts, JobMessage, JobTask};

/// Performs the steps of jobs. Any number of workers may share a store and a queue.
#[derive(Clone, Debug)]
pub struct JobWorker<S, Q, C> {
    /// The store.
    pub store: S,
    /// The queue of assignments.
    pub queue: Q,
    /// The clock.
    pub clock: C,
    /// Maximum number of customers of a page: a multiple of a chunk's.
    pub(super) page_customers_max: usize,
    /// Counter of requests that the store has throttled.
    pub(super) throttles: Throttles,
}

/// One delivery of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobDelivery {
    /// The message; `None` if its body is not one of a job.
    pub message: Option<JobMessage>,
    /// Number of times that the message was received, including this one.
    pub receive_count: u64,
    /// The instant at which the message was sent.
    pub sent_at: Option<DateTime<Utc>>,
}

/// Result of a batch of deliveries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandledJobs {
    /// The places of the messages that must be delivered again, in order.
    pub failed: Vec<usize>,
    /// Counts and times of the batch.
    pub report: JobReport,
}

/// Counts of a batch of deliveries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobReport {
    /// Pages that were handled.
    pub pages: u64,
    /// Chunks whose result was stored.
    pub chunks: u64,
    /// Customers of these chunks by their outcome.
    pub customers: JobCounts,
    /// Messages that were dropped, because their job does not exist.
    pub dropped: u64,
    /// Messages that the queue must deliver again.
    pub failed: u64,
    /// Requests for links that the store has throttled.
    pub throttled: u64,
}

/// Reason why a message must be delivered again.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JobError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A message could not be sent.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The job does not exist, or not yet.
    #[error("the job is not in the table of customers' own limits yet")]
    UnknownJob,
    /// The body is not a message of a job.
    #[error("the message is not one of a job: {{\"jobId\":\"42\",\"page\":0}}, a chunk, or a finish")]
    NotAJob,
    /// No time was left.
    #[error("no time was left before the worker's time-out")]
    Unreached,
}

/// Counter of throttled requests. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Throttles(Arc<AtomicU64>);

impl Throttles {
    pub fn note<T>(&self, result: &Result<T, StoreError>) {
        if matches!(result, Err(StoreError::Throttled(_))) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl<S: JobStore, Q: JobQueue, C: Clock> JobWorker<S, Q, C> {
    /// Creates a worker.
    pub fn new(store: S, queue: Q, clock: C) -> JobWorker<S, Q, C> {
        JobWorker { store, queue, clock, page_customers_max: PAGE_CUSTOMERS_MAX, throttles: Throttles::default() }
    }

    /// Returns a worker with smaller pages, each of so many chunks. All workers of a job must have the same.
    #[must_use]
    pub fn with_chunks_per_page(self, chunks: usize) -> JobWorker<S, Q, C> {
        JobWorker { page_customers_max: CHUNK_CUSTOMERS_MAX.saturating_mul(chunks), ..self }
    }

    /// Handles deliveries, one after another, until the deadline. What is not reached is failed.
    pub async fn handle(&self, deliveries: &[JobDelivery], deadline: Deadline) -> HandledJobs {
        let mut handled = HandledJobs::default();
        for (place, delivery) in deliveries.iter().enumerate() {
            let is_late = self.clock.now() >= deadline.begin_until;
            let step = async { if is_late { Err(JobError::Unreached) } else { self.step(delivery, deadline).await } };
            let end = self.clock.sleep(left(&self.clock, deadline.answer_by));
            let result = match select(pin!(step), pin!(end)).await {
                Either::Left((result, _)) => result,
                Either::Right(_) => Err(JobError::Unreached),
            };
            match result {
                Ok(report) => handled.report.add(report),
                Err(error) => {
                    report_failure(delivery, &error);
                    handled.report.failed = handled.report.failed.saturating_add(1);
                    handled.failed.push(place);
                }
            }
        }
        handled.report.throttled = self.throttles.take();
        handled
    }

    async fn step(&self, delivery: &JobDelivery, deadline: Deadline) -> Result<JobReport, JobError> {
        let Some(JobMessage { number, task }) = &delivery.message else { return Err(JobError::NotAJob) };
        let Some(job) = retried(TRIES, &self.clock, || self.store.read_job(*number)).await? else {
            return if self.is_orphan(delivery) {
                tracing::warn!(job_id = *number, "message dropped: its job was never stored");
                Ok(JobReport { dropped: 1, ..JobReport::default() })
            } else {
                Err(JobError::UnknownJob)
            };
        };
        let mut report = JobReport::default();
        match task {
            JobTask::Page(page) => {
                self.page(&job, *page).await?;
                report.pages = 1;
            }
            JobTask::Chunk { chunk, customers } => {
                let chunk = Chunk { number: *chunk, customers, receive_count: delivery.receive_count, deadline };
                if let Some(result) = self.chunk(&job, chunk).await? {
                    (report.chunks, report.customers) = (1, result.counts);
                }
            }
            JobTask::Finish => self.finish(&job).await?,
        }
        Ok(report)
    }

    /// Returns true if the message is so old that its job will not be stored any more.
    fn is_orphan(&self, delivery: &JobDelivery) -> bool {
        let age = delivery.sent_at.map(|sent_at| (self.clock.now() - sent_at).to_std().unwrap_or_default());
        age.is_some_and(|age| age >= ORPHAN_AGE)
    }
}

impl JobReport {
    fn add(&mut self, other: JobReport) {
        self.pages = self.pages.saturating_add(other.pages);
        self.chunks = self.chunks.saturating_add(other.chunks);
        self.dropped = self.dropped.saturating_add(other.dropped);
        self.customers.add(other.customers);
    }
}

fn report_failure(delivery: &JobDelivery, error: &JobError) {
    let (job_id, step) = match &delivery.message {
        None => (0, "unknown".to_owned()),
        Some(JobMessage { number, task: JobTask::Page(page) }) => (*number, format!("page {page}")),
        Some(JobMessage { number, task: JobTask::Chunk { chunk, .. } }) => (*number, format!("chunk {chunk}")),
        Some(JobMessage { number, task: JobTask::Finish }) => (*number, "finish".to_owned()),
    };
    let (error, receive_count) = (with_sources(error), delivery.receive_count);
    tracing::error!(
        job_id,
        step,
        receive_count,
        error,
        "step of an assignment job failed; the queue delivers it again"
    );
}

/// Returns the time that is left until an instant.
pub(super) fn left(clock: &impl Clock, until: DateTime<Utc>) -> Duration {
    (until - clock.now()).to_std().unwrap_or_default()
}
