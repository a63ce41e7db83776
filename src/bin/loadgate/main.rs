//! The `loadgate` command, with one file for each subcommand.

#[cfg(any(test, not(all(feature = "backtest", feature = "cli"))))]
mod absent;
#[cfg(feature = "api")]
mod api;
mod attempts;
#[cfg(feature = "backtest")]
mod backtest;
#[cfg(feature = "cli")]
mod cloud;
mod customer_limits;
#[cfg(feature = "cli")]
mod customers;
mod decompress;
#[cfg(feature = "sqlite")]
mod embedded;
mod files;
mod generate;
mod input;
#[cfg(feature = "cli")]
mod job_queue;
#[cfg(feature = "cli")]
mod jobs;
#[cfg(feature = "cli")]
mod limit_store;
#[cfg(feature = "cli")]
mod limits;
#[cfg(feature = "cli")]
mod message_line;
mod outcome;
mod output;
#[cfg(feature = "cli")]
mod plans;
#[cfg(feature = "cli")]
mod programs;
mod progress;
#[cfg(feature = "cli")]
mod receive;
#[cfg(feature = "cli")]
mod redrive;
mod replay;
#[cfg(feature = "cli")]
mod runs;
#[cfg(feature = "cli")]
mod send;
#[cfg(any(feature = "api", feature = "worker"))]
mod serve;
#[cfg(any(feature = "api", feature = "worker"))]
mod signals;
mod standard_output;
#[cfg(feature = "cli")]
mod store;
#[cfg(not(feature = "cli"))]
#[path = "no_store.rs"]
mod store;
#[cfg(feature = "cli")]
mod store_kind;
mod summary;
#[cfg(feature = "cli")]
mod tables;
#[cfg(feature = "worker")]
mod worker;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use outcome::{Failure, explain, print_status};

/// Decide whether attempts to load funds are within their customers' velocity limits
#[derive(Parser)]
#[command(version, after_help = outcome::EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Replay(replay::Args),
    #[cfg(feature = "backtest")]
    Backtest(backtest::Args),
    Generate(generate::Args),
    #[cfg(feature = "cli")]
    Tables(tables::Args),
    #[cfg(feature = "cli")]
    Send(send::Args),
    #[cfg(feature = "cli")]
    Receive(receive::Args),
    #[cfg(feature = "cli")]
    Redrive(redrive::Args),
    #[cfg(feature = "cli")]
    Limits(limits::Args),
    #[cfg(feature = "cli")]
    Plans(plans::Args),
    #[cfg(feature = "cli")]
    Programs(programs::Args),
    #[cfg(feature = "cli")]
    Jobs(jobs::Args),
    #[cfg(feature = "cli")]
    Runs(runs::Args),
    #[cfg(feature = "cli")]
    Customers(customers::Args),
    #[cfg(feature = "worker")]
    Worker(worker::Args),
    #[cfg(feature = "api")]
    Api(api::Args),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let ended = match cli.command {
        Command::Replay(args) => replay::run(&args),
        #[cfg(feature = "backtest")]
        Command::Backtest(args) => backtest::run(&args),
        Command::Generate(args) => generate::run(&args),
        #[cfg(feature = "cli")]
        Command::Tables(args) => tables::run(&args),
        #[cfg(feature = "cli")]
        Command::Send(args) => send::run(&args),
        #[cfg(feature = "cli")]
        Command::Receive(args) => receive::run(&args),
        #[cfg(feature = "cli")]
        Command::Redrive(args) => redrive::run(&args),
        #[cfg(feature = "cli")]
        Command::Limits(args) => limits::run(&args),
        #[cfg(feature = "cli")]
        Command::Plans(args) => plans::run(&args),
        #[cfg(feature = "cli")]
        Command::Programs(args) => programs::run(&args),
        #[cfg(feature = "cli")]
        Command::Jobs(args) => jobs::run(&args),
        #[cfg(feature = "cli")]
        Command::Runs(args) => runs::run(&args),
        #[cfg(feature = "cli")]
        Command::Customers(args) => customers::run(&args),
        #[cfg(feature = "worker")]
        Command::Worker(args) => worker::run(&args),
        #[cfg(feature = "api")]
        Command::Api(args) => api::run(&args),
    };
    ended.unwrap_or_else(|failure| {
        print_status(&format!("loadgate: {failure}"));
        Failure::exit_code(&failure)
    })
}

/// Explains a command line that cannot be parsed, or prints the help that it asks for.
fn refuse(error: &clap::Error) -> ExitCode {
    #[cfg(not(all(feature = "backtest", feature = "cli")))]
    if let Some(sentence) = absent::explained(error) {
        print_status(&format!("loadgate: {sentence}"));
        return ExitCode::from(2);
    }
    explain(error)
}
