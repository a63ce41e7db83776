//! `loadgate programs assign`: links every customer of a programme to a plan version.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use indicatif::{HumanCount, ProgressBar};
use loadgate::adapters::SystemClock;
use loadgate::adapters::dynamodb::DynamoDb;
use loadgate::adapters::sqs::SqsJobQueue;
use loadgate::config::ASSIGNMENT_QUEUE_URL;
use loadgate::domain::{JobProgress, JobState, PlanVersion};
use loadgate::limits::jobs::{JobReader, JobStarter, JobWorker, LocalQueue, NewJob, run_job};
use loadgate::wire::JobView;

use crate::cloud::block_on;
use crate::job_queue::JobQueueArgs;
use crate::limit_store::{ByArgs, LimitStoreArgs, id, print};
use crate::outcome::{EXIT_CODES, Failure, SOME_INVALID};
use crate::progress::{Progress, progress_bar};
use crate::standard_output;

/// Least time between two queries of a job.
const QUERY_EVERY: Duration = Duration::from_millis(500);

/// Link every customer of a programme to a plan version, and print the job as a JSON object
///
/// The job goes on without this command: `--wait` shows its progress and ends with it. Customers whose link is newer than the
/// job keep it. With a store that is a file, this command performs the whole job itself. The exit code is 3 if a customer could
/// not be linked.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    /// The programme's id
    #[arg(value_parser = id)]
    program: String,

    /// The plan's id
    #[arg(value_parser = id)]
    plan: String,

    /// The version of the plan
    version: u64,

    /// Count whom the job would link, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Wait until the job has ended
    #[arg(long)]
    wait: bool,

    #[command(flatten)]
    queue: JobQueueArgs,

    #[command(flatten)]
    by: ByArgs,

    #[command(flatten)]
    store: LimitStoreArgs,

    /// Show a progress bar
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    progress: Progress,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    standard_output::require()?;
    let queue = if args.store.is_file() { None } else { Some(queue(args)?) };
    let (store, connection) = args.store.open()?;
    let work = async {
        match queue {
            Some(queue) => start(args, store, queue).await,
            None => perform(args, store).await,
        }
    };
    let ended = connection.runtime.block_on(Box::pin(work));
    connection.close();
    let job = ended?;
    print(&JobView::new(&job))?;
    Ok(match job.state() {
        JobState::Failed => ExitCode::FAILURE,
        _ if job.counts.failed > 0 => ExitCode::from(SOME_INVALID),
        _ => ExitCode::SUCCESS,
    })
}

impl Args {
    fn new_job(&self) -> NewJob {
        NewJob {
            program_id: self.program.clone(),
            plan: PlanVersion { plan_id: self.plan.clone(), version: self.version },
            is_dry_run: self.dry_run,
            by: self.by.author(),
        }
    }
}

/// Returns the queue of assignments.
fn queue(args: &Args) -> Result<SqsJobQueue, Failure> {
    block_on(args.queue.open())?.ok_or_else(|| {
        let what = format!("no queue is named: give --assignment-queue-url, or set {ASSIGNMENT_QUEUE_URL}");
        Failure::Usage(anyhow!(what))
    })
}

/// Starts the job, and waits for its end if that is asked for.
async fn start(args: &Args, store: DynamoDb, queue: SqsJobQueue) -> Result<JobProgress, Failure> {
    let starter = JobStarter { store, queue, clock: SystemClock };
    let begun = starter.start(args.new_job(), &|_| None).await;
    let job = begun.context("could not start the job").map_err(Failure::Io)?;
    if !args.wait {
        return Ok(JobProgress::begun(job));
    }
    let (bar, number) = (progress_bar(args.progress, Some(0), false), job.number);
    let reader = JobReader { store: &starter.store, clock: &starter.clock };
    let ended = loop {
        let begun = Instant::now();
        let read = reader.get(number).await.and_then(|job| job.ok_or_else(|| gone(number)));
        match read {
            Ok(job) if job.state().is_final() => break Ok(job),
            Ok(job) => show(&bar, &job),
            Err(error) => break Err(error),
        }
        // The progress of a large job is a query of many results.
        tokio::time::sleep(QUERY_EVERY.max(begun.elapsed() * 10)).await;
    };
    bar.finish_and_clear();
    let what = || format!("could not follow the job, which goes on: loadgate jobs show {number}");
    ended.with_context(what).map_err(Failure::Io)
}

/// Performs the whole job in this process.
async fn perform(args: &Args, store: DynamoDb) -> Result<JobProgress, Failure> {
    let queue = LocalQueue::default();
    let starter = JobStarter { store: store.clone(), queue: queue.clone(), clock: SystemClock };
    let begun = starter.start(args.new_job(), &|_| None).await;
    let job = begun.context("could not start the job").map_err(Failure::Io)?;
    let (bar, number) = (progress_bar(args.progress, Some(0), false), job.number);
    let worker = JobWorker::new(store, queue, SystemClock);
    let ended = run_job(&worker, number, |job| show(&bar, job)).await;
    bar.finish_and_clear();
    ended.context("could not perform the job").map_err(Failure::Io)
}

/// Shows the customers that are done.
fn show(bar: &ProgressBar, job: &JobProgress) {
    if bar.is_hidden() {
        return;
    }
    let done = job.counts.total();
    bar.set_length(job.job.size.map_or(0, |size| size.customers));
    bar.set_position(done);
    let total = job.job.size.map_or_else(|| "?".to_owned(), |size| HumanCount(size.customers).to_string());
    bar.set_message(format!("{} of {total} customers, {} failed", HumanCount(done), HumanCount(job.counts.failed)));
}

fn gone(number: u64) -> loadgate::deciding::StoreError {
    let what = format!("the item of job {number} is missing in the table of customers' own limits: restore it");
    loadgate::deciding::StoreError::Corrupt(loadgate::deciding::Cause::new(what))
}
