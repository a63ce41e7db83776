//! The store: a DynamoDB that does what it promises, and nothing more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use loadgate::deciding::{
    COMMITS_MAX, Cause, Commit, Consistency, CorrelationRecord, Lookup, Publication, PublicationChange, Snapshot,
    Store, StoreError, Units, UsageKey, UsageRow, Writes,
};
use loadgate::domain::EventKey;

use super::consumers::{Invocation, REPLAY};
use super::one_write;
use super::simulation::{Chance, Sabotage, Simulation, State};

/// How long DynamoDB may take to apply a transaction's items, one after another.
const APPLY_MS_MAX: i64 = 40;
const SLOW_APPLY_MS_MAX: i64 = 10_000;

/// How long after a write an eventually consistent read may miss it.
const STALE_MAX: TimeDelta = TimeDelta::minutes(1);

/// An item, as it was and as it is.
#[derive(Clone, Debug)]
pub struct Stored<T> {
    pub item: T,
    before: Option<T>,
    /// From when on reads show the item. Until then its transaction is half applied.
    applied_at: DateTime<Utc>,
    /// When TTL deletes it.
    deleted_at: Option<DateTime<Utc>>,
}

impl<T: Clone> Stored<T> {
    fn is_pending(&self, now: DateTime<Utc>) -> bool {
        self.applied_at > now
    }

    /// Whether reads show the item.
    pub fn is_applied(&self, now: DateTime<Utc>) -> bool {
        !self.is_pending(now)
    }

    fn is_deleted(&self, now: DateTime<Utc>) -> bool {
        self.deleted_at.is_some_and(|at| at <= now)
    }

    /// The item as a read shows it.
    fn seen(&self, now: DateTime<Utc>) -> Option<&T> {
        if self.is_pending(now) { self.before.as_ref() } else { Some(&self.item).filter(|_| !self.is_deleted(now)) }
    }
}

/// The tables, and everything that was ever committed to them.
#[derive(Default)]
pub struct Tables {
    pub records: BTreeMap<EventKey, Stored<CorrelationRecord>>,
    pub usage: BTreeMap<UsageKey, Stored<UsageRow>>,
    /// The events that a row carries along, with [`Sabotage::OneWriteAccept`].
    pub carried: BTreeMap<UsageKey, Vec<CorrelationRecord>>,
    /// All records as they were committed, in order, each with the true time.
    pub history: Vec<(DateTime<Utc>, CorrelationRecord)>,
    /// The events that were sent, by customer and id, in order.
    pub sent: Vec<(String, String)>,
    /// When an event's record was first marked.
    pub pending: BTreeMap<EventKey, DateTime<Utc>>,
    /// When the last message with an event was deleted, before anything was sent again.
    pub deleted: BTreeMap<EventKey, DateTime<Utc>>,
    /// How many were sent again after their records had expired.
    pub repeated: usize,
}

impl Tables {
    /// All records as they were committed, in order.
    pub fn committed(&self) -> impl Iterator<Item = &CorrelationRecord> {
        self.history.iter().map(|(_, record)| record)
    }

    /// The records that the queue's messages have brought.
    pub fn queued(&self) -> impl Iterator<Item = &CorrelationRecord> {
        self.committed().filter(|record| !record.message_id.starts_with(REPLAY))
    }

    /// How many events were sent for a customer.
    pub fn sent_for(&self, customer: &str) -> usize {
        self.sent.iter().filter(|(sent_for, _)| sent_for == customer).count()
    }

    /// The record in force, as a condition finds it.
    pub fn record(&self, key: &EventKey, now: DateTime<Utc>) -> Option<&CorrelationRecord> {
        self.records.get(key).filter(|stored| !stored.is_deleted(now)).map(|stored| &stored.item)
    }

    pub fn version(&self, key: &UsageKey) -> u64 {
        self.usage.get(key).map_or(0, |stored| stored.item.version)
    }

    /// Puts a row at once.
    pub fn put_row(&mut self, key: UsageKey, row: UsageRow, now: DateTime<Utc>) {
        let before = self.usage.get(&key).map(|stored| stored.item);
        self.usage.insert(key, Stored { item: row, before, applied_at: now, deleted_at: None });
    }
}

/// The store as a consumer sees it.
#[derive(Clone)]
pub struct SimStore {
    pub simulation: Arc<Simulation>,
    /// Who asks.
    pub actor: String,
    /// For which invocation, where that is known.
    pub invocation: Option<Arc<Invocation>>,
}

impl Store for SimStore {
    async fn read(&self, lookup: &Lookup, records: Consistency) -> Result<Snapshot, StoreError> {
        let customers = customers(lookup);
        let mut rng = self.simulation.state().draw(&self.actor, &format!("read {}", customers.join(",")));
        let is_hanging = self.simulation.hangs(&mut rng, &customers).await;
        self.simulation.delay(&mut rng).await;
        let no_answer = || StoreError::Unavailable(Cause::new("no answer"));
        let read = if is_hanging { Err(no_answer()) } else { self.simulation.state().read(lookup, records, &mut rng) };
        if read.is_err() {
            self.tend(&lookup.events);
        }
        let mut snapshot = read?;
        if self.is_one_write() {
            one_write::add_carried(self, lookup, &mut snapshot).await;
        }
        Ok(snapshot)
    }

    async fn commit(&self, commit: &Commit) -> Result<Units, StoreError> {
        if self.is_one_write() && !commit.usage().is_empty() {
            return one_write::commit(self, commit).await;
        }
        loop {
            let is_bounded = self.count(&commit.customer_id);
            let answer = self.send_commit(commit).await;
            if matches!(answer, Err(StoreError::Unavailable(_))) {
                self.tend(commit.records().iter().map(|record| &record.decision.key));
            }
            let is_endless = self.simulation.state().sabotage == Sabotage::EndlessRetry;
            if !is_endless || !is_bounded || !matches!(answer, Err(StoreError::Conflict(_))) {
                return answer;
            }
        }
    }

    async fn set_publication(&self, record: &CorrelationRecord) -> Result<PublicationChange, StoreError> {
        let key = &record.decision.key;
        let mut rng = self.simulation.state().draw(&self.actor, &format!("mark {}/{}", key.customer_id, key.event_id));
        self.tend([key]);
        let (simulation, record) = (Arc::clone(&self.simulation), record.clone());
        tokio::spawn(async move { set_publication(&simulation, &record, &mut rng).await }).await.unwrap()
    }
}

impl SimStore {
    fn tend<'k>(&self, keys: impl IntoIterator<Item = &'k EventKey>) {
        if let Some(invocation) = &self.invocation {
            keys.into_iter().for_each(|key| invocation.tend(key));
        }
    }

    fn is_one_write(&self) -> bool {
        self.simulation.state().sabotage == Sabotage::OneWriteAccept
    }

    /// Once sent, a request goes its way, whoever still waits for it.
    async fn send_commit(&self, commit: &Commit) -> Result<Units, StoreError> {
        let mut rng = self.simulation.state().draw(&self.actor, &format!("commit {}", commit.customer_id));
        let (simulation, commit) = (Arc::clone(&self.simulation), commit.clone());
        tokio::spawn(async move { answer(&simulation, &commit, &mut rng).await }).await.unwrap()
    }

    /// The commits of an invocation are bounded. Says whether they still are, where that is known.
    fn count(&self, customer: &str) -> bool {
        let Some(invocation) = &self.invocation else { return false };
        let mut commits = invocation.commits.lock().unwrap();
        let commits = commits.entry(customer.to_owned()).or_default();
        *commits += 1;
        if *commits > COMMITS_MAX {
            self.simulation.state().violation(format!("{commits} commits of {customer} in one invocation"));
        }
        *commits <= COMMITS_MAX
    }
}

fn customers(lookup: &Lookup) -> Vec<&str> {
    let events = lookup.events.iter().map(|key| key.customer_id.as_str());
    let mut customers: Vec<&str> = events.chain(lookup.weeks.iter().map(|key| key.customer_id.as_str())).collect();
    customers.sort_unstable();
    customers.dedup();
    customers
}

async fn answer(simulation: &Simulation, commit: &Commit, rng: &mut Chance) -> Result<Units, StoreError> {
    let is_hanging = simulation.hangs(rng, &[&commit.customer_id]).await;
    if is_hanging && rng.bool() {
        return Err(StoreError::Unavailable(Cause::new("no answer")));
    }
    simulation.delay(rng).await;
    let (applied, is_answer_lost) = {
        let mut state = simulation.state();
        state.fail_without_effect(rng)?;
        if commit.records().iter().any(|record| state.refuses(&record.decision.key)) {
            state.count("throttled", 1);
            return Err(StoreError::Throttled(Cause::new("ThrottlingException")));
        }
        let conflict = state.chances.conflict;
        if state.happens(rng, conflict) {
            state.count("conflicts", 1);
            return Err(StoreError::Conflict(Cause::new("TransactionConflict")));
        }
        let applied = state.commit(commit, rng)?;
        let lost_after = state.chances.lost_after;
        (applied, state.happens(rng, lost_after) || is_hanging)
    };
    tokio::time::sleep(applied).await;
    simulation.delay(rng).await;
    if is_answer_lost {
        simulation.state().count("lost_after", 1);
        return Err(StoreError::Unavailable(Cause::new("the answer was lost")));
    }
    Ok(Units::default())
}

async fn set_publication(
    simulation: &Simulation,
    record: &CorrelationRecord,
    rng: &mut Chance,
) -> Result<PublicationChange, StoreError> {
    let key = &record.decision.key;
    if simulation.hangs(rng, &[&key.customer_id]).await {
        return Err(StoreError::Unavailable(Cause::new("no answer")));
    }
    simulation.delay(rng).await;
    let mut state = simulation.state();
    state.fail_without_effect(rng)?;
    if state.refuses(key) {
        return Err(StoreError::Throttled(Cause::new("ThrottlingException")));
    }
    let now = state.now();
    if state.tables.records.get(key).is_some_and(|stored| stored.is_pending(now)) {
        state.count("conflicts", 1);
        return Err(StoreError::Conflict(Cause::new("TransactionConflictException")));
    }
    state.count("marks", 1);
    state.tell(|| format!("marked: {record:?}"));
    if state.sabotage == Sabotage::NoMark {
        return Ok(PublicationChange::Written(Units::default()));
    }
    let deleted_at = state.deleted_at(record, rng);
    match state.tables.records.get_mut(key).filter(|stored| !stored.is_deleted(now)) {
        Some(stored) if stored.item.message_id == record.message_id => {
            (stored.item.publication, stored.item.expires_at) = (record.publication, record.expires_at);
            (stored.before, stored.deleted_at) = (None, deleted_at);
            if record.is_pending() {
                state.tables.pending.entry(key.clone()).or_insert(now);
            }
            Ok(PublicationChange::Written(Units::default()))
        }
        _ => Ok(PublicationChange::Superseded),
    }
}

impl State {
    pub fn fail_without_effect(&mut self, rng: &mut Chance) -> Result<(), StoreError> {
        let (throttled, lost_before) = (self.chances.throttled, self.chances.lost_before);
        if self.happens(rng, throttled) {
            self.count("throttled", 1);
            return Err(StoreError::Throttled(Cause::new("ThrottlingException")));
        }
        if self.happens(rng, lost_before) {
            self.count("lost_before", 1);
            return Err(StoreError::Unavailable(Cause::new("the request was lost")));
        }
        Ok(())
    }

    fn read(&mut self, lookup: &Lookup, records: Consistency, rng: &mut Chance) -> Result<Snapshot, StoreError> {
        self.fail_without_effect(rng)?;
        let now = self.now();
        let mut snapshot = Snapshot::default();
        for key in &lookup.events {
            if self.sabotage == Sabotage::StoredWaits && lookup.events.iter().any(|other| self.fails_with(key, other)) {
                let error = StoreError::Throttled(Cause::new("what stands behind it is not committed"));
                snapshot.records.insert(key.clone(), Err(error));
            } else if let Some(record) = self.read_record(key, records, rng) {
                snapshot.records.insert(key.clone(), Ok(record));
            }
        }
        self.note_half_applied(lookup);
        let row = |key: &UsageKey| Some((key.clone(), Ok(*self.tables.usage.get(key)?.seen(now)?)));
        snapshot.usage = lookup.weeks.iter().filter_map(row).collect();
        Ok(snapshot)
    }

    fn note_half_applied(&mut self, lookup: &Lookup) {
        let now = self.now();
        let pending = self.tables.usage.iter().filter(|(key, row)| lookup.weeks.contains(key) && row.is_pending(now));
        let customers: Vec<String> = pending.map(|(key, _)| key.customer_id.clone()).collect();
        let mut records = self.tables.records.iter();
        let is_record = records.any(|(key, record)| lookup.events.contains(key) && record.is_pending(now));
        self.count("half_applied", u64::from(is_record || !customers.is_empty()));
        for customer in customers {
            self.half_applied.entry(customer).or_default().push(now);
        }
    }

    fn read_record(&mut self, key: &EventKey, records: Consistency, rng: &mut Chance) -> Option<CorrelationRecord> {
        let (stale_read, sabotage, now) = (self.chances.stale_read, self.sabotage, self.now());
        // Without a condition on records, nothing but a strongly consistent read would show one.
        let may_be_stale = records == Consistency::Eventual && sabotage != Sabotage::OneWriteAccept;
        let stored = self.tables.records.get(key)?;
        let is_recent = stored.applied_at + STALE_MAX > now;
        if may_be_stale && is_recent && self.happens(rng, stale_read) {
            self.count("stale_reads", 1);
            return None;
        }
        let mut record = stored.seen(now)?.clone();
        if sabotage == Sabotage::NoExpiry {
            record.expires_at = DateTime::<Utc>::MAX_UTC;
        }
        if sabotage == Sabotage::RedeliveryIgnored {
            "another".clone_into(&mut record.message_id);
        }
        Some(record)
    }

    /// Whether one of two events of a customer cannot be committed.
    fn fails_with(&self, key: &EventKey, other: &EventKey) -> bool {
        key.customer_id == other.customer_id && self.refuses(other)
    }

    /// Makes a commit; says how long it takes until all of it can be read.
    fn commit(&mut self, commit: &Commit, rng: &mut Chance) -> Result<Duration, StoreError> {
        let now = self.now();
        let key = |week| UsageKey { customer_id: commit.customer_id.clone(), week };
        let changed = commit.usage().iter().map(|change| (key(change.week), change.before.version));
        let relied_on = commit.checks().iter().map(|check| (key(check.week), check.version));
        let rows: Vec<(UsageKey, u64)> = changed.chain(relied_on).collect();
        let is_pending = |key: &UsageKey| self.tables.usage.get(key).is_some_and(|row| row.is_pending(now));
        let records = || commit.records().iter().map(|record| &record.decision.key);
        let is_conflict = rows.iter().any(|(key, _)| is_pending(key))
            || records().any(|key| self.tables.records.get(key).is_some_and(|record| record.is_pending(now)));
        if is_conflict {
            self.count("conflicts", 1);
            return Err(StoreError::Conflict(Cause::new("TransactionConflict")));
        }
        // DynamoDB's condition, on whole seconds.
        let in_force = |record: &CorrelationRecord| record.expires_at.timestamp() > commit.now.timestamp();
        let is_seen = records().any(|key| self.tables.record(key, now).is_some_and(in_force));
        let has_changed = rows.iter().any(|(key, version)| self.tables.version(key) != *version);
        if is_seen && self.has_made(commit, now) {
            return Ok(Duration::ZERO);
        }
        let is_refused = (is_seen && self.sabotage != Sabotage::NoRecordCondition)
            || (has_changed && self.sabotage != Sabotage::NoRowCondition);
        if is_refused {
            return Err(StoreError::Conflict(Cause::new("ConditionalCheckFailed")));
        }
        Ok(self.apply(commit, rng))
    }

    /// Whether exactly this commit has been made: its answer was lost, and the client has repeated it.
    fn has_made(&self, commit: &Commit, now: DateTime<Utc>) -> bool {
        let is_stored = |record: &CorrelationRecord| self.tables.record(&record.decision.key, now) == Some(record);
        commit.records().iter().all(is_stored)
    }

    /// Writes everything. A transaction's items can be read one after another, in whatever order.
    fn apply(&mut self, commit: &Commit, rng: &mut Chance) -> Duration {
        let now = self.now();
        let is_atomic = matches!(commit.writes, Writes::Record(_));
        let slow = self.chances.slow_apply;
        let time_max_ms = if self.happens(rng, slow) { SLOW_APPLY_MS_MAX } else { APPLY_MS_MAX };
        let mut applied_at =
            || now + TimeDelta::milliseconds(if is_atomic || rng.bool() { 0 } else { rng.i64(0..time_max_ms) });
        let (records_at, rows_at): (Vec<_>, Vec<_>) = (
            commit.records().iter().map(|_| applied_at()).collect(),
            commit.usage().iter().map(|_| applied_at()).collect(),
        );
        let last = records_at.iter().chain(&rows_at).max().map_or(TimeDelta::zero(), |last| *last - now);
        for (record, applied_at) in commit.records().iter().zip(records_at) {
            self.put_record(record.clone(), applied_at, rng);
        }
        if self.sabotage != Sabotage::TornCommit || rng.bool() {
            for (change, applied_at) in commit.usage().iter().zip(rows_at) {
                let key = UsageKey { customer_id: commit.customer_id.clone(), week: change.week };
                let item = UsageRow { usage: change.after, version: change.before.version + 1 };
                let before = self.tables.usage.get(&key).map(|stored| stored.item);
                self.tables.usage.insert(key, Stored { item, before, applied_at, deleted_at: None });
            }
        }
        last.to_std().unwrap()
    }

    fn put_record(&mut self, mut record: CorrelationRecord, applied_at: DateTime<Utc>, rng: &mut Chance) {
        let now = self.now();
        let key = record.decision.key.clone();
        if record.is_pending() {
            self.tables.pending.entry(key.clone()).or_insert(now);
        }
        if self.sabotage == Sabotage::NoMark {
            record.publication = Publication::Confirmed;
        }
        self.tell(|| format!("committed: {record:?}"));
        let old = self.tables.records.get(&key);
        let (was_deleted, before) = (
            old.is_some_and(|old| old.is_deleted(now)),
            old.filter(|old| !old.is_deleted(now)).map(|old| old.item.clone()),
        );
        self.count("deleted", u64::from(was_deleted));
        self.count("expired", u64::from(before.is_some()));
        let deleted_at = self.deleted_at(&record, rng);
        self.tables.history.push((now, record.clone()));
        self.tables.records.insert(key, Stored { item: record, before, applied_at, deleted_at });
    }

    /// Puts a record that has been committed before.
    pub fn put_record_only(&mut self, record: CorrelationRecord, now: DateTime<Utc>, rng: &mut Chance) {
        let deleted_at = self.deleted_at(&record, rng);
        let key = record.decision.key.clone();
        self.tables.records.insert(key, Stored { item: record, before: None, applied_at: now, deleted_at });
    }

    /// When TTL deletes a record: at once, late, or never.
    pub fn deleted_at(&self, record: &CorrelationRecord, rng: &mut Chance) -> Option<DateTime<Utc>> {
        let late = TimeDelta::seconds(rng.i64(0..48 * 3600));
        [Some(record.expires_at), Some(record.expires_at + late), None][rng.usize(..3).min(self.deletes)]
    }
}
