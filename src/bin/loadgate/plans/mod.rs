//! `loadgate plans`: plans, and their links to customers.

mod link;
mod put;
mod show;

use std::process::ExitCode;

use clap::Subcommand;

use crate::outcome::{EXIT_CODES, Failure};

/// Change and show plans, and link them to customers
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Put(put::Args),
    Show(show::Args),
    List(show::ListArgs),
    Link(link::Args),
    Unlink(link::UnlinkArgs),
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    match &args.action {
        Action::Put(args) => put::run(args),
        Action::Show(args) => show::run(args),
        Action::List(args) => show::list(args),
        Action::Link(args) => link::run(args),
        Action::Unlink(args) => link::unlink(args),
    }
}
