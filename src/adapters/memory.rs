//! In-memory store that enforces every condition. It is the reference for the behaviour of the other stores.

#[cfg(feature = "cli")]
mod erasure;
mod jobs;
mod limits;
mod log;
mod plans;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::DateTime;
#[cfg(feature = "cli")]
use chrono::Utc;

use crate::deciding::{
    AllRows, Cause, Commit, Consistency, CorrelationRecord, CustomerSettings, Fence, FenceWrite, FencedLookup,
    FencedSnapshot, Lookup, Metered, PublicationChange, Snapshot, Store, StoreError, Units, UsageKey, UsageRow,
};
#[cfg(feature = "http")]
use crate::deciding::{RecordPage, RecordReader};
use crate::domain::{EventKey, Limits, LogEntry, PlanVersion, Week};
use crate::limits::CustomerLimits;
#[cfg(feature = "cli")]
use crate::replay::{Entered, Manifest, ManifestEntry};

/// A store that lives as long as its process. It charges nothing. Clones share its tables.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<Tables>>);

#[derive(Debug, Default)]
struct Tables {
    records: BTreeMap<EventKey, CorrelationRecord>,
    usage: BTreeMap<UsageKey, UsageRow>,
    fences: BTreeMap<String, Fence>,
    /// Entries of the decision log, by run and sequence number.
    log: BTreeMap<(String, u64), LogEntry>,
    limits: limits::LimitTable,
    jobs: jobs::JobTable,
    plans: plans::PlanTables,
    /// Entries by run and first line, each with the instant at which it expires.
    #[cfg(feature = "cli")]
    manifests: BTreeMap<(String, u64), (ManifestEntry, DateTime<Utc>)>,
}

impl Tables {
    /// Returns true if exactly this commit was made before.
    fn has_made(&self, commit: &Commit) -> bool {
        let is_stored = |record: &CorrelationRecord| self.records.get(&record.decision.key) == Some(record);
        commit.records().iter().all(is_stored)
    }

    /// Returns a customer's settings; `None` if it never had any.
    fn settings(&self, customer_id: &str) -> Option<CustomerSettings> {
        let own_limits = self.limits.of(customer_id);
        let link = self.plans.links.get(customer_id);
        let program_id = self.plans.program_of.get(customer_id).and_then(|of| of.program_id.as_ref());
        let has_any = own_limits.is_some() || link.is_some() || program_id.is_some();
        has_any.then(|| CustomerSettings {
            own_limits: own_limits.into_iter().flat_map(CustomerLimits::definitions).cloned().collect(),
            link: link.and_then(|link| link.plan.clone()),
            program_id: program_id.cloned(),
        })
    }
}

impl MemoryStore {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    async fn read(&self, lookup: &Lookup, _records: Consistency) -> Result<Snapshot, StoreError> {
        let tables = self.tables();
        let record = |key: &EventKey| Some((key.clone(), Ok(tables.records.get(key)?.clone())));
        let row = |key: &UsageKey| Some((key.clone(), Ok(tables.usage.get(key)?.clone())));
        let settings = |customer: &String| Some((customer.clone(), Ok(tables.settings(customer)?)));
        let fence = |customer: &String| Some((customer.clone(), Ok(tables.fences.get(customer)?.clone())));
        Ok(Snapshot {
            read_at: DateTime::UNIX_EPOCH,
            records: lookup.events.iter().filter_map(record).collect(),
            usage: lookup.weeks.iter().filter_map(row).collect(),
            settings: lookup.settings.iter().filter_map(settings).collect(),
            fences: lookup.fences.iter().filter_map(fence).collect(),
            units: Units::default(),
        })
    }

    async fn read_fenced(&self, lookup: &FencedLookup) -> Result<FencedSnapshot, StoreError> {
        let tables = self.tables();
        let key = |week| UsageKey { customer_id: lookup.customer_id.clone(), week };
        let row = |week: &Week| Some((*week, tables.usage.get(&key(*week))?.clone()));
        Ok(FencedSnapshot {
            fence: tables.fences.get(&lookup.customer_id).cloned().unwrap_or_default(),
            rows: lookup.weeks.iter().filter_map(row).collect(),
            units: Units::default(),
        })
    }

    async fn read_rows(&self, customer_id: &str) -> Result<AllRows, StoreError> {
        let tables = self.tables();
        let rows = tables.usage.iter().filter(|(key, _)| key.customer_id == customer_id);
        Ok(AllRows { rows: rows.map(|(key, row)| (key.week, row.clone())).collect(), units: Units::default() })
    }

    async fn read_default_plan(&self, program_id: &str) -> Result<Metered<Option<PlanVersion>>, StoreError> {
        Ok(Metered { value: self.tables().plans.default_plan(program_id), units: Units::default() })
    }

    async fn read_plan(&self, plan: &PlanVersion) -> Result<Metered<Limits>, StoreError> {
        Ok(Metered { value: self.tables().plans.limits(plan)?, units: Units::default() })
    }

    async fn commit(&self, commit: &Commit) -> Result<Units, StoreError> {
        let mut tables = self.tables();
        if tables.has_made(commit) {
            return Ok(Units::default());
        }
        let key = |week| UsageKey { customer_id: commit.customer_id.clone(), week };
        let in_force = |record: &CorrelationRecord| !record.is_expired(commit.now);
        let is_seen = |record: &CorrelationRecord| tables.records.get(&record.decision.key).is_some_and(in_force);
        if commit.records().iter().any(is_seen) {
            return Err(StoreError::Conflict(Cause::new("an event has been decided by another writer")));
        }
        let changes = commit.usage().iter().map(|change| (change.week, change.read_version()));
        let checks = commit.checks().iter().map(|check| (check.week, check.version));
        let version = |week| tables.usage.get(&key(week)).map_or(0, |row| row.version);
        if changes.chain(checks).any(|(week, read)| version(week) != read) {
            return Err(StoreError::Conflict(Cause::new("the customer's usage has been changed by another writer")));
        }
        let fence_version = tables.fences.get(&commit.customer_id).map_or(0, |fence| fence.version);
        if commit.fence().is_some_and(|fence| fence.read_version() != fence_version) {
            return Err(StoreError::Conflict(Cause::new("the customer's fence has been changed by another writer")));
        }
        for record in commit.records() {
            tables.records.insert(record.decision.key.clone(), record.clone());
        }
        for change in commit.usage() {
            tables.usage.insert(key(change.week), change.after.clone());
        }
        if let Some(FenceWrite::Change(fence)) = commit.fence() {
            tables.fences.insert(commit.customer_id.clone(), fence.clone());
        }
        Ok(Units::default())
    }

    async fn set_publication(&self, record: &CorrelationRecord) -> Result<PublicationChange, StoreError> {
        match self.tables().records.get_mut(&record.decision.key) {
            Some(stored) if stored.message_id == record.message_id => {
                (stored.publication, stored.expires_at) = (record.publication, record.expires_at);
                Ok(PublicationChange::Written(Units::default()))
            }
            _ => Ok(PublicationChange::Superseded),
        }
    }

    async fn write_log(&self, entries: &[&LogEntry]) -> Result<Metered<Vec<usize>>, StoreError> {
        let key = |entry: &LogEntry| (entry.position.run_id.clone(), entry.position.seq);
        self.tables().log.extend(entries.iter().map(|entry| (key(entry), (*entry).clone())));
        Ok(Metered::default())
    }
}

#[cfg(feature = "http")]
impl RecordReader for MemoryStore {
    async fn read_records(&self, customer_id: &str, after: Option<&str>, max: u16) -> Result<RecordPage, StoreError> {
        let tables = self.tables();
        let of_customer = tables.records.iter().filter(|(key, _)| key.customer_id == customer_id);
        let behind = of_customer.filter(|(key, _)| after.is_none_or(|after| key.event_id.as_str() > after));
        let mut records: Vec<_> = behind.map(|(_, record)| record.clone()).take(usize::from(max) + 1).collect();
        let is_end = records.len() <= usize::from(max);
        records.truncate(usize::from(max));
        let next = records.last().filter(|_| !is_end).map(|record| record.decision.key.event_id.clone());
        Ok(RecordPage { records, next })
    }
}

#[cfg(feature = "cli")]
impl Manifest for MemoryStore {
    async fn enter(
        &self,
        entry: &ManifestEntry,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<Entered, StoreError> {
        if let Some(other) = self.find(&entry.run, entry.first_line, now).await?.filter(|other| other != entry) {
            return Ok(Entered::Other(other));
        }
        let key = (entry.run.clone(), entry.first_line);
        self.tables().manifests.insert(key, (entry.clone(), expires_at));
        Ok(Entered::Kept)
    }

    async fn find(&self, run: &str, first_line: u64, now: DateTime<Utc>) -> Result<Option<ManifestEntry>, StoreError> {
        let tables = self.tables();
        let stored = tables.manifests.get(&(run.to_owned(), first_line)).filter(|(_, expires_at)| now < *expires_at);
        Ok(stored.map(|(entry, _)| entry.clone()))
    }
}
