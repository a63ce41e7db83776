//! Progress of jobs, and their cancellation.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{JobChange, JobStore};
use crate::deciding::backoff::retried;
use crate::deciding::{Clock, StoreError};
use crate::domain::{CustomerFailure, Job, JobProgress, JobState, Millis};
use crate::limits::{CALLER_TRIES, Keep};

/// Maximum number of jobs whose results are read at the same time.
const READS_IN_PARALLEL_MAX: usize = 8;

/// Reads and cancels jobs.
#[derive(Clone, Copy, Debug)]
pub struct JobReader<'r, S, C> {
    /// The store.
    pub store: &'r S,
    /// The clock.
    pub clock: &'r C,
}

/// Jobs, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobList {
    /// The jobs with their progress.
    pub jobs: Vec<JobProgress>,
    /// The number below which the next page begins; `None` at the end.
    pub next: Option<u64>,
}

/// Customers who could not be linked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailureList {
    /// The customers, by chunk.
    pub failures: Vec<CustomerFailure>,
    /// The chunk behind which the next page begins; `None` at the end.
    pub next: Option<u32>,
}

/// Result of a cancellation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Canceled {
    /// The job is cancelled.
    Now(JobProgress),
    /// The job had ended before.
    Ended(JobProgress),
}

impl<S: JobStore, C: Clock> JobReader<'_, S, C> {
    /// Returns a job with its progress; `None` if there is no such job.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read, or cannot be understood.
    pub async fn get(&self, number: u64) -> Result<Option<JobProgress>, StoreError> {
        match retried(CALLER_TRIES, self.clock, || self.store.read_job(number)).await? {
            Some(job) => self.progress(job).await.map(Some),
            None => Ok(None),
        }
    }

    /// Returns at most `max` jobs with numbers below `before`, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read, or cannot be understood.
    pub async fn list(&self, before: Option<u64>, max: u16) -> Result<JobList, StoreError> {
        let jobs = retried(CALLER_TRIES, self.clock, || self.store.read_jobs(before, max)).await?;
        let is_full = jobs.len() >= usize::from(max);
        let next = jobs.last().map(|job| job.number).filter(|_| is_full);
        let progress = stream::iter(jobs).map(|job| self.progress(job)).buffered(READS_IN_PARALLEL_MAX);
        Ok(JobList { jobs: progress.try_collect().await?, next })
    }

    /// Returns customers who could not be linked, behind the chunk `after`: those of whole chunks, `max` or a few more.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read, or cannot be understood.
    pub async fn failures(&self, number: u64, after: Option<u32>, max: u16) -> Result<FailureList, StoreError> {
        let (mut page, mut after) = (FailureList::default(), after);
        loop {
            let read = retried(CALLER_TRIES, self.clock, || self.store.read_results(number, after)).await?;
            for result in read.results {
                if page.failures.len() >= usize::from(max) {
                    return Ok(FailureList { next: after, ..page });
                }
                after = Some(result.chunk);
                page.failures.extend(result.failures);
            }
            match read.next {
                Some(next) => after = Some(next),
                None => return Ok(page),
            }
        }
    }

    /// Cancels a job. Chunks that begin after that link nobody; links that were made stay. `None` if there is no such job.
    ///
    /// # Errors
    /// [`StoreError`]. The job may be cancelled.
    pub async fn cancel(&self, number: u64) -> Result<Option<Canceled>, StoreError> {
        self.cancel_and_keep(number, &|_| None).await
    }

    /// Cancels a job, as [`JobReader::cancel`] does, and stores the answer that `keep` makes of it in the same write.
    ///
    /// # Errors
    /// [`StoreError`]: [`StoreError::Conflict`] also if an answer is kept under the same key. The job may be cancelled.
    pub async fn cancel_and_keep(
        &self,
        number: u64,
        keep: Keep<'_, JobProgress>,
    ) -> Result<Option<Canceled>, StoreError> {
        let Some(progress) = self.get(number).await? else { return Ok(None) };
        if progress.state().is_final() {
            return Ok(Some(Canceled::Ended(progress)));
        }
        let at = Millis::of(self.clock.now());
        let job = Job { state: JobState::Canceled, finished_at: Some(at), ..progress.job.clone() };
        let canceled = JobProgress { job, ..progress };
        let answer = keep(&canceled).map(Box::new);
        let is_kept = answer.is_some();
        let change = JobChange::Cancel { at, answer };
        let is_changed = retried(CALLER_TRIES, self.clock, || self.store.change_job(number, &change)).await?;
        if is_kept {
            // The kept answer is the one that is repeated. It is there too if a try whose answer was lost has cancelled the job.
            return Ok(Some(if is_changed { Canceled::Now(canceled) } else { Canceled::Ended(progress) }));
        }
        let Some(progress) = self.get(number).await? else { return Ok(None) };
        // A try whose answer was lost has cancelled the job, too.
        let is_canceled = is_changed || progress.job.state == JobState::Canceled;
        Ok(Some(if is_canceled { Canceled::Now(progress) } else { Canceled::Ended(progress) }))
    }

    /// Returns a job's progress. The counts of a job that is done are stored with it; of any other, the results are added up.
    pub(super) async fn progress(&self, job: Job) -> Result<JobProgress, StoreError> {
        if let (Some(counts), Some(size)) = (job.counts, job.size) {
            return Ok(JobProgress { job, counts, chunks_done: size.chunks, last_done_at: None });
        }
        let mut progress = JobProgress::begun(job);
        let mut after = None;
        loop {
            let number = progress.job.number;
            let page = retried(CALLER_TRIES, self.clock, || self.store.read_results(number, after)).await?;
            for result in page.results {
                progress.counts.add(result.counts);
                progress.chunks_done = progress.chunks_done.saturating_add(1);
                progress.last_done_at = progress.last_done_at.max(Some(result.done_at));
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(progress),
            }
        }
    }
}
