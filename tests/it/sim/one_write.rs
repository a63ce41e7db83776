//! A cheaper protocol, which loadgate does not use: one conditional write of the usage row commits an accepted load.
//! The row carries the decided events until their records are written. Only the message itself waits for those
//! writes.
//!
//! A load alone would take 2 write units instead of 4, and each of ten loads 1.1 instead of 2.2. But the row of one
//! week says nothing to an attempt in another week. If a message is given up between the two writes, a duplicate of
//! its event with another time is decided as well, and the event counts in two weeks.

use std::sync::Arc;

use futures_util::future::join_all;
use loadgate::deciding::{Cause, Commit, CorrelationRecord, Lookup, Snapshot, StoreError, Units, UsageKey};

use super::simulation::{Chance, Simulation, State};
use super::store::SimStore;

/// Writes the row with the events, then their records.
pub async fn commit(store: &SimStore, commit: &Commit) -> Result<Units, StoreError> {
    let (row_simulation, row_commit) = (Arc::clone(&store.simulation), commit.clone());
    let mut rng = row_simulation.state().draw(&store.actor, &format!("commit {}", commit.customer_id));
    tokio::spawn(async move { write_row(&row_simulation, &row_commit, &mut rng).await }).await.unwrap()?;
    let puts = join_all(commit.records().iter().map(|record| put(store, record))).await;
    puts.into_iter().collect::<Result<Vec<()>, _>>().map(|_| Units::default())
}

/// Adds the records that the read rows carry to a snapshot, and writes them.
pub async fn add_carried(store: &SimStore, lookup: &Lookup, snapshot: &mut Snapshot) {
    let carried = store.simulation.state().carried(lookup);
    for record in carried {
        let written = put(store, &record).await;
        snapshot.records.insert(record.decision.key.clone(), written.map(|()| record));
    }
}

async fn write_row(simulation: &Simulation, commit: &Commit, rng: &mut Chance) -> Result<Units, StoreError> {
    simulation.delay(rng).await;
    let is_answer_lost = {
        let mut state = simulation.state();
        state.fail_without_effect(rng)?;
        state.write_row(commit)?;
        let lost_after = state.chances.lost_after;
        state.happens(rng, lost_after)
    };
    simulation.delay(rng).await;
    if is_answer_lost { Err(StoreError::Unavailable(Cause::new("the answer was lost"))) } else { Ok(Units::default()) }
}

/// Puts a record, unless its event has one.
async fn put(store: &SimStore, record: &CorrelationRecord) -> Result<(), StoreError> {
    let (simulation, record) = (Arc::clone(&store.simulation), record.clone());
    let mut rng = simulation.state().draw(&store.actor, &format!("put {:?}", record.decision.key));
    let put = async move {
        simulation.delay(&mut rng).await;
        let mut state = simulation.state();
        state.fail_without_effect(&mut rng)?;
        if state.refuses(&record.decision.key) {
            return Err(StoreError::Throttled(Cause::new("ThrottlingException")));
        }
        if state.has_no_record_since(&record) {
            let now = state.now();
            state.put_record_only(record, now, &mut rng);
        }
        Ok(())
    };
    tokio::spawn(put).await.unwrap()
}

impl State {
    /// Returns the records that the rows of these weeks carry for these events.
    fn carried(&self, lookup: &Lookup) -> Vec<CorrelationRecord> {
        let carried = lookup.weeks.iter().filter_map(|key| self.tables.carried.get(key)).flatten();
        let is_wanted = |record: &&CorrelationRecord| {
            lookup.events.contains(&record.decision.key) && self.has_no_record_since(record)
        };
        carried.filter(is_wanted).cloned().collect()
    }

    /// Returns true if the event has no record that was in force when this one was made.
    fn has_no_record_since(&self, record: &CorrelationRecord) -> bool {
        let stored = self.tables.record(&record.decision.key, self.now());
        stored.is_none_or(|stored| stored.expires_at <= record.decision.decided_at)
    }

    fn write_row(&mut self, commit: &Commit) -> Result<(), StoreError> {
        let key = |week| UsageKey { customer_id: commit.customer_id.clone(), week };
        let version = |week| self.tables.version(&key(week));
        if commit.usage().iter().any(|change| version(change.week) != change.read_version()) {
            return Err(StoreError::Conflict(Cause::new("ConditionalCheckFailed")));
        }
        for change in commit.usage() {
            let row = change.after.clone();
            let now = self.now();
            self.tables.put_row(key(change.week), row, now);
            self.tables.carried.entry(key(change.week)).or_default().extend(commit.records().iter().cloned());
        }
        for record in commit.records() {
            self.trace(|| format!("carried: {record:?}"));
            if record.is_pending() {
                let now = self.now();
                self.tables.pending.entry(record.decision.key.clone()).or_insert(now);
            }
        }
        let now = self.now();
        self.tables.history.extend(commit.records().iter().map(|record| (now, record.clone())));
        Ok(())
    }
}
