//! `make bench-replay`: the file replay against a plain baseline and against the floor, in one run.
//!
//! Every figure is a ratio of medians, or a count. The programs run in turns, each as a child process that writes its
//! decisions to a file. Further inputs measure the memory of the shapes that need most. `QUICK=1` skips all inputs
//! with more than 2 million attempts.
#![allow(missing_docs, clippy::float_arithmetic, clippy::cast_precision_loss, clippy::indexing_slicing)]

mod baseline;
mod floor;
mod shapes;
#[path = "../shared/mod.rs"]
mod shared;

use std::fs::File;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use shapes::SHAPES;
use shared::candidates::{add_candidates, base};
use shared::measure::{Run, median, run};
use shared::page;
use shared::plot::{Plot, Series};
use shared::table::Table;

/// Rounds for each comparison.
const ROUNDS: usize = 7;

/// Maximum memory of a replay of a generated workload: 48 MiB, and 48 bytes for each distinct event.
const MEMORY_BASE_BYTES: u64 = 48 << 20;
const MEMORY_EVENT_BYTES_MAX: u64 = 48;

/// Workload on which all programs are compared.
const COMPARED: Workload = Workload { attempts: 2_000_000, customers: 100_000 };

/// Larger workloads, up to 20 million attempts.
const LARGER: [Workload; 3] = [
    Workload { attempts: 5_000_000, ..COMPARED },
    Workload { attempts: 10_000_000, ..COMPARED },
    Workload { attempts: 20_000_000, ..COMPARED },
];

/// Limits with windows that need the accepted loads themselves. They decline nothing that the default limits accept.
const LONG_LIMITS: &str = "
[[limit]]
code = \"MONTHLY_AMOUNT\"
measure = \"amount\"
window = \"month\"
zone = \"Europe/London\"
max = \"10000000.00\"

[[limit]]
code = \"ROLLING_AMOUNT\"
measure = \"amount\"
window = \"rolling\"
hours = 168
max = \"10000000.00\"

[[limit]]
code = \"LIFETIME_COUNT\"
measure = \"count\"
window = \"lifetime\"
max = 1000000
";

/// Maximum times of a replay, in times of the floor, with one thread and with one for each of two cores.
const ONE_THREAD_MAX: f64 = 2.0;
const ALL_THREADS_MAX: f64 = 1.0;

/// Maximum time and memory with such limits: so many times the time, and so many bytes more for each accepted load.
const LONG_TIME_MAX: f64 = 2.5;
const LONG_LOAD_BYTES_MAX: u64 = 64;

/// Workload in which most customers have one attempt. It takes the most memory for each event.
const SELDOM: Workload = Workload { customers: 5_000_000, ..COMPARED };

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["floor", input] => floor::texts(input),
        ["floor of bytes", input] => floor::bytes(input),
        ["baseline", input] => baseline::run(input),
        _ => bench(),
    }
}

fn bench() -> Result<()> {
    let bench = Bench {
        folder: Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench"),
        cores: std::thread::available_parallelism()?.get(),
    };
    std::fs::create_dir_all(&bench.folder)?;
    let (shaped, is_every_shape_within) = bench.shapes()?;
    let (grown, is_within_memory) = bench.grow()?;
    let (long, is_long_within) = bench.long_windows()?;
    page::put("PERFORMANCE.md", "replay", &format!("{}\n\n{grown}\n\n{shaped}", bench.compare()?))?;
    page::put("PERFORMANCE.md", "long-windows", &long)?;
    if is_within_memory && is_every_shape_within && is_long_within {
        Ok(())
    } else {
        Err(Error::other("a replay took more memory than it may"))
    }
}

/// A generated input.
#[derive(Clone, Copy)]
struct Workload {
    attempts: u64,
    customers: u64,
}

struct Bench {
    folder: PathBuf,
    cores: usize,
}

impl Bench {
    /// Runs each program on the same attempts.
    fn compare(&self) -> Result<String> {
        let input = self.file(COMPARED)?;
        let cores = self.cores;
        let base = base(&self.folder, "")?;
        let mut backtest = Command::new(loadgate());
        backtest.args(["backtest", "--threads", &cores.to_string(), "--limits"]).args([&base, &input]);
        add_candidates(&mut backtest, &self.folder, "")?;
        let long = |threads| -> Result<Command> {
            let mut command = replay(&input, threads);
            command.arg("--limits").arg(self.long_limits()?);
            Ok(command)
        };
        let programs = [
            ("the floor: read and parse each line as text".to_owned(), this("floor", &input)?, None),
            ("`loadgate replay`, 1 thread".to_owned(), replay(&input, 1), Some(ONE_THREAD_MAX)),
            (format!("`loadgate replay`, {cores} threads"), replay(&input, cores), Some(ALL_THREADS_MAX)),
            ("the same with a month, a rolling week and a lifetime, 1 thread".to_owned(), long(1)?, None),
            (format!("the same, {cores} threads"), long(cores)?, None),
            (format!("`loadgate backtest` of a base and 7 candidates, {cores} threads"), backtest, None),
            ("another floor: read and parse each line as bytes".to_owned(), this("floor of bytes", &input)?, None),
            ("a plain replay: owned strings, standard collections".to_owned(), this("baseline", &input)?, None),
        ];
        let mut commands = Vec::new();
        let programs = programs.map(|(name, command, most)| {
            commands.push(command);
            (name, most)
        });
        let runs = self.in_turns(&mut commands, Path::new("decisions.jsonl"))?;
        let heads = ["2,000,000 attempts of 100,000 customers", "of the floor's time", "required", "holds", "memory"];
        let mut table = Table::new(heads);
        for ((name, most), run) in programs.into_iter().zip(&runs) {
            let ratio = ratio(run, &runs[0]);
            let required = most.map_or_else(String::new, |most| format!("at most {most:.2}x"));
            let holds = most.map_or("", |most| if ratio <= most { "yes" } else { "NO" });
            table.row(&[name, format!("{ratio:.2}x"), required, holds.to_owned(), mebibytes(run.memory_bytes)]);
        }
        Ok(table.markdown())
    }

    /// Measures the growth of time and memory with the input. Returns true if memory stays within its bound.
    /// Decisions go to /dev/null, because the time of a disk does not grow evenly.
    fn grow(&self) -> Result<(String, bool)> {
        let is_quick = std::env::var_os("QUICK").is_some();
        let larger = if is_quick { &[] } else { &LARGER[..] };
        let workloads = [&[SELDOM, COMPARED], larger].concat();
        let inputs = workloads.iter().map(|workload| self.file(*workload)).collect::<Result<Vec<_>>>()?;
        let mut commands: Vec<Command> = inputs.iter().map(|input| replay(input, self.cores)).collect();
        let runs = self.in_turns(&mut commands, Path::new("/dev/null"))?;
        let heads = ["attempts", "customers", "distinct events", "time", "memory", "allowed", "holds"];
        let (mut table, mut is_within) = (Table::new(heads), true);
        for ((workload, input), run) in workloads.iter().zip(&inputs).zip(&runs) {
            let events = events(&mut replay(input, self.cores))?;
            let allowed = MEMORY_BASE_BYTES + MEMORY_EVENT_BYTES_MAX * events;
            is_within &= run.memory_bytes <= allowed;
            table.row(&[
                grouped(workload.attempts),
                grouped(workload.customers),
                grouped(events),
                format!("{:.2}x", ratio(run, &runs[1])),
                mebibytes(run.memory_bytes),
                mebibytes(allowed),
                if run.memory_bytes <= allowed { "yes" } else { "NO" }.to_owned(),
            ]);
        }
        if !is_quick {
            plot(&workloads[1..], &runs[1..])?;
        }
        let required = "Required: 20,000,000 attempts at most 10.5 times the time of 2,000,000; memory at most 48 MiB and \
                        48 bytes for each distinct event.";
        Ok((format!("{}\n\n{required}", table.markdown()), is_within))
    }

    /// Measures the memory of the shapes that need most. Returns true if each stays within its bound. The bound of
    /// each follows from the data that the ledger has to remember for it.
    fn shapes(&self) -> Result<(String, bool)> {
        let limits = shapes::write_limits(&self.folder)?;
        let heads = ["2,000,000 distinct events", "memory", "allowed", "holds", "memory / event", "allowed / event"];
        let (mut table, mut are_within) = (Table::new(heads), true);
        for (number, shape) in SHAPES.iter().enumerate() {
            let input = self.folder.join(format!("shape-{number}"));
            shape.write(&input)?;
            let mut command = replay(&input, self.cores);
            command.arg("--limits").arg(&limits);
            let memory_bytes = run(&mut command, File::create("/dev/null")?)?.memory_bytes;
            let accepted = events(&mut command)?;
            if accepted != shapes::EVENTS {
                return Err(Error::other(format!("{}: {accepted} events were decided", shape.name)));
            }
            let allowed = shape.allowed_bytes();
            are_within &= memory_bytes <= allowed;
            let each = |bytes: u64| format!("{} bytes", bytes.saturating_sub(MEMORY_BASE_BYTES) / shapes::EVENTS);
            table.row(&[
                shape.name.to_owned(),
                mebibytes(memory_bytes),
                mebibytes(allowed),
                if memory_bytes <= allowed { "yes" } else { "NO" }.to_owned(),
                each(memory_bytes),
                each(allowed),
            ]);
            std::fs::remove_file(&input)?;
        }
        let required = "Bytes an event are without 48 MiB. Allowed: 48 MiB, and at most 31 bytes for each distinct event; 45 for \
                        each week in which a customer has accepted loads on one day, 158 on several days, 246 with a day of \
                        more than $42,949,672.95 or 255 loads; and 24 KiB for each calendar week.";
        Ok((format!("{}\n\n{required}", table.markdown()), are_within))
    }

    /// Compares the default limits with the same ones and long windows, on the same attempts. Returns true if time and
    /// memory stay within their bounds.
    fn long_windows(&self) -> Result<(String, bool)> {
        let limits = self.long_limits()?;
        let heads = ["2,000,000 attempts, 1 thread", "time", "memory", "allowed", "holds"];
        let (mut table, mut are_within) = (Table::new(heads), true);
        for workload in [COMPARED, SELDOM] {
            let input = self.file(workload)?;
            let mut long = replay(&input, 1);
            long.arg("--limits").arg(&limits);
            let runs = self.in_turns(&mut [replay(&input, 1), long], Path::new("/dev/null"))?;
            let allowed = runs[0].memory_bytes + LONG_LOAD_BYTES_MAX * accepted(&mut replay(&input, 1))?;
            let is_within = runs[1].memory_bytes <= allowed && ratio(&runs[1], &runs[0]) <= LONG_TIME_MAX;
            are_within &= is_within;
            for (name, run, allowed, holds) in [
                ("days and weeks", &runs[0], String::new(), ""),
                (
                    "and a month, a rolling week, a lifetime",
                    &runs[1],
                    mebibytes(allowed),
                    if is_within { "yes" } else { "NO" },
                ),
            ] {
                table.row(&[
                    format!("{} customers: {name}", grouped(workload.customers)),
                    format!("{:.2}x", ratio(run, &runs[0])),
                    mebibytes(run.memory_bytes),
                    allowed,
                    holds.to_owned(),
                ]);
            }
        }
        let required = "Required: at most 2.50x the time, and 64 bytes more for each accepted load.";
        Ok((format!("{}\n\n{required}", table.markdown()), are_within))
    }

    /// Writes the default limits and long windows to a file, and returns its path.
    fn long_limits(&self) -> Result<PathBuf> {
        let path = self.folder.join("long.toml");
        std::fs::write(&path, format!("{}{LONG_LIMITS}", include_str!("../../limits.toml")))?;
        Ok(path)
    }

    /// Runs each command several times, in turns. Returns the median of each.
    fn in_turns(&self, commands: &mut [Command], output: &Path) -> Result<Vec<Run>> {
        let mut runs = vec![Vec::new(); commands.len()];
        for _ in 0..ROUNDS {
            for (command, runs) in commands.iter_mut().zip(&mut runs) {
                runs.push(run(command, File::create(self.folder.join(output))?)?);
            }
        }
        Ok(runs.iter().map(|runs| median(runs)).collect())
    }

    /// Writes the workload to a file, and returns its path.
    fn file(&self, Workload { attempts, customers }: Workload) -> Result<PathBuf> {
        let path = self.folder.join(format!("{attempts}-{customers}.jsonl"));
        let written = Command::new(loadgate())
            .args(["generate", "--duplicates", "5", "--invalid", "1"])
            .args(["--attempts", &attempts.to_string(), "--customers", &customers.to_string(), "--output"])
            .arg(&path)
            .status()?;
        if written.success() { Ok(path) } else { Err(Error::other("loadgate generate failed")) }
    }
}

/// Plots the time by attempts, next to a line of proportional growth.
fn plot(workloads: &[Workload], runs: &[Run]) -> Result<()> {
    let millions = |workload: &Workload| workload.attempts as f64 / 1e6;
    let measured = workloads.iter().zip(runs).map(|(workload, run)| (millions(workload), ratio(run, &runs[0])));
    let even = workloads.iter().map(|workload| (millions(workload), millions(workload) / millions(&workloads[0])));
    let series = |name: &str, points: Vec<(f64, f64)>| Series { name: name.to_owned(), points };
    let plot = Plot {
        title: "loadgate replay: time by attempts",
        x_label: "million attempts",
        y_label: "times the time of 2 million",
        series: vec![series("measured", measured.collect()), series("in proportion", even.collect())],
    };
    plot.write(&page::folder()?.join("replay-time.svg"))
}

fn ratio(run: &Run, to: &Run) -> f64 {
    run.elapsed.as_secs_f64() / to.elapsed.as_secs_f64()
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

/// Formats a number with commas between thousands.
fn grouped(number: u64) -> String {
    indicatif::HumanCount(number).to_string()
}

fn loadgate() -> &'static str {
    env!("CARGO_BIN_EXE_loadgate")
}

fn replay(input: &Path, threads: usize) -> Command {
    let mut command = Command::new(loadgate());
    command.args(["replay", "--threads", &threads.to_string()]).arg(input);
    command
}

/// Returns the number of distinct events that a replay decides, from its own summary.
fn events(replay: &mut Command) -> Result<u64> {
    let summary = summary(replay)?;
    Ok(summary["accepted"].as_u64().unwrap_or_default() + summary["declined"].as_u64().unwrap_or_default())
}

/// Returns the number of loads that a replay accepts, from its own summary.
fn accepted(replay: &mut Command) -> Result<u64> {
    Ok(summary(replay)?["accepted"].as_u64().unwrap_or_default())
}

fn summary(replay: &mut Command) -> Result<serde_json::Value> {
    let ended = replay.args(["--summary", "json"]).stdout(Stdio::null()).stderr(Stdio::piped()).output()?;
    let summary = ended.stderr.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(serde_json::from_slice(summary)?)
}

/// Returns the command that runs this program as one of the compared programs.
fn this(program: &str, input: &Path) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(program).arg(input);
    Ok(command)
}
