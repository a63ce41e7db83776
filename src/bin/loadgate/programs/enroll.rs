//! `loadgate programs enroll`: enrols customers in a programme.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use indicatif::{HumanCount, ProgressBar};
use loadgate::adapters::SystemClock;
use loadgate::limits::Plans;
use loadgate::runtime::enrollment::{EnrollmentCounts, EnrollmentObserver, IdLineError, enroll_lines};
use serde::Serialize;

use crate::decompress::decompressed;
use crate::input::{Contents, Input};
use crate::limit_store::{LimitStoreArgs, id};
use crate::outcome::{EXIT_CODES, Failure, SOME_INVALID, print_status};
use crate::progress::{INVALID_SHOWN_MAX, Progress, per_second, progress_bar};
use crate::summary::{SummaryForm, as_ms};

/// Enrol customers in a programme, one id a line
///
/// A customer is in one programme at most: it leaves another one. The programme is created if it does not exist. The command
/// can be interrupted at any time and run again: customers that are in the programme already cost one read each.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    /// The programme's id
    #[arg(value_parser = id)]
    program: String,

    /// File of ids: plain, gzip or Zstandard. A line that begins with a quotation mark is a JSON string. `-` or none is standard
    /// input
    input: Option<PathBuf>,

    #[command(flatten)]
    store: LimitStoreArgs,

    /// Form of the summary at the end
    #[arg(long, value_enum, value_name = "FORM", default_value = "text")]
    summary: SummaryForm,

    /// Show a progress bar
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    progress: Progress,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let Input { name, bytes, raw, .. } = Input::open(args.input.as_deref(), Contents::CustomerIds)?;
    let (store, connection) = args.store.open()?;
    let plans = Plans { store, clock: SystemClock };
    let begun = Instant::now();
    let bar = progress_bar(args.progress, bytes, false);
    let lines =
        decompressed(bar.wrap_read(raw)).with_context(|| format!("could not read '{name}'")).map_err(Failure::Io)?;
    let observer = Shown { bar: bar.clone(), invalid: 0 };
    let ended = connection.runtime.block_on(async {
        plans.ensure_program(&args.program).await.context("could not create the programme")?;
        enroll_lines(lines, &plans, &args.program, observer).await.with_context(|| format!("customers of '{name}'"))
    });
    bar.finish_and_clear();
    drop(plans);
    connection.close();
    let counts = ended.map_err(Failure::Io)?;
    if counts.invalid > INVALID_SHOWN_MAX {
        print_status(&format!("{} invalid lines are not shown", HumanCount(counts.invalid - INVALID_SHOWN_MAX)));
    }
    let report = Report::new(counts, begun.elapsed());
    args.summary.print(&report, || report.text())?;
    Ok(if counts.invalid > 0 { ExitCode::from(SOME_INVALID) } else { ExitCode::SUCCESS })
}

/// Shows the first invalid lines, and the counts beside the progress bar.
struct Shown {
    bar: ProgressBar,
    invalid: u64,
}

impl EnrollmentObserver for Shown {
    fn invalid(&mut self, line: u64, error: IdLineError) {
        self.invalid += 1;
        if self.invalid <= INVALID_SHOWN_MAX {
            self.bar.suspend(|| print_status(&format!("line {line}: {error}")));
        }
    }

    fn progressed(&mut self, counts: &EnrollmentCounts) {
        if !self.bar.is_hidden() {
            let lines = counts.lines();
            let per_second = per_second(lines, self.bar.elapsed());
            self.bar.set_message(format!("{} customers, {} per second", HumanCount(lines), HumanCount(per_second)));
        }
    }
}

/// Counts of customers by their result.
#[derive(Serialize)]
struct Report {
    lines: u64,
    enrolled: u64,
    moved: u64,
    unchanged: u64,
    invalid: u64,
    #[serde(rename = "elapsed_ms", serialize_with = "as_ms")]
    elapsed: Duration,
    lines_per_second: u64,
}

impl Report {
    fn new(counts: EnrollmentCounts, elapsed: Duration) -> Report {
        let EnrollmentCounts { enrolled, moved, unchanged, invalid } = counts;
        let lines = counts.lines();
        Report { lines, enrolled, moved, unchanged, invalid, elapsed, lines_per_second: per_second(lines, elapsed) }
    }

    /// Returns the report as text.
    fn text(&self) -> String {
        let rows = [
            ("lines", self.lines, ""),
            ("enrolled", self.enrolled, ""),
            ("moved", self.moved, "  from another programme"),
            ("unchanged", self.unchanged, "  in the programme already"),
            ("invalid", self.invalid, ""),
        ];
        let mut text = String::new();
        for (name, count, note) in rows {
            let _ = writeln!(text, "{name:<16}{:>14}{note}", HumanCount(count).to_string());
        }
        let _ = write!(text, "{:.2?}, {} lines per second", self.elapsed, HumanCount(self.lines_per_second));
        text
    }
}
