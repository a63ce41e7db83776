//! Replay through a store: DynamoDB, or an embedded one in a file.

use std::io::Read;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use chrono::TimeDelta;
use clap::value_parser;
use loadgate::adapters::dynamodb::DynamoDb;
use loadgate::adapters::{SystemClock, new_run_id};
use loadgate::config::{
    DECISION_LOG_TABLE, LOG_DAYS_MAX, TTL_HOURS_DEFAULT, TTL_HOURS_MAX, log_retention, retention_problem,
    usage_retention,
};
use loadgate::deciding::{Decider, DecisionLog, PlanCache};
use loadgate::domain::{Currency, Limits};
use loadgate::replay::{ReplayError, ReplayOutput, ReplayReport, StoreReplay};
use loadgate::wire::Reasons;

use crate::cloud::{TableArgs, runtime, url};
use crate::files::named;
use crate::outcome::Failure;
use crate::store_kind::{Connection, StoreKind};

/// Store of events and usage, and name of the run.
#[derive(clap::Args)]
#[command(next_help_heading = "Through a store")]
pub struct StoreArgs {
    /// Keep events and usage in a store: `dynamodb`, or `sqlite:PATH` for a file [default: in memory]
    ///
    /// A run that is repeated, after its end or an interruption, writes the same decisions as a single run.
    #[arg(long, value_name = "STORE", value_parser = StoreKind::parse)]
    store: Option<StoreKind>,

    /// DynamoDB endpoint [default: AWS's own]
    #[arg(long, value_name = "URL", value_parser = url, requires = "store")]
    endpoint_url: Option<String>,

    /// Name of the run. With the line number it distinguishes a repeated run from a duplicate. Give each file a name of
    /// its own [default: the input's file name]
    #[arg(long, value_name = "NAME", requires = "store")]
    run: Option<String>,

    /// Time for which a decided event is remembered. Repeat a run within this time
    #[arg(long, value_name = "HOURS", requires = "store", default_value_t = TTL_HOURS_DEFAULT, value_parser = value_parser!(i64).range(1..=TTL_HOURS_MAX))]
    correlation_ttl_hours: i64,

    /// Write each decision to the decision log, and keep it there for this number of days [default: 0, and decisions are
    /// not logged]
    #[arg(long, value_name = "DAYS", requires = "store", hide_default_value = true, default_value_t = 0, value_parser = value_parser!(i64).range(0..=LOG_DAYS_MAX))]
    decision_log_days: i64,

    /// Number of days for which the usage of a customer without a long limit is kept: 62 to 3660; 0 for ever
    #[arg(long, value_name = "DAYS", requires = "store", default_value = "0", value_parser = Retention::parse)]
    usage_retention_days: Retention,

    /// Number of customers that are decided in parallel
    #[arg(long, value_name = "N", requires = "store", default_value_t = NonZeroUsize::new(32).unwrap_or(NonZeroUsize::MIN))]
    customers_in_parallel: NonZeroUsize,

    #[command(flatten)]
    tables: TableArgs,
}

/// Time for which usage is kept; `None` for ever.
#[derive(Clone, Copy)]
struct Retention(Option<TimeDelta>);

/// A replay through an open store, with the resources that keep the store open.
pub struct StoreEngine {
    replay: StoreReplay<DynamoDb, SystemClock>,
    connection: Connection,
}

impl Retention {
    fn parse(days: &str) -> Result<Retention, String> {
        usage_retention(days).map(Retention)
    }
}

impl StoreArgs {
    /// Returns the run's name; `None` without a store.
    pub fn run_name(&self, input: Option<&Path>) -> Result<Option<String>, Failure> {
        self.store.as_ref().map(|_| run_name(self.run.as_deref(), input)).transpose()
    }

    /// Opens the store and checks that it is usable.
    pub fn open(
        &self,
        run: String,
        limits: Limits,
        currency: Currency,
        reasons: Reasons,
        threads: NonZeroUsize,
    ) -> Result<StoreEngine, Failure> {
        let kind = self.store.as_ref().unwrap_or(&StoreKind::DynamoDb);
        let names = self.tables.names_or(kind.limit_table())?;
        let (has_limit_table, has_log) = (names.limit.is_some(), names.log.is_some());
        let retention = log_retention(self.decision_log_days);
        if retention.is_some() && !has_log {
            let problem = format!(
                "no table of the decision log is named: give --decision-log-table, or set {DECISION_LOG_TABLE}"
            );
            return Err(Failure::Usage(anyhow!(problem)));
        }
        let Retention(usage_retention) = self.usage_retention_days;
        if let Some(problem) = retention_problem(usage_retention, &limits) {
            return Err(Failure::Usage(anyhow!("--usage-retention-days {problem}")));
        }
        let (store, connection) = kind.open(self.endpoint_url.as_deref(), names, runtime(Some(threads))?)?;
        let store = store.keeping_usage_for(usage_retention);
        let correlation_ttl = TimeDelta::hours(self.correlation_ttl_hours);
        let plans = PlanCache::default();
        let log = has_log.then_some(DecisionLog { retention, new_run_id });
        let clock = SystemClock;
        let decider = Decider { store, clock, limits, plans, has_limit_table, currency, correlation_ttl, log };
        let connected = connection.runtime.block_on(decider.store.connect(decider.has_fences()));
        connected.context("could not use the store").map_err(Failure::Io)?;
        let connected = connection.runtime.block_on(decider.store.connect_log());
        connected.context("could not use the decision log").map_err(Failure::Io)?;
        let replay =
            StoreReplay { decider: Arc::new(decider), run, reasons, customers_max: self.customers_in_parallel };
        Ok(StoreEngine { replay, connection })
    }
}

impl StoreEngine {
    pub fn run(self, input: impl Read + Send + 'static, output: ReplayOutput<'_>) -> Result<ReplayReport, ReplayError> {
        let report = self.connection.runtime.block_on(self.replay.run(input, output));
        drop(self.replay);
        self.connection.close();
        report
    }
}

/// Returns the name of a run: the given name, or the name of the input file.
pub fn run_name(given: Option<&str>, input: Option<&Path>) -> Result<String, Failure> {
    let by_file = || named(input).and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    match given.map(str::to_owned).or_else(by_file) {
        Some(name) if !name.is_empty() && name.len() <= 256 => Ok(name),
        Some(_) => Err(Failure::Usage(anyhow!("the run's name must have 1 to 256 bytes"))),
        None => Err(Failure::Usage(anyhow!("standard input has no name: give the run one with --run NAME"))),
    }
}
