//! `loadgate jobs list`: lists jobs.

use std::process::ExitCode;

use loadgate::wire::JobView;

use crate::limit_store::{LimitStoreArgs, print};
use crate::outcome::{EXIT_CODES, Failure};

/// Maximum number of jobs of one request.
const PAGE_MAX: u16 = 50;

/// List jobs with their progress, the newest first, one JSON object a line
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    /// Maximum number of jobs
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: u64,

    #[command(flatten)]
    store: LimitStoreArgs,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let jobs = super::requests(&args.store, async |reader| {
        let (mut jobs, mut before) = (Vec::new(), None);
        loop {
            let left = args.limit.saturating_sub(u64::try_from(jobs.len()).unwrap_or(u64::MAX));
            let max = u16::try_from(left).unwrap_or(PAGE_MAX).min(PAGE_MAX);
            if max == 0 {
                return Ok(jobs);
            }
            let page = reader.list(before, max).await?;
            jobs.extend(page.jobs);
            before = page.next;
            if before.is_none() {
                return Ok(jobs);
            }
        }
    })?;
    jobs.iter().try_for_each(|job| print(&JobView::new(job)))?;
    Ok(ExitCode::SUCCESS)
}
