//! `make bench-store`: pace of the replay through a store, as a share of the pace of bare transactions.
//!
//! Both write the same data into fresh tables, in turns, each as a child process: `loadgate replay --store`, and this
//! program, which only sends the commits of that replay. Both report their own time, without their start.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::indexing_slicing
)]

mod bare;
#[path = "../shared/mod.rs"]
mod shared;

use std::fmt::Write;
use std::io::{Error, Result};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::Select;
use loadgate::adapters::aws;
use loadgate::adapters::dynamodb::tables::Tables;
use loadgate::config::TableNames;
use serde_json::{Value, json};
use shared::page::put;
use shared::server::Server;
use shared::table::Table;

/// Number of rounds that count. One more round before them warms up the server.
const ROUNDS: usize = 5;

/// Number of customers that are decided at once, and so of transactions in flight. It is the replay's default.
const IN_FLIGHT: NonZeroUsize = NonZeroUsize::new(32).unwrap();

/// Minimum pace of the replay, as a share of the bare transactions' pace.
const SHARE_MIN: f64 = 0.8;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["bare", store, names, input] => {
            send(store, names, Path::new(input)).await?;
            Ok(ExitCode::SUCCESS)
        }
        _ => bench().await,
    }
}

/// Runs the bare transactions, as a child process.
async fn send(store: &str, name: &str, input: &Path) -> Result<()> {
    let embedded = match store.strip_prefix("sqlite:") {
        Some(path) => Some(Server::embedded(Some(Path::new(path))).await?),
        None => None,
    };
    let url = embedded.as_ref().map_or(store, |server| server.url.as_str());
    let sent = bare::run(url, names(name), input, IN_FLIGHT).await?;
    println!("{}", json!({"elapsed_ms": u64::try_from(sent.elapsed.as_millis()).ok(), "commits": sent.commits}));
    Ok(())
}

async fn bench() -> Result<ExitCode> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench");
    std::fs::create_dir_all(&folder)?;
    let local = Server::dynamodb_local()?;
    let (mut of_local, mut of_sqlite) =
        (Compared::new(&folder, 10_000, 2_000)?, Compared::new(&folder, 20_000, 4_000)?);
    for round in 0..=ROUNDS {
        of_local.round(&local.url, round).await?;
        let file = folder.join(format!("store-{round}"));
        of_sqlite.round(&format!("sqlite:{}", file.display()), round).await?;
    }
    let mut table = Table::new(["through", "attempts", "commits", "the replay's pace, of bare", "required", "holds"]);
    of_local.add_row("DynamoDB Local", &mut table);
    of_sqlite.add_row("embedded, in a file", &mut table);
    let is_same = of_local.is_same && of_sqlite.is_same;
    let mut text = format!(
        "Medians of {ROUNDS} rounds, each a replay and then the bare commits; {IN_FLIGHT} on their way at once.\n\n"
    );
    let _ = write!(text, "{}\n\nBoth have left the same records and rows: {}", table.markdown(), yes_or_no(is_same));
    put("PERFORMANCE.md", "store", &text)?;
    Ok(if is_same { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Comparison of a replay with the bare transactions.
struct Compared {
    input: PathBuf,
    attempts: u64,
    commits: u64,
    /// Time of the bare transactions as a share of the replay's time, by round.
    shares: Vec<f64>,
    /// True if both have left the same number of records and rows in every round.
    is_same: bool,
}

impl Compared {
    fn new(folder: &Path, attempts: u64, customers: u64) -> Result<Compared> {
        let input = folder.join(format!("store-{attempts}.jsonl"));
        let mut generate = Command::new(env!("CARGO_BIN_EXE_loadgate"));
        generate.args(["generate", "--duplicates", "5", "--invalid", "1", "--attempts", &attempts.to_string()]);
        generate.args(["--customers", &customers.to_string(), "--output"]).arg(&input);
        if !generate.status()?.success() {
            return Err(Error::other("loadgate generate failed"));
        }
        Ok(Compared { input, attempts, commits: 0, shares: vec![], is_same: true })
    }

    /// Runs both over a store. The first round is not counted.
    async fn round(&mut self, store: &str, round: usize) -> Result<()> {
        let this = std::env::current_exe()?;
        let bare = |store: &str, name: &str, input: &Path| {
            let mut command = Command::new(&this);
            command.args(["bare", store, name]).arg(input);
            command
        };
        let (replayed, replay_left) = self.turn(store, &format!("replay-{round}"), replay).await?;
        let (sent, bare_left) = self.turn(store, &format!("bare-{round}"), bare).await?;
        self.is_same &= replay_left == bare_left;
        self.commits = sent["commits"].as_u64().unwrap_or_default();
        let share = ms(&sent)? / ms(&replayed)?;
        println!("{store}: replay {} ms, bare {} ms", ms(&replayed)?, ms(&sent)?);
        if round > 0 {
            self.shares.push(share);
        }
        Ok(())
    }

    /// Runs one program over fresh tables. Returns its report, and the numbers of records and rows that it leaves.
    async fn turn(
        &self,
        store: &str,
        name: &str,
        program: impl Fn(&str, &str, &Path) -> Command,
    ) -> Result<(Value, [i32; 2])> {
        let Some(prefix) = store.strip_prefix("sqlite:") else {
            let tables = Tables::new(&aws::load(Some(store)).await, names(name));
            tables.create().await.map_err(Error::other)?;
            let report = run_to_end(program(store, name, &self.input))?;
            let left = left(store, name).await?;
            tables.delete().await.map_err(Error::other)?;
            return Ok((report, left));
        };
        let file = PathBuf::from(format!("{prefix}-{name}"));
        let forget = || ["", "-wal", "-shm"].map(|end| std::fs::remove_file(format!("{}{end}", file.display())));
        let _ = forget();
        let report = run_to_end(program(&format!("sqlite:{}", file.display()), name, &self.input))?;
        let left = left(&Server::embedded(Some(&file)).await?.url, name).await?;
        let _ = forget();
        Ok((report, left))
    }

    fn add_row(&self, name: &str, table: &mut Table) {
        let mut shares = self.shares.clone();
        shares.sort_by(f64::total_cmp);
        let share = shares[shares.len() / 2];
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        let holds = yes_or_no(share >= SHARE_MIN).to_owned();
        let required = format!("at least {}", percent(SHARE_MIN));
        let counts = [self.attempts, self.commits].map(|count| count.to_string());
        let [attempts, commits] = counts;
        table.row(&[name.to_owned(), attempts, commits, percent(share), required, holds]);
    }
}

fn replay(store: &str, name: &str, input: &Path) -> Command {
    let TableNames { correlation, load, .. } = names(name);
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgate"));
    command.args(["replay", "--summary", "json", "--customers-in-parallel", &IN_FLIGHT.to_string()]).arg(input);
    command.args(["--correlation-table", &correlation, "--load-table", &load]);
    match store.strip_prefix("sqlite:") {
        Some(_) => command.args(["--store", store]),
        None => command.args(["--store", "dynamodb", "--endpoint-url", store]),
    };
    command
}

/// Runs a program to its end. Returns the last line of its output, which is JSON.
fn run_to_end(mut command: Command) -> Result<Value> {
    let ended = command.stdin(Stdio::null()).output()?;
    let output = if ended.stderr.is_empty() { &ended.stdout } else { &ended.stderr };
    let last = output.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    serde_json::from_slice(last).map_err(|_| Error::other(String::from_utf8_lossy(output).into_owned()))
}

fn ms(report: &Value) -> Result<f64> {
    report["elapsed_ms"].as_f64().ok_or_else(|| Error::other(format!("it does not report its time: {report}")))
}

/// Returns the numbers of records and rows.
async fn left(url: &str, name: &str) -> Result<[i32; 2]> {
    let (client, TableNames { correlation, load, .. }) = (Client::new(&aws::load(Some(url)).await), names(name));
    let mut counts = [0; 2];
    for (table, count) in [correlation, load].into_iter().zip(&mut counts) {
        let mut pages = client.scan().table_name(table).select(Select::Count).into_paginator().send();
        while let Some(page) = pages.next().await {
            *count += page.map_err(Error::other)?.count();
        }
    }
    Ok(counts)
}

fn names(name: &str) -> TableNames {
    TableNames { correlation: format!("{name}-records"), load: format!("{name}-usage"), limit: None, log: None }
}

const fn yes_or_no(holds: bool) -> &'static str {
    if holds { "yes" } else { "no" }
}
