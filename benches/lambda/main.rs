//! `make bench-lambda`: the Lambda against a plain handler, in one run.
//!
//! Both get the same batches in turns, from a runtime API of this benchmark, over Amazon's DynamoDB Local and queues
//! that respond at once. Every decision must be published, and memory and size must be within their bounds.
#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod cloud;
mod emulated;
#[allow(dead_code)] // The tests use all of it.
#[path = "../../tests/it/support/cloud/emulator.rs"]
mod emulator;
mod events;
#[allow(dead_code)] // The tests use all of it.
#[path = "../../tests/it/support/cloud/local.rs"]
mod local;
mod program;
mod runtime;
#[path = "../shared/mod.rs"]
mod shared;

use std::io::{Error, Result};
use std::process::ExitCode;
use std::time::Duration;

use cloud::Cloud;
use emulated::Emulated;
use events::Batch;
use local::free_port;
use program::Program;
use runtime::Function;
use shared::page;
use shared::table::Table;

/// Cold starts of each program.
const COLD_STARTS: usize = 21;

/// Number of rounds for each kind of batch, and of batches in each round.
const ROUNDS: usize = 7;
const BATCHES: u64 = 150;

const BATCHES_KINDS: [Batch; 3] = [
    Batch { name: "1 message", messages: 1, customers: 1 },
    Batch { name: "10 messages of one customer", messages: 10, customers: 1 },
    Batch { name: "10 messages of 10 customers", messages: 10, customers: 10 },
];

/// Maximum resident memory of the function, and maximum size of its zip file.
const MEMORY_BYTES_MAX: u64 = 32 << 20;
const ZIP_BYTES_MAX: u64 = 4 << 20;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let mut both =
        [Measured::new("loadgate", Program::loadgate()?).await?, Measured::new("plain", Program::plain()?).await?];
    measure_batches(&mut both).await?;
    // Cold starts come after the batches, when DynamoDB Local is warm, so that its own cold start is not measured.
    for _ in 0..COLD_STARTS {
        for measured in &mut both {
            measured.start_cold().await?;
        }
    }
    emulated::measure(&mut both)?;
    let [loadgate, plain] = &both;
    page::put("PERFORMANCE.md", "lambda", &table(loadgate, plain))?;
    Ok(if loadgate.is_within_bounds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One of the two programs, with its measurements.
struct Measured {
    program: Program,
    cloud: Cloud,
    /// Number of batches so far, from which each batch gets customers of its own.
    batches: u64,
    /// Number of messages sent.
    messages: u64,
    first_request: Vec<Duration>,
    first_decision: Vec<Duration>,
    first_processor: Vec<Duration>,
    /// Median time of each round, by kind of batch in the order of [`BATCHES_KINDS`].
    wall: [Vec<Duration>; BATCHES_KINDS.len()],
    /// Mean processor time of each round, by kind of batch in the same order.
    processor: [Vec<Duration>; BATCHES_KINDS.len()],
    memory_bytes: u64,
    emulated: Emulated,
}

impl Measured {
    async fn new(name: &str, program: Program) -> Result<Measured> {
        Ok(Measured {
            program,
            cloud: Cloud::new(name).await?,
            batches: 0,
            messages: 0,
            first_request: vec![],
            first_decision: vec![],
            first_processor: vec![],
            wall: Default::default(),
            processor: Default::default(),
            memory_bytes: 0,
            emulated: Emulated::default(),
        })
    }

    async fn start(&mut self) -> Result<(Function, Duration, Duration)> {
        let event = self.next_event(BATCHES_KINDS[0]);
        let mut function = Function::start(&self.program.path, &self.cloud.environment, event).await?;
        let (asked, answered) = function.cold_start().await?;
        self.check()?;
        Ok((function, asked, answered))
    }

    async fn start_cold(&mut self) -> Result<()> {
        let (function, asked, answered) = self.start().await?;
        self.first_request.push(asked);
        self.first_decision.push(answered);
        self.first_processor.push(function.processor_time()?);
        Ok(())
    }

    /// Runs one round. Returns the median time of a batch, and its mean processor time.
    async fn round(&mut self, function: &mut Function, kind: usize) -> Result<(Duration, Duration)> {
        let (mut times, before) = (Vec::new(), function.processor_time()?);
        for _ in 0..BATCHES {
            let event = self.next_event(BATCHES_KINDS[kind]);
            times.push(function.invoke(event).await?);
        }
        self.check()?;
        let batches = u32::try_from(BATCHES).map_err(Error::other)?;
        let processor = function.processor_time()?.saturating_sub(before) / batches;
        Ok((median(&times), processor))
    }

    fn next_event(&mut self, batch: Batch) -> String {
        self.batches += 1;
        self.messages += batch.messages;
        batch.event(self.batches)
    }

    /// Checks that every message has been decided, and its decision published.
    fn check(&self) -> Result<()> {
        let published = self.cloud.published();
        let what = || format!("{published} decisions were published for {} messages", self.messages);
        if published == self.messages { Ok(()) } else { Err(Error::other(what())) }
    }

    fn is_within_bounds(&self) -> bool {
        self.memory_bytes <= MEMORY_BYTES_MAX && self.program.zip_bytes <= ZIP_BYTES_MAX
    }
}

async fn measure_batches(both: &mut [Measured; 2]) -> Result<()> {
    let mut functions = Vec::new();
    for measured in both.iter_mut() {
        functions.push(measured.start().await?.0);
    }
    // The first round is a warm-up, because DynamoDB Local gets faster for a while.
    for is_measured in std::iter::once(false).chain([true; ROUNDS]) {
        for kind in 0..BATCHES_KINDS.len() {
            for (measured, function) in both.iter_mut().zip(&mut functions) {
                let (wall, processor) = measured.round(function, kind).await?;
                if is_measured {
                    measured.wall[kind].push(wall);
                    measured.processor[kind].push(processor);
                }
            }
        }
    }
    for (measured, function) in both.iter_mut().zip(&functions) {
        measured.memory_bytes = function.memory_peak()?;
    }
    Ok(())
}

fn table(loadgate: &Measured, plain: &Measured) -> String {
    let mut table = Table::new(["", "loadgate", "plain handler", "ratio", "required", "holds"]);
    let mut times = |what: String, of: &dyn Fn(&Measured) -> &Vec<Duration>| {
        let [ours, theirs] = [loadgate, plain].map(|measured| median(of(measured)).as_secs_f64() * 1000.0);
        let none = String::new;
        table.row(&[what, format!("{ours:.2}"), format!("{theirs:.2}"), ratio(ours / theirs), none(), none()]);
    };
    times("start to first request for work, ms".to_owned(), &|measured| &measured.first_request);
    times("start to first decision, ms".to_owned(), &|measured| &measured.first_decision);
    times("start to first decision, ms of processor".to_owned(), &|measured| &measured.first_processor);
    for (kind, batch) in BATCHES_KINDS.iter().enumerate() {
        times(format!("{}, ms", batch.name), &|measured| &measured.wall[kind]);
    }
    for (kind, batch) in BATCHES_KINDS.iter().enumerate() {
        times(format!("{}, ms of processor", batch.name), &|measured| &measured.processor[kind]);
    }
    times("under the emulator: first decision, ms".to_owned(), &|measured| &measured.emulated.first_decision);
    for (kind, batch) in BATCHES_KINDS.iter().enumerate() {
        times(format!("under the emulator: {}, ms", batch.name), &|measured| &measured.emulated.wall[kind]);
    }
    let mut bytes = |what: &str, of: &dyn Fn(&Measured) -> u64, max: u64| {
        let [ours, theirs] = [loadgate, plain].map(|measured| mebibytes(of(measured)));
        let holds = if of(loadgate) <= max { "yes" } else { "NO" };
        let required = format!("at most {:.0}", mebibytes(max));
        let [ours_text, theirs_text] = [ours, theirs].map(|mebibytes| format!("{mebibytes:.2}"));
        table.row(&[what.to_owned(), ours_text, theirs_text, ratio(ours / theirs), required, holds.to_owned()]);
    };
    bytes("peak resident memory, MiB", &|measured| measured.memory_bytes, MEMORY_BYTES_MAX);
    bytes("zip file, MiB", &|measured| measured.program.zip_bytes, ZIP_BYTES_MAX);
    let kinds = BATCHES_KINDS.len();
    format!(
        "{}\n\nMedians of {COLD_STARTS} cold starts, and of {ROUNDS} rounds of {BATCHES} batches of each of {kinds} kinds; \
         in turns.",
        table.markdown()
    )
}

fn ratio(ratio: f64) -> String {
    format!("{ratio:.2}x")
}

#[allow(clippy::cast_precision_loss)]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
