//! `loadgate customers erase`: removes everything about a customer from all tables.

use std::io::{self, Write};
use std::num::NonZeroU32;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use loadgate::adapters::SystemClock;
use loadgate::adapters::dynamodb::DynamoDb;
use loadgate::adapters::sqs::queue_settings;
use loadgate::config::{DEAD_LETTER_QUEUE_URL, INPUT_QUEUE_URL, TableNames};
use loadgate::erasing::{Eraser, Holdings};

use super::remains::REMAINS;
use crate::cloud::{sdk_for_queue, url};
use crate::limit_store::id;
use crate::outcome::{EXIT_CODES, Failure, print_status};
use crate::standard_output;
use crate::store_kind::{Connection, StoreChoice};

/// Count what the tables keep about a customer, and with --go delete it
///
/// Deletes the customer's decisions, usage, fence, limits with their changes, plan link and enrolment, and its entries of the
/// decision log. Without --go, only counts them. Refuses to delete while a decision of the customer may be unpublished, and
/// within 15 minutes of a decision. SQS cannot show the messages of one customer: first stop the sender of the customer's
/// loads, and wait until the queues are empty. End replays through the store, and jobs of the customer's programme. The
/// decision log and the limit table are scanned whole. The command can be interrupted and run again. Afterwards the customer
/// is a new one: no event is remembered, and usage begins at zero.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    /// The customer's id
    #[arg(value_parser = id)]
    customer: String,

    /// Delete the items
    #[arg(long)]
    go: bool,

    #[command(flatten)]
    store: StoreChoice,

    /// Maximum number of read units that each scan, of the decision log and of the limit table, takes in a second
    #[arg(long, value_name = "UNITS", default_value_t = NonZeroU32::new(100).unwrap_or(NonZeroU32::MIN))]
    read_units: NonZeroU32,

    /// URL of the input queue, to say about how many messages it has
    #[arg(long, value_name = "URL", env = INPUT_QUEUE_URL, value_parser = url)]
    input_queue_url: Option<String>,

    /// URL of the dead-letter queue, to say about how many messages it has
    #[arg(long, value_name = "URL", env = DEAD_LETTER_QUEUE_URL, value_parser = url)]
    dead_letter_queue_url: Option<String>,

    /// SQS endpoint [default: AWS's own, or the queue's host if that is this machine]
    #[arg(long, value_name = "URL", value_parser = url)]
    sqs_endpoint_url: Option<String>,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    standard_output::require()?;
    let names = args.store.names()?;
    let (store, connection) = args.store.open(names.clone())?;
    let done = connection.runtime.block_on(count_or_erase(args, &names, &store));
    Connection::close(connection);
    done?;
    Ok(ExitCode::SUCCESS)
}

async fn count_or_erase(args: &Args, names: &TableNames, store: &DynamoDb) -> Result<(), Failure> {
    warn_of_messages(args).await?;
    let (has_log, has_limits) = (names.log.is_some(), names.limit.is_some());
    let eraser = Eraser { store, clock: &SystemClock, has_log, has_limits, read_units: args.read_units };
    if has_log || has_limits {
        let units = args.read_units;
        print_status(&format!("scanning with at most {units} read units a second; a large table takes long"));
    }
    if args.go {
        let deleted = eraser.erase(&args.customer).await;
        let deleted = deleted.context("could not erase the customer").map_err(Failure::Io)?;
        say(&listed(&deleted, names, "deleted"))?;
    } else {
        let survey = eraser.survey(&args.customer).await;
        let survey = survey.context("could not count the customer's items").map_err(Failure::Io)?;
        say(&listed(&survey.holdings, names, "found"))?;
        say(&match survey.obstacle {
            Some(obstacle) => format!("Nothing is deleted, and --go would be refused: {obstacle}."),
            None => "Nothing is deleted. With --go, these items are.".to_owned(),
        })?;
    }
    say(&REMAINS.join("\n"))
}

/// Lists numbers of items, table by table.
fn listed(holdings: &Holdings, names: &TableNames, done: &str) -> String {
    let Holdings { log_entries, records, usage_rows, fences, limits, changes, roster_entries, settings } = holdings;
    let log = match &names.log {
        Some(name) => format!("{name}: {log_entries} entries of the decision log {done}"),
        None => "decision log: no table is named (--decision-log-table), so no entry is looked for".to_owned(),
    };
    let limit = match &names.limit {
        Some(name) => format!(
            "{name}: {limits} limits, {changes} changes of limits, {roster_entries} roster entries, {settings} settings {done}"
        ),
        None => "limit table: no table is named (--limit-table), so no limit is looked for".to_owned(),
    };
    let record = format!("{}: {records} decisions {done}", names.correlation);
    let load = format!("{}: {usage_rows} usage rows, {fences} fences {done}", names.load);
    [log, record, load, limit].join("\n")
}

/// Says about how many messages the queues have.
async fn warn_of_messages(args: &Args) -> Result<(), Failure> {
    for (queue, url) in [("input queue", &args.input_queue_url), ("dead-letter queue", &args.dead_letter_queue_url)] {
        let Some(url) = url else { continue };
        let sdk = sdk_for_queue(url, args.sqs_endpoint_url.as_deref()).await;
        let settings = queue_settings(&sdk, url).await.with_context(|| format!("could not look at the {queue}"));
        let settings = settings.map_err(Failure::Io)?;
        let messages = settings.messages.saturating_add(settings.messages_in_flight);
        if messages > 0 {
            print_status(&format!(
                "warning: the {queue} has about {messages} messages; some may be of the customer, which SQS cannot show"
            ));
        }
    }
    Ok(())
}

fn say(text: &str) -> Result<(), Failure> {
    let written = writeln!(io::stdout(), "{text}");
    written.map_err(|error| Failure::Io(anyhow!(error).context("could not write to standard output")))
}
