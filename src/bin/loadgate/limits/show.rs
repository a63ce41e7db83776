//! `loadgate limits show`: lists a customer's own limits.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use loadgate::adapters::SystemClock;
use loadgate::config::CURRENCY;
use loadgate::domain::{Currency, ID_BYTES_MAX};
use loadgate::limits::LimitReader;
use loadgate::wire::limit_progress_json;

use crate::limit_store::LimitStoreArgs;
use crate::outcome::{EXIT_CODES, Failure, print_status};
use crate::standard_output;

/// List a customer's own limits with their usage, one JSON object a line
///
/// `progress` is what loadgate has accepted in the window that holds the present moment; for a limit that is not enforced,
/// it is the reported progress.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    /// The customer's id
    customer: String,

    #[command(flatten)]
    store: LimitStoreArgs,

    /// Currency of the deployment: limits in another one are not enforced
    #[arg(long, value_name = "CODE", env = CURRENCY, default_value = "USD", value_parser = crate::replay::currency)]
    currency: Currency,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    if !(1..=ID_BYTES_MAX).contains(&args.customer.len()) {
        return Err(Failure::Usage(anyhow!("a customer's id has 1 to {ID_BYTES_MAX} bytes")));
    }
    standard_output::require()?;
    let (store, connection) = args.store.open()?;
    let reader = LimitReader { store: &store, clock: &SystemClock, currency: args.currency };
    let known = connection.runtime.block_on(reader.of(&args.customer));
    drop(store);
    connection.close();
    let known = known.context("could not read the customer's limits").map_err(Failure::Io)?;
    if known.is_empty() {
        print_status("the customer has no limits of its own");
    }
    for limit in &known {
        writeln!(io::stdout(), "{}", limit_progress_json(limit))
            .context("could not write to standard output")
            .map_err(Failure::Io)?;
    }
    Ok(ExitCode::SUCCESS)
}
