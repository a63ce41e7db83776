//! `loadgate jobs failures`: lists the customers whom a job could not link.

use std::process::ExitCode;

use loadgate::wire::CustomerFailureView;

use super::{job_id, unknown_job};
use crate::limit_store::{LimitStoreArgs, print};
use crate::outcome::{EXIT_CODES, Failure};

/// Number of customers of one request.
const PAGE_MAX: u16 = 1000;

/// List the customers whom a job could not link, with the reasons, one JSON object a line
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
    let failures = super::requests(&args.store, async |reader| {
        if reader.get(args.job).await?.is_none() {
            return Ok(None);
        }
        let (mut failures, mut after) = (Vec::new(), None);
        loop {
            let page = reader.failures(args.job, after, PAGE_MAX).await?;
            failures.extend(page.failures);
            after = page.next;
            if after.is_none() {
                return Ok(Some(failures));
            }
        }
    })?;
    let failures = failures.ok_or_else(unknown_job)?;
    failures.into_iter().try_for_each(|failure| print(&CustomerFailureView::new(failure)))?;
    Ok(ExitCode::SUCCESS)
}
