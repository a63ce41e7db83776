//! Conversion of jobs, with their progress, to JSON.

use serde::Serialize;

use super::text::instant;
use crate::domain::{CustomerFailure, JobProgress, Millis};

/// A job that links every customer of a programme to a plan version.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = Job))]
#[serde(rename_all = "camelCase")]
pub struct JobView {
    /// The job's id: its number, in the order of jobs, links and unlinks.
    #[cfg_attr(feature = "http", schema(example = "42"))]
    job_id: String,
    /// The programme.
    #[cfg_attr(feature = "http", schema(example = "gold"))]
    program_id: String,
    /// The plan.
    #[cfg_attr(feature = "http", schema(example = "standard"))]
    plan_id: String,
    /// The plan's version.
    #[cfg_attr(feature = "http", schema(example = 3))]
    version: u64,
    /// True if the job only counts whom it would link.
    dry_run: bool,
    /// `ENUMERATING`, `RUNNING`, `DONE`, `CANCELED` or `FAILED`.
    #[cfg_attr(feature = "http", schema(example = "RUNNING"))]
    state: &'static str,
    /// Number of customers; null until the whole roster has been read.
    #[cfg_attr(feature = "http", schema(example = 10_000))]
    total: Option<u64>,
    /// Customers whose link the job has changed, or would change.
    linked: u64,
    /// Customers who had the same link before.
    already_linked: u64,
    /// Customers whose link is newer than the job, or who have left the programme.
    superseded: u64,
    /// Customers who could not be linked.
    failed: u64,
    /// Number of chunks that have a result.
    chunks_done: u32,
    /// Number of chunks; null until the whole roster has been read.
    #[cfg_attr(feature = "http", schema(example = 400))]
    chunks_total: Option<u32>,
    /// The instant at which the job was started.
    #[cfg_attr(feature = "http", schema(example = "2026-01-05T10:00:00.123Z"))]
    started_at: Option<String>,
    /// Author of the job.
    started_by: String,
    /// The instant at which the job ended; null before.
    finished_at: Option<String>,
    /// Code of the reason why the job failed; null for any other job.
    code: Option<String>,
    /// The reason why the job failed; null for any other job.
    reason: Option<String>,
}

impl JobView {
    /// Converts a job.
    pub fn new(progress: &JobProgress) -> JobView {
        let (job, counts) = (&progress.job, progress.counts);
        let text = |at: Millis| at.instant().map(instant);
        let failure = job.failure.clone();
        JobView {
            job_id: job.number.to_string(),
            program_id: job.program_id.clone(),
            plan_id: job.plan.plan_id.clone(),
            version: job.plan.version,
            dry_run: job.is_dry_run,
            state: progress.state().name(),
            total: job.size.map(|size| size.customers),
            linked: counts.linked,
            already_linked: counts.already_linked,
            superseded: counts.superseded,
            failed: counts.failed,
            chunks_done: progress.chunks_done,
            chunks_total: job.size.map(|size| size.chunks),
            started_at: text(job.started_at),
            started_by: job.started_by.clone(),
            finished_at: progress.finished_at().and_then(text),
            code: failure.as_ref().map(|failure| failure.code.clone()),
            reason: failure.map(|failure| failure.reason),
        }
    }
}

/// A customer whom a job could not link.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = JobFailure))]
#[serde(rename_all = "camelCase")]
pub struct CustomerFailureView {
    /// The customer.
    #[cfg_attr(feature = "http", schema(example = "u-1"))]
    customer_id: String,
    /// The error's code, for machines.
    #[cfg_attr(feature = "http", schema(example = "CORRUPT_ITEM"))]
    code: String,
    /// The error in one sentence.
    reason: String,
}

impl CustomerFailureView {
    /// Converts a failure.
    pub fn new(failure: CustomerFailure) -> CustomerFailureView {
        CustomerFailureView {
            customer_id: failure.customer_id,
            code: failure.failure.code,
            reason: failure.failure.reason,
        }
    }
}

/// Returns the JSON object of a job.
pub fn job_json(progress: &JobProgress) -> String {
    // Strings, numbers and booleans can always be serialised.
    serde_json::to_string(&JobView::new(progress)).unwrap_or_default()
}

/// Returns the JSON object of a customer whom a job could not link.
pub fn job_failure_json(failure: CustomerFailure) -> String {
    serde_json::to_string(&CustomerFailureView::new(failure)).unwrap_or_default()
}
