//! `make bench-backtest`: a backtest of a base and seven candidates against one replay, on the same threads, in one run.
//!
//! The programs run in turns, each as a child process. The figures are the ratio of medians, and the memory that each candidate
//! adds.
#![allow(missing_docs, clippy::float_arithmetic, clippy::cast_precision_loss, clippy::indexing_slicing)]

#[path = "../shared/mod.rs"]
mod shared;

use std::fs::File;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

use shared::candidates::{CANDIDATES, ROLLING, add_candidates, base};
use shared::measure::{Run, median, run};
use shared::page;
use shared::table::Table;

/// Rounds for each comparison.
const ROUNDS: usize = 7;

/// Maximum time of a backtest over days and weeks, in times of one replay. Long windows have none: there, look-ups of loads that no
/// cache holds are nearly all of the time, and nothing of them can be shared.
const TIME_MAX: f64 = 4.0;

/// Inputs of 2,000,000 attempts, and limits.
const CASES: [Case; 3] = [
    Case { name: "100,000 customers: days and weeks", customers: 100_000, more_limits: "" },
    Case { name: "5,000,000 customers: days and weeks", customers: 5_000_000, more_limits: "" },
    Case { name: "100,000 customers: and 72 hours, in base and candidates", customers: 100_000, more_limits: ROLLING },
];

struct Case {
    name: &'static str,
    customers: u32,
    more_limits: &'static str,
}

fn main() -> Result<()> {
    let bench = Bench {
        folder: Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench"),
        threads: std::thread::available_parallelism()?.get(),
    };
    std::fs::create_dir_all(&bench.folder)?;
    let heads = [
        "2,000,000 attempts, base and 7 candidates",
        "of one replay's time",
        "one replay's memory",
        "each candidate adds",
        "holds",
    ];
    let (mut table, mut hold_all) = (Table::new(heads), true);
    for case in &CASES {
        let (row, holds) = bench.measure(case)?;
        hold_all &= holds;
        table.row(&row);
    }
    let required = format!(
        "{} threads. Required: at most {TIME_MAX:.2}x for days and weeks; a candidate adds at most the memory of one replay.",
        bench.threads
    );
    page::put("PERFORMANCE.md", "backtest", &format!("{}\n\n{required}", table.markdown()))?;
    if hold_all { Ok(()) } else { Err(Error::other("a backtest took more time or memory than it may")) }
}

struct Bench {
    folder: PathBuf,
    threads: usize,
}

impl Bench {
    /// Measures a case. Returns its row, and true if time and memory stay within their bounds.
    fn measure(&self, case: &Case) -> Result<([String; 5], bool)> {
        let input = self.input(case.customers)?;
        let base = base(&self.folder, case.more_limits)?;
        let mut replay = self.command("replay", &base, &input);
        let mut backtest = self.command("backtest", &base, &input);
        add_candidates(&mut backtest, &self.folder, case.more_limits)?;
        let mut runs = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (command, runs) in [&mut replay, &mut backtest].into_iter().zip(&mut runs) {
                runs.push(run(command, File::create("/dev/null")?)?);
            }
        }
        let [replay, backtest] = runs.map(|runs| median(&runs));
        let ratio = ratio(&backtest, &replay);
        let added = backtest.memory_bytes.saturating_sub(replay.memory_bytes) / CANDIDATES.len() as u64;
        let is_in_time = ratio <= TIME_MAX || !case.more_limits.is_empty();
        let holds = is_in_time && added <= replay.memory_bytes;
        let row = [
            case.name.to_owned(),
            format!("{ratio:.2}x"),
            mebibytes(replay.memory_bytes),
            mebibytes(added),
            if holds { "yes" } else { "NO" }.to_owned(),
        ];
        Ok((row, holds))
    }

    fn command(&self, subcommand: &str, limits: &Path, input: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadgate"));
        command.args([subcommand, "--threads", &self.threads.to_string(), "--limits"]).args([limits, input]);
        command
    }

    /// Writes the attempts to a file, and returns its path.
    fn input(&self, customers: u32) -> Result<PathBuf> {
        let path = self.folder.join(format!("2000000-{customers}.jsonl"));
        let mut generate = Command::new(env!("CARGO_BIN_EXE_loadgate"));
        generate.args(["generate", "--duplicates", "5", "--invalid", "1", "--attempts", "2000000", "--customers"]);
        let written = generate.arg(customers.to_string()).arg("--output").arg(&path).status()?;
        if written.success() { Ok(path) } else { Err(Error::other("loadgate generate failed")) }
    }
}

fn ratio(run: &Run, to: &Run) -> f64 {
    run.elapsed.as_secs_f64() / to.elapsed.as_secs_f64()
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}
