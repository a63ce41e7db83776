//! The ledger in memory: which events have been decided, and what each customer has used of the limits. It is no
//! book of accounts: it knows of no balance.
//!
//! It keeps every event and every day with an accepted load until the process ends, so it is what a replay's memory
//! goes to. An event takes 17 bytes, and a week in which a customer has an accepted load 33, both in tables that are between
//! 7/16 and 7/8 full once they have grown. A week with accepted loads on several days takes 88 bytes more, in a list.
//!
//! So an event takes [`EVENT_BYTES_MAX`] at the most: half of what two events take that are accepted on two days of a week in
//! which the customer has no others, right after both tables have grown.

mod identity;
mod usage_table;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
pub use identity::{Identifier, Identity};

use crate::domain::{Day, Decision, Limits, LoadAttempt, decide};
use usage_table::UsageTable;

/// The most memory that a ledger takes for each distinct event, in bytes, whatever the customers, times and amounts.
pub const EVENT_BYTES_MAX: u64 = 121;

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
    usage: UsageTable,
}

/// A valid load attempt on its way through a ledger.
#[derive(Clone, Debug)]
pub struct PendingAttempt<'a> {
    /// The attempt.
    pub attempt: LoadAttempt<'a>,
    /// The day that it counts in.
    day: Day,
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
        for pending in attempts.iter_mut().filter(|pending| pending.outcome.is_none()) {
            pending.outcome = Some(Outcome::Decided(pending.decide(limits, &mut self.usage)));
        }
    }

    /// Reads what deciding will read, only to have it in the cache.
    fn touch(&self, attempts: &[&mut PendingAttempt<'_>]) {
        for PendingAttempt { identity, day, .. } in attempts.iter().map(|pending| &**pending) {
            std::hint::black_box(self.events.find(hash(identity.event), |_| false).is_some());
            self.usage.touch(identity.customer, day.week());
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
        PendingAttempt { day, attempt, identity, outcome: None }
    }

    fn decide(&self, limits: &Limits, usage: &mut UsageTable) -> Decision {
        let mut decision = Decision::Accepted;
        usage.change(self.identity.customer, self.day, |usage| {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AttemptText, Limit, Measure, Window};

    /// What a ledger may take before there are many events: the first chunk of the list, and small tables.
    const LEDGER_BYTES: u64 = 16 * 1024;

    /// Decides valid attempts one by one, each of another event. Returns the most bytes that an event takes, once there are
    /// many.
    fn event_bytes_max(attempts: impl Iterator<Item = (String, String, &'static str)>) -> u64 {
        let limit = |measure, max| Limit { code: format!("{measure:?}"), measure, window: Window::Day, max };
        let limits = [limit(Measure::Amount, u64::MAX), limit(Measure::Count, 1_000_000)];
        let limits = Limits::new(limits.into()).unwrap();
        let (mut ledger, identifier) = (Ledger::default(), Identifier::new([7; 16]));
        let mut most = 0;
        for (events, (customer, time, amount)) in (1..).zip(attempts) {
            let (id, customer_id) = (events.to_string().into(), customer.as_str().into());
            let text = AttemptText { id, customer_id, load_amount: amount.into(), time: time.as_str().into() };
            let mut pending = PendingAttempt::new(LoadAttempt::check(text).unwrap(), &identifier);
            ledger.decide(&limits, &mut [&mut pending]);
            assert_eq!(pending.outcome, Some(Outcome::Decided(Decision::Accepted)));
            let bytes = (ledger.events.allocation_size() + ledger.usage.allocated_bytes()) as u64;
            assert!(bytes <= LEDGER_BYTES + EVENT_BYTES_MAX * events, "{bytes} bytes for {events} events");
            if events > 10_000 {
                most = most.max(bytes / events);
            }
        }
        most
    }

    #[test]
    fn an_event_takes_a_bounded_amount_of_memory_whatever_the_customers_times_and_amounts() {
        let at = |customer: u32, day: u32| {
            let (year, day) = (customer / 336 % 10_000, customer % 336 + day);
            (customer.to_string(), format!("{year:04}-{:02}-{:02}T00:00:00Z", day / 28 + 1, day % 28 + 1))
        };
        let (little, much) = ("$1.00", "$90,000,000,000,000.00");
        let of = |(customer, time), amount| (customer, time, amount);
        let one_day = (0..30_000).map(|n| of(at(n, 0), little));
        assert!((85..=114).contains(&event_bytes_max(one_day)));
        let two_days = (0..30_000).map(|n| of(at(n / 2 * 336, n % 2), little));
        assert!((85..=EVENT_BYTES_MAX).contains(&event_bytes_max(two_days)));
        let two_days_of_much = (0..30_000).map(|n| of(at(n / 2 * 336, n % 2), much));
        assert!((85..=EVENT_BYTES_MAX).contains(&event_bytes_max(two_days_of_much)));
        let centuries_of_one_customer = (0..30_000).map(|n| ("528".to_owned(), at(n * 7 % 3_000_000, 0).1, little));
        assert!(event_bytes_max(centuries_of_one_customer) <= EVENT_BYTES_MAX);
        let often = (0..30_000).map(|n| of(at(n % 100, 0), little));
        assert!(event_bytes_max(often) <= 40);
    }
}
