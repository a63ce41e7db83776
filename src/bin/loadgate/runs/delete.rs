//! `loadgate runs delete`: deletes the logged decisions of a run.

use std::process::ExitCode;

use loadgate::adapters::SystemClock;
use loadgate::deciding::delete_run;

use super::LogStoreArgs;
use crate::limit_store::id;
use crate::outcome::{EXIT_CODES, Failure, print_status};

/// Delete the logged decisions of a run
///
/// The decisions themselves stay: their records, and the usage that they have changed. A message of the run that is delivered
/// again writes its entry again. The command can be interrupted and run again.
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
    let deleted = args
        .store
        .requests("could not delete the run", async |store| delete_run(&store, &SystemClock, &args.run).await)?;
    print_status(&format!("{deleted} logged decisions deleted"));
    Ok(ExitCode::SUCCESS)
}
