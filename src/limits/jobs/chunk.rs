//! Chunks of a job: links of up to [`CHUNK_CUSTOMERS_MAX`](crate::domain::CHUNK_CUSTOMERS_MAX) customers, and their result.

use std::pin::pin;

use chrono::{DateTime, Utc};
use futures_util::future::select;
use futures_util::{StreamExt, stream};

use super::start::tried;
use super::worker::left;
use super::{JobError, JobQueue, JobStore, JobWorker, LINKS_IN_PARALLEL_MAX, RECEIVES_MAX};
use crate::deciding::{Cause, Clock, StoreError, with_sources};
use crate::domain::{
    ChunkResult, CustomerFailure, CustomerLink, Job, JobCounts, JobFailure, JobState, LinkOutcome, Millis,
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
    /// The instant from which no customer's link is waited for.
    pub until: DateTime<Utc>,
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
                    note(&mut result, customer_id, outcome, chunk.receive_count >= RECEIVES_MAX)?;
                }
            }
        }
        result.done_at = Millis::of(self.clock.now());
        let is_first = tried(&self.clock, || self.store.put_result(job.number, &result)).await?;
        Ok(is_first.then_some(result))
    }

    /// Links the customers, a few at the same time. Those that are not done in time are unavailable.
    async fn link_all(&self, job: &Job, chunk: Chunk<'_>) -> Vec<Result<LinkOutcome, StoreError>> {
        let mut outcomes = Vec::with_capacity(chunk.customers.len());
        let work = async {
            // None begins before it is polled.
            let links: Vec<_> = chunk.customers.iter().map(|customer_id| self.link(job, customer_id)).collect();
            let mut links = pin!(stream::iter(links).buffered(LINKS_IN_PARALLEL_MAX));
            while let Some(outcome) = links.next().await {
                outcomes.push(outcome);
            }
        };
        select(pin!(work), pin!(self.clock.sleep(left(&self.clock, chunk.until)))).await;
        outcomes.resize_with(chunk.customers.len(), || Err(out_of_time()));
        outcomes
    }

    async fn link(&self, job: &Job, customer_id: &str) -> Result<LinkOutcome, StoreError> {
        let at = Millis::of(self.clock.now());
        tried(&self.clock, || async {
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

    async fn read_links(&self, customers: &[String]) -> Result<Vec<Result<CustomerLink, StoreError>>, JobError> {
        Ok(tried(&self.clock, || self.store.read_links(customers)).await?)
    }
}

/// Adds one customer's outcome to a result. No other code decides what becomes of a customer who is not linked.
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
