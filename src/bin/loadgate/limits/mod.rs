//! `loadgate limits`: customers' own limits in a store.

mod apply;
mod change;
mod changes;
mod report;
mod show;

use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::Subcommand;
use loadgate::adapters::dynamodb::DynamoDb;
use loadgate::config::LIMIT_TABLE;

use crate::cloud::{TableArgs, runtime, url};
use crate::outcome::{EXIT_CODES, Failure};
use crate::store_kind::{Connection, StoreKind};

/// Change and show customers' own limits
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Apply(apply::Args),
    Show(show::Args),
    Set(change::SetArgs),
    Remove(change::RemoveArgs),
    Withdraw(change::WithdrawArgs),
    Confirm(change::ConfirmArgs),
    Changes(changes::Args),
}

/// Store of customers' own limits, as command-line arguments.
#[derive(clap::Args)]
struct LimitStoreArgs {
    /// Store of the limits: `dynamodb`, or `sqlite:PATH` for the file that `replay --store sqlite:PATH` uses
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
        Action::Apply(args) => apply::run(args),
        Action::Show(args) => show::run(args),
        Action::Set(args) => change::set(args),
        Action::Remove(args) => change::remove(args),
        Action::Withdraw(args) => change::withdraw(args),
        Action::Confirm(args) => change::confirm(args),
        Action::Changes(args) => changes::run(args),
    }
}

impl LimitStoreArgs {
    /// Opens the store and checks that its table of customers' own limits is usable.
    ///
    /// # Errors
    /// [`Failure::Usage`] if no table is named; a file has a default.
    fn open(&self) -> Result<(DynamoDb, Connection), Failure> {
        let names = self.tables.names_or(self.store.limit_table())?;
        if names.limit.is_none() {
            let problem =
                format!("no table of customers' own limits is named: give --limit-table, or set {LIMIT_TABLE}");
            return Err(Failure::Usage(anyhow!(problem)));
        }
        let (store, connection) = self.store.open(self.endpoint_url.as_deref(), names, runtime(None)?)?;
        let connected = connection.runtime.block_on(store.connect_limits());
        connected.context("could not use the store").map_err(Failure::Io)?;
        Ok((store, connection))
    }
}
