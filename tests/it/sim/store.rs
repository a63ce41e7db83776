//! The store: a DynamoDB that does what it promises, and nothing more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use loadgate::app::deciding::ROUNDS_MAX;
use loadgate::app::{
    Cause, Commit, Consistency, CorrelationRecord, Lookup, Snapshot, Store, StoreError, Units, UsageKey, UsageRow,
};
use loadgate::domain::EventKey;

use super::consumers::REPLAY;
use super::one_write;
use super::world::{Sabotage, State, World};

/// The tables, and everything that was ever committed to them.
#[derive(Default)]
pub struct Tables {
    pub records: BTreeMap<EventKey, CorrelationRecord>,
    pub usage: BTreeMap<UsageKey, UsageRow>,
    /// The events that a row carries along, with [`Sabotage::OneWriteAccept`].
    pub carried: BTreeMap<UsageKey, Vec<CorrelationRecord>>,
    /// All records as they were committed, in order.
    pub history: Vec<CorrelationRecord>,
    /// The events that were sent, by customer and id, in order.
    pub sent: Vec<(String, String)>,
    /// When an event's record was first marked.
    pub marked: BTreeMap<EventKey, DateTime<Utc>>,
    /// When the last message with an event was deleted, before anything was sent again.
    pub deleted: BTreeMap<EventKey, DateTime<Utc>>,
    /// How many were sent again after their records had expired.
    pub repeated: usize,
}

impl Tables {
    /// The records that the queue's messages have brought.
    pub fn queued(&self) -> impl Iterator<Item = &CorrelationRecord> {
        self.history.iter().filter(|record| !record.message_id.starts_with(REPLAY))
    }

    /// How many events were sent for a customer.
    pub fn sent_for(&self, customer: &str) -> usize {
        self.sent.iter().filter(|(sent_for, _)| sent_for == customer).count()
    }
}

/// How many commits each customer's messages have taken in one invocation.
pub type Commits = Arc<Mutex<BTreeMap<String, u32>>>;

/// The store as a consumer sees it.
#[derive(Clone)]
pub struct SimStore {
    pub world: Arc<World>,
    pub commits: Option<Commits>,
}

impl Store for SimStore {
    async fn read(&self, lookup: &Lookup, records: Consistency) -> Result<Snapshot, StoreError> {
        self.world.delay().await;
        let mut snapshot = self.read_now(lookup, records)?;
        if self.is_one_write() {
            one_write::add_carried(&self.world, lookup, &mut snapshot).await;
        }
        Ok(snapshot)
    }

    async fn commit(&self, commit: &Commit) -> Result<Units, StoreError> {
        if self.is_one_write() && !commit.usage.is_empty() {
            return one_write::commit(&self.world, commit).await;
        }
        loop {
            let is_bounded = self.count(&commit.customer_id);
            let (world, commit) = (Arc::clone(&self.world), commit.clone());
            // Once sent, a request goes its way, whoever still waits for it.
            let answer = answer_all(&world, &commit).await;
            let is_endless = self.world.state().sabotage == Sabotage::EndlessRetry;
            if !is_endless || !is_bounded || !matches!(answer, Err(StoreError::Conflict(_))) {
                return answer;
            }
        }
    }

    async fn remark(&self, record: &CorrelationRecord) -> Result<Units, StoreError> {
        let (world, record) = (Arc::clone(&self.world), record.clone());
        tokio::spawn(async move { remark(&world, &record).await }).await.unwrap()
    }
}

impl SimStore {
    fn read_now(&self, lookup: &Lookup, records: Consistency) -> Result<Snapshot, StoreError> {
        let mut state = self.world.state();
        state.fail_without_effect()?;
        let (stale_read, sabotage) = (state.chances.stale_read, state.sabotage);
        // Without a condition on records, nothing but a strongly consistent read would show one.
        let is_stale =
            records == Consistency::Eventual && sabotage != Sabotage::OneWriteAccept && state.happens(stale_read);
        state.count("stale_reads", u64::from(is_stale));
        let seen = |record: &CorrelationRecord| {
            let mut record = record.clone();
            if sabotage == Sabotage::NoExpiry {
                record.expires_at = chrono::DateTime::<chrono::Utc>::MAX_UTC;
            }
            if sabotage == Sabotage::RedeliveryIgnored {
                "another".clone_into(&mut record.message_id);
            }
            record
        };
        let record = |key: &EventKey| Some((key.clone(), Ok(seen(state.tables.records.get(key)?))));
        let row = |key: &UsageKey| Some((key.clone(), Ok(*state.tables.usage.get(key)?)));
        Ok(Snapshot {
            records: if is_stale { BTreeMap::new() } else { lookup.events.iter().filter_map(record).collect() },
            usage: lookup.weeks.iter().filter_map(row).collect(),
            units: Units::default(),
        })
    }

    fn is_one_write(&self) -> bool {
        self.world.state().sabotage == Sabotage::OneWriteAccept
    }

    /// The rounds of an invocation are bounded. Says whether they still are, where that is known.
    fn count(&self, customer: &str) -> bool {
        let Some(commits) = &self.commits else { return false };
        let mut commits = commits.lock().unwrap();
        let commits = commits.entry(customer.to_owned()).or_default();
        *commits += 1;
        if *commits > ROUNDS_MAX {
            self.world.state().violation(format!("{commits} commits of {customer} in one invocation"));
        }
        *commits <= ROUNDS_MAX
    }
}

/// A transaction where usage changes; otherwise a put for each record, one after another.
async fn answer_all(world: &Arc<World>, commit: &Commit) -> Result<Units, StoreError> {
    let puts = commit.records.iter().map(|record| Commit { records: vec![record.clone()], ..commit.clone() });
    let requests = if commit.usage.is_empty() { puts.collect() } else { vec![commit.clone()] };
    for request in requests {
        let world = Arc::clone(world);
        // Once sent, a request goes its way, whoever still waits for it.
        tokio::spawn(async move { answer(&world, &request).await }).await.unwrap()?;
    }
    Ok(Units::default())
}

async fn answer(world: &World, commit: &Commit) -> Result<Units, StoreError> {
    world.delay().await;
    let is_answer_lost = {
        let mut state = world.state();
        state.fail_without_effect()?;
        if state.is_faulty && commit.customer_id == "c0" && state.now() < state.refused_until {
            state.count("throttled", 1);
            return Err(StoreError::Throttled(Cause::new("ThrottlingException")));
        }
        let conflict = state.chances.conflict;
        if state.happens(conflict) {
            state.count("conflicts", 1);
            return Err(StoreError::Conflict(Cause::new("TransactionConflict")));
        }
        state.commit(commit)?;
        let lost_after = state.chances.lost_after;
        state.happens(lost_after)
    };
    world.delay().await;
    if is_answer_lost {
        world.state().count("lost_after", 1);
        return Err(StoreError::Unavailable(Cause::new("the answer was lost")));
    }
    Ok(Units::default())
}

async fn remark(world: &World, record: &CorrelationRecord) -> Result<Units, StoreError> {
    world.delay().await;
    let mut state = world.state();
    state.fail_without_effect()?;
    state.count("marks", 1);
    state.tell(|| format!("marked: {record:?}"));
    if record.is_unpublished {
        let now = state.now();
        state.tables.marked.entry(record.decision.key.clone()).or_insert(now);
    }
    if state.sabotage == Sabotage::NoMark {
        return Ok(Units::default());
    }
    match state.tables.records.get_mut(&record.decision.key) {
        Some(stored) if stored.message_id == record.message_id => {
            (stored.is_unpublished, stored.expires_at) = (record.is_unpublished, record.expires_at);
            Ok(Units::default())
        }
        _ => Err(StoreError::Conflict(Cause::new("ConditionalCheckFailed"))),
    }
}

impl State {
    pub fn fail_without_effect(&mut self) -> Result<(), StoreError> {
        let (throttled, lost_before) = (self.chances.throttled, self.chances.lost_before);
        if self.happens(throttled) {
            self.count("throttled", 1);
            return Err(StoreError::Throttled(Cause::new("ThrottlingException")));
        }
        if self.happens(lost_before) {
            self.count("lost_before", 1);
            return Err(StoreError::Unavailable(Cause::new("the request was lost")));
        }
        Ok(())
    }

    fn commit(&mut self, commit: &Commit) -> Result<(), StoreError> {
        let key = |week| UsageKey { customer_id: commit.customer_id.clone(), week };
        let in_force = |record: &CorrelationRecord| {
            // DynamoDB's condition, on whole seconds.
            let stored = self.tables.records.get(&record.decision.key);
            stored.is_some_and(|stored| stored.expires_at.timestamp() > commit.now.timestamp())
        };
        let is_seen = commit.records.iter().any(in_force);
        let has_changed = commit.usage.iter().any(|change| {
            self.tables.usage.get(&key(change.week)).map_or(0, |row| row.version) != change.before.version
        });
        let is_refused = (is_seen && self.sabotage != Sabotage::NoRecordCondition)
            || (has_changed && self.sabotage != Sabotage::NoRowCondition);
        if is_refused {
            return Err(StoreError::Conflict(Cause::new("ConditionalCheckFailed")));
        }
        for record in &commit.records {
            let mut record = record.clone();
            if record.is_unpublished {
                let now = self.now();
                self.tables.marked.entry(record.decision.key.clone()).or_insert(now);
            }
            if self.sabotage == Sabotage::NoMark {
                record.is_unpublished = false;
            }
            self.tell(|| format!("committed: {record:?}"));
            let before = self.tables.records.insert(record.decision.key.clone(), record.clone());
            self.count("expired", u64::from(before.is_some()));
            self.tables.history.push(record);
        }
        if self.sabotage != Sabotage::TornCommit || self.rng.bool() {
            for change in &commit.usage {
                let row = UsageRow { usage: change.after, version: change.before.version + 1 };
                self.tables.usage.insert(key(change.week), row);
            }
        }
        Ok(())
    }
}
