//! The bare transactions: the writes of a replay, without reading and deciding, as fast as the store accepts them.
//!
//! The commits are recorded from a replay over a store in memory, before the measured time begins. Then they go
//! through the same client to the same kind of tables, several at once. Each customer's commits stay in order,
//! because their conditions require it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Error, Result, sink};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use loadgate::adapters::dynamodb::DynamoDb;
use loadgate::adapters::dynamodb::tables::Tables;
use loadgate::adapters::{MemoryStore, SystemClock, aws};
use loadgate::config::TableNames;
use loadgate::deciding::{
    AllRows, Commit, Consistency, CorrelationRecord, Decider, FencedLookup, FencedSnapshot, Lookup, Metered, PlanCache,
    PublicationChange, Snapshot, Store, StoreError, Units,
};
use loadgate::domain::{Currency, Limits, LoadError, LogEntry, PlanVersion};
use loadgate::replay::{Entered, Manifest, ManifestEntry, ReplayObserver, ReplayOutput, StoreReplay, Tally};
use loadgate::wire::Reasons;
use tokio::task::JoinSet;

/// Number of commits, and the time that they took.
pub(crate) struct Sent {
    pub(crate) commits: usize,
    pub(crate) elapsed: Duration,
}

/// Writes the commits of a replay of this input into fresh tables, `in_flight` at once.
pub(crate) async fn run(url: &str, names: TableNames, input: &Path, in_flight: NonZeroUsize) -> Result<Sent> {
    let (commits, customers) = recorded(input).await?;
    let sdk = aws::load(Some(url)).await;
    Tables::new(&sdk, names.clone()).create().await.map_err(Error::other)?;
    let store = DynamoDb::new(&sdk, names);
    store.connect(false).await.map_err(Error::other)?;
    let customers = Arc::new(Mutex::new(customers));
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..in_flight.get() {
        tasks.spawn(send(store.clone(), Arc::clone(&customers)));
    }
    while let Some(sent) = tasks.join_next().await {
        sent?.map_err(Error::other)?;
    }
    Ok(Sent { commits, elapsed: begun.elapsed() })
}

async fn send(store: DynamoDb, customers: Arc<Mutex<Vec<Vec<Commit>>>>) -> std::result::Result<(), StoreError> {
    loop {
        let next = customers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some(commits) = next else { return Ok(()) };
        for commit in &commits {
            store.commit(commit).await?;
        }
    }
}

/// Returns the number of commits of a replay, and each customer's commits in order. The customer with most commits is
/// last, and is sent first, so that no long tail slows the end.
async fn recorded(input: &Path) -> Result<(usize, Vec<Vec<Commit>>)> {
    let decider = Decider {
        store: Recorder::default(),
        clock: SystemClock,
        limits: Limits::default(),
        plans: PlanCache::default(),
        has_limit_table: false,
        currency: Currency::USD,
        correlation_ttl: TimeDelta::hours(24),
        log: None,
    };
    let decider = Arc::new(decider);
    let (run, customers_max) = ("bare".to_owned(), NonZeroUsize::MIN);
    let replay = StoreReplay { decider: Arc::clone(&decider), run, reasons: Reasons::Omitted, customers_max };
    replay.run(File::open(input)?, ReplayOutput::new(sink(), None, NoObserver)).await.map_err(Error::other)?;
    let commits = std::mem::take(&mut *decider.store.commits.lock().unwrap_or_else(PoisonError::into_inner));
    let count = commits.len();
    let mut customers = BTreeMap::<String, Vec<Commit>>::new();
    for commit in commits {
        customers.entry(commit.customer_id.clone()).or_default().push(commit);
    }
    let mut customers: Vec<Vec<Commit>> = customers.into_values().collect();
    customers.sort_by_key(Vec::len);
    Ok((count, customers))
}

/// A store that records all commits.
#[derive(Default)]
struct Recorder {
    inner: MemoryStore,
    commits: Mutex<Vec<Commit>>,
}

impl Store for Recorder {
    async fn read(&self, lookup: &Lookup, records: Consistency) -> std::result::Result<Snapshot, StoreError> {
        self.inner.read(lookup, records).await
    }

    async fn read_fenced(&self, lookup: &FencedLookup) -> std::result::Result<FencedSnapshot, StoreError> {
        self.inner.read_fenced(lookup).await
    }

    async fn read_rows(&self, customer_id: &str) -> std::result::Result<AllRows, StoreError> {
        self.inner.read_rows(customer_id).await
    }

    async fn read_default_plan(
        &self,
        program_id: &str,
    ) -> std::result::Result<Metered<Option<PlanVersion>>, StoreError> {
        self.inner.read_default_plan(program_id).await
    }

    async fn read_plan(&self, plan: &PlanVersion) -> std::result::Result<Metered<Limits>, StoreError> {
        self.inner.read_plan(plan).await
    }

    async fn commit(&self, commit: &Commit) -> std::result::Result<Units, StoreError> {
        let units = self.inner.commit(commit).await?;
        self.commits.lock().unwrap_or_else(PoisonError::into_inner).push(commit.clone());
        Ok(units)
    }

    async fn set_publication(&self, record: &CorrelationRecord) -> std::result::Result<PublicationChange, StoreError> {
        self.inner.set_publication(record).await
    }

    async fn write_log(&self, entries: &[&LogEntry]) -> std::result::Result<Metered<Vec<usize>>, StoreError> {
        self.inner.write_log(entries).await
    }
}

impl Manifest for Recorder {
    async fn enter(
        &self,
        entry: &ManifestEntry,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> std::result::Result<Entered, StoreError> {
        self.inner.enter(entry, now, expires_at).await
    }

    async fn find(
        &self,
        run: &str,
        first_line: u64,
        now: DateTime<Utc>,
    ) -> std::result::Result<Option<ManifestEntry>, StoreError> {
        self.inner.find(run, first_line, now).await
    }
}

struct NoObserver;

impl ReplayObserver for NoObserver {
    fn invalid(&mut self, _line: u64, _error: &LoadError) {}

    fn progressed(&mut self, _tally: &Tally) {}
}
