//! Requests of the handlers for jobs.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::deciding::{Clock, StoreError};
use crate::domain::{Job, JobProgress};
use crate::limits::jobs::{
    Canceled, FailureList, JobList, JobQueue, JobReader, JobStarter, JobStore, NewJob, StartError,
};
use crate::limits::{AnswerStore, Keep, LinkStore, PlanStore, ProgramStore};

/// Answer to a request about jobs.
pub type JobAnswer<'r, T> = BoxFuture<'r, Result<T, StoreError>>;

/// Jobs. It keeps the types of stores and queues out of the handlers.
pub trait JobRequests: Send + Sync {
    /// See [`JobStarter::start`]. `None` if there is no queue of assignments.
    fn start<'r>(&'r self, new: NewJob, keep: Keep<'r, Job>) -> BoxFuture<'r, Option<Result<Job, StartError>>>;

    /// See [`JobReader::get`].
    fn job(&self, number: u64) -> JobAnswer<'_, Option<JobProgress>>;

    /// See [`JobReader::list`].
    fn jobs(&self, before: Option<u64>, max: u16) -> JobAnswer<'_, JobList>;

    /// See [`JobReader::failures`]. `None` if there is no such job.
    fn failures(&self, number: u64, after: Option<u32>, max: u16) -> JobAnswer<'_, Option<FailureList>>;

    /// See [`JobReader::cancel_and_keep`].
    fn cancel<'r>(&'r self, number: u64, keep: Keep<'r, JobProgress>) -> JobAnswer<'r, Option<Canceled>>;
}

/// Jobs of a store, and the queue through which they proceed.
#[derive(Clone, Debug)]
pub struct StoreJobs<S, Q, C> {
    /// The store.
    pub store: S,
    /// The queue of assignments; `None` if no job can be started.
    pub queue: Option<Q>,
    /// The clock.
    pub clock: C,
}

impl<S: JobStore, Q, C: Clock> StoreJobs<S, Q, C> {
    fn reader(&self) -> JobReader<'_, S, C> {
        JobReader { store: &self.store, clock: &self.clock }
    }
}

impl<S, Q, C> JobRequests for StoreJobs<S, Q, C>
where
    S: AnswerStore + JobStore + LinkStore + PlanStore + ProgramStore + Clone,
    Q: JobQueue + Clone,
    C: Clock + Clone,
{
    fn start<'r>(&'r self, new: NewJob, keep: Keep<'r, Job>) -> BoxFuture<'r, Option<Result<Job, StartError>>> {
        async move {
            let (store, queue, clock) = (self.store.clone(), self.queue.clone()?, self.clock.clone());
            Some(JobStarter { store, queue, clock }.start(new, keep).await)
        }
        .boxed()
    }

    fn job(&self, number: u64) -> JobAnswer<'_, Option<JobProgress>> {
        async move { self.reader().get(number).await }.boxed()
    }

    fn jobs(&self, before: Option<u64>, max: u16) -> JobAnswer<'_, JobList> {
        async move { self.reader().list(before, max).await }.boxed()
    }

    fn failures(&self, number: u64, after: Option<u32>, max: u16) -> JobAnswer<'_, Option<FailureList>> {
        async move {
            let is_known = self.store.read_job(number).await?.is_some();
            if is_known { self.reader().failures(number, after, max).await.map(Some) } else { Ok(None) }
        }
        .boxed()
    }

    fn cancel<'r>(&'r self, number: u64, keep: Keep<'r, JobProgress>) -> JobAnswer<'r, Option<Canceled>> {
        async move { self.reader().cancel_and_keep(number, keep).await }.boxed()
    }
}
