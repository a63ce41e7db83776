//! `loadgate runs export`: writes logged decisions as load attempts.

use std::io::Write;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use chrono::{DateTime, Utc};
use loadgate::adapters::SystemClock;
use loadgate::domain::parse_time;
use loadgate::runtime::log_export::{LoggedAttempt, scan_attempts};

use super::LogStoreArgs;
use crate::outcome::{EXIT_CODES, Failure, print_status};
use crate::output::Output;

/// Write logged decisions as the load attempts that they decided, one JSON object a line, for `backtest` and `replay`
///
/// The log is kept by run, so the command scans its whole table, whatever the times. The scan takes at most `--read-units` of
/// the table's capacity a second: a read unit is 8 KB, some ten decisions. The attempts are sorted by the instants of their
/// decisions, so they are all held in memory, some 300 bytes each.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    /// First instant of the decisions, RFC 3339
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    from: DateTime<Utc>,

    /// Instant behind the last decisions, RFC 3339
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    to: DateTime<Utc>,

    /// Maximum number of read units that the scan takes in a second
    #[arg(long, value_name = "UNITS", default_value_t = NonZeroU32::new(100).unwrap_or(NonZeroU32::MIN))]
    read_units: NonZeroU32,

    /// File of the attempts; `-` or none is standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    store: LogStoreArgs,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    if args.from >= args.to {
        return Err(Failure::Usage(anyhow!("--from must be before --to")));
    }
    let mut output = Output::open(args.output.as_deref())?;
    print_status(&format!("scanning the decision log with at most {} read units a second", args.read_units));
    let attempts = args.store.requests("could not read the decision log", async |store| {
        scan_attempts(&store, &SystemClock, args.from..args.to, args.read_units).await
    })?;
    write(&mut output, &attempts).context("could not write the attempts").map_err(Failure::Io)?;
    output.finish()?;
    print_status(&format!("{} attempts written", attempts.len()));
    Ok(ExitCode::SUCCESS)
}

fn write(output: &mut Output, attempts: &[LoggedAttempt]) -> std::io::Result<()> {
    attempts.iter().try_for_each(|attempt| output.write_all(attempt.line.as_bytes()))
}

/// Parses an instant.
fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    parse_time(text).map_err(|error| error.to_string())
}
