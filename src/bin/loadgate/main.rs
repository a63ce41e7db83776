//! The `loadgate` command. One file for each subcommand.

mod cloud;
mod decompress;
#[cfg(feature = "sqlite")]
mod embedded;
mod files;
mod generate;
mod input;
mod message_line;
mod outcome;
mod output;
mod receive;
mod redrive;
mod replay;
mod send;
mod standard_output;
mod store;
mod summary;
mod tables;
mod watch;
#[cfg(feature = "worker")]
mod worker;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use outcome::{Failure, explain, tell};

/// Decides whether attempts to load funds are within their customers' velocity limits
#[derive(Parser)]
#[command(version, after_help = outcome::EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Replay(replay::Args),
    Generate(generate::Args),
    Tables(tables::Args),
    Send(send::Args),
    Receive(receive::Args),
    Redrive(redrive::Args),
    #[cfg(feature = "worker")]
    Worker(worker::Args),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return explain(&error),
    };
    let ended = match cli.command {
        Command::Replay(args) => replay::run(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Tables(args) => tables::run(&args),
        Command::Send(args) => send::run(&args),
        Command::Receive(args) => receive::run(&args),
        Command::Redrive(args) => redrive::run(&args),
        #[cfg(feature = "worker")]
        Command::Worker(args) => worker::run(&args),
    };
    ended.unwrap_or_else(|failure| {
        tell(&format!("loadgate: {failure}"));
        Failure::exit_code(&failure)
    })
}
