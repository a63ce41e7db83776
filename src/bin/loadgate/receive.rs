//! `loadgate receive`: prints the messages of a queue as lines.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::value_parser;
use loadgate::adapters::sqs::{SqsReceiver, WAIT_MAX_S};
use loadgate::deciding::{QueueError, RECEIVE_MAX, Receipt, Received, Receiver};

use crate::cloud::{QueueArgs, block_on};
use crate::message_line::{message_line, one_line};
use crate::outcome::{EXIT_CODES, Failure, print_status};
use crate::standard_output;

/// Print the messages of a queue as lines, and delete them from the queue
///
/// A message is deleted after it is printed and, if standard output is a file, after it is on disk. To see only a few
/// messages, use --max: a reader that closes the pipe has consumed more than it shows. Works for the decisions queue
/// and for the dead-letter queue.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    #[command(flatten)]
    queue: QueueArgs,

    /// Stop after this number of messages
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    max: Option<u64>,

    /// Stop when no message arrives for this number of seconds, at most 20
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = value_parser!(u64).range(0..=WAIT_MAX_S))]
    wait: u64,

    /// Keep running when no message arrives
    #[arg(long)]
    follow: bool,

    /// Leave the messages in the queue. They can be received again after the visibility time-out. Until then, a
    /// customer with ten received messages shows no others
    #[arg(long)]
    keep: bool,

    /// Print each message as a JSON object with its id, group, attributes and body
    #[arg(long)]
    attributes: bool,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    standard_output::require()?;
    block_on(async {
        let queue = SqsReceiver::new(&args.queue.sdk().await, args.queue.queue_url.clone());
        let wait = Duration::from_secs(args.wait);
        let (mut left, mut received_count) = (args.max.unwrap_or(u64::MAX), 0);
        while left > 0 {
            let max = usize::try_from(left).map_or(RECEIVE_MAX, |left| left.min(RECEIVE_MAX));
            let received = queue.receive(max, wait, None).await.context("could not receive").map_err(Failure::Io)?;
            if received.is_empty() && !args.follow {
                break;
            }
            left = left.saturating_sub(received.len() as u64);
            received_count += received.len();
            match print(&received, args.attributes) {
                Ok(()) => {}
                // The reader closed the pipe. Messages that it did not receive stay in the queue.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                Err(error) => return Err(error).context("could not write to standard output").map_err(Failure::Io),
            }
            if !args.keep && !received.is_empty() {
                let deleted = delete(&queue, &received).await;
                deleted.context("printed, but not deleted: it will come again").map_err(Failure::Io)?;
            }
        }
        match received_count {
            0 => print_status(
                "no messages; those that another consumer has received become visible after the visibility time-out",
            ),
            1 => print_status("1 message"),
            count => print_status(&format!("{count} messages")),
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn delete(receiver: &SqsReceiver, messages: &[Received]) -> Result<(), QueueError> {
    let receipts: Vec<Receipt> = messages.iter().map(|message| message.receipt.clone()).collect();
    receiver.delete(&receipts).await.into_iter().collect()
}

fn print(messages: &[Received], with_attributes: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for message in messages {
        if with_attributes {
            writeln!(out, "{}", message_line(message, None))?;
        } else {
            writeln!(out, "{}", one_line(&message.body))?;
        }
    }
    drop(out);
    standard_output::keep()
}
