//! `loadgate runs show`: shows the logged decisions of a run.

use std::process::ExitCode;

use loadgate::adapters::SystemClock;
use loadgate::deciding::run_page;
use loadgate::wire::api::LogEntryView;

use super::LogStoreArgs;
use crate::limit_store::{id, print};
use crate::outcome::{EXIT_CODES, Failure};
use crate::standard_output;

/// Number of decisions of one request.
const PAGE_MAX: u16 = 500;

/// Show the logged decisions of a run, one JSON object a line, in the order of their attempts
///
/// A run is one invocation of the function, one batch of the worker, or one replay. Its id is the `run_id` of each decision
/// that it has published. A run without decisions, and one that is unknown, shows nothing.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    /// The run's id
    #[arg(value_parser = id)]
    run: String,

    #[command(flatten)]
    store: LogStoreArgs,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    standard_output::require()?;
    let entries = args.store.requests("could not read the run", async |store| {
        let (mut entries, mut after) = (Vec::new(), None);
        loop {
            let page = run_page(&store, &SystemClock, &args.run, after, PAGE_MAX).await?;
            entries.extend(page.entries);
            after = page.next;
            if after.is_none() {
                return Ok::<_, loadgate::deciding::StoreError>(entries);
            }
        }
    })?;
    entries.iter().try_for_each(|entry| print(&LogEntryView::new(entry)))?;
    Ok(ExitCode::SUCCESS)
}
