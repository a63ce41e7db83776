//! `loadgate tables`: creates, shows and deletes the tables.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::Subcommand;
use loadgate::adapters::aws;
use loadgate::adapters::dynamodb::tables::{State, TableResult, Tables};
use loadgate::config::TableNames;

use crate::cloud::{TableArgs, block_on, url};
use crate::outcome::{EXIT_CODES, Failure, print_status};
use crate::standard_output;

/// Create, show or delete the tables in DynamoDB
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    #[command(subcommand)]
    action: Action,

    /// DynamoDB endpoint [default: AWS's own]
    #[arg(long, global = true, value_name = "URL", value_parser = url)]
    endpoint_url: Option<String>,

    #[command(flatten)]
    tables: TableArgs,
}

#[derive(Subcommand)]
enum Action {
    /// Create missing tables (on demand, with time to live) and wait until they are usable; safe to repeat
    Create,
    /// Show the tables; exit with 1 unless all are usable
    Status,
    /// Delete the tables with all their data; ask first, unless they are on this machine
    Delete {
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let names = args.tables.names()?;
    standard_output::require()?;
    block_on(async {
        let sdk = aws::load(args.endpoint_url.as_deref()).await;
        let tables = Tables::new(&sdk, names.clone());
        match args.action {
            Action::Create => create(&tables).await,
            Action::Status => status(&tables).await,
            Action::Delete { yes } => delete(&tables, args, &names, yes).await,
        }
    })
}

async fn create(tables: &Tables) -> Result<ExitCode, Failure> {
    let done = tables.create().await.context("could not create the tables").map_err(Failure::Io)?;
    for (name, done) in done {
        say(&name, describe(done, "was there already"))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn status(tables: &Tables) -> Result<ExitCode, Failure> {
    let states = tables.status().await.context("could not read the state of the tables").map_err(Failure::Io)?;
    let mut is_ready = true;
    for table in states {
        is_ready &= matches!(table.state, State::Ready { .. });
        let state = match table.state {
            State::Ready { items } => format!("ready, about {items} items"),
            State::Missing => "missing; `loadgate tables create` creates it".to_owned(),
            State::Unusable(problem) => format!("not usable: {problem}"),
        };
        say(&table.name, &state)?;
    }
    Ok(if is_ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn delete(tables: &Tables, args: &Args, names: &TableNames, yes: bool) -> Result<ExitCode, Failure> {
    let is_local = args.endpoint_url.as_deref().is_some_and(aws::is_local);
    if !yes && !is_local {
        if !io::stdin().is_terminal() {
            return Err(Failure::Usage(anyhow!("nothing was deleted: without a terminal to ask on, say --yes")));
        }
        if !is_confirmed(args, names).map_err(Failure::Io)? {
            return Err(Failure::Usage(anyhow!("nothing was deleted")));
        }
    }
    let done = tables.delete().await.context("could not delete the tables").map_err(Failure::Io)?;
    for (name, done) in done {
        say(&name, describe(done, "was not there"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn is_confirmed(args: &Args, names: &TableNames) -> anyhow::Result<bool> {
    let place = args.endpoint_url.as_deref().unwrap_or("AWS");
    let limits = names.limit.as_ref().map_or(String::new(), |name| format!(", and {name} with every limit"));
    print_status(&format!(
        "{} and {} in {place} will be deleted with every decision in them{limits}.",
        names.correlation, names.load
    ));
    print_status("Type yes to go on:");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).context("could not read the answer")?;
    Ok(answer.trim() == "yes")
}

fn describe(done: TableResult, nothing: &'static str) -> &'static str {
    match done {
        TableResult::Nothing => nothing,
        TableResult::Created => "created",
        TableResult::TtlTurnedOn => "was there already; time to live turned on",
        TableResult::Deleted => "deleted",
    }
}

fn say(table: &str, what: &str) -> Result<(), Failure> {
    writeln!(io::stdout(), "{table}: {what}").context("could not write to standard output").map_err(Failure::Io)
}
