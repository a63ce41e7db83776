//! `loadgate programs`: programmes and their customers.

mod assign;
mod default;
mod enroll;
mod remove;

use std::process::ExitCode;

use clap::Subcommand;

use crate::outcome::{EXIT_CODES, Failure};

/// Enrol customers in programmes, set the plan of a programme, and link all its customers to a plan
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Enroll(enroll::Args),
    Remove(remove::Args),
    Default(default::Args),
    Assign(Box<assign::Args>),
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    match &args.action {
        Action::Enroll(args) => enroll::run(args),
        Action::Remove(args) => remove::run(args),
        Action::Default(args) => default::run(args),
        Action::Assign(args) => assign::run(args),
    }
}
