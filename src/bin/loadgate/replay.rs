//! `loadgate replay`: decides the load attempts of a file.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, anyhow};
use loadgate::limits::AllLimits;
use loadgate::replay::{Replay, ReplayError, ReplayOutput, ReplayReport};
use loadgate::wire::Reasons;

use crate::attempts::{AttemptArgs, random_key, report_unshown};
use crate::customer_limits;
use crate::decompress::decompressed;
use crate::files::{FileId, are_one_new_file, named};
use crate::input::{Contents, Input};
use crate::outcome::{EXIT_CODES, Failure, SOME_INVALID};
use crate::output::Output;
use crate::progress::ReplayProgress;
use crate::store::{StoreArgs, StoreEngine};
use crate::summary::{Summary, SummaryForm};

/// Decide the load attempts of a file, one JSON object a line
///
/// Decisions are written in the input's order, as they are made. All other text goes to standard error.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    #[command(flatten)]
    attempts: AttemptArgs,

    /// Write the decisions to a file, which appears complete or not at all [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Add "reasons" to each decision: the code of every limit that the attempt would break
    #[arg(long)]
    explain: bool,

    /// Form of the summary at the end
    #[arg(long, value_enum, value_name = "FORM", default_value = "text")]
    summary: SummaryForm,

    #[command(flatten)]
    store: StoreArgs,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let attempts = &args.attempts;
    let limits = attempts.limits()?;
    let reasons = if args.explain { Reasons::Named } else { Reasons::Omitted };
    let run_name = args.store.run_name(attempts.input.as_deref())?;
    let input = Input::open(attempts.input.as_deref(), Contents::LoadAttempts)?;
    refuse_shared_files(args, &input)?;
    if run_name.is_some() && attempts.customer_limits.is_some() {
        let problem = "--customer-limits is for a replay in memory: give no --store, or apply the events to the store with \
                       `loadgate limits apply`";
        return Err(Failure::Usage(anyhow!(problem)));
    }
    let threads = attempts.threads();
    let open = |run| args.store.open(run, limits.clone(), attempts.currency, reasons, threads);
    let store = run_name.map(open).transpose()?;
    let mut output = Output::open(args.output.as_deref())?;
    let mut rejects = attempts.create_rejects()?;
    let (own, invalid_events) = customer_limits::read_if_given(attempts, rejects.as_mut())?;
    let engine = if let Some(store) = store {
        Engine::Store(store)
    } else {
        let limits = AllLimits::new(limits.clone(), &own, attempts.currency);
        Engine::Memory(Replay { limits, currency: attempts.currency, reasons, threads, identity_key: random_key()? })
    };

    let begun = Instant::now();
    let report = replay_all(args, engine, input, rejects, &mut output)?;
    if report.is_complete {
        output.finish()?;
    }
    report_unshown(report.tally.invalid, attempts.rejects.as_deref());
    let summary = Summary::new(&report, &limits, begun.elapsed());
    args.summary.print(&summary, || summary.text())?;
    let some_invalid = report.is_complete && report.tally.invalid + invalid_events > 0;
    Ok(if some_invalid { ExitCode::from(SOME_INVALID) } else { ExitCode::SUCCESS })
}

/// Engine that decides the attempts.
enum Engine {
    /// In-memory ledger, for this run only.
    Memory(Replay),
    /// Persistent store.
    Store(StoreEngine),
}

impl Engine {
    fn run(self, input: impl Read + Send + 'static, output: ReplayOutput<'_>) -> Result<ReplayReport, ReplayError> {
        match self {
            Engine::Memory(replay) => replay.run(input, output),
            Engine::Store(engine) => engine.run(input, output),
        }
    }
}

fn replay_all(
    args: &Args,
    engine: Engine,
    input: Input,
    rejects: Option<Box<dyn Write + Send>>,
    output: &mut Output,
) -> Result<ReplayReport, Failure> {
    let progress = ReplayProgress::new(args.attempts.progress, input.bytes, output.is_stdout());
    let bar = progress.bar().clone();
    let ended = decompressed(bar.wrap_read(input.raw))
        .map_err(|source| ReplayError::Read { lines: 0, source })
        .and_then(|bytes| engine.run(bytes, ReplayOutput::new(output, rejects, progress)));
    bar.finish_and_clear();
    ended.with_context(|| whereabouts(args, &input.name)).map_err(Failure::Io)
}

/// Names the files that an error during the replay may concern.
fn whereabouts(args: &Args, input: &str) -> String {
    let output = args.output.as_deref().map_or("standard output".to_owned(), |path| format!("'{}'", path.display()));
    let rejects =
        args.attempts.rejects.as_deref().map_or(String::new(), |path| format!(", rejects to '{}'", path.display()));
    format!("replaying '{input}', decisions to {output}{rejects}")
}

/// Refuses an output that is also the input or another output.
fn refuse_shared_files(args: &Args, input: &Input) -> Result<(), Failure> {
    let limits = args.attempts.limits.as_deref().and_then(FileId::of_path);
    let events = args.attempts.customer_limits.as_deref().and_then(FileId::of_path);
    let output = named(args.output.as_deref());
    let decisions = output.map_or_else(FileId::of_stdout, FileId::of_path);
    let rejects = args.attempts.rejects.as_deref().and_then(FileId::of_path);
    let are_one = |one: &Option<FileId>, other: &Option<FileId>| one.is_some() && one == other;
    let are_new_and_one =
        || output.zip(args.attempts.rejects.as_deref()).is_some_and(|(one, other)| are_one_new_file(one, other));
    let clash = if are_one(&decisions, &input.id) {
        "the decisions would overwrite the input: give another output"
    } else if are_one(&rejects, &input.id) {
        "the rejects would overwrite the input: give another --rejects"
    } else if are_one(&decisions, &rejects) || are_new_and_one() {
        "the decisions and the rejects would go to one file: give two"
    } else if are_one(&decisions, &limits) || are_one(&rejects, &limits) {
        "an output would overwrite the limits file: give another output"
    } else if are_one(&decisions, &events) || are_one(&rejects, &events) {
        "an output would overwrite the file of customers' limits: give another output"
    } else if args.attempts.customer_limits.is_some() && named(args.attempts.customer_limits.as_deref()).is_none() {
        "--customer-limits takes a file: standard input is for load attempts"
    } else if args.attempts.rejects.is_some() && named(args.attempts.rejects.as_deref()).is_none() {
        "--rejects takes a file: standard output is for decisions"
    } else {
        return Ok(());
    };
    Err(Failure::Usage(anyhow!(clash)))
}
