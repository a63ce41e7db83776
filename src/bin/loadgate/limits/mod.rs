//! `loadgate limits`: customers' own limits in a store.

mod apply;
mod change;
mod changes;
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
    Set(change::SetArgs),
    Remove(change::RemoveArgs),
    Withdraw(change::WithdrawArgs),
    Confirm(change::ConfirmArgs),
    Changes(changes::Args),
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
