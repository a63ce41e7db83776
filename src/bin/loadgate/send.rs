//! `loadgate send`: sends a file's attempts to the input queue.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use indicatif::{HumanCount, ProgressBar};
use loadgate::adapters::sqs::SqsSender;
use loadgate::config::is_fifo;
use loadgate::deciding::Sender;
use loadgate::runtime::send::Messages;

use crate::cloud::{QueueArgs, block_on};
use crate::decompress::decompressed;
use crate::input::{Contents, Input};
use crate::outcome::{EXIT_CODES, Failure, SOME_INVALID, print_status};
use crate::progress::{INVALID_SHOWN_MAX, Progress, progress_bar};
use crate::store::run_name;

/// Send a file's load attempts to the input queue, in each customer's order
///
/// Invalid lines are sent too, as far as a queue accepts them; the consumer reports the errors. The queue drops the
/// same file if it is sent again within five minutes.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    /// File of load attempts: plain, gzip or Zstandard. `-` or none is standard input
    input: Option<PathBuf>,

    #[command(flatten)]
    queue: QueueArgs,

    /// Name of the run. The deduplication id is made of this name and the line's number and text [default: the input's
    /// file name]
    #[arg(long, value_name = "NAME")]
    run: Option<String>,

    /// Show a progress bar
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    progress: Progress,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    if !is_fifo(&args.queue.queue_url) {
        return Err(Failure::Usage(anyhow!(
            "'{}' is not a FIFO queue: the URL of a FIFO queue ends with .fifo",
            args.queue.queue_url
        )));
    }
    let run = run_name(args.run.as_deref(), args.input.as_deref())?;
    let input = Input::open(args.input.as_deref(), Contents::LoadAttempts)?;
    let name = input.name;
    let bar = progress_bar(args.progress, input.bytes, false);
    let bytes = decompressed(bar.wrap_read(input.raw))
        .with_context(|| format!("could not read '{name}'"))
        .map_err(Failure::Io)?;
    let ended = block_on(send(args, run, bytes, &bar));
    bar.finish_and_clear();
    let sent = ended?;
    print_status(&format!("{} messages sent", sent.messages));
    if sent.unsendable == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    print_status(&format!("{} lines could not be sent: no queue takes them", sent.unsendable));
    Ok(ExitCode::from(SOME_INVALID))
}

/// Counts of the sent messages.
#[derive(Default)]
struct Sent {
    messages: u64,
    unsendable: u64,
}

async fn send(args: &Args, run: String, bytes: impl Read, bar: &ProgressBar) -> Result<Sent, Failure> {
    let sender = SqsSender::new(&args.queue.sdk().await, args.queue.queue_url.clone());
    let mut sent = Sent::default();
    for block in Messages::new(bytes, run) {
        let block = block.context("could not read the input").map_err(Failure::Io)?;
        for (line, problem) in block.unsendable {
            sent.unsendable += 1;
            if sent.unsendable <= INVALID_SHOWN_MAX {
                bar.suspend(|| print_status(&format!("line {line}: not sent: {problem}")));
            }
        }
        sent.messages += block.messages.len() as u64;
        sender
            .send(block.messages)
            .await
            .context("could not send; within five minutes, the same command again goes on where this one stopped")
            .map_err(Failure::Io)?;
        bar.set_message(format!("{} messages sent", HumanCount(sent.messages)));
    }
    Ok(sent)
}
