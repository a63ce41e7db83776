//! Interfaces to the store and the queue of jobs.

use std::time::Duration;

use super::{RosterPage, RosterShard};
use crate::deciding::{QueueError, StoreError};
use crate::domain::{
    ChunkResult, Job, JobCounts, JobFailure, JobMessage, JobSize, JobState, LinkBasis, LinkOutcome, Millis,
};
use crate::limits::KeptAnswer;

/// Storage of jobs, and of the links that they make. All reads are strongly consistent.
pub trait JobStore: Send + Sync {
    /// Stores a new job, and in the same write the answer to the request that started it, if one is kept. Succeeds also if the
    /// job is stored already: its number is its own.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another answer is kept under the key. The job is not stored then.
    fn put_job(&self, job: &Job, answer: Option<&KeptAnswer>) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Reads a job.
    fn read_job(&self, number: u64) -> impl Future<Output = Result<Option<Job>, StoreError>> + Send;

    /// Reads jobs with numbers below `before`, at most `max`, the newest first.
    fn read_jobs(&self, before: Option<u64>, max: u16) -> impl Future<Output = Result<Vec<Job>, StoreError>> + Send;

    /// Changes a job's state, on the condition that the stored one is in [`JobChange::from`]. Returns false if it is not.
    fn change_job(&self, number: u64, change: &JobChange) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Reads a page of a job.
    fn read_page(&self, number: u64, page: u32) -> impl Future<Output = Result<Option<RosterPage>, StoreError>> + Send;

    /// Stores a page of a job, unless it is stored already. Returns false if it is.
    fn put_page(
        &self,
        number: u64,
        page: u32,
        content: &RosterPage,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Reads at most `max` customers of one shard of a programme's roster, in the order of their ids, behind the customer `after`.
    /// Fewer than `max` are the shard's last.
    fn read_roster(
        &self,
        shard: &RosterShard<'_>,
        after: Option<&str>,
        max: usize,
    ) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;

    /// Links a customer for a job by one conditional write: only over a lower number, and only if the customer is still in
    /// the job's programme. A link that the job has made before counts again as it did.
    fn link_by_job(
        &self,
        customer_id: &str,
        job: &Job,
        at: Millis,
    ) -> impl Future<Output = Result<LinkOutcome, StoreError>> + Send;

    /// Reads the links of customers, at most [`CHUNK_CUSTOMERS_MAX`](crate::domain::CHUNK_CUSTOMERS_MAX), in their order. Each may fail alone.
    fn read_links(
        &self,
        customers: &[String],
    ) -> impl Future<Output = Result<Vec<Result<LinkBasis, StoreError>>, StoreError>> + Send;

    /// Stores the result of a chunk, unless it is stored already. Returns false if it is.
    fn put_result(&self, number: u64, result: &ChunkResult) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Reads results of a job's chunks in the order of their numbers, behind the chunk `after`.
    fn read_results(
        &self,
        number: u64,
        after: Option<u32>,
    ) -> impl Future<Output = Result<ResultList, StoreError>> + Send;
}

/// Some results of a job's chunks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResultList {
    /// The results, in the order of their numbers.
    pub results: Vec<ChunkResult>,
    /// The chunk behind which the next page begins; `None` at the end.
    pub next: Option<u32>,
}

/// Change of a job's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobChange {
    /// The whole roster has been read.
    Run(JobSize),
    /// Every chunk has its result.
    Finish {
        /// The customers by their outcome.
        counts: JobCounts,
        /// The instant of the last result.
        at: Millis,
    },
    /// Somebody has cancelled the job.
    Cancel {
        /// The instant.
        at: Millis,
        /// The answer to the request, if it is to be repeated.
        answer: Option<Box<KeptAnswer>>,
    },
    /// The roster cannot be read.
    Fail {
        /// The reason.
        failure: JobFailure,
        /// The instant.
        at: Millis,
    },
}

/// The queue of assignments. It may deliver messages repeatedly and in any order.
pub trait JobQueue: Send + Sync {
    /// Sends messages, which are delivered after `delay` at the earliest.
    ///
    /// # Errors
    /// [`QueueError`]. Any of the messages may have been sent.
    fn send(&self, messages: &[JobMessage], delay: Duration) -> impl Future<Output = Result<(), QueueError>> + Send;
}

impl JobChange {
    /// Returns the states from which the change is possible.
    pub const fn from(&self) -> &'static [JobState] {
        match self {
            JobChange::Run(_) | JobChange::Fail { .. } => &[JobState::Enumerating],
            JobChange::Finish { .. } => &[JobState::Running],
            JobChange::Cancel { .. } => &[JobState::Enumerating, JobState::Running],
        }
    }

    /// Returns the state after the change.
    pub const fn to(&self) -> JobState {
        match self {
            JobChange::Run(_) => JobState::Running,
            JobChange::Finish { .. } => JobState::Done,
            JobChange::Cancel { .. } => JobState::Canceled,
            JobChange::Fail { .. } => JobState::Failed,
        }
    }
}
