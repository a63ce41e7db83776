//! Handlers of assignment jobs.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::super::author::By;
use super::super::extract::{Body, Id, NoParameters, PageParameters, Parameters, cursor};
use super::super::problem::json;
use super::super::repeat::{Answer, IdempotencyKey, Repeatable};
use super::super::{Api, Problem};
use crate::domain::{Job, JobProgress};
use crate::limits::jobs::{Canceled, NewJob, StartError};
use crate::wire::api::{AssignmentRequest, JobFailureListView, JobListView, ProblemCode, ProblemView, read_assignment};
use crate::wire::{CustomerFailureView, JobView, job_json, parse_job_id};

/// Start a job that links every customer of a programme to a plan version
///
/// The job goes on after the answer. Customers whose link is newer than the job keep it. With the header `Idempotency-Key`, a
/// repeated request gets the first answer, and starts no other job.
#[utoipa::path(
    post,
    path = "/programs/{programId}/plan-assignments",
    operation_id = "startJob",
    tag = "jobs",
    params(
        ("programId" = String, Path, description = "The programme's id", max_length = 128),
        ("idempotency-key" = Option<String>, Header, description = "Any text, new for each job", max_length = 128),
        ("x-loadgate-by" = Option<String>, Header, description = "The author of the job; not behind an API Gateway")
    ),
    request_body(content = inline(AssignmentRequest), content_type = "application/json"),
    responses(
        (status = 202, body = JobView, description = "The job, which has begun",
            headers(("location" = String, description = "The path of the job"))),
        (status = 404, body = ProblemView, content_type = "application/problem+json",
            description = "There is no such programme, or no such plan version"),
        (status = 422, body = ProblemView, content_type = "application/problem+json",
            description = "The key came with another request"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn start_job(
    State(api): State<Api>,
    Id(program_id): Id,
    _: Parameters<NoParameters>,
    key: IdempotencyKey,
    By(by): By,
    Body(body): Body,
) -> Result<Response, Problem> {
    let (plan, is_dry_run) = read_assignment(&body)?;
    let request = Repeatable::new(key, "POST /programs/{programId}/plan-assignments", &[&program_id], &body);
    let keep = |job: &Job| request.keep(&started(job), api.reads.now());
    let new = NewJob { program_id, plan, is_dry_run, by };
    let make = async {
        let job = api.jobs.start(new, &keep).await.ok_or_else(no_queue)?;
        job.map(|job| started(&job)).map_err(Problem::from)
    };
    request.once(&api, make).await
}

fn started(job: &Job) -> Answer {
    Answer {
        status: StatusCode::ACCEPTED,
        location: Some(format!("/jobs/{}", job.number)),
        version: None,
        body: job_json(&JobProgress::begun(job.clone())),
    }
}

/// List jobs, the newest first
#[utoipa::path(
    get,
    path = "/jobs",
    operation_id = "listJobs",
    tag = "jobs",
    params(
        ("limit" = Option<u16>, Query, description = "The maximum number of jobs", minimum = 1, maximum = 100, example = 50),
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the answer before")
    ),
    responses(
        (status = 200, body = JobListView, description = "Jobs with their progress"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn list_jobs(
    State(api): State<Api>,
    Parameters(parameters): Parameters<PageParameters>,
) -> Result<Response, Problem> {
    let before = parameters.after()?.map(|id| parse_job_id(&id).ok_or_else(PageParameters::bad_cursor)).transpose()?;
    let page = api.jobs.jobs(before, parameters.limit()?).await?;
    let jobs = page.jobs.iter().map(JobView::new).collect();
    Ok(json(&JobListView::new(jobs, page.next.map(|number| cursor(&number.to_string())))))
}

/// Read a job with its progress
#[utoipa::path(
    get,
    path = "/jobs/{jobId}",
    operation_id = "getJob",
    tag = "jobs",
    params(("jobId" = String, Path, description = "The job's id", max_length = 128)),
    responses(
        (status = 200, body = JobView, description = "The job"),
        (status = 404, body = ProblemView, content_type = "application/problem+json", description = "There is no such job"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn get_job(State(api): State<Api>, Id(job_id): Id, _: Parameters<NoParameters>) -> Result<Response, Problem> {
    let job = api.jobs.job(number(&job_id)?).await?.ok_or_else(unknown_job)?;
    Ok(json(&JobView::new(&job)))
}

/// List the customers whom a job could not link
#[utoipa::path(
    get,
    path = "/jobs/{jobId}/failures",
    operation_id = "listJobFailures",
    tag = "jobs",
    params(
        ("jobId" = String, Path, description = "The job's id", max_length = 128),
        ("limit" = Option<u16>, Query, description = "The number of customers of an answer; those of one chunk stay together",
            minimum = 1, maximum = 100, example = 50),
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the answer before")
    ),
    responses(
        (status = 200, body = JobFailureListView, description = "Customers with the reasons"),
        (status = 404, body = ProblemView, content_type = "application/problem+json", description = "There is no such job"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn list_job_failures(
    State(api): State<Api>,
    Id(job_id): Id,
    Parameters(parameters): Parameters<PageParameters>,
) -> Result<Response, Problem> {
    let after = parameters.after()?.map(|chunk| chunk.parse().map_err(|_| PageParameters::bad_cursor())).transpose()?;
    let page = api.jobs.failures(number(&job_id)?, after, parameters.limit()?).await?.ok_or_else(unknown_job)?;
    let failures = page.failures.into_iter().map(CustomerFailureView::new).collect();
    Ok(json(&JobFailureListView::new(&job_id, failures, page.next.map(|chunk| cursor(&chunk.to_string())))))
}

/// Cancel a job
///
/// Chunks that begin after that link nobody. Links that the job has made stay.
#[utoipa::path(
    post,
    path = "/jobs/{jobId}/cancel",
    operation_id = "cancelJob",
    tag = "jobs",
    params(
        ("jobId" = String, Path, description = "The job's id", max_length = 128),
        ("idempotency-key" = Option<String>, Header, description = "Any text, new for each request", max_length = 128)
    ),
    responses(
        (status = 200, body = JobView, description = "The job, which is cancelled"),
        (status = 404, body = ProblemView, content_type = "application/problem+json", description = "There is no such job"),
        (status = 409, body = ProblemView, content_type = "application/problem+json", description = "The job has ended"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn cancel_job(
    State(api): State<Api>,
    Id(job_id): Id,
    key: IdempotencyKey,
    _: Parameters<NoParameters>,
    Body(body): Body,
) -> Result<Response, Problem> {
    let request = Repeatable::new(key, "POST /jobs/{jobId}/cancel", &[&job_id], &body);
    let number = number(&job_id)?;
    let keep = |job: &JobProgress| request.keep(&canceled(job), api.reads.now());
    let make = async {
        match api.jobs.cancel(number, &keep).await?.ok_or_else(unknown_job)? {
            Canceled::Now(job) => Ok(canceled(&job)),
            Canceled::Ended(_) => {
                Err(Problem::new(ProblemCode::JobEnded, "the job has ended, and cannot be cancelled"))
            }
        }
    };
    request.once(&api, make).await
}

fn canceled(job: &JobProgress) -> Answer {
    Answer { status: StatusCode::OK, location: None, version: None, body: job_json(job) }
}

/// Returns the number of a job. What is no number is the id of no job.
fn number(job_id: &str) -> Result<u64, Problem> {
    parse_job_id(job_id).ok_or_else(unknown_job)
}

fn unknown_job() -> Problem {
    Problem::new(ProblemCode::UnknownJob, "there is no job with this id")
}

fn no_queue() -> Problem {
    let detail = "this program has no queue of assignments: set LOADGATE_ASSIGNMENT_QUEUE_URL where it runs";
    Problem::new(ProblemCode::NoQueue, detail)
}

impl From<StartError> for Problem {
    fn from(error: StartError) -> Problem {
        let code = match &error {
            // The handler repeats the kept answer.
            StartError::Repeated => ProblemCode::KeyReused,
            StartError::UnknownProgram => ProblemCode::UnknownProgram,
            StartError::UnknownPlan => ProblemCode::UnknownPlan,
            StartError::Queue(_) => ProblemCode::QueueUnavailable,
            StartError::Store(store) => return store.clone().into(),
        };
        match &error {
            // Its text has the queue's URL, which is for the log.
            StartError::Queue(queue) => {
                tracing::error!(error = crate::deciding::with_sources(queue), "job not started");
                Problem::new(code, "the queue of assignments does not answer; no job was started. Try again later")
            }
            _ => Problem::new(code, error.to_string()),
        }
    }
}
