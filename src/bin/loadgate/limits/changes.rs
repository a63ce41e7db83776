//! `loadgate limits changes`: lists the changes of a customer's own limit.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use loadgate::deciding::StoreError;
use loadgate::domain::ChangeRecord;
use loadgate::limits::LimitStore;
use loadgate::wire::api::ChangeView;

use crate::limit_store::{LimitStoreArgs, id};
use crate::outcome::{EXIT_CODES, Failure};
use crate::standard_output;

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
    standard_output::require()?;
    let (store, connection) = args.store.open()?;
    let changes = connection.runtime.block_on(all(&store, &args.limit));
    drop(store);
    connection.close();
    let changes = changes.context("could not read the limit's changes").map_err(Failure::Io)?;
    let changes = changes.ok_or_else(|| Failure::Io(anyhow!("there is no limit with this id")))?;
    for change in &changes {
        // Strings and numbers can always be serialised.
        let line = serde_json::to_string(&ChangeView::new(change)).unwrap_or_default();
        writeln!(io::stdout(), "{line}").context("could not write to standard output").map_err(Failure::Io)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads all changes of a limit; `None` if nobody has named the limit.
async fn all(store: &impl LimitStore, limit: &str) -> Result<Option<Vec<ChangeRecord>>, StoreError> {
    if store.read_pointer(limit).await?.is_none() {
        return Ok(None);
    }
    let (mut changes, mut after) = (vec![], None);
    loop {
        let page = store.read_changes(limit, after, PAGE).await?;
        changes.extend(page.changes);
        after = page.next;
        if after.is_none() {
            return Ok(Some(changes));
        }
    }
}
