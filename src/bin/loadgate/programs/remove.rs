//! `loadgate programs remove`: removes customers from a programme.

use std::process::ExitCode;

use crate::limit_store::{LimitStoreArgs, id};
use crate::outcome::{EXIT_CODES, Failure, print_status};

/// Remove customers from a programme. A plan that is linked to one of them stays linked
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    /// The programme's id
    #[arg(value_parser = id)]
    program: String,

    /// The customers' ids
    #[arg(value_parser = id, required = true)]
    customers: Vec<String>,

    #[command(flatten)]
    store: LimitStoreArgs,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let removed = args.store.plans("could not remove a customer", async |plans| {
        let mut removed = 0_usize;
        for customer in &args.customers {
            removed += usize::from(plans.remove(&args.program, customer).await?);
        }
        Ok(removed)
    })?;
    let others = args.customers.len() - removed;
    print_status(&format!("{removed} removed; {others} were not in the programme"));
    Ok(ExitCode::SUCCESS)
}
