//! `make bench-assign`: an assignment job of 10,000 customers, with a stream of decisions meanwhile.
//!
//! The job's own workers link the customers over Amazon's DynamoDB Local, from a queue in this process, at three numbers of
//! workers. A plain loop that links each customer with a transaction of link and counter goes over the embedded DynamoDB, which
//! counts transactions as Amazon's does. The units are those of the servers' answers.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::indexing_slicing
)]

mod decisions;
#[path = "../dynamodb/meter.rs"]
mod meter;
mod plain;
mod queue;
#[path = "../shared/mod.rs"]
mod shared;

use std::fmt::Write;
use std::io::{Error, Result};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use decisions::{Stream, Times};
use futures_util::{StreamExt, stream};
use loadgate::adapters::dynamodb::DynamoDb;
use loadgate::adapters::dynamodb::tables::Tables;
use loadgate::adapters::{SystemClock, aws};
use loadgate::config::TableNames;
use loadgate::deciding::Clock;
use loadgate::deciding::consumer::Deadline;
use loadgate::domain::{JobMessage, JobState, JobTask, Limits, Millis, PlanVersion};
use loadgate::limits::jobs::{JobDelivery, JobReader, JobReport, JobStarter, JobWorker, NewJob};
use loadgate::limits::{Author, Enrollment, Membership, PlanStore, Program, ProgramStore, StoredPlan};
use meter::{Cost, Meter};
use queue::BenchQueue;
use shared::page::put;
use shared::server::Server;
use shared::table::Table;

/// Number of customers of the programme.
const CUSTOMERS: usize = 10_000;

/// Numbers of workers: `AssignConcurrency`.
const WORKERS: [usize; 3] = [2, 5, 10];

/// Maximum number of write units of a job.
const UNITS_MAX: f64 = 10_600.0;

/// Time for which decisions are measured without a job.
const QUIET: Duration = Duration::from_secs(10);

const PROGRAM: &str = "gold";

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let server = Server::dynamodb_local()?;
    let (mut rows, mut holds) = (Vec::new(), true);
    for (round, workers) in WORKERS.into_iter().enumerate() {
        let names = names(&format!("jobs-{round}"));
        let store = filled(&server.url, &names).await?;
        let quiet = Stream::start(&store).measure_for(QUIET).await;
        let job = job(&server.url, &names, workers).await?;
        holds &= units(&job.cost) <= UNITS_MAX;
        rows.push((format!("a job, {workers} workers"), job, quiet));
    }
    let plain = plain::linked(CUSTOMERS).await?;
    publish(&rows, &plain)?;
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Result of one job.
struct Linked {
    elapsed: Duration,
    cost: Cost,
    throttled: u64,
    /// Times of the decisions meanwhile.
    decisions: Times,
}

fn names(name: &str) -> TableNames {
    TableNames {
        correlation: format!("{name}-records"),
        load: format!("{name}-usage"),
        limit: Some(format!("{name}-limits")),
        log: None,
    }
}

fn customer(number: usize) -> String {
    format!("customer-{number:05}")
}

fn plan() -> PlanVersion {
    PlanVersion { plan_id: "standard".to_owned(), version: 1 }
}

/// Creates tables with a plan and a programme of all customers.
async fn filled(url: &str, names: &TableNames) -> Result<DynamoDb> {
    let sdk = aws::load(Some(url)).await;
    Tables::new(&sdk, names.clone()).create().await.map_err(Error::other)?;
    let store = DynamoDb::new(&sdk, names.clone());
    let stored = StoredPlan {
        plan: plan(),
        limits: Limits::default(),
        created_at: Millis::of(SystemClock.now()),
        created_by: Author("bench".to_owned()),
    };
    store.add_plan_version(&stored).await.map_err(Error::other)?;
    store.write_program(PROGRAM, &Program::default()).await.map_err(Error::other)?;
    let enrolled = stream::iter(0..CUSTOMERS).map(|number| {
        let store = store.clone();
        async move {
            let after = Some(PROGRAM.to_owned());
            store.enroll(&Enrollment { customer_id: customer(number), before: Membership::default(), after }).await
        }
    });
    let results: Vec<_> = enrolled.buffer_unordered(8).collect().await;
    results.into_iter().collect::<std::result::Result<Vec<()>, _>>().map_err(Error::other)?;
    Ok(store)
}

/// Performs a job with so many workers, while decisions are made.
async fn job(url: &str, names: &TableNames, workers: usize) -> Result<Linked> {
    let meter = Meter::before(url).await?;
    let store = DynamoDb::new(&aws::load(Some(&meter.url)).await, names.clone());
    let queue = BenchQueue::default();
    // Decisions go past the meter.
    let decisions = Stream::start(&DynamoDb::new(&aws::load(Some(url)).await, names.clone()));
    let begun = Instant::now();
    let starter = JobStarter { store: store.clone(), queue: queue.clone(), clock: SystemClock };
    let new =
        NewJob { program_id: PROGRAM.to_owned(), plan: plan(), is_dry_run: false, by: Author("bench".to_owned()) };
    let number = starter.start(new, &|_| None).await.map_err(Error::other)?.number;
    let tasks: Vec<_> = (0..workers)
        .map(|_| tokio::spawn(work(JobWorker::new(store.clone(), queue.clone(), SystemClock), queue.clone())))
        .collect();
    let mut throttled = 0;
    for task in tasks {
        throttled += task.await?.throttled;
    }
    let elapsed = begun.elapsed();
    let decisions = decisions.end().await;
    // The end of the job, for which a function would wait 15 s.
    let worker = JobWorker::new(store.clone(), queue, SystemClock);
    handle(&worker, JobMessage { number, task: JobTask::Finish }).await;
    let cost = meter.read().into_values().fold(Cost::default(), |mut sum, cost| {
        sum += cost;
        sum
    });
    let reader = JobReader { store: &store, clock: &SystemClock };
    let ended = reader.get(number).await.map_err(Error::other)?;
    let is_done =
        ended.as_ref().is_some_and(|job| job.job.state == JobState::Done && job.counts.linked == CUSTOMERS as u64);
    if !is_done {
        return Err(Error::other(format!("the job has not linked all customers: {ended:?}")));
    }
    Ok(Linked { elapsed, cost, throttled, decisions })
}

/// One worker, until the queue is empty.
async fn work(worker: JobWorker<DynamoDb, BenchQueue, SystemClock>, queue: BenchQueue) -> JobReport {
    let mut report = JobReport::default();
    while let Some(message) = queue.next().await {
        report.throttled += handle(&worker, message).await.throttled;
        queue.done();
    }
    report
}

async fn handle(worker: &JobWorker<DynamoDb, BenchQueue, SystemClock>, message: JobMessage) -> JobReport {
    let now = SystemClock.now();
    let delivery = JobDelivery { message: Some(message), receive_count: 1, sent_at: Some(now) };
    let handled = worker.handle(&[delivery], Deadline::before(now + TimeDelta::minutes(1), now)).await;
    assert!(handled.failed.is_empty(), "a step has failed");
    handled.report
}

/// Returns the write units, with those of refused writes, which no answer names.
fn units(cost: &Cost) -> f64 {
    cost.write_units + cost.refused
}

fn publish(rows: &[(String, Linked, Times)], plain: &(Duration, Cost)) -> Result<()> {
    let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
    let mut table = Table::new([
        "10,000 customers",
        "time",
        "write units",
        "requests",
        "throttled",
        "decisions p50, alone",
        "meanwhile",
        "p99, alone",
        "meanwhile",
    ]);
    for (name, job, quiet) in rows {
        table.row(&[
            name.clone(),
            format!("{:.1} s", job.elapsed.as_secs_f64()),
            format!("{:.0}", units(&job.cost)),
            format!("{:.0}", job.cost.requests),
            job.throttled.to_string(),
            ms(quiet.p50),
            ms(job.decisions.p50),
            ms(quiet.p99),
            ms(job.decisions.p99),
        ]);
    }
    let (elapsed, cost) = plain;
    table.row(&[
        "a transaction of link and counter each".to_owned(),
        format!("{:.1} s", elapsed.as_secs_f64()),
        format!("{:.0}", units(cost)),
        format!("{:.0}", cost.requests),
        String::new(),
        String::new(),
        String::new(),
        String::new(),
        String::new(),
    ]);
    let mut text = format!("Required: at most {UNITS_MAX:.0} write units a job.\n\n");
    let _ = write!(text, "{}", table.markdown());
    put("PERFORMANCE.md", "assign", &text)
}
