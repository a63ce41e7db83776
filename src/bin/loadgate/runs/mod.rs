//! `loadgate runs`: the decision log.

mod delete;
mod export;
mod show;

use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::Subcommand;
use loadgate::adapters::dynamodb::DynamoDb;
use loadgate::config::DECISION_LOG_TABLE;

use crate::outcome::{EXIT_CODES, Failure};
use crate::store_kind::StoreChoice;

/// Show, delete and export logged decisions
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Show(show::Args),
    Delete(delete::Args),
    Export(export::Args),
}

/// The store of the decision log, as command-line arguments.
#[derive(clap::Args)]
struct LogStoreArgs {
    #[command(flatten)]
    store: StoreChoice,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    match &args.action {
        Action::Show(args) => show::run(args),
        Action::Delete(args) => delete::run(args),
        Action::Export(args) => export::run(args),
    }
}

impl LogStoreArgs {
    /// Opens the store, makes requests, and closes it.
    ///
    /// # Errors
    /// [`Failure::Usage`] if no table of the decision log is named. The error of the requests says `what` could not be done.
    fn requests<T, E>(
        &self,
        what: &'static str,
        requests: impl AsyncFnOnce(DynamoDb) -> Result<T, E>,
    ) -> Result<T, Failure>
    where
        Result<T, E>: Context<T, E>,
    {
        let names = self.store.names()?;
        if names.log.is_none() {
            let problem = format!(
                "no table of the decision log is named: give --decision-log-table, or set {DECISION_LOG_TABLE}"
            );
            return Err(Failure::Usage(anyhow!(problem)));
        }
        let (store, connection) = self.store.open(names)?;
        connection.requests(store, what, requests)
    }
}
