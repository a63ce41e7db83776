//! `loadgate jobs`: assignment jobs and their progress.

mod cancel;
mod failures;
mod list;
mod show;

use std::process::ExitCode;

use anyhow::anyhow;
use clap::Subcommand;
use loadgate::adapters::SystemClock;
use loadgate::adapters::dynamodb::DynamoDb;
use loadgate::deciding::StoreError;
use loadgate::limits::jobs::JobReader;
use loadgate::wire::parse_job_id;

use crate::limit_store::LimitStoreArgs;
use crate::outcome::{EXIT_CODES, Failure};

/// Show, list and cancel jobs that link the customers of a programme
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    List(list::Args),
    Show(show::Args),
    Failures(failures::Args),
    Cancel(cancel::Args),
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    match &args.action {
        Action::List(args) => list::run(args),
        Action::Show(args) => show::run(args),
        Action::Failures(args) => failures::run(args),
        Action::Cancel(args) => cancel::run(args),
    }
}

/// Makes requests about jobs.
fn requests<T>(
    store: &LimitStoreArgs,
    requests: impl AsyncFnOnce(JobReader<'_, DynamoDb, SystemClock>) -> Result<T, StoreError>,
) -> Result<T, Failure> {
    store.requests("could not use the jobs", async |store| {
        requests(JobReader { store: &store, clock: &SystemClock }).await
    })
}

/// Parses the id of a job.
fn job_id(text: &str) -> Result<u64, String> {
    parse_job_id(text).ok_or_else(|| "the id of a job is a number".to_owned())
}

fn unknown_job() -> Failure {
    Failure::Io(anyhow!("there is no job with this id; `loadgate jobs list` lists all"))
}
