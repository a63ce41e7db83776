//! `loadgate limits show`: lists a customer's own limits.

use std::process::ExitCode;

use loadgate::adapters::SystemClock;
use loadgate::config::CURRENCY;
use loadgate::domain::Currency;
use loadgate::limits::LimitReader;
use loadgate::wire::LimitView;

use crate::limit_store::{LimitStoreArgs, id, print};
use crate::outcome::{EXIT_CODES, Failure, print_status};

/// List a customer's own limits with their usage, one JSON object a line
///
/// `progress` is what loadgate has accepted in the window that holds the present moment; for a limit that is not enforced,
/// it is the reported progress.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    /// The customer's id
    #[arg(value_parser = id)]
    customer: String,

    #[command(flatten)]
    store: LimitStoreArgs,

    /// Currency of the deployment: limits in another one are not enforced
    #[arg(long, value_name = "CODE", env = CURRENCY, default_value = "USD", value_parser = crate::attempts::currency)]
    currency: Currency,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let known = args.store.requests("could not read the customer's limits", async |store| {
        LimitReader { store: &store, clock: &SystemClock, currency: args.currency }.of(&args.customer).await
    })?;
    if known.is_empty() {
        print_status("the customer has no limits of its own");
    }
    known.iter().try_for_each(|limit| print(&LimitView::new(limit)))?;
    Ok(ExitCode::SUCCESS)
}
