//! The ledger in memory: which events have been decided, and what each customer has used of the limits. It is no
//! book of accounts: it knows of no balance.
//!
//! It keeps every event and every day with an accepted load until the process ends, so it is what a replay's memory
//! goes to: 17 bytes for an event, and 23 for a customer's only day of a week or 53 for a week of more days, in tables that
//! are between 7/16 and 7/8 full once they have grown.

mod identity;
mod week_table;

use std::collections::BTreeMap;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
pub use identity::{Identifier, Identity};

use crate::domain::{Day, Decision, Limits, LoadAttempt, Week, decide};
use week_table::WeekTable;

/// What became of a valid load attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was decided, now and for good.
    Decided(Decision),
    /// Its event had been decided before: no decision, no change.
    Ignored,
}

/// The events and usage of some customers. All attempts of one customer belong to the same ledger.
#[derive(Debug, Default)]
pub struct Ledger {
    events: HashTable<u128>,
    /// A table for each week: attempts come in the order of their times, so what is looked up now lies close together.
    weeks: BTreeMap<Week, WeekTable>,
}

/// A valid load attempt on its way through a ledger.
#[derive(Clone, Debug)]
pub struct PendingAttempt<'a> {
    /// The attempt.
    pub attempt: LoadAttempt<'a>,
    /// The day that it counts in.
    day: Day,
    /// The day's week.
    week: Week,
    /// Its customer and event.
    pub identity: Identity,
    /// What became of it. None until it has been decided.
    pub outcome: Option<Outcome>,
}

impl Ledger {
    /// Decides each attempt, in this order, unless its event has been seen, and remembers its event and its effect on
    /// usage.
    ///
    /// Every attempt needs several places in memory that no cache is likely to hold. The first pass needs them in short
    /// rounds that do not wait for one another, so that the processor fetches many places at once; the others find them there.
    pub fn decide(&mut self, limits: &Limits, attempts: &mut [&mut PendingAttempt<'_>]) {
        self.touch(attempts);
        for pending in &mut *attempts {
            if !self.remember(pending.identity.event) {
                pending.outcome = Some(Outcome::Ignored);
            }
        }
        for run in attempts.chunk_by_mut(|one, next| one.week == next.week) {
            let Some(first) = run.first() else { continue };
            let table = self.weeks.entry(first.week).or_default();
            for pending in run.iter_mut().filter(|pending| pending.outcome.is_none()) {
                pending.outcome = Some(Outcome::Decided(pending.decide(limits, table)));
            }
        }
    }

    /// Reads what deciding will read, only to have it in the cache.
    fn touch(&self, attempts: &[&mut PendingAttempt<'_>]) {
        for run in attempts.chunk_by(|one, next| one.week == next.week) {
            let table = run.first().and_then(|first| self.weeks.get(&first.week));
            for PendingAttempt { identity, .. } in run.iter().map(|pending| &**pending) {
                std::hint::black_box(self.events.find(hash(identity.event), |_| false).is_some());
                if let Some(table) = table {
                    table.touch(identity.customer);
                }
            }
        }
    }

    /// Whether the event has not been seen before. Now it has.
    fn remember(&mut self, event: u128) -> bool {
        match self.events.entry(hash(event), |seen| *seen == event, |seen| hash(*seen)) {
            Entry::Occupied(_) => false,
            Entry::Vacant(vacant) => {
                vacant.insert(event);
                true
            }
        }
    }
}

impl<'a> PendingAttempt<'a> {
    /// An attempt that has not been decided.
    pub fn new(attempt: LoadAttempt<'a>, identifier: &Identifier) -> PendingAttempt<'a> {
        let identity = identifier.identify(&attempt);
        let day = Day::of(attempt.time);
        PendingAttempt { day, week: day.week(), attempt, identity, outcome: None }
    }

    fn decide(&self, limits: &Limits, table: &mut WeekTable) -> Decision {
        let mut decision = Decision::Accepted;
        table.change(self.identity.customer, self.day.days_since_monday(), |usage| {
            let after;
            (decision, after) = decide(limits, usage, &self.attempt);
            decision.is_accepted().then(|| after.day(self.day))
        });
        decision
    }
}

/// What a table needs of a key that is itself a hash. The other half has dealt customers out to ledgers.
fn hash(identity: u128) -> u64 {
    (identity >> 64) as u64
}
