//! `loadgate limits`: customers' own limits in a store.

mod apply;
mod report;
mod show;

use std::process::ExitCode;

use clap::Subcommand;

use crate::outcome::{EXIT_CODES, Failure};

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
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    match &args.action {
        Action::Apply(args) => apply::run(args),
        Action::Show(args) => show::run(args),
    }
}
