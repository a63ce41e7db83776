//! `loadgate redrive`: inspects a dead-letter queue, or empties it.

mod archive;
mod text;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, anyhow};
use aws_config::SdkConfig;
use clap::value_parser;
use indicatif::{HumanCount, ProgressBar};
use loadgate::adapters::dynamodb::DynamoDb;
use loadgate::adapters::sqs::{SqsPublisher, SqsReceiver, SqsSender, queue_settings};
use loadgate::adapters::{SystemClock, aws};
use loadgate::config::{CURRENCY, DEAD_LETTER_QUEUE_URL, DECISIONS_QUEUE_URL, INPUT_QUEUE_URL, is_fifo};
use loadgate::deciding::with_sources;
use loadgate::domain::Currency;
use loadgate::redrive::{Archive, Mode, Redrive, RedriveReport, Redriver};
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;

use crate::attempts::currency;
use crate::cloud::{TableArgs, block_on, sdk_for_queue, url};
use crate::outcome::{Failure, SOME_INVALID, print_status};
use crate::progress::BAR_TICK;
use crate::standard_output;
use archive::FileArchive;
use text::Left;

/// Text of the exit codes for `--help`.
const REDRIVE_EXIT_CODES: &str = "\
Exit codes:
  0  nothing is left to do: there is no dead letter in the queue
  1  something failed, or it was interrupted; what is not done is where it was
  2  the command line is wrong; nothing was done
  3  dead letters are left: without --go, all that were seen; with it, invalid ones, or some that could not be seen";

/// Inspect a dead-letter queue, or empty it
///
/// Lists the dead letters by cause, with the action for each cause; changes nothing without --go. A dead letter whose
/// event is decided but not known to be published is published from its stored decision. One that was never decided
/// goes back to the input queue, in each customer's order. A duplicate is deleted. An invalid one stays, in a group of
/// its own. A dead letter is deleted only after its action is done, so the command can be interrupted at any time and
/// run again.
#[derive(clap::Args)]
#[command(after_help = REDRIVE_EXIT_CODES)]
pub struct Args {
    /// URL of the dead-letter queue
    #[arg(long, value_name = "URL", env = DEAD_LETTER_QUEUE_URL, value_parser = url)]
    dead_letter_queue_url: String,

    /// URL of the input queue, to which undecided dead letters go back. Required by --go
    #[arg(long, value_name = "URL", env = INPUT_QUEUE_URL, value_parser = url)]
    input_queue_url: Option<String>,

    /// URL of the decisions queue, to which stored decisions are published. Required by --go
    #[arg(long, value_name = "URL", env = DECISIONS_QUEUE_URL, value_parser = url)]
    decisions_queue_url: Option<String>,

    #[command(flatten)]
    tables: TableArgs,

    /// Currency of all amounts, as an ISO 4217 code
    #[arg(long, value_name = "CODE", env = CURRENCY, default_value = "USD", value_parser = currency)]
    currency: Currency,

    /// DynamoDB endpoint [default: AWS's own]
    #[arg(long, value_name = "URL", value_parser = url)]
    dynamodb_endpoint_url: Option<String>,

    /// SQS endpoint [default: AWS's own, or the queue's host if that is this machine]
    #[arg(long, value_name = "URL", value_parser = url)]
    sqs_endpoint_url: Option<String>,

    /// Only list the actions, as without --go
    #[arg(long, conflicts_with = "go")]
    dry_run: bool,

    /// Perform the actions
    #[arg(long)]
    go: bool,

    /// Remove invalid dead letters from the queue. Each is first appended to this file, complete, as one JSON object on
    /// a line
    #[arg(long, value_name = "FILE", requires = "go")]
    drop_invalid: Option<PathBuf>,

    /// Inspect at most this number of dead letters
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = value_parser!(u64).range(1..=1_000_000))]
    max: u64,

    /// Print the report as one JSON object on a line
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let (input_url, decisions_url) = args.queues_to_write()?;
    args.tables.names()?;
    standard_output::require()?;
    let mut archive = args.drop_invalid.as_deref().map(FileArchive::open).transpose()?;
    let stopped = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // A second signal ends the process at once.
        let registered = flag::register_conditional_shutdown(signal, 1, Arc::clone(&stopped))
            .and_then(|_| flag::register(signal, Arc::clone(&stopped)));
        registered.context("could not listen to signals").map_err(Failure::Io)?;
    }
    // When the file size limit is reached, a handler turns the signal into a write error.
    flag::register(SIGXFSZ, Arc::default()).context("could not listen to signals").map_err(Failure::Io)?;
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(BAR_TICK);
    let may_go_on = |report: &RedriveReport| {
        bar.set_message(format!("{} dead letters, {} done", HumanCount(report.seen), HumanCount(report.done)));
        !stopped.load(Ordering::Relaxed)
    };
    let ((report, ended), queue) = block_on(async {
        let sdk = sdk_for_queue(&args.dead_letter_queue_url, args.sqs_endpoint_url.as_deref()).await;
        let redrive = open(args, &sdk, input_url, decisions_url).await?;
        let archive = archive.as_mut().map(|archive| archive as &mut dyn Archive);
        let mode = if args.go { Mode::Go(archive) } else { Mode::List };
        let ended = redrive.run(mode, may_go_on).await;
        Ok((ended, queue_settings(&sdk, &args.dead_letter_queue_url).await))
    })?;
    bar.finish_and_clear();
    let left = Left::new(&report, queue.as_ref().ok());
    let said = if args.json {
        text::as_json(&report, left, args.go)
    } else {
        text::as_text(&report, left, args.go, args.drop_invalid.is_some())
    };
    let printed = io::Write::write_all(&mut io::stdout(), said.as_bytes());
    for failure in &report.failures {
        print_status(&format!("left where it is: {failure}"));
    }
    printed.context("could not write the report to standard output").map_err(Failure::Io)?;
    ended.map_err(|error| Failure::Io(anyhow!("{}; run it again to go on", with_sources(&error))))?;
    if stopped.load(Ordering::Relaxed) {
        return Err(Failure::Io(anyhow!("interrupted; run it again to go on")));
    }
    Ok(exit_code(&report, left))
}

impl Args {
    /// Returns the input queue and the decisions queue. Without `--go` neither is required.
    fn queues_to_write(&self) -> Result<(String, String), Failure> {
        let all = [&self.input_queue_url, &self.decisions_queue_url, &Some(self.dead_letter_queue_url.clone())];
        if let Some(queue_url) = all.into_iter().flatten().find(|queue_url| !is_fifo(queue_url)) {
            return Err(Failure::Usage(anyhow!(
                "'{queue_url}' is not a FIFO queue: the URL of a FIFO queue ends with .fifo"
            )));
        }
        let named = |queue_url: &Option<String>, option: &str| match queue_url {
            Some(queue_url) if *queue_url == self.dead_letter_queue_url => {
                Err(Failure::Usage(anyhow!("{option} is the dead-letter queue itself")))
            }
            Some(queue_url) => Ok(queue_url.clone()),
            None if self.go => Err(Failure::Usage(anyhow!("--go needs {option}"))),
            None => Ok(String::new()),
        };
        let input = named(&self.input_queue_url, "--input-queue-url")?;
        let decisions = named(&self.decisions_queue_url, "--decisions-queue-url")?;
        if self.go && input == decisions {
            return Err(Failure::Usage(anyhow!("--decisions-queue-url is the input queue")));
        }
        Ok((input, decisions))
    }
}

fn exit_code(report: &RedriveReport, left: Left) -> ExitCode {
    if report.failed > 0 {
        ExitCode::FAILURE
    } else if left.is_empty() && report.is_complete {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(SOME_INVALID)
    }
}

async fn open(
    args: &Args,
    sdk: &SdkConfig,
    input_url: String,
    decisions_url: String,
) -> Result<Redrive<DynamoDb, SqsPublisher, SystemClock, SqsSender, SqsReceiver>, Failure> {
    let names = args.tables.names()?;
    let has_log = names.log.is_some();
    let store = DynamoDb::new(&aws::load(args.dynamodb_endpoint_url.as_deref()).await, names);
    store.connect(false).await.context("could not use the store").map_err(Failure::Io)?;
    let queues = SqsPublisher::new(sdk, decisions_url, args.dead_letter_queue_url.clone());
    if args.go {
        queues.connect().await.context("could not use the queues").map_err(Failure::Io)?;
        store.connect_log().await.context("could not use the decision log").map_err(Failure::Io)?;
        check_input(sdk, &input_url, &args.dead_letter_queue_url).await?;
    }
    let redriver = Redriver {
        store,
        publisher: queues,
        clock: SystemClock,
        input: SqsSender::new(sdk, input_url),
        currency: args.currency,
        has_log,
    };
    let letters = SqsReceiver::new(sdk, args.dead_letter_queue_url.clone());
    Ok(Redrive { redriver, letters, letters_max: args.max })
}

/// Checks that the dead-letter queue belongs to the input queue. Otherwise another stack's messages would be decided
/// there.
async fn check_input(sdk: &SdkConfig, input_url: &str, dead_letter_url: &str) -> Result<(), Failure> {
    let input = queue_settings(sdk, input_url).await.context("could not use the input queue").map_err(Failure::Io)?;
    match input.redrive {
        Some(redrive) if !redrive.leads_to(dead_letter_url) => {
            let target = redrive.target();
            Err(Failure::Usage(anyhow!(
                "the dead-letter queue of '{input_url}' is '{target}', not '{dead_letter_url}'"
            )))
        }
        Some(_) | None => Ok(()),
    }
}
