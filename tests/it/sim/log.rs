//! The decision log, and what must hold of it.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use loadgate::deciding::{Cause, CorrelationRecord, DecisionLog, LOG_ENTRIES_MAX, Metered, StoreError};
use loadgate::domain::{LogEntry, LogPosition};

use super::check::is_known_gap;
use super::queue::Message;
use super::sabotage::Sabotage;
use super::simulation::{Chance, Simulation, State, event_of};
use super::store::SimStore;

/// Entries by run and sequence number.
pub type Log = BTreeMap<(String, u64), LogEntry>;

thread_local! {
    /// Number of runs so far, of the simulation that this thread plays.
    static RUNS: Cell<u64> = const { Cell::new(0) };
}

/// Returns the log of a simulation that begins: on in half of them.
pub fn begin(state: &mut State) -> Option<DecisionLog> {
    RUNS.set(0);
    let is_on = state.draw("producer", "decision log").bool() || state.sabotage == Sabotage::LogAfterSettling;
    is_on.then_some(DecisionLog { retention: Some(TimeDelta::days(400)), new_run_id })
}

fn new_run_id(_now: DateTime<Utc>) -> String {
    RUNS.set(RUNS.get() + 1);
    format!("run {}", RUNS.get())
}

fn key(position: &LogPosition) -> (String, u64) {
    (position.run_id.clone(), position.seq)
}

/// Writes entries. Once sent, the request takes effect even if the caller no longer waits for it.
pub async fn write(store: &SimStore, entries: &[&LogEntry]) -> Result<Metered<Vec<usize>>, StoreError> {
    let keys: BTreeSet<_> = entries.iter().map(|entry| key(&entry.position)).collect();
    assert!(entries.len() <= LOG_ENTRIES_MAX && keys.len() == entries.len(), "{entries:?}");
    let customers: BTreeSet<&str> = entries.iter().map(|entry| entry.decision.key.customer_id.as_str()).collect();
    let purpose = format!("log {}", customers.into_iter().collect::<Vec<_>>().join(","));
    let mut rng = store.simulation.state().draw(&store.actor, &purpose);
    let simulation = Arc::clone(&store.simulation);
    let entries: Vec<LogEntry> = entries.iter().copied().cloned().collect();
    let is_late = simulation.state().sabotage == Sabotage::LogAfterSettling;
    let request = tokio::spawn(async move { answer(&simulation, &entries, &mut rng).await });
    if is_late { Ok(Metered::default()) } else { request.await.unwrap() }
}

async fn answer(
    simulation: &Simulation,
    entries: &[LogEntry],
    rng: &mut Chance,
) -> Result<Metered<Vec<usize>>, StoreError> {
    let customers: Vec<&str> = entries.iter().map(|entry| entry.decision.key.customer_id.as_str()).collect();
    let is_hanging = simulation.hangs(rng, &customers).await;
    if is_hanging && rng.bool() {
        return Err(StoreError::Unavailable(Cause::new("no answer")));
    }
    simulation.delay(rng).await;
    let left = {
        let mut state = simulation.state();
        state.fail_without_effect(rng)?;
        let mut left = Vec::new();
        for (place, entry) in entries.iter().enumerate() {
            let throttled = state.chances.throttled;
            if state.refuses(&entry.decision.key) || state.happens(rng, throttled) {
                state.count("log_left_out", 1);
                left.push(place);
            } else {
                state.put(entry);
            }
        }
        left
    };
    simulation.delay(rng).await;
    let mut state = simulation.state();
    let lost_after = state.chances.lost_after;
    if state.happens(rng, lost_after) || is_hanging {
        state.count("lost_after", 1);
        return Err(StoreError::Unavailable(Cause::new("the answer was lost")));
    }
    Ok(Metered { value: left, ..Metered::default() })
}

impl State {
    fn put(&mut self, entry: &LogEntry) {
        self.trace(|| format!("logged: {entry:?}"));
        match self.tables.log.insert(key(&entry.position), entry.clone()) {
            None => self.count("log_entries", 1),
            Some(old) if old == *entry => self.count("log_again", 1),
            Some(old) => self.violation(format!("the log's entry {old:?} was changed to {entry:?}")),
        }
    }

    fn has_logged(&self, record: &CorrelationRecord) -> bool {
        record.log_entry().is_none_or(|entry| self.tables.log.get(&key(&entry.position)) == Some(&entry))
    }

    /// Checks that the decision of a message that is deleted is logged.
    pub fn check_deleted(&mut self, message: &Message) {
        let Some(event) = event_of(&message.body) else { return };
        let is_its_own =
            |record: &&CorrelationRecord| [&message.id, &message.deduplication_id].contains(&&record.message_id);
        let record = self.tables.record(&event, self.now()).filter(is_its_own);
        if let Some(record) = record.filter(|record| !self.has_logged(record)) {
            self.violation(format!("deleted, and its decision is not in the log: {message:?}, {record:?}"));
        }
    }
}

/// Checks that each published decision has exactly one entry, and that no entry is of anything else.
pub fn check(state: &State) -> Result<(), String> {
    for record in state.tables.queued() {
        if state.decisions.has_stored(&record.decision) && !state.has_logged(record) && !is_known_gap(state, record) {
            return Err(format!("published, and not in the log: {record:?}"));
        }
    }
    let mut logged = BTreeSet::new();
    for entry in state.tables.log.values() {
        if !state.tables.committed().any(|record| record.decision == entry.decision) {
            return Err(format!("in the log, but never decided so: {entry:?}"));
        }
        if !logged.insert((&entry.decision.key, entry.decision.decided_at)) {
            return Err(format!("twice in the log: {entry:?}"));
        }
    }
    Ok(())
}
