//! `loadgate jobs cancel`: cancels a job.

use std::process::ExitCode;

use anyhow::anyhow;
use loadgate::limits::jobs::Canceled;
use loadgate::wire::JobView;

use super::{job_id, unknown_job};
use crate::limit_store::{LimitStoreArgs, print};
use crate::outcome::{EXIT_CODES, Failure};

/// Cancel a job, and print it. Links that it has made stay
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    /// The job's id
    #[arg(value_parser = job_id)]
    job: u64,

    #[command(flatten)]
    store: LimitStoreArgs,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let canceled = super::requests(&args.store, async |reader| reader.cancel(args.job).await)?;
    match canceled.ok_or_else(unknown_job)? {
        Canceled::Now(job) => {
            print(&JobView::new(&job))?;
            Ok(ExitCode::SUCCESS)
        }
        Canceled::Ended(job) => {
            Err(Failure::Io(anyhow!("the job is {}, and cannot be cancelled any more", job.state().name())))
        }
    }
}
