//! Jobs over HTTP: the request for one, and lists.

use serde::Serialize;
use utoipa::ToSchema;

use super::body::{BodyError, Fields};
use crate::domain::PlanVersion;
use crate::wire::{CustomerFailureView, JobView};

/// A job that is to be started.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Assignment)]
#[serde(rename_all = "camelCase")]
pub struct AssignmentRequest {
    /// The plan's id.
    #[schema(example = "standard", max_length = 128)]
    plan_id: String,
    /// The plan's version.
    #[schema(example = 3, minimum = 1)]
    version: u64,
    /// True to count only whom the job would link; false if it is missing.
    #[schema(example = false, required = false)]
    dry_run: bool,
}

/// Some jobs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JobList)]
#[serde(rename_all = "camelCase")]
pub struct JobListView {
    /// The jobs, the newest first.
    jobs: Vec<JobView>,
    /// The parameter `cursor` of the next page; null if there is none.
    next_cursor: Option<String>,
}

/// Some customers whom a job could not link.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JobFailureList)]
#[serde(rename_all = "camelCase")]
pub struct JobFailureListView {
    /// The job's id.
    #[schema(example = "42")]
    job_id: String,
    /// The customers.
    failures: Vec<CustomerFailureView>,
    /// The parameter `cursor` of the next page; null if there is none.
    next_cursor: Option<String>,
}

impl JobListView {
    /// Combines some jobs with the cursor of the next page.
    pub const fn new(jobs: Vec<JobView>, next_cursor: Option<String>) -> JobListView {
        JobListView { jobs, next_cursor }
    }
}

impl JobFailureListView {
    /// Combines some customers with the cursor of the next page.
    pub fn new(job_id: &str, failures: Vec<CustomerFailureView>, next_cursor: Option<String>) -> JobFailureListView {
        JobFailureListView { job_id: job_id.to_owned(), failures, next_cursor }
    }
}

/// Reads a request for a job: the plan version, and true for a dry run.
///
/// # Errors
/// [`BodyError`] of the first wrong field.
pub fn read_assignment(body: &[u8]) -> Result<(PlanVersion, bool), BodyError> {
    let fields = Fields::read(body)?;
    let plan = PlanVersion { plan_id: fields.id("planId")?, version: fields.version("version")? };
    Ok((plan, fields.flag("dryRun")?))
}
