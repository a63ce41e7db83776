//! Chunks of a job: links of up to [`CHUNK_CUSTOMERS_MAX`](crate::domain::CHUNK_CUSTOMERS_MAX) customers, and their result.

use std::pin::pin;

use futures_util::future::{Either, select};
use futures_util::{StreamExt, stream};

use super::worker::left;
use super::{JobError, JobQueue, JobStore, JobWorker, LINKS_IN_PARALLEL_MAX, RECEIVES_MAX, TRIES};
use crate::deciding::backoff::retried;
use crate::deciding::consumer::Deadline;
use crate::deciding::{Cause, Clock, StoreError, with_sources};
use crate::domain::{
    ChunkResult, CustomerFailure, Job, JobCounts, JobFailure, JobState, LinkBasis, LinkOutcome, Millis,
};

/// Code of a customer whose stored item cannot be parsed, and of a job whose roster cannot.
pub const CORRUPT_ITEM_CODE: &str = "CORRUPT_ITEM";

/// Code of a customer who was not reached before the worker's time was over.
pub const NO_TIME_CODE: &str = "NO_TIME";

/// Maximum length of a recorded reason, in bytes: 25 of them stay in a small item.
const REASON_BYTES_MAX: usize = 500;

/// One delivery of a chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk<'c> {
    pub number: u32,
    pub customers: &'c [String],
    /// Number of times that the message was received.
    pub receive_count: u64,
    /// No customer's link is waited for from its first instant on.
    pub deadline: Deadline,
}

impl Chunk<'_> {
    /// Returns true if the queue gives up the chunk after this delivery.
    const fn is_last(&self) -> bool {
        self.receive_count >= RECEIVES_MAX
    }
}

impl<S: JobStore, Q: JobQueue, C: Clock> JobWorker<S, Q, C> {
    /// Links a chunk's customers, and stores the result. Returns the result if it was stored now.
    pub(super) async fn chunk(&self, job: &Job, chunk: Chunk<'_>) -> Result<Option<ChunkResult>, JobError> {
        let mut result =
            ChunkResult { chunk: chunk.number, counts: JobCounts::default(), failures: vec![], done_at: Millis::FIRST };
        match job.state {
            // Every chunk has its result.
            JobState::Done => return Ok(None),
            JobState::Canceled | JobState::Failed => {
                result.counts = self.made(job, chunk.customers).await?;
                if result.counts == JobCounts::default() {
                    return Ok(None);
                }
            }
            JobState::Enumerating | JobState::Running => {
                let outcomes =
                    if job.is_dry_run { self.foresee(job, chunk).await? } else { self.link_all(job, chunk).await };
                for (customer_id, outcome) in chunk.customers.iter().zip(outcomes) {
                    note(&mut result, customer_id, outcome, chunk.is_last())?;
                }
            }
        }
        result.done_at = Millis::of(self.clock.now());
        let is_first = retried(TRIES, &self.clock, || self.store.put_result(job.number, &result)).await?;
        Ok(is_first.then_some(result))
    }

    /// Links the customers, a few at the same time. Those that are not done in time are unavailable.
    async fn link_all(&self, job: &Job, chunk: Chunk<'_>) -> Vec<Result<LinkOutcome, StoreError>> {
        let mut outcomes: Vec<_> = chunk.customers.iter().map(|_| Err(out_of_time())).collect();
        let work = async {
            let links = chunk.customers.iter().zip(&mut outcomes);
            let links =
                stream::iter(links).for_each_concurrent(LINKS_IN_PARALLEL_MAX, async |(customer_id, outcome)| {
                    *outcome = self.link(job, customer_id).await;
                });
            links.await;
        };
        select(pin!(work), pin!(self.clock.sleep(left(&self.clock, chunk.deadline.begin_until)))).await;
        if chunk.is_last() {
            self.find_made(job, chunk, &mut outcomes).await;
        }
        outcomes
    }

    /// Finds the links that were made, or that forbid the job's, although no answer said so. What cannot be read in time stays as
    /// it is.
    async fn find_made(&self, job: &Job, chunk: Chunk<'_>, outcomes: &mut [Result<LinkOutcome, StoreError>]) {
        let unsure =
            |outcome: &Result<LinkOutcome, StoreError>| !matches!(outcome, Ok(_) | Err(StoreError::Corrupt(_)));
        let unsure = chunk.customers.iter().zip(outcomes).filter(|(_, outcome)| unsure(outcome));
        let (customers, outcomes): (Vec<String>, Vec<_>) = unsure.map(|(id, outcome)| (id.clone(), outcome)).unzip();
        let end = self.clock.sleep(left(&self.clock, chunk.deadline.answer_by) / 2);
        let Either::Left((Ok(links), _)) = select(pin!(self.read_links(&customers)), pin!(end)).await else { return };
        for (outcome, link) in outcomes.into_iter().zip(links) {
            // Over such a number, a request that is still under way changes nothing.
            if let Ok(link) = link
                && link.number >= job.number
            {
                *outcome = Ok(link.outcome_of(job));
            }
        }
    }

    async fn link(&self, job: &Job, customer_id: &str) -> Result<LinkOutcome, StoreError> {
        let at = Millis::of(self.clock.now());
        retried(TRIES, &self.clock, || async {
            let result = self.store.link_by_job(customer_id, job, at).await;
            self.throttles.note(&result);
            result
        })
        .await
    }

    /// Returns the outcomes that the job would have now.
    async fn foresee(&self, job: &Job, chunk: Chunk<'_>) -> Result<Vec<Result<LinkOutcome, StoreError>>, JobError> {
        let links = self.read_links(chunk.customers).await?;
        Ok(links.into_iter().map(|link| Ok(link?.outcome_of(job))).collect())
    }

    /// Counts the customers whom the job has linked before it was cancelled.
    async fn made(&self, job: &Job, customers: &[String]) -> Result<JobCounts, JobError> {
        let mut counts = JobCounts::default();
        for link in self.read_links(customers).await? {
            match link {
                Ok(link) if link.is_of(job) => counts.count(link.outcome_of(job)),
                Ok(_) | Err(StoreError::Corrupt(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(counts)
    }

    async fn read_links(&self, customers: &[String]) -> Result<Vec<Result<LinkBasis, StoreError>>, JobError> {
        Ok(retried(TRIES, &self.clock, || self.store.read_links(customers)).await?)
    }
}

/// Adds one customer's outcome to a result. Only this function decides whether a customer who is not linked fails the chunk, or
/// only itself.
///
/// # Errors
/// An error that a later delivery may mend, unless `is_last` says that there is none.
fn note(
    result: &mut ChunkResult,
    customer_id: &str,
    outcome: Result<LinkOutcome, StoreError>,
    is_last: bool,
) -> Result<(), JobError> {
    let error = match outcome {
        Ok(outcome) => {
            result.counts.count(outcome);
            return Ok(());
        }
        Err(error) => error,
    };
    let code = match error {
        // Somebody has to correct the item, and then start another job.
        StoreError::Corrupt(_) => CORRUPT_ITEM_CODE,
        _ if !is_last => return Err(error.into()),
        StoreError::Conflict(_) => "CONFLICT",
        StoreError::Throttled(_) => "THROTTLED",
        StoreError::Unavailable(ref cause) if cause.what == OUT_OF_TIME => NO_TIME_CODE,
        StoreError::Unavailable(_) => "UNAVAILABLE",
        StoreError::Misconfigured(_) => "MISCONFIGURED",
    };
    let reason = shortened(with_sources(&error));
    let failure = JobFailure { code: code.to_owned(), reason };
    result.counts.failed = result.counts.failed.saturating_add(1);
    result.failures.push(CustomerFailure { customer_id: customer_id.to_owned(), failure });
    Ok(())
}

const OUT_OF_TIME: &str = "no time was left before the worker's time-out";

fn out_of_time() -> StoreError {
    StoreError::Unavailable(Cause::new(OUT_OF_TIME))
}

fn shortened(mut reason: String) -> String {
    if reason.len() > REASON_BYTES_MAX {
        let end = (0..=REASON_BYTES_MAX).rev().find(|end| reason.is_char_boundary(*end)).unwrap_or_default();
        reason.truncate(end);
    }
    reason
}
