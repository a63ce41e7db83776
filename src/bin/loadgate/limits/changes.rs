//! `loadgate limits changes`: lists the changes of a customer's own limit.

use std::process::ExitCode;

use anyhow::anyhow;
use loadgate::adapters::SystemClock;
use loadgate::deciding::StoreError;
use loadgate::domain::Currency;
use loadgate::limits::LimitReader;
use loadgate::wire::api::ChangeView;

use crate::limit_store::{LimitStoreArgs, id, print};
use crate::outcome::{EXIT_CODES, Failure};

/// Number of changes that are read at a time.
const PAGE: u16 = 100;

/// List the changes of a customer's own limit, one JSON object a line: who changed what, when, from what to what
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    /// Id of the limit
    #[arg(value_parser = id)]
    limit: String,

    #[command(flatten)]
    store: LimitStoreArgs,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let changes = args.store.requests("could not read the limit's changes", async |store| {
        // Neither time nor money plays a part in changes that were made.
        let reader = LimitReader { store: &store, clock: &SystemClock, currency: Currency::USD };
        let (mut changes, mut after) = (vec![], None);
        loop {
            let Some(page) = reader.changes(&args.limit, after, PAGE).await? else { return Ok(None) };
            changes.extend(page.changes);
            after = page.next;
            if after.is_none() {
                return Ok::<_, StoreError>(Some(changes));
            }
        }
    })?;
    let changes = changes.ok_or_else(|| Failure::Io(anyhow!("there is no limit with this id")))?;
    changes.iter().try_for_each(|change| print(&ChangeView::new(change)))?;
    Ok(ExitCode::SUCCESS)
}
