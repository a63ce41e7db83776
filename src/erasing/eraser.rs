//! Survey and deletion of one customer's items.

use std::num::NonZeroU32;

use chrono::{DateTime, Utc};

use super::{CustomerItem, DELETED_MAX, ErasableStore, EraseError, Holdings, LimitScan, Obstacle, Survey};
use crate::deciding::backoff::retried;
use crate::deciding::{
    Cause, Clock, Consistency, CorrelationRecord, Fence, FencedLookup, LogScan, Lookup, SNAPSHOT_AGE_MAX, StoreError,
    UsageKey, scan_pause,
};
use crate::domain::LogPosition;
use crate::limits::TRIES;

/// Maximum number of items of one read.
const PAGE_MAX: u16 = 500;

/// Erases customers.
#[derive(Debug)]
pub struct Eraser<'s, S, C> {
    /// The store.
    pub store: &'s S,
    /// The clock.
    pub clock: &'s C,
    /// True if the store has a decision log.
    pub has_log: bool,
    /// True if the store has a table of customers' own limits.
    pub has_limits: bool,
    /// Maximum number of read units a second of the scans of these two tables.
    pub read_units: NonZeroU32,
}

/// Use of the items that are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Count,
    Delete,
}

/// State of a customer's records.
#[derive(Debug, Default)]
struct Standing {
    pending: u64,
    latest: Option<DateTime<Utc>>,
}

impl Standing {
    fn of(records: &[CorrelationRecord], now: DateTime<Utc>) -> Standing {
        let is_pending = |record: &&CorrelationRecord| record.is_pending() && !record.is_expired(now);
        Standing {
            pending: records.iter().filter(is_pending).count() as u64,
            latest: records.iter().map(|record| record.decision.decided_at).max(),
        }
    }

    fn add(&mut self, other: &Standing) {
        self.pending += other.pending;
        self.latest = self.latest.max(other.latest);
    }

    fn obstacle(&self, now: DateTime<Utc>) -> Option<Obstacle> {
        if self.pending > 0 {
            return Some(Obstacle::Pending { decisions: self.pending });
        }
        let until = self.latest?.checked_add_signed(SNAPSHOT_AGE_MAX).unwrap_or(DateTime::<Utc>::MAX_UTC);
        (now <= until).then_some(Obstacle::Recent { until })
    }
}

impl<S: ErasableStore, C: Clock> Eraser<'_, S, C> {
    /// Counts a customer's items. Deletes nothing.
    ///
    /// # Errors
    /// [`StoreError`] when a table cannot be read, or an item cannot be understood.
    pub async fn survey(&self, customer_id: &str) -> Result<Survey, StoreError> {
        let (records, obstacle) = self.stand(customer_id).await?;
        let fences = u64::from(self.fence(customer_id).await?.version > 0);
        let mut holdings = Holdings { records, fences, ..Holdings::default() };
        self.log(customer_id, Use::Count, &mut holdings).await?;
        self.usage(customer_id, Use::Count, &mut holdings).await?;
        self.limits(customer_id, Use::Count, &mut holdings).await?;
        Ok(Survey { holdings, obstacle })
    }

    /// Deletes a customer's items, and returns their numbers. Repeating is safe.
    ///
    /// # Errors
    /// [`EraseError::Refused`] when a message of the customer is undecided or under way, as far as records show.
    /// [`EraseError::Decided`] when one is decided meanwhile. [`EraseError::Store`] when an item is not known to be deleted.
    pub async fn erase(&self, customer_id: &str) -> Result<Holdings, EraseError> {
        let (_, obstacle) = self.stand(customer_id).await?;
        if let Some(obstacle) = obstacle {
            return Err(EraseError::Refused(obstacle));
        }
        let fence = self.fence(customer_id).await?;
        let mut erased = Holdings::default();
        self.log(customer_id, Use::Delete, &mut erased).await?;
        self.records(customer_id, &mut erased).await?;
        self.usage(customer_id, Use::Delete, &mut erased).await?;
        self.limits(customer_id, Use::Delete, &mut erased).await?;
        if self.stand(customer_id).await?.0 > 0 {
            return Err(EraseError::Decided);
        }
        match self.store.delete_fence(customer_id, fence.version).await {
            Ok(()) => erased.fences = u64::from(fence.version > 0),
            Err(StoreError::Conflict(_)) => return Err(EraseError::Decided),
            Err(error) => return Err(error.into()),
        }
        Ok(erased)
    }

    /// Returns the number of records, and the reason not to erase the customer now.
    async fn stand(&self, customer_id: &str) -> Result<(u64, Option<Obstacle>), StoreError> {
        let (mut number, mut standing, mut after) = (0, Standing::default(), None::<String>);
        loop {
            let read = || self.store.read_records(customer_id, after.as_deref(), PAGE_MAX);
            let page = retried(TRIES, self.clock, read).await?;
            number += page.records.len() as u64;
            standing.add(&Standing::of(&page.records, self.clock.now()));
            after = page.next;
            if after.is_none() {
                return Ok((number, standing.obstacle(self.clock.now())));
            }
        }
    }

    async fn fence(&self, customer_id: &str) -> Result<Fence, StoreError> {
        let lookup = FencedLookup { customer_id: customer_id.to_owned(), ..FencedLookup::default() };
        Ok(retried(TRIES, self.clock, || self.store.read_fenced(&lookup)).await?.fence)
    }

    /// Deletes records page by page, each page behind its entries of the decision log: the scan may have missed the latest.
    async fn records(&self, customer_id: &str, erased: &mut Holdings) -> Result<(), EraseError> {
        let mut after = None::<String>;
        loop {
            let read = || self.store.read_records(customer_id, after.as_deref(), PAGE_MAX);
            let page = retried(TRIES, self.clock, read).await?;
            let now = self.clock.now();
            if Standing::of(&page.records, now).obstacle(now).is_some() {
                return Err(EraseError::Decided);
            }
            if self.has_log {
                let positions = page.records.iter().filter_map(|record| record.decision.log.as_ref());
                let entry = |position: &LogPosition| CustomerItem::LogEntry {
                    run_id: position.run_id.clone(),
                    seq: position.seq,
                };
                self.delete(positions.map(entry).collect()).await?;
            }
            let records = page.records.into_iter().map(|record| CustomerItem::Record(record.decision.key)).collect();
            self.apply(records, Use::Delete, erased).await?;
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn log(&self, customer_id: &str, what: Use, holdings: &mut Holdings) -> Result<(), StoreError> {
        if !self.has_log {
            return Ok(());
        }
        let mut start = None;
        loop {
            let read = || self.store.scan_log(start.clone(), PAGE_MAX);
            let LogScan { entries, next, units } = retried(TRIES, self.clock, read).await?;
            let of_customer = entries.into_iter().filter(|entry| entry.decision.key.customer_id == customer_id);
            let items = of_customer
                .map(|entry| CustomerItem::LogEntry { run_id: entry.position.run_id, seq: entry.position.seq });
            self.apply(items.collect(), what, holdings).await?;
            start = next;
            if start.is_none() {
                return Ok(());
            }
            self.clock.sleep(scan_pause(units, self.read_units)).await;
        }
    }

    async fn usage(&self, customer_id: &str, what: Use, holdings: &mut Holdings) -> Result<(), StoreError> {
        let all = retried(TRIES, self.clock, || self.store.read_rows(customer_id)).await?;
        let key = |week| CustomerItem::UsageRow(UsageKey { customer_id: customer_id.to_owned(), week });
        self.apply(all.rows.into_keys().map(key).collect(), what, holdings).await
    }

    /// Handles the items in the table of limits, those with the customer's settings last: until then, they name the limits.
    async fn limits(&self, customer_id: &str, what: Use, holdings: &mut Holdings) -> Result<(), StoreError> {
        if !self.has_limits {
            return Ok(());
        }
        let mut start = None;
        loop {
            let read = || self.store.scan_limits(customer_id, start.clone(), PAGE_MAX);
            let LimitScan { items, next, units } = retried(TRIES, self.clock, read).await?;
            self.apply(items, what, holdings).await?;
            start = next;
            if start.is_none() {
                break;
            }
            self.clock.sleep(scan_pause(units, self.read_units)).await;
        }
        let lookup = Lookup { settings: [customer_id.to_owned()].into(), ..Lookup::default() };
        let found = retried(TRIES, self.clock, || self.store.read(&lookup, Consistency::Strong)).await?;
        let settings = found.settings.into_keys().map(|customer_id| CustomerItem::Settings { customer_id });
        self.apply(settings.collect(), what, holdings).await
    }

    /// Deletes items if they are to be deleted, and counts them.
    async fn apply(&self, items: Vec<CustomerItem>, what: Use, holdings: &mut Holdings) -> Result<(), StoreError> {
        for item in &items {
            holdings.count(item);
        }
        if what == Use::Delete { self.delete(items).await } else { Ok(()) }
    }

    async fn delete(&self, mut items: Vec<CustomerItem>) -> Result<(), StoreError> {
        // DynamoDB refuses a request that names a key twice.
        items.sort();
        items.dedup();
        for batch in items.chunks(DELETED_MAX) {
            let (mut left, mut tries) = (batch.to_vec(), TRIES);
            loop {
                let places = retried(TRIES, self.clock, || self.store.delete_items(&left)).await?;
                left = places.into_iter().filter_map(|place| left.get(place).cloned()).collect();
                let Some(one) = left.first() else { break };
                if !tries.again(self.clock).await {
                    return Err(not_deleted(one));
                }
            }
        }
        Ok(())
    }
}

fn not_deleted(item: &CustomerItem) -> StoreError {
    StoreError::Throttled(Cause::new(format!("DynamoDB did not delete the item {item:?}: it has no capacity left")))
}
