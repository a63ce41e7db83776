//! `loadgate customers`: what the tables keep about a customer.

mod erase;
mod remains;

use std::process::ExitCode;

use clap::Subcommand;

use crate::outcome::{EXIT_CODES, Failure};

/// Erase a customer from all tables
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Erase(erase::Args),
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    match &args.action {
        Action::Erase(args) => erase::run(args),
    }
}
