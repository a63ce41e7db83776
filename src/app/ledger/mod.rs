//! The ledger in memory: which events have been decided, and what each customer has used.
//!
//! It holds every event and every day with an accepted load until the process ends, so its memory is what bounds a
//! replay. Both tables are [`GapTable`]s, at least seven ninths full once they have grown: an event takes at most 21
//! bytes, and a customer's day with accepted loads at most 42.

mod gap_table;
mod identity;

pub use identity::{Identifier, Identity};

use crate::domain::{Day, DayUsage, Decision, Limits, LoadAttempt, WeekUsage, decide};
use gap_table::{GapTable, Slot};

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
    events: GapTable<u128>,
    days: GapTable<DayRow>,
}

/// One day's usage of one customer. The seven rows of a week lie side by side.
#[derive(Clone, Copy, Debug)]
struct DayRow {
    /// [`Identity::day_key`].
    key: u128,
    usage: DayUsage,
}

impl Ledger {
    /// Decides an attempt, unless its event has been seen, and remembers the event and its effect on usage.
    pub fn offer(&mut self, limits: &Limits, identity: Identity, attempt: &LoadAttempt<'_>) -> Outcome {
        if !self.events.insert(identity.event) {
            return Outcome::Ignored;
        }
        let day = Day::of(attempt.time);
        let (decision, after) = decide(limits, &self.week_usage(identity, day), attempt);
        if decision.is_accepted() {
            self.days.put(DayRow { key: identity.day_key(day), usage: after.day(day) });
        }
        Outcome::Decided(decision)
    }

    /// Brings what these attempts will need into the processor's caches.
    ///
    /// A decision waits for memory twice, and decisions follow one another; these look-ups do not, so the processor
    /// makes many at once. It takes nearly half off the time of a replay whose ledger is larger than the caches.
    pub fn warm<'a>(&self, attempts: impl Iterator<Item = (Identity, &'a LoadAttempt<'a>)>) {
        let touched = attempts.map(|(identity, attempt)| {
            self.events.touch(identity.event) ^ self.days.touch(*identity.week_keys(Day::of(attempt.time)).start())
        });
        std::hint::black_box(touched.fold(0, |sum, key| sum ^ key));
    }

    /// The customer's usage of the week that holds the day.
    fn week_usage(&self, identity: Identity, day: Day) -> WeekUsage {
        let mut usage = WeekUsage::default();
        for row in self.days.range(identity.week_keys(day)) {
            usage.set_day(identity::days_since_monday(row.key), row.usage);
        }
        usage
    }
}

impl Slot for u128 {
    const VACANT: u128 = 0;

    fn key(&self) -> u128 {
        *self
    }
}

impl Slot for DayRow {
    const VACANT: DayRow = DayRow { key: 0, usage: DayUsage::NONE };

    fn key(&self) -> u128 {
        self.key
    }
}
