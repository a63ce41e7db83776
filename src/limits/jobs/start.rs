//! Start of a job.

use std::time::Duration;

use super::{FIRST_DELAY, JobQueue, JobStore};
use crate::deciding::backoff::retried;
use crate::deciding::{Clock, QueueError, Remedy, StoreError, remedy};
use crate::domain::{Job, JobMessage, JobState, JobTask, Millis, PlanVersion};
use crate::limits::{AnswerStore, Author, CALLER_TRIES, Keep, KeptAnswer, LinkStore, PlanStore, ProgramStore};

/// Starts jobs.
#[derive(Clone, Debug)]
pub struct JobStarter<S, Q, C> {
    /// The store.
    pub store: S,
    /// The queue of assignments.
    pub queue: Q,
    /// The clock.
    pub clock: C,
}

/// A job that is to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// The programme whose customers are linked.
    pub program_id: String,
    /// The plan version to which they are linked.
    pub plan: PlanVersion,
    /// True if the job only counts whom it would link.
    pub is_dry_run: bool,
    /// Author of the job.
    pub by: Author,
}

/// Reason why a job was not started, or may not have been.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StartError {
    /// The programme does not exist.
    #[error("there is no such programme: enrol its customers first")]
    UnknownProgram,
    /// The plan version does not exist.
    #[error("there is no such plan version: put the plan first, or choose one of its versions")]
    UnknownPlan,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The request's key has an answer already: that of an earlier request, or of an earlier try whose answer was lost.
    #[error("the key came with an earlier request")]
    Repeated,
    /// The first message could not be sent. The job does not exist.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

impl<S: AnswerStore + JobStore + LinkStore + PlanStore + ProgramStore, Q: JobQueue, C: Clock> JobStarter<S, Q, C> {
    /// Starts a job: sends its first message, and then stores it. In the other order, a crash between the two would leave a job
    /// that never begins.
    ///
    /// `keep` makes the answer that is kept with the job. A request that is repeated before that has sent a message without a job,
    /// which is dropped.
    ///
    /// # Errors
    /// [`StartError`]. After an error of the store, the job may have been started.
    pub async fn start(&self, new: NewJob, keep: Keep<'_, Job>) -> Result<Job, StartError> {
        self.check(&new).await?;
        let number = retried(CALLER_TRIES, &self.clock, || self.store.draw_number()).await?;
        let first = [JobMessage { number, task: JobTask::Page(0) }];
        let sent_at = self.clock.now();
        self.queue.send(&first, FIRST_DELAY).await?;
        let job = Job {
            number,
            program_id: new.program_id,
            plan: new.plan,
            is_dry_run: new.is_dry_run,
            state: JobState::Enumerating,
            size: None,
            started_at: Millis::of(sent_at),
            started_by: new.by.0,
            finished_at: None,
            counts: None,
            failure: None,
        };
        self.put(&job, keep(&job).as_ref()).await?;
        let age = (self.clock.now() - sent_at).to_std().unwrap_or_default();
        if age > FIRST_DELAY {
            // The first message may have been received, and at last been dropped, before the job was there.
            self.queue.send(&first, Duration::ZERO).await?;
        }
        Ok(job)
    }

    /// Stores the job, and the answer if one is kept.
    async fn put(&self, job: &Job, answer: Option<&KeptAnswer>) -> Result<(), StartError> {
        let mut tries = CALLER_TRIES;
        loop {
            let Err(error) = self.store.put_job(job, answer).await else { return Ok(()) };
            if let Some(answer) = answer {
                // An error of this read is one more of the tries.
                if let Ok(Some(_)) = self.store.kept_answer(&answer.key, self.clock.now()).await {
                    return Err(StartError::Repeated);
                }
            }
            if remedy(&error) == Remedy::GiveUp || !tries.again(&self.clock).await {
                return Err(error.into());
            }
        }
    }

    /// Checks that the programme and the plan version exist.
    async fn check(&self, new: &NewJob) -> Result<(), StartError> {
        let program = retried(CALLER_TRIES, &self.clock, || self.store.program(&new.program_id)).await?;
        if program.version == 0 {
            return Err(StartError::UnknownProgram);
        }
        let plan = retried(CALLER_TRIES, &self.clock, || self.store.plan_version(&new.plan)).await?;
        if plan.is_some() { Ok(()) } else { Err(StartError::UnknownPlan) }
    }
}
