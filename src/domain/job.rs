//! Jobs, each of which links every customer of a programme to a plan version. Also: the messages through which a job proceeds.

use super::{Millis, PlanVersion};

/// Maximum number of customers of a chunk. Every chunk but a job's last one has this number.
pub const CHUNK_CUSTOMERS_MAX: usize = 25;

/// A job as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The job's number, from 1. Jobs, links and unlinks draw their numbers from one counter.
    pub number: u64,
    /// The programme whose customers are linked.
    pub program_id: String,
    /// The plan version to which they are linked.
    pub plan: PlanVersion,
    /// True if the job only counts whom it would link.
    pub is_dry_run: bool,
    /// The stored state. A reader is shown [`JobProgress::state`].
    pub state: JobState,
    /// The job's size; `None` until the whole roster has been read.
    pub size: Option<JobSize>,
    /// The instant at which the job was started.
    pub started_at: Millis,
    /// Author of the job.
    pub started_by: String,
    /// The instant at which the job ended.
    pub finished_at: Option<Millis>,
    /// The customers by their outcome, once the job is done.
    pub counts: Option<JobCounts>,
    /// The reason why the job failed.
    pub failure: Option<JobFailure>,
}

/// State of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// The roster is being read, and chunks are being linked.
    Enumerating,
    /// The whole roster has been read, and chunks are being linked.
    Running,
    /// Every chunk has its result.
    Done,
    /// The job was cancelled. Links that it has made stay.
    Canceled,
    /// The roster could not be read. Links that the job has made stay.
    Failed,
}

impl JobState {
    /// All states.
    pub const ALL: [JobState; 5] =
        [JobState::Enumerating, JobState::Running, JobState::Done, JobState::Canceled, JobState::Failed];

    /// Returns the name in JSON and in the store.
    pub const fn name(self) -> &'static str {
        match self {
            JobState::Enumerating => "ENUMERATING",
            JobState::Running => "RUNNING",
            JobState::Done => "DONE",
            JobState::Canceled => "CANCELED",
            JobState::Failed => "FAILED",
        }
    }

    /// Returns true for a state that no other follows.
    pub const fn is_final(self) -> bool {
        match self {
            JobState::Enumerating | JobState::Running => false,
            JobState::Done | JobState::Canceled | JobState::Failed => true,
        }
    }
}

/// Size of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobSize {
    /// Number of customers.
    pub customers: u64,
    /// Number of chunks.
    pub chunks: u32,
}

/// Reason why a job, or one customer's link, failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFailure {
    /// The error's code, for machines.
    pub code: String,
    /// The error in one sentence.
    pub reason: String,
}

/// Numbers of customers by their outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobCounts {
    /// Customers whose link the job has changed.
    pub linked: u64,
    /// Customers who had the same link before.
    pub already_linked: u64,
    /// Customers whose link is newer than the job, or who have left the programme.
    pub superseded: u64,
    /// Customers who could not be linked.
    pub failed: u64,
}

impl JobCounts {
    /// Adds other counts.
    pub fn add(&mut self, other: JobCounts) {
        self.linked = self.linked.saturating_add(other.linked);
        self.already_linked = self.already_linked.saturating_add(other.already_linked);
        self.superseded = self.superseded.saturating_add(other.superseded);
        self.failed = self.failed.saturating_add(other.failed);
    }

    /// Counts one customer with this outcome.
    pub fn count(&mut self, outcome: LinkOutcome) {
        let counter = match outcome {
            LinkOutcome::Linked => &mut self.linked,
            LinkOutcome::AlreadyLinked => &mut self.already_linked,
            LinkOutcome::Superseded => &mut self.superseded,
        };
        *counter = counter.saturating_add(1);
    }

    /// Returns the number of customers.
    pub fn total(self) -> u64 {
        let JobCounts { linked, already_linked, superseded, failed } = self;
        linked.saturating_add(already_linked).saturating_add(superseded).saturating_add(failed)
    }
}

/// Outcome of a job for one customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkOutcome {
    /// The customer had another link, or none.
    Linked,
    /// The customer had the same link before.
    AlreadyLinked,
    /// The customer's link is newer than the job, or the customer has left the programme.
    Superseded,
}

/// The stored attributes of a customer that decide a job's outcome for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkBasis {
    /// The customer's programme.
    pub program_id: Option<String>,
    /// The plan version that is linked to the customer.
    pub plan: Option<PlanVersion>,
    /// The number of the last link or unlink; 0 if there never was one.
    pub number: u64,
    /// The link before the last one that a job has made.
    pub linked_from: Option<PlanVersion>,
}

impl LinkBasis {
    /// Returns the outcome that a job would have now. A link that carries the job's number was made by the job.
    pub fn outcome_of(&self, job: &Job) -> LinkOutcome {
        let before = match self.number {
            number if number == job.number => &self.linked_from,
            number if number > job.number => return LinkOutcome::Superseded,
            _ if self.program_id.as_ref() != Some(&job.program_id) => return LinkOutcome::Superseded,
            _ => &self.plan,
        };
        if before.as_ref() == Some(&job.plan) { LinkOutcome::AlreadyLinked } else { LinkOutcome::Linked }
    }

    /// Returns true if the job has made this link.
    pub fn is_of(&self, job: &Job) -> bool {
        self.number == job.number
    }
}

/// A customer who could not be linked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomerFailure {
    /// The customer.
    pub customer_id: String,
    /// The reason.
    pub failure: JobFailure,
}

/// Result of a chunk. It is written once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkResult {
    /// The chunk's number, from 0.
    pub chunk: u32,
    /// The chunk's customers by their outcome. A chunk of a cancelled job counts only those whom the job has linked.
    pub counts: JobCounts,
    /// The customers who could not be linked.
    pub failures: Vec<CustomerFailure>,
    /// The instant at which the chunk was done.
    pub done_at: Millis,
}

/// A job with its progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobProgress {
    /// The job.
    pub job: Job,
    /// Customers by their outcome so far.
    pub counts: JobCounts,
    /// Number of chunks that have a result.
    pub chunks_done: u32,
    /// The instant of the last result so far.
    pub last_done_at: Option<Millis>,
}

impl JobProgress {
    /// Returns the progress of a job that has just begun.
    pub fn begun(job: Job) -> JobProgress {
        JobProgress { job, counts: JobCounts::default(), chunks_done: 0, last_done_at: None }
    }

    /// Returns true if every chunk has its result.
    pub fn is_complete(&self) -> bool {
        self.job.size.is_some_and(|size| self.chunks_done >= size.chunks)
    }

    /// Returns the state: a job whose chunks all have results is done, also before that is stored.
    pub fn state(&self) -> JobState {
        match self.job.state {
            JobState::Running if self.is_complete() => JobState::Done,
            state => state,
        }
    }

    /// Returns the instant at which the job ended.
    pub fn finished_at(&self) -> Option<Millis> {
        let is_done = self.state() == JobState::Done;
        self.job.finished_at.or_else(|| self.last_done_at.or(Some(self.job.started_at)).filter(|_| is_done))
    }
}

/// A message of the queue of assignments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobMessage {
    /// The job's number.
    pub number: u64,
    /// The task.
    pub task: JobTask,
}

/// One step of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobTask {
    /// Reads this page of the roster, counted from 0, and sends its chunks.
    Page(u32),
    /// Links the customers of a chunk.
    Chunk {
        /// The chunk's number, from 0.
        chunk: u32,
        /// Its customers.
        customers: Vec<String>,
    },
    /// Stores the end of the job once all chunks are done.
    Finish,
}
