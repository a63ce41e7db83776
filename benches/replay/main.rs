//! `make bench`: the file replay against a plain baseline and against the floor, in one run.
//!
//! Every figure is a ratio of medians, or a count. Each program runs in a process of its own, in turns, with its
//! decisions in a file. `QUICK=1` leaves out the 20 million attempts.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::indexing_slicing
)]

mod baseline;
mod floor;
#[path = "../shared/mod.rs"]
mod shared;

use std::fs::File;
use std::io::Result;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use shared::measure::{Run, median, run};

/// Rounds for each comparison.
const ROUNDS: usize = 7;

/// The memory that a replay may take: 64 MiB and 64 bytes for each distinct event.
const MEMORY_BASE_BYTES: u64 = 64 << 20;
const MEMORY_EVENT_BYTES_MAX: u64 = 64;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["floor", input] => floor::run(input),
        ["baseline", input] => baseline::run(input),
        _ => bench(),
    }
}

fn bench() -> Result<()> {
    let bench = Bench { folder: Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench") };
    std::fs::create_dir_all(&bench.folder)?;
    bench.compare()?;
    bench.grow()
}

struct Bench {
    folder: PathBuf,
}

impl Bench {
    /// Each program on the same 2,000,000 attempts.
    fn compare(&self) -> Result<()> {
        let input = self.workload(2_000_000)?;
        let cores = std::thread::available_parallelism()?.get();
        let mut programs = [
            (format!("(a) loadgate replay, {cores} threads"), replay(&input, cores)),
            ("(b) loadgate replay, 1 thread".to_owned(), replay(&input, 1)),
            ("(c) plain baseline".to_owned(), this("baseline", &input)?),
            ("(d) floor: read and parse".to_owned(), this("floor", &input)?),
        ];
        let mut runs = vec![Vec::new(); programs.len()];
        for _ in 0..ROUNDS {
            for ((_, command), runs) in programs.iter_mut().zip(&mut runs) {
                runs.push(run(command, File::create(self.folder.join("decisions.jsonl"))?)?);
            }
        }
        let medians: Vec<Run> = runs.iter().map(|runs| median(runs)).collect();
        println!("2,000,000 attempts of 100,000 customers; medians of {ROUNDS} rounds");
        println!("{:<34}{:>9}{:>12}{:>14}", "", "ms", "of floor", "memory, MiB");
        for ((name, _), run) in programs.iter().zip(&medians) {
            let ratio = run.elapsed.as_secs_f64() / medians[3].elapsed.as_secs_f64();
            println!("{name:<34}{:>9}{ratio:>11.2}x{:>14}", run.elapsed.as_millis(), run.memory_bytes >> 20);
        }
        Ok(())
    }

    /// How time and memory grow with the input. Decisions go nowhere: a disk's time does not grow evenly.
    fn grow(&self) -> Result<()> {
        let cores = std::thread::available_parallelism()?.get();
        let sizes = [200_000, 2_000_000, 20_000_000];
        let sizes = if std::env::var_os("QUICK").is_some() { &sizes[..2] } else { &sizes[..] };
        let inputs = sizes.iter().map(|attempts| self.workload(*attempts)).collect::<Result<Vec<_>>>()?;
        let mut runs = vec![Vec::new(); inputs.len()];
        for _ in 0..ROUNDS {
            for (input, runs) in inputs.iter().zip(&mut runs) {
                runs.push(run(&mut replay(input, cores), File::create("/dev/null")?)?);
            }
        }
        println!("\nloadgate replay, {cores} threads, decisions to /dev/null; medians of {ROUNDS} rounds");
        println!("{:>12}{:>12}{:>9}{:>10}{:>14}{:>12}", "attempts", "events", "ms", "growth", "memory, MiB", "allowed");
        let mut before: Option<Run> = None;
        for ((attempts, input), run) in sizes.iter().zip(&inputs).zip(runs.iter().map(|runs| median(runs))) {
            let growth = before.map_or(String::new(), |before| {
                format!("{:.2}x", run.elapsed.as_secs_f64() / before.elapsed.as_secs_f64())
            });
            let events = events(&mut replay(input, cores))?;
            let allowed = MEMORY_BASE_BYTES + MEMORY_EVENT_BYTES_MAX * events;
            let (ms, memory, allowed) = (run.elapsed.as_millis(), run.memory_bytes >> 20, allowed >> 20);
            println!("{attempts:>12}{events:>12}{ms:>9}{growth:>10}{memory:>14}{allowed:>12}");
            before = Some(run);
        }
        Ok(())
    }

    /// The workload of so many attempts, written once.
    fn workload(&self, attempts: u64) -> Result<PathBuf> {
        let path = self.folder.join(format!("{attempts}.jsonl"));
        let settings = ["--customers", "100000", "--duplicates", "5", "--invalid", "1"];
        let written = Command::new(loadgate())
            .args(["generate", "--attempts", &attempts.to_string(), "--output"])
            .arg(&path)
            .args(settings)
            .status()?;
        if written.success() { Ok(path) } else { Err(std::io::Error::other("loadgate generate failed")) }
    }
}

fn loadgate() -> &'static str {
    env!("CARGO_BIN_EXE_loadgate")
}

fn replay(input: &Path, threads: usize) -> Command {
    let mut command = Command::new(loadgate());
    command.args(["replay", "--threads", &threads.to_string()]).arg(input);
    command
}

/// How many distinct events a replay decides, by its own summary.
fn events(replay: &mut Command) -> Result<u64> {
    let ended = replay.args(["--summary", "json"]).stdout(Stdio::null()).stderr(Stdio::piped()).output()?;
    let summary = ended.stderr.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let summary: serde_json::Value = serde_json::from_slice(summary)?;
    Ok(summary["accepted"].as_u64().unwrap_or_default() + summary["declined"].as_u64().unwrap_or_default())
}

/// This program itself, as one of those that are compared.
fn this(program: &str, input: &Path) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(program).arg(input);
    Ok(command)
}
