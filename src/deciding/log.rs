//! The decision log: one entry for each decision, under the run that made it. An entry is written after its decision is
//! stored, and follows from the record alone. So whoever settles the event later writes the same entry again.

#[cfg(feature = "cli")]
use std::num::NonZeroU32;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::backoff::{Backoff, retried};
use super::{Cause, Clock, LOG_ENTRIES_MAX, Metered, Remedy, Store, StoreError, Units, expiry, remedy};
use crate::domain::{LogEntry, LogPosition};

/// Number of entries of a run that are read together before they are deleted.
const PAGE_MAX: u16 = 500;

/// Tries to write entries that no queue delivers again, those of a replay: 7 s in all. A run is one partition of the
/// table, which takes 1,000 entries a second.
const PATIENT_TRIES: Backoff = Backoff::new(10, Duration::from_millis(25), Duration::from_secs(2));

/// The decision log of a store.
#[derive(Clone, Copy, Debug)]
pub struct DecisionLog {
    /// Lifetime of an entry, from its decision; `None` if new decisions are not logged. Decisions with a position in the
    /// log are still written to it.
    pub retention: Option<TimeDelta>,
    /// Returns a new id of a run.
    pub new_run_id: fn(DateTime<Utc>) -> String,
}

/// A run: one invocation of the function, one batch of the worker, or one replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The id.
    pub id: String,
    /// Lifetime of an entry of the log, from its decision.
    pub retention: TimeDelta,
}

/// Some entries of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPage {
    /// The entries, in the order of their sequence numbers.
    pub entries: Vec<LogEntry>,
    /// The sequence number behind which the next page begins; `None` at the end.
    pub next: Option<u64>,
}

/// Place in the whole log, behind which a scan continues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStart {
    /// The run.
    pub run_id: String,
    /// The sequence number.
    pub seq: u64,
}

/// Some entries of the whole log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogScan {
    /// The entries, in no order.
    pub entries: Vec<LogEntry>,
    /// The place behind which the scan continues; `None` at the end.
    pub next: Option<LogStart>,
    /// Capacity consumed.
    pub units: Units,
}

/// Reading of the decision log, and removal of entries.
pub trait LogReader: Send + Sync {
    /// Reads at most `max` entries of a run, in order, strongly consistent: the first ones, or those behind a sequence
    /// number. Expired ones are included, because a store may delete them late.
    fn read_run(
        &self,
        run_id: &str,
        after: Option<u64>,
        max: u16,
    ) -> impl Future<Output = Result<LogPage, StoreError>> + Send;

    /// Deletes at most [`LOG_ENTRIES_MAX`] entries of a run. Returns those that are not deleted.
    fn delete_entries(&self, run_id: &str, seqs: &[u64]) -> impl Future<Output = Result<Vec<u64>, StoreError>> + Send;

    /// Reads at most `max` entries of the whole log, in no order: from the beginning, or behind a place. The read may miss
    /// the latest writes. Expired ones are included.
    fn scan_log(&self, start: Option<LogStart>, max: u16) -> impl Future<Output = Result<LogScan, StoreError>> + Send;
}

impl DecisionLog {
    /// Begins a run; `None` if new decisions are not logged.
    pub fn new_run(self, now: DateTime<Utc>) -> Option<Run> {
        self.retention.map(|retention| Run { id: (self.new_run_id)(now), retention })
    }
}

impl Run {
    /// Returns the position of a decision that is made now.
    pub fn position(&self, seq: u64, now: DateTime<Utc>) -> LogPosition {
        LogPosition { run_id: self.id.clone(), seq, expires_at: expiry(now, self.retention) }
    }
}

/// Returns at most `max` entries of a run, in order: the first ones, or those behind a sequence number. Expired ones are
/// left out. A page before the end has at least one entry.
///
/// # Errors
/// [`StoreError`] when the log cannot be read, or cannot be understood.
pub async fn run_page(
    store: &impl LogReader,
    clock: &impl Clock,
    run_id: &str,
    mut after: Option<u64>,
    max: u16,
) -> Result<LogPage, StoreError> {
    let now = clock.now();
    loop {
        let mut page = store.read_run(run_id, after, max).await?;
        page.entries.retain(|entry| !entry.is_expired(now));
        if !page.entries.is_empty() || page.next.is_none() {
            return Ok(page);
        }
        after = page.next;
    }
}

/// Deletes the entries of a run, and returns their number.
///
/// # Errors
/// [`StoreError`] when an entry is not known to be deleted. Repeating is safe.
pub async fn delete_run(store: &impl LogReader, clock: &impl Clock, run_id: &str) -> Result<u64, StoreError> {
    let (mut deleted, mut after) = (0, None);
    loop {
        let page = retried(PATIENT_TRIES, clock, || store.read_run(run_id, after, PAGE_MAX)).await?;
        let seqs: Vec<u64> = page.entries.iter().map(|entry| entry.position.seq).collect();
        for seqs in seqs.chunks(LOG_ENTRIES_MAX) {
            delete_all(store, clock, run_id, seqs.to_vec()).await?;
            deleted += seqs.len() as u64;
        }
        after = page.next;
        if after.is_none() {
            return Ok(deleted);
        }
    }
}

async fn delete_all(
    store: &impl LogReader,
    clock: &impl Clock,
    run_id: &str,
    mut seqs: Vec<u64>,
) -> Result<(), StoreError> {
    let mut tries = PATIENT_TRIES;
    loop {
        seqs = retried(PATIENT_TRIES, clock, || store.delete_entries(run_id, &seqs)).await?;
        if seqs.is_empty() {
            return Ok(());
        }
        if !tries.again(clock).await {
            return Err(not_taken());
        }
    }
}

/// Writes entries, in as many requests as they need.
///
/// # Errors
/// [`StoreError`] when an entry is not known to be written.
pub async fn write_log(
    store: &impl Store,
    clock: &impl Clock,
    mut entries: Vec<LogEntry>,
) -> Result<Units, StoreError> {
    // Two messages may have brought one pending decision. DynamoDB refuses a request that names a key twice.
    let key = |entry: &LogEntry| (entry.position.run_id.clone(), entry.position.seq);
    entries.sort_by_cached_key(key);
    entries.dedup_by_key(|entry| key(entry));
    let mut units = Units::default();
    for request in entries.chunks(LOG_ENTRIES_MAX) {
        units += write_request(store, clock, request.iter().collect()).await?;
    }
    Ok(units)
}

/// Returns the time in which a table with so many read units a second earns what a scan has consumed.
#[cfg(feature = "cli")]
pub fn scan_pause(consumed: Units, read_units: NonZeroU32) -> Duration {
    Duration::from_millis(consumed.read_halves.saturating_mul(500) / u64::from(read_units.get()))
}

async fn write_request(
    store: &impl Store,
    clock: &impl Clock,
    mut entries: Vec<&LogEntry>,
) -> Result<Units, StoreError> {
    let (mut units, mut tries) = (Units::default(), PATIENT_TRIES);
    loop {
        let error = match store.write_log(&entries).await {
            Ok(Metered { value: left, units: consumed }) => {
                units += consumed;
                entries = left.into_iter().filter_map(|place| entries.get(place).copied()).collect();
                if entries.is_empty() {
                    return Ok(units);
                }
                not_taken()
            }
            Err(error) => error,
        };
        if remedy(&error) == Remedy::GiveUp || !tries.again(clock).await {
            return Err(error);
        }
    }
}

/// Tries to write entries, after which their messages are left for redelivery. The client also repeats requests by
/// itself.
pub(super) const BATCH_TRIES: Backoff = Backoff::new(3, Duration::from_millis(50), Duration::from_secs(1));

/// Returns the error of an entry that the store has left out.
pub(super) fn not_taken() -> StoreError {
    StoreError::Throttled(Cause::new("the decision log did not take an entry"))
}
