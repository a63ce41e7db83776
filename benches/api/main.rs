//! `make bench-api`: time of reading a customer's usage over HTTP, with 50 clients at once.
//!
//! `loadgate api` runs as a process of its own, over a DynamoDB inside this one. The bare reads are the same requests to the
//! same DynamoDB, sent from here, with nothing around them. Both run in turns.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::indexing_slicing
)]

mod clients;
#[path = "../shared/mod.rs"]
mod shared;

use std::fmt::Write;
use std::io::{BufRead, BufReader, Error, Result};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use clients::{CLIENTS, PACED_PER_SECOND, Pace, Times, by_http, by_store};
use loadgate::adapters::dynamodb::DynamoDb;
use loadgate::adapters::dynamodb::tables::Tables;
use loadgate::adapters::{SystemClock, aws};
use loadgate::config::TableNames;
use loadgate::deciding::{Decider, Delivery, Group, MessageSource, PlanCache};
use loadgate::domain::{
    AttemptText, Cents, Change, Currency, LimitEvent, Limits, LoadAttempt, Millis, OwnLimit, OwnLimitKind,
    OwnLimitStatus, OwnPeriod,
};
use loadgate::limits::LimitApplier;
use shared::page::put;
use shared::server::Server;
use shared::table::Table;

/// Number of rounds that count. One more round before them warms up both.
const ROUNDS: usize = 5;

/// Number of customers. Each client reads another one with each request.
const CUSTOMERS: usize = 500;

/// Maximum time of a read at the 99th percentile.
const P99_MAX: Duration = Duration::from_millis(20);

/// The instant for which usage is read: the day of the loads.
const AT: &str = "2026-01-06T12:00:00Z";

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let database = Server::embedded(None).await?;
    let decider = filled(&database.url).await.map_err(Error::other)?;
    let api = Api::start(&database.url)?;
    let mut table = Table::new(["customer", "read", "p50", "p99", "required", "holds", "flat out, a second"]);
    let mut holds = true;
    for (name, prefix) in [("without limits of its own", "plain"), ("with two limits of its own", "own")] {
        let (mut http, mut bare) = (Rounds::default(), Rounds::default());
        for round in 0..=ROUNDS {
            for pace in [Pace::Paced, Pace::FlatOut] {
                http.add(round, pace, by_http(api.address, prefix, pace).await?);
                bare.add(round, pace, by_store(&decider, prefix, pace).await?);
            }
        }
        holds &= http.p99() <= P99_MAX;
        let required = format!("p99 at most {} ms", P99_MAX.as_millis());
        let verdict = if http.p99() <= P99_MAX { "yes" } else { "**no**" };
        table.row(&http.row(name, "over HTTP", &required, verdict));
        table.row(&bare.row(name, "bare", "", ""));
    }
    let mut text = format!(
        "Medians of {ROUNDS} rounds; {CLIENTS} clients at once, which read {PACED_PER_SECOND} times a second together. *Flat out*: \
         the reads a second if each client asks again as soon as it has an answer.\n\n"
    );
    let _ = write!(text, "{}", table.markdown());
    put("PERFORMANCE.md", "api", &text)?;
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Times of several rounds.
#[derive(Default)]
struct Rounds {
    paced: Vec<Times>,
    flat_out: Vec<Times>,
}

impl Rounds {
    /// Adds the times of a round. The first one is not counted.
    fn add(&mut self, round: usize, pace: Pace, times: Times) {
        println!("round {round}: {times:?}");
        if round > 0 {
            let rounds = if pace == Pace::Paced { &mut self.paced } else { &mut self.flat_out };
            rounds.push(times);
        }
    }

    fn p99(&self) -> Duration {
        median(self.paced.iter().map(|times| times.p99))
    }

    fn row(&self, name: &str, read: &str, required: &str, verdict: &str) -> [String; 7] {
        let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
        let p50 = median(self.paced.iter().map(|times| times.p50));
        let mut paces: Vec<f64> = self.flat_out.iter().map(|times| times.per_second).collect();
        paces.sort_by(f64::total_cmp);
        let pace = format!("{:.0}", paces[paces.len() / 2]);
        [name.to_owned(), read.to_owned(), ms(p50), ms(self.p99()), required.to_owned(), verdict.to_owned(), pace]
    }
}

fn median(values: impl Iterator<Item = Duration>) -> Duration {
    let mut sorted: Vec<Duration> = values.collect();
    sorted.sort();
    sorted[sorted.len() / 2]
}

fn names() -> TableNames {
    TableNames { limit: Some("LimitTable".to_owned()), ..TableNames::default() }
}

/// Fills the tables with customers, each with three loads. Half of them have own limits.
async fn filled(url: &str) -> std::result::Result<Decider<DynamoDb, SystemClock>, Failure> {
    let sdk = aws::load(Some(url)).await;
    Tables::new(&sdk, names()).create().await?;
    let store = DynamoDb::new(&sdk, names());
    let applier = LimitApplier { store: store.clone(), clock: SystemClock };
    let decider = Decider {
        store,
        clock: SystemClock,
        limits: Limits::default(),
        plans: PlanCache::default(),
        has_limit_table: true,
        currency: Currency::USD,
        correlation_ttl: TimeDelta::days(15),
        log: None,
    };
    for customer in (0..CUSTOMERS).flat_map(|number| ["plain", "own"].map(|prefix| format!("{prefix}-{number}"))) {
        let periods = [OwnPeriod::Day, OwnPeriod::Week];
        for period in periods.into_iter().filter(|_| customer.starts_with("own")) {
            applier.apply(&created(&customer, period)).await?;
        }
        let deliveries = (0..3).map(|number| delivery(&customer, number)).collect::<std::result::Result<_, _>>()?;
        decider.decide_all(Group { deliveries, run: None }, None).await.map_err(|undecided| undecided.reason)?;
    }
    Ok(decider)
}

fn created(customer: &str, period: OwnPeriod) -> LimitEvent {
    let limit = OwnLimit {
        limit_id: format!("{customer}-{}", period.name()),
        user_id: customer.to_owned(),
        brand_id: None,
        kind: OwnLimitKind::Deposit,
        period,
        currency: Currency::USD,
        value: Cents::new(1_000_00),
        status: OwnLimitStatus::Active,
        active_from: Millis::of(DateTime::UNIX_EPOCH),
        active_until: None,
        raises: vec![],
        pending: None,
    };
    let change = Some(Change::Created { limit: Box::new(limit), progress: None });
    LimitEvent { sequence_number: 1, created_at: Millis::of(DateTime::UNIX_EPOCH), change }
}

fn delivery(customer: &str, number: usize) -> std::result::Result<Delivery, Failure> {
    let written = AttemptText {
        id: number.to_string().into(),
        customer_id: customer.into(),
        load_amount: "$10.00".into(),
        time: AT.into(),
    };
    let attempt = LoadAttempt::check(written.clone())?;
    let source = MessageSource { message_id: number.to_string(), ..MessageSource::default() };
    Ok(Delivery::new(0, source, &written, attempt, Currency::USD))
}

/// A running `loadgate api`. It is killed when it is dropped.
struct Api {
    child: Child,
    address: SocketAddr,
}

impl Api {
    fn start(dynamodb_url: &str) -> Result<Api> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadgate"));
        command.args(["api", "--listen", "127.0.0.1:0", "--endpoint-url", dynamodb_url, "--limit-table", "LimitTable"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let log = child.stderr.take().ok_or_else(|| Error::other("no log"))?;
        let mut line = String::new();
        BufReader::new(log).read_line(&mut line)?;
        let started: serde_json::Value = serde_json::from_str(&line)?;
        let address = started["listen"].as_str().and_then(|address| address.parse().ok());
        Ok(Api { child, address: address.ok_or_else(|| Error::other(line))? })
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
