//! The ledger in memory: which events have been decided, and what each customer has used of the limits. It is no
//! book of accounts: it knows of no balance.
//!
//! It keeps every event and every day with an accepted load until the process ends, so it is what a replay's memory
//! goes to: 17 bytes for an event, and 30 for a customer's day or 129 for four days and more of a week, in tables that
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
    /// Its customer and event.
    pub identity: Identity,
    /// What became of it. None until it has been decided.
    pub outcome: Option<Outcome>,
}

impl Ledger {
    /// Decides each attempt, in this order, unless its event has been seen, and remembers its event and its effect on
    /// usage.
    ///
    /// Every attempt needs several places in memory that no cache is likely to hold. In three passes it needs them in
    /// loops whose rounds do not wait for one another, so that the processor fetches many places at once.
    pub fn decide(&mut self, limits: &Limits, attempts: &mut [&mut PendingAttempt<'_>]) {
        for pending in &mut *attempts {
            if !self.remember(pending.identity.event) {
                pending.outcome = Some(Outcome::Ignored);
            }
        }
        for pending in &*attempts {
            self.touch_usage(pending);
        }
        for pending in attempts.iter_mut().filter(|pending| pending.outcome.is_none()) {
            pending.outcome = Some(Outcome::Decided(self.decide_new(limits, pending)));
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

    /// Reads what deciding the attempt will read, only to have it in the cache.
    fn touch_usage(&self, PendingAttempt { attempt, identity, .. }: &PendingAttempt<'_>) {
        if let Some(week) = self.weeks.get(&Day::of(attempt.time).week()) {
            week.touch(identity.customer);
        }
    }

    fn decide_new(
        &mut self,
        limits: &Limits,
        PendingAttempt { attempt, identity, .. }: &PendingAttempt<'_>,
    ) -> Decision {
        let day = Day::of(attempt.time);
        let usage = self.weeks.get(&day.week()).map(|week| week.usage(identity.customer));
        let (decision, after) = decide(limits, &usage.unwrap_or_default(), attempt);
        if decision.is_accepted() {
            let week = self.weeks.entry(day.week()).or_default();
            week.set(identity.customer, day.days_since_monday(), after.day(day));
        }
        decision
    }
}

/// What a table needs of a key that is itself a hash. The other half has dealt customers out to ledgers.
fn hash(identity: u128) -> u64 {
    (identity >> 64) as u64
}
