//! `loadgate generate`: writes a workload.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use chrono::{Datelike, NaiveDate, NaiveTime};
use clap::value_parser;
use loadgate::replay::generate::Workload;

use crate::outcome::{EXIT_CODES, Failure};
use crate::output::Output;

/// Write a workload of load attempts: the same settings give the same bytes
///
/// Attempts are ordered by time. Many amounts are exactly what a limit has left, or one cent more or less. Invalid
/// lines carry the id of a later event.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    /// Write to a file, which appears complete or not at all [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Number of lines
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    attempts: u64,

    /// Number of customers
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = value_parser!(u32).range(1..=100_000_000))]
    customers: u32,

    /// Seed of the random numbers
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// UTC day of the first attempts
    #[arg(long, value_name = "YYYY-MM-DD", default_value = "2018-12-17", value_parser = start)]
    start: NaiveDate,

    /// Number of days over which the attempts are spread
    #[arg(long, value_name = "N", default_value_t = 28, value_parser = value_parser!(u32).range(1..=36_500))]
    days: u32,

    /// Percentage of valid attempts that repeat an earlier event
    #[arg(long, value_name = "PERCENT", default_value_t = 5, value_parser = value_parser!(u8).range(0..=100))]
    duplicates: u8,

    /// Percentage of lines that are invalid
    #[arg(long, value_name = "PERCENT", default_value_t = 1, value_parser = value_parser!(u8).range(0..=100))]
    invalid: u8,

    /// Concentration of attempts on few customers: with 0 they are even; with 1 a fifth of the customers make half of
    /// all attempts; with 3 they make nearly all
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(0..=20))]
    skew: u32,
}

/// Parses the start day. Its year is limited so that every date of a workload has a year of four digits.
fn start(text: &str) -> Result<NaiveDate, String> {
    let date: NaiveDate = text.parse().map_err(|_| "not a day like 2018-12-17".to_owned())?;
    if (1..=9_800).contains(&date.year()) { Ok(date) } else { Err("not a year from 1 to 9800".to_owned()) }
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let workload = Workload {
        customers: args.customers,
        attempts: args.attempts,
        seed: args.seed,
        start: args.start.and_time(NaiveTime::MIN).and_utc(),
        days: args.days,
        duplicates_percent: args.duplicates,
        invalid_percent: args.invalid,
        skew: args.skew,
    };
    let mut output = Output::open(args.output.as_deref())?;
    let mut buffered = BufWriter::with_capacity(256 * 1024, &mut output);
    let written = workload.write(&mut buffered).and_then(|()| buffered.flush());
    drop(buffered);
    match written {
        Ok(()) => output.finish()?,
        // The reader closed the pipe.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(error) => return Err(error).context("could not write the workload").map_err(Failure::Io),
    }
    Ok(ExitCode::SUCCESS)
}
