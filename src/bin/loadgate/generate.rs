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
/// Attempts come in the order of their times. Many amounts land exactly on what a limit has left, or a cent on either
/// side. Invalid lines carry the id of an event that is still to come.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    /// Write to a file, which appears whole or not at all [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Number of lines to write
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    attempts: u64,

    /// Number of customers that make them
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = value_parser!(u32).range(1..=100_000_000))]
    customers: u32,

    /// Seed of the random numbers: the same seed gives the same workload
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// The UTC day on which the attempts begin
    #[arg(long, value_name = "YYYY-MM-DD", default_value = "2018-12-17", value_parser = start)]
    start: NaiveDate,

    /// Over how many days they are spread
    #[arg(long, value_name = "N", default_value_t = 28, value_parser = value_parser!(u32).range(1..=36_500))]
    days: u32,

    /// Percentage of valid attempts that repeat an earlier event
    #[arg(long, value_name = "PERCENT", default_value_t = 5, value_parser = value_parser!(u8).range(0..=100))]
    duplicates: u8,

    /// Percentage of lines that are invalid
    #[arg(long, value_name = "PERCENT", default_value_t = 1, value_parser = value_parser!(u8).range(0..=100))]
    invalid: u8,

    /// Concentration of attempts on few customers: 0 is even, 1 gives a fifth of them half of all attempts, 3 nearly
    /// all
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(0..=20))]
    skew: u32,
}

/// A day of a century from which all dates of a workload have four digits for the year.
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
        // The reader has enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(error) => return Err(error).context("could not write the workload").map_err(Failure::Io),
    }
    Ok(ExitCode::SUCCESS)
}
