//! `loadgate runs`: the decision log.

mod delete;
mod export;
mod show;

use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::Subcommand;
use loadgate::adapters::dynamodb::DynamoDb;
use loadgate::config::DECISION_LOG_TABLE;

use crate::cloud::{TableArgs, runtime, url};
use crate::outcome::{EXIT_CODES, Failure};
use crate::store_kind::{Connection, StoreKind};

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
    /// Store of the log: `dynamodb`, or `sqlite:PATH` for the file that `replay --store sqlite:PATH` uses
    #[arg(long, value_name = "STORE", default_value = "dynamodb", value_parser = StoreKind::parse)]
    store: StoreKind,

    /// DynamoDB endpoint [default: AWS's own]
    #[arg(long, value_name = "URL", value_parser = url)]
    endpoint_url: Option<String>,

    #[command(flatten)]
    tables: TableArgs,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    match &args.action {
        Action::Show(args) => show::run(args),
        Action::Delete(args) => delete::run(args),
        Action::Export(args) => export::run(args),
    }
}

impl LogStoreArgs {
    /// Opens the store.
    ///
    /// # Errors
    /// [`Failure::Usage`] if no table of the decision log is named.
    fn open(&self) -> Result<(DynamoDb, Connection), Failure> {
        let names = self.tables.names()?;
        if names.log.is_none() {
            let problem = format!(
                "no table of the decision log is named: give --decision-log-table, or set {DECISION_LOG_TABLE}"
            );
            return Err(Failure::Usage(anyhow!(problem)));
        }
        self.store.open(self.endpoint_url.as_deref(), names, runtime(None)?)
    }

    /// Opens the store, makes requests, and closes it.
    ///
    /// # Errors
    /// See [`LogStoreArgs::open`]. The error of the requests says `what` could not be done.
    fn requests<T, E>(
        &self,
        what: &'static str,
        requests: impl AsyncFnOnce(DynamoDb) -> Result<T, E>,
    ) -> Result<T, Failure>
    where
        Result<T, E>: Context<T, E>,
    {
        let (store, connection) = self.open()?;
        let answer = connection.runtime.block_on(requests(store));
        connection.close();
        answer.context(what).map_err(Failure::Io)
    }
}
