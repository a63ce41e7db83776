//! Start of a job.

use std::time::Duration;

use chrono::TimeDelta;

use super::{FIRST_DELAY, JobQueue, JobStore, TRIES};
use crate::deciding::{Clock, QueueError, Remedy, StoreError, remedy};
use crate::domain::{Job, JobMessage, JobState, JobTask, Millis, PlanVersion};
use crate::limits::{AnswerStore, Author, KeptAnswer, LinkStore, PlanStore, ProgramStore};

/// Time since the first message was sent from which it is sent once more after the job is stored. Its receivers drop a message
/// without a job when it is older than [`ORPHAN_AGE`](super::ORPHAN_AGE).
const RESEND_AFTER: TimeDelta = TimeDelta::minutes(1);

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
    Repeated(Box<KeptAnswer>),
    /// The first message could not be sent. The job does not exist.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Keeps the answer that is made from a job. `None` if the caller gave no key.
pub type KeepJob<'k> = &'k (dyn Fn(&Job) -> Option<KeptAnswer> + Sync);

impl<S: AnswerStore + JobStore + LinkStore + PlanStore + ProgramStore, Q: JobQueue, C: Clock> JobStarter<S, Q, C> {
    /// Starts a job: sends its first message, and then stores it. In the other order, a crash between the two would leave a job
    /// that never begins.
    ///
    /// `keep` makes the answer that is kept with the job. A request that is repeated before that has sent a message without a job,
    /// which is dropped.
    ///
    /// # Errors
    /// [`StartError`]. After an error of the store, the job may have been started.
    pub async fn start(&self, new: NewJob, keep: KeepJob<'_>) -> Result<Job, StartError> {
        self.check(&new).await?;
        let number = tried(&self.clock, || self.store.draw_number()).await?;
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
        if self.clock.now() - sent_at > RESEND_AFTER {
            // This process was suspended: the first message may have been dropped before the job was there.
            self.queue.send(&first, Duration::ZERO).await?;
        }
        Ok(job)
    }

    /// Stores the job, and the answer if one is kept.
    async fn put(&self, job: &Job, answer: Option<&KeptAnswer>) -> Result<(), StartError> {
        let mut tries = TRIES;
        loop {
            let Err(error) = self.store.put_job(job, answer).await else { return Ok(()) };
            if let Some(answer) = answer {
                // An error of this read is one more of the tries.
                let kept = self.store.read_answer(&answer.key).await.ok().flatten();
                if let Some(kept) = kept.filter(|kept| kept.expires_at() > self.clock.now()) {
                    return Err(StartError::Repeated(Box::new(kept)));
                }
            }
            if remedy(&error) == Remedy::GiveUp || !tries.again(&self.clock).await {
                return Err(error.into());
            }
        }
    }

    /// Checks that the programme and the plan version exist.
    async fn check(&self, new: &NewJob) -> Result<(), StartError> {
        let program = tried(&self.clock, || self.store.program(&new.program_id)).await?;
        if program.version == 0 {
            return Err(StartError::UnknownProgram);
        }
        let plan = tried(&self.clock, || self.store.plan_version(&new.plan)).await?;
        if plan.is_some() { Ok(()) } else { Err(StartError::UnknownPlan) }
    }
}

/// Makes a request until it succeeds, cannot succeed, or has been tried often enough.
pub(super) async fn tried<T, F: Future<Output = Result<T, StoreError>>>(
    clock: &impl Clock,
    request: impl Fn() -> F,
) -> Result<T, StoreError> {
    let mut tries = TRIES;
    loop {
        match request().await {
            Err(error) if remedy(&error) == Remedy::TryAgain && tries.again(clock).await => {}
            result => return result,
        }
    }
}
