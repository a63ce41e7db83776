//! Pages of a job: the roster is read, saved, and sent in chunks. Also: the end of a job.

use std::time::Duration;

use super::{
    CORRUPT_ITEM_CODE, FINISH_DELAY_MAX, FINISH_DELAY_MIN, JobChange, JobError, JobQueue, JobReader, JobStore,
    JobWorker, RosterCursor, RosterPage, TRIES,
};
use crate::deciding::backoff::retried;
use crate::deciding::{Cause, Clock, SEND_MAX, StoreError, with_sources};
use crate::domain::{Job, JobFailure, JobMessage, JobSize, JobState, JobTask, Millis};

impl<S: JobStore, Q: JobQueue, C: Clock> JobWorker<S, Q, C> {
    /// Reads a page of the roster, saves it, and sends its chunks and what follows them. A job whose roster cannot be
    /// understood fails.
    pub(super) async fn page(&self, job: &Job, page: u32) -> Result<(), JobError> {
        match self.try_page(job, page).await {
            Err(JobError::Store(error @ StoreError::Corrupt(_))) => {
                let failure = JobFailure { code: CORRUPT_ITEM_CODE.to_owned(), reason: with_sources(&error) };
                let change = JobChange::Fail { failure, at: Millis::of(self.clock.now()) };
                if self.change(job, &change).await? {
                    tracing::error!(job_id = job.number, error = with_sources(&error), "assignment job failed");
                }
                Ok(())
            }
            result => result,
        }
    }

    async fn try_page(&self, job: &Job, page: u32) -> Result<(), JobError> {
        let stored = |page| retried(TRIES, &self.clock, move || self.store.read_page(job.number, page));
        match job.state {
            JobState::Enumerating => {}
            // The last page has sent its chunks. Its worker may have died before it sent the last message.
            JobState::Running => {
                let is_last = stored(page).await?.is_some_and(|content| content.next.is_none());
                return if is_last { self.send_finish(job).await } else { Ok(()) };
            }
            JobState::Done | JobState::Canceled | JobState::Failed => return Ok(()),
        }
        if stored(page.saturating_add(1)).await?.is_some() {
            // The next page's message was sent behind this page's chunks.
            return Ok(());
        }
        let content = match stored(page).await? {
            Some(content) => content,
            None => self.save_page(job, page).await?,
        };
        self.send_chunks(job, &content).await?;
        if content.next.is_some() {
            let next = JobMessage { number: job.number, task: JobTask::Page(page.saturating_add(1)) };
            return Ok(self.queue.send(&[next], Duration::ZERO).await?);
        }
        self.change(job, &JobChange::Run(content.size())).await?;
        self.send_finish(job).await
    }

    /// Reads the roster behind the page before, and saves the page. If another worker has saved it meanwhile, its content
    /// counts.
    async fn save_page(&self, job: &Job, page: u32) -> Result<RosterPage, JobError> {
        let (from, before) = match page.checked_sub(1) {
            None => (RosterCursor::default(), JobSize { customers: 0, chunks: 0 }),
            Some(previous) => {
                let content = retried(TRIES, &self.clock, || self.store.read_page(job.number, previous)).await?;
                let content = content.ok_or_else(|| missing(job, previous))?;
                let size = content.size();
                (content.next.ok_or_else(|| missing(job, page))?, size)
            }
        };
        let read = || RosterPage::read(&self.store, &job.program_id, from.clone(), before, self.page_customers_max);
        let content = retried(TRIES, &self.clock, read).await?;
        if retried(TRIES, &self.clock, || self.store.put_page(job.number, page, &content)).await? {
            return Ok(content);
        }
        let stored = retried(TRIES, &self.clock, || self.store.read_page(job.number, page)).await?;
        Ok(stored.ok_or_else(|| missing(job, page))?)
    }

    async fn send_chunks(&self, job: &Job, content: &RosterPage) -> Result<(), JobError> {
        let message = |(chunk, customers): (u32, &[String])| JobMessage {
            number: job.number,
            task: JobTask::Chunk { chunk, customers: customers.to_vec() },
        };
        let messages: Vec<JobMessage> = content.chunks().map(message).collect();
        for request in messages.chunks(SEND_MAX) {
            self.queue.send(request, Duration::ZERO).await?;
        }
        Ok(())
    }

    /// Stores the end of a job whose chunks all have results. Otherwise, examines it again later.
    pub(super) async fn finish(&self, job: &Job) -> Result<(), JobError> {
        if job.state.is_final() {
            return Ok(());
        }
        let reader = JobReader { store: &self.store, clock: &self.clock };
        let progress = reader.progress(job.clone()).await?;
        match progress.finished_at() {
            Some(at) if progress.state() == JobState::Done => {
                let change = JobChange::Finish { counts: progress.counts, at };
                self.change(job, &change).await?;
                Ok(())
            }
            _ => self.send_finish(job).await,
        }
    }

    async fn send_finish(&self, job: &Job) -> Result<(), JobError> {
        let age_ms = Millis::of(self.clock.now()).get().saturating_sub(job.started_at.get());
        let tenth = Duration::from_millis(u64::try_from(age_ms / 10).unwrap_or_default());
        let message = JobMessage { number: job.number, task: JobTask::Finish };
        Ok(self.queue.send(&[message], tenth.clamp(FINISH_DELAY_MIN, FINISH_DELAY_MAX)).await?)
    }

    async fn change(&self, job: &Job, change: &JobChange) -> Result<bool, JobError> {
        Ok(retried(TRIES, &self.clock, || self.store.change_job(job.number, change)).await?)
    }
}

fn missing(job: &Job, page: u32) -> StoreError {
    StoreError::Corrupt(Cause::new(format!(
        "page {page} of job {} is missing in the table of customers' own limits, although its message was sent: \
         start the job anew",
        job.number
    )))
}
