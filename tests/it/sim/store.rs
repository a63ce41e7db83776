//! Store: a DynamoDB that keeps its guarantees, and nothing more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use loadgate::deciding::{
    AllRows, COMMITS_MAX, Cause, Commit, Consistency, CorrelationRecord, Fence, FencedLookup, FencedSnapshot, Lookup,
    Metered, Publication, PublicationChange, Snapshot, Store, StoreError, Units, UsageKey, UsageRow, Writes,
};
use loadgate::domain::{EventKey, Limits, LogEntry, PlanVersion};

use super::consumers::{Invocation, REPLAY};
use super::limits::Basis;
use super::log::{self, Log};
use super::sabotage::Sabotage;
use super::simulation::{Chance, Simulation, State};
use super::{fenced, one_write};

/// Maximum time in which DynamoDB applies a transaction's items, one after another.
const APPLY_MS_MAX: i64 = 40;
/// The same maximum when DynamoDB is slow.
const SLOW_APPLY_MS_MAX: i64 = 10_000;

/// Maximum time after a write for which an eventually consistent read may miss it.
const STALE_MAX: TimeDelta = TimeDelta::minutes(1);

/// An item before and after its last write.
#[derive(Clone, Debug)]
pub struct Stored<T> {
    pub item: T,
    before: Option<T>,
    /// Time from which reads return the item. Until then its transaction is half applied.
    applied_at: DateTime<Utc>,
    /// Time at which TTL deletes the item.
    deleted_at: Option<DateTime<Utc>>,
}

impl<T: Clone> Stored<T> {
    pub fn new(item: T, before: Option<T>, applied_at: DateTime<Utc>) -> Stored<T> {
        Stored { item, before, applied_at, deleted_at: None }
    }

    pub fn is_being_applied(&self, now: DateTime<Utc>) -> bool {
        self.applied_at > now
    }

    /// Returns true if reads return the item.
    pub fn is_applied(&self, now: DateTime<Utc>) -> bool {
        !self.is_being_applied(now)
    }

    fn is_deleted(&self, now: DateTime<Utc>) -> bool {
        self.deleted_at.is_some_and(|at| at <= now)
    }

    /// Returns the item as a read does.
    pub fn seen(&self, now: DateTime<Utc>) -> Option<&T> {
        if self.is_being_applied(now) {
            self.before.as_ref()
        } else {
            Some(&self.item).filter(|_| !self.is_deleted(now))
        }
    }
}

/// Tables, and everything that was ever committed to them.
#[derive(Default)]
pub struct Tables {
    pub records: BTreeMap<EventKey, Stored<CorrelationRecord>>,
    pub usage: BTreeMap<UsageKey, Stored<UsageRow>>,
    pub fences: BTreeMap<String, Stored<Fence>>,
    /// Records that each row carries, under [`Sabotage::OneWriteAccept`].
    pub carried: BTreeMap<UsageKey, Vec<CorrelationRecord>>,
    pub log: Log,
    /// All records as they were committed, in order, each with the true time of its commit.
    pub history: Vec<(DateTime<Utc>, CorrelationRecord)>,
    /// The reads on which the records of `history` rely, by their places in it.
    pub bases: BTreeMap<usize, Basis>,
    /// Events that were sent, by customer and id, in order.
    pub sent: Vec<(String, String)>,
    /// Time at which each event's record was first set to pending.
    pub pending: BTreeMap<EventKey, DateTime<Utc>>,
    /// Time at which each event's last message was deleted, before any event was sent again.
    pub deleted: BTreeMap<EventKey, DateTime<Utc>>,
    /// Number of events that were sent again after their records had expired.
    pub repeated: usize,
}

impl Tables {
    /// Returns all records as they were committed, in order.
    pub fn committed(&self) -> impl Iterator<Item = &CorrelationRecord> {
        self.history.iter().map(|(_, record)| record)
    }

    /// Returns the records of events that came from the queue.
    pub fn queued(&self) -> impl Iterator<Item = &CorrelationRecord> {
        self.committed().filter(|record| !record.message_id.starts_with(REPLAY))
    }

    /// Returns the number of events that were sent for a customer.
    pub fn sent_for(&self, customer: &str) -> usize {
        self.sent.iter().filter(|(sent_for, _)| sent_for == customer).count()
    }

    /// Returns the record that a condition finds: the stored one, unless TTL has deleted it.
    pub fn record(&self, key: &EventKey, now: DateTime<Utc>) -> Option<&CorrelationRecord> {
        self.records.get(key).filter(|stored| !stored.is_deleted(now)).map(|stored| &stored.item)
    }

    pub fn version(&self, key: &UsageKey) -> u64 {
        self.usage.get(key).map_or(0, |stored| stored.item.version)
    }

    /// Puts a row that reads return at once.
    pub fn put_row(&mut self, key: UsageKey, row: UsageRow, now: DateTime<Utc>) {
        let before = self.usage.get(&key).map(|stored| stored.item.clone());
        self.usage.insert(key, Stored::new(row, before, now));
    }

    /// Puts a fence that reads return at once.
    pub fn put_fence(&mut self, customer: &str, fence: Fence, now: DateTime<Utc>) {
        self.fences.insert(customer.to_owned(), Stored::new(fence, None, now));
    }
}

/// Store as a consumer sees it.
#[derive(Clone)]
pub struct SimStore {
    pub simulation: Arc<Simulation>,
    /// Actor that sends the requests.
    pub actor: String,
    /// Invocation that sends them, if it is known.
    pub invocation: Option<Arc<Invocation>>,
}

impl Store for SimStore {
    async fn read(&self, lookup: &Lookup, records: Consistency) -> Result<Snapshot, StoreError> {
        let (customers, begun_at) = (customers(lookup), self.simulation.state().now());
        let mut rng = self.simulation.state().draw(&self.actor, &format!("read {}", customers.join(",")));
        let is_hanging = self.simulation.hangs(&mut rng, &customers).await;
        self.simulation.delay(&mut rng).await;
        let no_answer = || StoreError::Unavailable(Cause::new("no answer"));
        let read = if is_hanging { Err(no_answer()) } else { self.simulation.state().read(lookup, records, &mut rng) };
        if read.is_err() {
            self.note_handled(&lookup.events);
        }
        let mut snapshot = read?;
        if self.is_one_write() {
            one_write::add_carried(self, lookup, &mut snapshot).await;
        }
        let mut state = self.simulation.state();
        for customer in customers {
            state.note_first_read(&self.actor, customer, begun_at, &snapshot);
        }
        drop(state);
        Ok(snapshot)
    }

    async fn read_fenced(&self, lookup: &FencedLookup) -> Result<FencedSnapshot, StoreError> {
        fenced::read_fenced(self, lookup).await
    }

    async fn read_rows(&self, customer_id: &str) -> Result<AllRows, StoreError> {
        fenced::read_rows(self, customer_id).await
    }

    async fn read_default_plan(&self, _program_id: &str) -> Result<Metered<Option<PlanVersion>>, StoreError> {
        Err(StoreError::Misconfigured(Cause::new("no customer of the simulation has a programme")))
    }

    async fn read_plan(&self, plan: &PlanVersion) -> Result<Metered<Limits>, StoreError> {
        let limits = self.simulation.state().setting.plan(plan.version).limits.clone();
        Ok(Metered { value: limits, units: Units::default() })
    }

    async fn commit(&self, commit: &Commit) -> Result<Units, StoreError> {
        if self.is_one_write() && !commit.usage().is_empty() {
            return one_write::commit(self, commit).await;
        }
        loop {
            let is_bounded = self.count(&commit.customer_id);
            let answer = self.send_commit(commit).await;
            if matches!(answer, Err(StoreError::Unavailable(_))) {
                self.note_handled(commit.records().iter().map(|record| &record.decision.key));
            }
            let is_endless = self.simulation.state().sabotage == Sabotage::EndlessRetry;
            if !is_endless || !is_bounded || !matches!(answer, Err(StoreError::Conflict(_))) {
                return answer;
            }
        }
    }

    async fn set_publication(&self, record: &CorrelationRecord) -> Result<PublicationChange, StoreError> {
        let key = &record.decision.key;
        // The purpose is hashed with the seed. Another text would change the result of every seed.
        let mut rng = self.simulation.state().draw(&self.actor, &format!("mark {}/{}", key.customer_id, key.event_id));
        self.note_handled([key]);
        let (simulation, record) = (Arc::clone(&self.simulation), record.clone());
        tokio::spawn(async move { set_publication(&simulation, &record, &mut rng).await }).await.unwrap()
    }

    async fn write_log(&self, entries: &[&LogEntry]) -> Result<Metered<Vec<usize>>, StoreError> {
        log::write(self, entries).await
    }
}

impl SimStore {
    fn note_handled<'k>(&self, keys: impl IntoIterator<Item = &'k EventKey>) {
        if let Some(invocation) = &self.invocation {
            keys.into_iter().for_each(|key| invocation.note_handled(key));
        }
    }

    fn is_one_write(&self) -> bool {
        self.simulation.state().sabotage == Sabotage::OneWriteAccept
    }

    /// Sends a commit. Once sent, the request takes effect even if the caller no longer waits for it.
    async fn send_commit(&self, commit: &Commit) -> Result<Units, StoreError> {
        let mut rng = self.simulation.state().draw(&self.actor, &format!("commit {}", commit.customer_id));
        let (simulation, commit) = (Arc::clone(&self.simulation), commit.clone());
        let (sent, zombie) = {
            let mut state = simulation.state();
            state.commits_in_flight += 1;
            let zombie = state.zombie(&self.actor, &commit.customer_id);
            let decided_at = commit.now - state.skews.get(&self.actor).copied().unwrap_or_default();
            let basis = state.own_limits.basis(&self.actor, &commit, decided_at);
            (Sent { commit, basis, is_zombie: zombie.is_some() }, zombie)
        };
        let late_ms = zombie.as_ref().map(|zombie| zombie.late_ms);
        let request = tokio::spawn(async move {
            if let Some(late_ms) = late_ms {
                simulation.pause(&rng, late_ms).await;
            }
            let answer = answer(&simulation, &sent, &mut rng).await;
            simulation.state().commits_in_flight -= 1;
            answer
        });
        match zombie {
            None => request.await.unwrap(),
            Some(zombie) => {
                let rng = self.simulation.state().draw(&self.actor, "give up");
                self.simulation.pause(&rng, zombie.given_up_ms).await;
                Err(StoreError::Unavailable(Cause::new("no answer")))
            }
        }
    }

    /// Counts a commit of an invocation, and checks their maximum. Returns false if it is exceeded, or if the
    /// invocation is unknown.
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

/// A commit that was sent.
struct Sent {
    commit: Commit,
    basis: Basis,
    /// True if its sender does not wait for its effect.
    is_zombie: bool,
}

async fn answer(simulation: &Simulation, sent: &Sent, rng: &mut Chance) -> Result<Units, StoreError> {
    let commit = &sent.commit;
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
        let applied = state.commit(sent, rng)?;
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
    if state.tables.records.get(key).is_some_and(|stored| stored.is_being_applied(now)) {
        state.count("conflicts", 1);
        return Err(StoreError::Conflict(Cause::new("TransactionConflictException")));
    }
    state.count("publication_changes", 1);
    state.trace(|| format!("set to {:?}: {record:?}", record.publication));
    if state.sabotage == Sabotage::NoPendingRecord {
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
                let error = StoreError::Throttled(Cause::new("a message behind it is not committed"));
                snapshot.records.insert(key.clone(), Err(error));
            } else if let Some(record) = self.read_record(key, records, rng) {
                snapshot.records.insert(key.clone(), Ok(record));
            }
        }
        self.note_half_applied(lookup);
        let row = |key: &UsageKey| Some((key.clone(), Ok(self.tables.usage.get(key)?.seen(now)?.clone())));
        snapshot.usage = lookup.weeks.iter().filter_map(row).collect();
        let fence =
            |customer: &String| Some((customer.clone(), Ok(self.tables.fences.get(customer)?.seen(now)?.clone())));
        snapshot.fences = lookup.fences.iter().filter_map(fence).collect();
        self.read_own_limits(lookup.settings.iter(), &mut snapshot, rng);
        Ok(snapshot)
    }

    fn note_half_applied(&mut self, lookup: &Lookup) {
        let now = self.now();
        let half_applied =
            self.tables.usage.iter().filter(|(key, row)| lookup.weeks.contains(key) && row.is_being_applied(now));
        let customers: Vec<String> = half_applied.map(|(key, _)| key.customer_id.clone()).collect();
        let mut records = self.tables.records.iter();
        let is_record = records.any(|(key, record)| lookup.events.contains(key) && record.is_being_applied(now));
        self.count("half_applied", u64::from(is_record || !customers.is_empty()));
        for customer in customers {
            self.half_applied.entry(customer).or_default().push(now);
        }
    }

    fn read_record(&mut self, key: &EventKey, records: Consistency, rng: &mut Chance) -> Option<CorrelationRecord> {
        let (stale_read, sabotage, now) = (self.chances.stale_read, self.sabotage, self.now());
        // Without a condition on records, only a strongly consistent read detects one.
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

    /// Returns true if both events belong to one customer and the other event cannot be committed.
    fn fails_with(&self, key: &EventKey, other: &EventKey) -> bool {
        key.customer_id == other.customer_id && self.refuses(other)
    }

    /// Makes a commit. Returns the time until all of it can be read.
    fn commit(&mut self, sent: &Sent, rng: &mut Chance) -> Result<Duration, StoreError> {
        let (commit, now) = (&sent.commit, self.now());
        let key = |week| UsageKey { customer_id: commit.customer_id.clone(), week };
        let changed = commit.usage().iter().map(|change| (key(change.week), change.read_version()));
        let relied_on = commit.checks().iter().map(|check| (key(check.week), check.version));
        let rows: Vec<(UsageKey, u64)> = changed.chain(relied_on).collect();
        let is_being_applied = |key: &UsageKey| self.tables.usage.get(key).is_some_and(|row| row.is_being_applied(now));
        let records = || commit.records().iter().map(|record| &record.decision.key);
        let is_conflict = rows.iter().any(|(key, _)| is_being_applied(key))
            || self.is_fence_being_applied(commit, now)
            || records().any(|key| self.tables.records.get(key).is_some_and(|record| record.is_being_applied(now)));
        if is_conflict {
            self.count("conflicts", 1);
            return Err(StoreError::Conflict(Cause::new("TransactionConflict")));
        }
        // DynamoDB's condition compares whole seconds.
        let in_force = |record: &CorrelationRecord| record.expires_at.timestamp() > commit.now.timestamp();
        let is_seen = records().any(|key| self.tables.record(key, now).is_some_and(in_force));
        if is_seen && self.has_made(commit, now) {
            return Ok(Duration::ZERO);
        }
        let are_rows_changed = rows.iter().any(|(key, version)| self.tables.version(key) != *version);
        let has_changed = self.is_fence_changed(commit, are_rows_changed, sent.is_zombie) || are_rows_changed;
        let is_refused = (is_seen && self.sabotage != Sabotage::NoRecordCondition)
            || (has_changed && self.sabotage != Sabotage::NoRowCondition);
        if is_refused {
            return Err(StoreError::Conflict(Cause::new("ConditionalCheckFailed")));
        }
        Ok(self.apply(sent, rng))
    }

    /// Returns true if exactly this commit has been made already. Its answer was lost, and the client repeats it.
    fn has_made(&self, commit: &Commit, now: DateTime<Utc>) -> bool {
        let is_stored = |record: &CorrelationRecord| self.tables.record(&record.decision.key, now) == Some(record);
        commit.records().iter().all(is_stored)
    }

    /// Writes everything. A transaction's items become readable one after another, in any order.
    fn apply(&mut self, sent: &Sent, rng: &mut Chance) -> Duration {
        let (commit, now) = (&sent.commit, self.now());
        let is_atomic = matches!(commit.writes, Writes::Record(_));
        let slow = self.chances.slow_apply;
        let time_max_ms = if self.happens(rng, slow) { SLOW_APPLY_MS_MAX } else { APPLY_MS_MAX };
        let mut applied_at =
            || now + TimeDelta::milliseconds(if is_atomic || rng.bool() { 0 } else { rng.i64(0..time_max_ms) });
        let (records_at, rows_at): (Vec<_>, Vec<_>) = (
            commit.records().iter().map(|_| applied_at()).collect(),
            commit.usage().iter().map(|_| applied_at()).collect(),
        );
        let fence_at = if commit.fence().is_some() { applied_at() } else { now };
        let last =
            records_at.iter().chain(&rows_at).chain([&fence_at]).max().map_or(TimeDelta::zero(), |last| *last - now);
        for (record, applied_at) in commit.records().iter().zip(records_at) {
            self.tables.bases.insert(self.tables.history.len(), Basis { applied_at: now + last, ..sent.basis });
            self.put_record(record.clone(), applied_at, rng);
        }
        if self.sabotage != Sabotage::TornCommit || rng.bool() {
            self.apply_fence(commit, sent.basis, fence_at, rng);
            for (change, applied_at) in commit.usage().iter().zip(rows_at) {
                let key = UsageKey { customer_id: commit.customer_id.clone(), week: change.week };
                let item = self.trimmed(change.after.clone());
                let before = self.tables.usage.get(&key).map(|stored| stored.item.clone());
                self.tables.usage.insert(key, Stored::new(item, before, applied_at));
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
        if self.sabotage == Sabotage::NoPendingRecord {
            record.publication = Publication::Confirmed;
        }
        self.trace(|| format!("committed: {record:?}"));
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

    /// Puts a record whose commit was made before.
    pub fn put_record_only(&mut self, record: CorrelationRecord, now: DateTime<Utc>, rng: &mut Chance) {
        let deleted_at = self.deleted_at(&record, rng);
        let key = record.decision.key.clone();
        self.tables.records.insert(key, Stored { item: record, before: None, applied_at: now, deleted_at });
    }

    /// Returns the time at which TTL deletes a record: at once, late, or never.
    pub fn deleted_at(&self, record: &CorrelationRecord, rng: &mut Chance) -> Option<DateTime<Utc>> {
        let late = TimeDelta::seconds(rng.i64(0..48 * 3600));
        [Some(record.expires_at), Some(record.expires_at + late), None][rng.usize(..3).min(self.deletes)]
    }
}
