//! `loadgate limits apply`: applies limit events to a store.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, anyhow};
use indicatif::{HumanCount, ProgressBar};
use loadgate::adapters::SystemClock;
use loadgate::domain::LimitEventError;
use loadgate::limits::LimitApplier;
use loadgate::runtime::limit_events::{LimitEventCounts, LimitEventObserver, SOURCE, store_limit_events};
use loadgate::wire::RejectWriter;

use super::report::Report;
use crate::attempts::{create_rejects, report_unshown};
use crate::decompress::decompressed;
use crate::files::{FileId, named};
use crate::input::{Contents, Input};
use crate::limit_store::LimitStoreArgs;
use crate::outcome::{EXIT_CODES, Failure, SOME_INVALID, print_status};
use crate::progress::{INVALID_SHOWN_MAX, Progress, per_second, progress_bar};
use crate::summary::SummaryForm;

/// Apply limit events to the customers' own limits in a store, one JSON object a line
///
/// Each customer's events are applied in the file's order. An event changes nothing if its limit has taken one with the
/// same or a higher sequence number. So the command can be interrupted at any time and run again.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    /// File of limit events: plain, gzip or Zstandard. `-` or none is standard input
    input: Option<PathBuf>,

    #[command(flatten)]
    store: LimitStoreArgs,

    /// Write each invalid line to a file, as a JSON object with its number, code, message and text
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,

    /// Form of the summary at the end
    #[arg(long, value_enum, value_name = "FORM", default_value = "text")]
    summary: SummaryForm,

    /// Show a progress bar
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    progress: Progress,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let input = Input::open(args.input.as_deref(), Contents::LimitEvents)?;
    refuse_shared_files(args, &input)?;
    let (store, connection) = args.store.open()?;
    let rejects = args.rejects.as_deref().map(create_rejects).transpose()?;
    let mut rejects = rejects.map(|out| RejectWriter::of_source(out, SOURCE));

    let (begun, name) = (Instant::now(), input.name);
    let bar = progress_bar(args.progress, input.bytes, false);
    let applier = LimitApplier { store, clock: SystemClock };
    let events = decompressed(bar.wrap_read(input.raw))
        .with_context(|| format!("could not read '{name}'"))
        .map_err(Failure::Io)?;
    let observer = Shown { bar: bar.clone(), invalid: 0 };
    let ended = connection.runtime.block_on(store_limit_events(events, &applier, rejects.as_mut(), observer));
    bar.finish_and_clear();
    drop(applier);
    connection.close();
    let counts = ended.with_context(|| format!("limit events from '{name}'")).map_err(Failure::Io)?;
    report_unshown(counts.invalid, args.rejects.as_deref());
    let report = Report::new(counts, begun.elapsed());
    args.summary.print(&report, || report.text())?;
    Ok(if counts.invalid > 0 { ExitCode::from(SOME_INVALID) } else { ExitCode::SUCCESS })
}

/// Shows the first invalid lines, and the counts beside the progress bar.
struct Shown {
    bar: ProgressBar,
    invalid: u64,
}

impl LimitEventObserver for Shown {
    fn invalid(&mut self, line: u64, error: &LimitEventError) {
        self.invalid += 1;
        if self.invalid <= INVALID_SHOWN_MAX {
            self.bar.suspend(|| print_status(&format!("line {line}: {}: {error}", error.code())));
        }
    }

    fn progressed(&mut self, counts: &LimitEventCounts) {
        if !self.bar.is_hidden() {
            let events = counts.events();
            let per_second = per_second(events, self.bar.elapsed());
            self.bar.set_message(format!("{} events, {} per second", HumanCount(events), HumanCount(per_second)));
        }
    }
}

/// Refuses rejects that would overwrite the input.
fn refuse_shared_files(args: &Args, input: &Input) -> Result<(), Failure> {
    let rejects = args.rejects.as_deref().and_then(FileId::of_path);
    let clash = if rejects.is_some() && rejects == input.id {
        "the rejects would overwrite the input: give another --rejects"
    } else if args.rejects.is_some() && named(args.rejects.as_deref()).is_none() {
        "--rejects takes a file"
    } else {
        return Ok(());
    };
    Err(Failure::Usage(anyhow!(clash)))
}
