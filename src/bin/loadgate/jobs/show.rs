//! `loadgate jobs show`: shows a job.

use std::process::ExitCode;

use loadgate::wire::JobView;

use super::{job_id, unknown_job};
use crate::limit_store::{LimitStoreArgs, print};
use crate::outcome::{EXIT_CODES, Failure};

/// Show a job with its progress, as a JSON object
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
    let job = super::requests(&args.store, async |reader| reader.get(args.job).await)?;
    print(&JobView::new(&job.ok_or_else(unknown_job)?))?;
    Ok(ExitCode::SUCCESS)
}
