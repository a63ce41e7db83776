//! `loadgate replay`: decides the load attempts of a file.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, anyhow};
use loadgate::config::{LimitsFileError, read_limits};
use loadgate::domain::{Currency, Limits};
use loadgate::limits::AllLimits;
use loadgate::replay::{Replay, ReplayError, ReplayOutput, ReplayReport};
use loadgate::wire::Reasons;

use crate::customer_limits;
use crate::decompress::decompressed;
use crate::files::{FileId, are_one_new_file, named};
use crate::input::{Contents, Input};
use crate::outcome::{EXIT_CODES, Failure, SOME_INVALID, print_status};
use crate::output::Output;
use crate::progress::{INVALID_SHOWN_MAX, Progress, ReplayProgress};
use crate::store::{StoreArgs, StoreEngine};
use crate::summary::{Summary, SummaryForm};

/// Maximum default number of threads. Each takes about 3 MiB, whatever the input.
const DEFAULT_THREADS_MAX: usize = 8;

/// Decide the load attempts of a file, one JSON object a line
///
/// Decisions are written in the input's order, as they are made. All other text goes to standard error.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    /// File of load attempts: plain, gzip or Zstandard. `-` or none is standard input
    input: Option<PathBuf>,

    /// Write the decisions to a file, which appears complete or not at all [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Write each invalid line to a file, as a JSON object with its number, code, message and text
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,

    /// Read the limits from a TOML file [default: the built-in limits, those of limits.toml]
    #[arg(long, value_name = "FILE")]
    limits: Option<PathBuf>,

    /// Read customers' own limits from a file of limit events, one JSON object a line
    #[arg(long, value_name = "FILE")]
    customer_limits: Option<PathBuf>,

    /// Currency of all amounts, as an ISO 4217 code: the optional prefix of an amount. `$` is for USD only
    #[arg(long, value_name = "CODE", default_value = "USD", value_parser = currency)]
    currency: Currency,

    /// Add "reasons" to each decision: the code of every limit that the attempt would break
    #[arg(long)]
    explain: bool,

    /// Form of the summary at the end
    #[arg(long, value_enum, value_name = "FORM", default_value = "text")]
    summary: SummaryForm,

    /// Show a progress bar
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    progress: Progress,

    /// Number of threads; the output does not depend on it [default: one for each core, at most 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,

    #[command(flatten)]
    store: StoreArgs,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let limits = limits(args.limits.as_deref())?;
    let reasons = if args.explain { Reasons::Named } else { Reasons::Omitted };
    let run_name = args.store.run_name(args.input.as_deref())?;
    let input = Input::open(args.input.as_deref(), Contents::LoadAttempts)?;
    refuse_shared_files(args, &input)?;
    if run_name.is_some() && args.customer_limits.is_some() {
        let problem = "--customer-limits is for a replay in memory: give no --store, or apply the events to the store with \
                       `loadgate limits apply`";
        return Err(Failure::Usage(anyhow!(problem)));
    }
    let threads = threads(args.threads);
    let open = |run| args.store.open(run, limits.clone(), args.currency, reasons, threads);
    let store = run_name.map(open).transpose()?;
    let mut output = Output::open(args.output.as_deref())?;
    let mut rejects = args.rejects.as_deref().map(create_rejects).transpose()?;
    let own = args.customer_limits.as_deref().map(|path| customer_limits::read(path, rejects.as_mut())).transpose()?;
    let (own, invalid_events) = own.unwrap_or_default();
    let engine = if let Some(store) = store {
        Engine::Store(store)
    } else {
        let limits = AllLimits::new(limits.clone(), &own, args.currency);
        Engine::Memory(Replay { limits, currency: args.currency, reasons, threads, identity_key: random_key()? })
    };

    let begun = Instant::now();
    let report = replay_all(args, engine, input, rejects, &mut output)?;
    if report.is_complete {
        output.finish()?;
    }
    report_unshown(report.tally.invalid, args.rejects.as_deref());
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
    let progress = ReplayProgress::new(args.progress, input.bytes, output.is_stdout());
    let bar = progress.bar().clone();
    let ended = decompressed(bar.wrap_read(input.raw))
        .map_err(|source| ReplayError::Read { lines: 0, source })
        .and_then(|bytes| engine.run(bytes, ReplayOutput::new(output, rejects, progress)));
    bar.finish_and_clear();
    ended.with_context(|| whereabouts(args, &input.name)).map_err(Failure::Io)
}

/// Reports the number of invalid lines that were not reported one by one, and where they are kept.
pub fn report_unshown(invalid: u64, rejects: Option<&Path>) {
    let not_shown = invalid.saturating_sub(INVALID_SHOWN_MAX);
    match rejects {
        _ if not_shown == 0 => {}
        Some(path) => print_status(&format!("{not_shown} more invalid lines; all are in '{}'", path.display())),
        None => print_status(&format!("{not_shown} more invalid lines; --rejects FILE keeps them all")),
    }
}

/// Names the files that an error during the replay may concern.
fn whereabouts(args: &Args, input: &str) -> String {
    let output = args.output.as_deref().map_or("standard output".to_owned(), |path| format!("'{}'", path.display()));
    let rejects = args.rejects.as_deref().map_or(String::new(), |path| format!(", rejects to '{}'", path.display()));
    format!("replaying '{input}', decisions to {output}{rejects}")
}

fn limits(path: Option<&Path>) -> Result<Limits, Failure> {
    let Some(path) = path else { return Ok(Limits::default()) };
    read_limits(path).map_err(|error| {
        let is_io = matches!(error, LimitsFileError::Read(_));
        let error = anyhow!(error).context(format!("limits file '{}'", path.display()));
        if is_io { Failure::Io(error) } else { Failure::Usage(error) }
    })
}

/// Reads a currency from the command line.
pub fn currency(text: &str) -> Result<Currency, String> {
    Currency::parse(text).ok_or_else(|| "not the code of a currency: three capital letters, such as USD".to_owned())
}

fn threads(wanted: Option<u16>) -> NonZeroUsize {
    let by_default = || std::thread::available_parallelism().map_or(1, |cores| cores.get().min(DEFAULT_THREADS_MAX));
    NonZeroUsize::new(wanted.map_or_else(by_default, usize::from)).unwrap_or(NonZeroUsize::MIN)
}

fn random_key() -> Result<[u8; 16], Failure> {
    let mut key = [0; 16];
    getrandom::fill(&mut key)
        .context("the operating system gave no random bytes for the key of the events' identities")
        .map_err(Failure::Io)?;
    Ok(key)
}

/// Creates the file of the rejects.
pub fn create_rejects(path: &Path) -> Result<Box<dyn Write + Send>, Failure> {
    let file = File::create(path)
        .with_context(|| format!("could not create the rejects file '{}'", path.display()))
        .map_err(Failure::Io)?;
    Ok(Box::new(BufWriter::new(file)))
}

/// Refuses an output that is also the input or another output.
fn refuse_shared_files(args: &Args, input: &Input) -> Result<(), Failure> {
    let limits = args.limits.as_deref().and_then(FileId::of_path);
    let events = args.customer_limits.as_deref().and_then(FileId::of_path);
    let output = named(args.output.as_deref());
    let decisions = output.map_or_else(FileId::of_stdout, FileId::of_path);
    let rejects = args.rejects.as_deref().and_then(FileId::of_path);
    let are_one = |one: &Option<FileId>, other: &Option<FileId>| one.is_some() && one == other;
    let are_new_and_one =
        || output.zip(args.rejects.as_deref()).is_some_and(|(one, other)| are_one_new_file(one, other));
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
    } else if args.customer_limits.is_some() && named(args.customer_limits.as_deref()).is_none() {
        "--customer-limits takes a file: standard input is for load attempts"
    } else if args.rejects.is_some() && named(args.rejects.as_deref()).is_none() {
        "--rejects takes a file: standard output is for decisions"
    } else {
        return Ok(());
    };
    Err(Failure::Usage(anyhow!(clash)))
}
