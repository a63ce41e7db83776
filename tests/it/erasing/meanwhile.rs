//! Erasure of a customer while others write.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use loadgate::adapters::MemoryStore;
use loadgate::deciding::{Clock, LogPage, LogReader, LogScan, LogStart, RecordPage, RecordReader, StoreError};
use loadgate::erasing::{CustomerItem, ErasableStore, EraseError, Eraser, Holdings, LimitScan, LimitStart, Survey};

use super::{CUSTOMER, FILLED, attempts, clock, decide, eraser, fill_all, later, survey};
use crate::support::cloud::Fresh;
use crate::support::line;
use crate::support::records::now;
use crate::support::stores::forward_store;

/// A customer without a long limit, and so without a fence.
const WITHOUT_FENCE: &str = "without fence";

/// What others do between the reads of an erasure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meanwhile {
    /// The scan of the log misses every entry, as one that is eventually consistent may miss the latest.
    LogScanMisses,
    /// An event is decided before the scan of the log.
    DecidedBeforeRecords,
    /// An event is decided after the records were deleted.
    DecidedAfterRecords,
}

/// A store in memory in which others are at work.
struct Busy {
    inner: MemoryStore,
    customer_id: &'static str,
    meanwhile: Meanwhile,
}

impl Busy {
    async fn new(customer_id: &'static str, meanwhile: Meanwhile) -> Busy {
        let inner = MemoryStore::default();
        fill_all(&inner).await;
        decide(inner.clone(), WITHOUT_FENCE, now(), attempts(WITHOUT_FENCE)).await;
        Busy { inner, customer_id, meanwhile }
    }

    async fn decide(&self) {
        let attempt = line("meanwhile", self.customer_id, "$1.00", "2026-01-05T10:00:00Z");
        let decisions = decide(self.inner.clone(), "meanwhile", later(), attempt).await;
        assert_eq!(decisions.lines().count(), 1);
    }
}

forward_store!(Busy, |busy| &busy.inner);

impl RecordReader for Busy {
    async fn read_records(&self, customer_id: &str, after: Option<&str>, max: u16) -> Result<RecordPage, StoreError> {
        self.inner.read_records(customer_id, after, max).await
    }
}

impl LogReader for Busy {
    async fn read_run(&self, run_id: &str, after: Option<u64>, max: u16) -> Result<LogPage, StoreError> {
        self.inner.read_run(run_id, after, max).await
    }

    async fn delete_entries(&self, run_id: &str, seqs: &[u64]) -> Result<Vec<u64>, StoreError> {
        self.inner.delete_entries(run_id, seqs).await
    }

    async fn scan_log(&self, start: Option<LogStart>, max: u16) -> Result<LogScan, StoreError> {
        match self.meanwhile {
            Meanwhile::LogScanMisses => Ok(LogScan::default()),
            Meanwhile::DecidedBeforeRecords => {
                self.decide().await;
                self.inner.scan_log(start, max).await
            }
            Meanwhile::DecidedAfterRecords => self.inner.scan_log(start, max).await,
        }
    }
}

impl ErasableStore for Busy {
    async fn scan_limits(
        &self,
        customer_id: &str,
        start: Option<LimitStart>,
        max: u16,
    ) -> Result<LimitScan, StoreError> {
        if self.meanwhile == Meanwhile::DecidedAfterRecords {
            self.decide().await;
        }
        self.inner.scan_limits(customer_id, start, max).await
    }

    async fn delete_items(&self, items: &[CustomerItem]) -> Result<Vec<usize>, StoreError> {
        self.inner.delete_items(items).await
    }

    async fn delete_fence(&self, customer_id: &str, version: u64) -> Result<(), StoreError> {
        self.inner.delete_fence(customer_id, version).await
    }
}

#[tokio::test]
async fn entries_of_the_log_that_a_scan_misses_are_deleted_through_their_records() {
    let store = Busy::new(CUSTOMER, Meanwhile::LogScanMisses).await;
    let erased = eraser(&store, &clock()).erase(CUSTOMER).await.unwrap();
    assert_eq!(erased, Holdings { log_entries: 0, ..FILLED }, "the scan counts them");
    assert_eq!(survey(&store.inner, CUSTOMER).await, Survey::default());
}

#[tokio::test]
async fn a_decision_during_the_erasure_ends_it_and_stays() {
    for meanwhile in [Meanwhile::DecidedBeforeRecords, Meanwhile::DecidedAfterRecords] {
        for (customer_id, fences) in [(CUSTOMER, 1), (WITHOUT_FENCE, 0)] {
            let store = Busy::new(customer_id, meanwhile).await;
            let ended = eraser(&store, &clock()).erase(customer_id).await.unwrap_err();
            assert!(matches!(ended, EraseError::Decided), "{customer_id}, {meanwhile:?}: {ended}");
            let left = survey(&store.inner, customer_id).await.holdings;
            assert!(left.records > 0 && left.fences == fences, "{customer_id}, {meanwhile:?}: {left:?}");
        }
    }
}

/// A clock that adds up its waits.
struct Waits(AtomicU64);

impl Clock for Waits {
    fn now(&self) -> DateTime<Utc> {
        later()
    }

    async fn sleep(&self, duration: Duration) {
        let waited = u64::try_from(duration.as_millis()).unwrap();
        self.0.fetch_add(waited, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_survey_scans_no_faster_than_it_may() {
    let fresh = Fresh::embedded_with_limits().await;
    // More than one page of the scan.
    let many = (0..600).map(|n| line(&format!("e{n}"), "many", "$1.00", "2026-01-05T10:00:00Z")).collect::<String>();
    decide(fresh.store.clone(), "many", later(), many).await;
    let waited = async |units| {
        let waits = Waits(AtomicU64::new(0));
        let read_units = NonZeroU32::new(units).unwrap();
        let eraser = Eraser { store: &fresh.store, clock: &waits, has_log: true, has_limits: true, read_units };
        assert_eq!(eraser.survey("many").await.unwrap().holdings.log_entries, 600);
        waits.0.into_inner()
    };
    let (slow, fast) = (waited(1).await, waited(10).await);
    assert!(slow > 10_000 && (slow / 10 - fast) <= 1, "{slow} and {fast} ms for the same units");
}
