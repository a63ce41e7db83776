//! Customers' accepted loads, for limits with long windows. They also answer the windows of a UTC week.

use std::hint::black_box;

use hashbrown::HashTable;

use crate::domain::{
    AcceptedLoads, Cents, Decision, Limit, Limits, LimitsInForce, LoadAttempt, Millis, ShadowJudgement, Span, decide,
    judge_shadow,
};
use crate::replay::ledger::Key;

/// Maximum memory for a customer with accepted loads, in bytes: 40 in the list, and a place in a hash table.
pub const CUSTOMER_BYTES_MAX: u64 = 62;

/// Maximum memory for an accepted load, in bytes. Lists of loads grow by half of their length.
pub const LOAD_BYTES_MAX: u64 = 36;

/// Number of customers by which the list grows. At most one chunk is partly empty.
const CHUNK_CUSTOMERS: usize = 64;

/// Accepted loads of some customers.
#[derive(Debug, Default)]
pub(super) struct LoadTable {
    /// Places of customers in the list.
    places: HashTable<usize>,
    chunks: Vec<Vec<CustomerLoads>>,
    /// For each limit of the deployment, the span of its window that held the last attempt. Attempts arrive in the order
    /// of their times, so the next one usually lies in the same span.
    spans: Vec<Option<Span>>,
}

#[derive(Debug)]
struct CustomerLoads {
    customer: Key,
    loads: AcceptedLoads,
}

impl LoadTable {
    /// Decides an attempt, and remembers it if it is accepted.
    pub(super) fn decide<'l>(
        &mut self,
        limits: LimitsInForce<'l>,
        customer: Key,
        attempt: &LoadAttempt<'_>,
    ) -> Decision<'l> {
        let at = Millis::of(attempt.time);
        self.find_spans(limits.base, at);
        let place = self.place(customer);
        let loads = place.and_then(|place| self.get(place)).map(|customer| &customer.loads);
        // The spans of own limits are those of one customer, and are not kept.
        let span = |place: usize, limit: &Limit| match self.spans.get(place) {
            Some(span) => *span,
            None => limit.window.span(at),
        };
        let used = |place: usize, limit: &Limit| loads.map_or(0, |loads| loads.used(limit, at, span(place, limit)));
        let decision = decide(limits, attempt, used);
        if decision.is_accepted() {
            self.add(place, customer, at, attempt.amount);
        }
        decision
    }

    /// Judges the shadow limits of a table, if there are any.
    pub(super) fn judge_shadow<'l>(
        &self,
        limits: &'l Limits,
        customer: Key,
        attempt: &LoadAttempt<'_>,
    ) -> Option<ShadowJudgement<'l>> {
        if !limits.has_shadow() {
            return None;
        }
        let at = Millis::of(attempt.time);
        let loads = self.place(customer).and_then(|place| self.get(place)).map(|customer| &customer.loads);
        let used = |limit: &Limit| loads.map_or(0, |loads| loads.used(limit, at, limit.window.span(at)));
        Some(judge_shadow(limits, attempt, |limit| Some(used(limit))))
    }

    /// Reads the memory that [`LoadTable::decide`] needs for these customers, only to load it into the cache: first the table, then
    /// all customers' lists, then the latest loads, so that none of a step waits for another.
    pub(super) fn touch(&self, customers: impl Iterator<Item = Key> + Clone) {
        for customer in customers.clone() {
            black_box(self.places.find(customer.hash(), |_| false).is_some());
        }
        let known = customers.filter_map(|customer| self.get(self.place(customer)?));
        for known in known.clone() {
            black_box(known.loads.len());
        }
        for known in known {
            black_box(known.loads.latest());
        }
    }

    fn find_spans(&mut self, limits: &Limits, at: Millis) {
        self.spans.resize(limits.iter().len(), None);
        for (span, limit) in self.spans.iter_mut().zip(limits.iter()) {
            if span.is_none_or(|span| !span.holds(at)) {
                *span = limit.window.span(at);
            }
        }
    }

    fn place(&self, customer: Key) -> Option<usize> {
        let is_customer = |place: &usize| self.get(*place).is_some_and(|known| known.customer == customer);
        self.places.find(customer.hash(), is_customer).copied()
    }

    fn get(&self, place: usize) -> Option<&CustomerLoads> {
        get(&self.chunks, place)
    }

    /// Remembers an accepted load of a customer at this place, or of a new customer.
    fn add(&mut self, place: Option<usize>, customer: Key, at: Millis, amount: Cents) {
        let place = place.unwrap_or_else(|| self.insert(customer));
        let chunk = self.chunks.get_mut(place / CHUNK_CUSTOMERS);
        if let Some(known) = chunk.and_then(|chunk| chunk.get_mut(place % CHUNK_CUSTOMERS)) {
            known.loads.add(at, amount);
        }
    }

    /// Inserts a customer without loads. Returns its place.
    fn insert(&mut self, customer: Key) -> usize {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK_CUSTOMERS) {
            self.chunks.push(Vec::with_capacity(CHUNK_CUSTOMERS));
        }
        let before = self.chunks.len().saturating_sub(1) * CHUNK_CUSTOMERS;
        let place = self.chunks.last_mut().map_or(0, |chunk| {
            chunk.push(CustomerLoads { customer, loads: AcceptedLoads::default() });
            before + chunk.len() - 1
        });
        let LoadTable { places, chunks, .. } = self;
        let hash_at = |place: &usize| get(chunks, *place).map_or(0, |known| known.customer.hash());
        places.insert_unique(customer.hash(), place, hash_at);
        place
    }

    /// Returns its allocated memory, in bytes.
    #[cfg(test)]
    pub(super) fn allocated_bytes(&self) -> usize {
        let loads = self.chunks.iter().flatten().map(|customer| customer.loads.allocated_bytes()).sum::<usize>();
        let customers = self.chunks.iter().map(|chunk| chunk.capacity() * size_of::<CustomerLoads>()).sum::<usize>();
        self.places.allocation_size() + customers + loads + self.chunks.capacity() * size_of::<Vec<CustomerLoads>>()
    }
}

fn get(chunks: &[Vec<CustomerLoads>], place: usize) -> Option<&CustomerLoads> {
    chunks.get(place / CHUNK_CUSTOMERS)?.get(place % CHUNK_CUSTOMERS)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::*;
    use crate::domain::{AttemptText, Measure, Window};

    #[test]
    fn memory_is_within_its_bounds_however_often_customers_come() {
        // The first chunk of customers, and the smallest hash table.
        let empty = 8 * 1024;
        let limit = Limit { code: "L".to_owned(), measure: Measure::Count, window: Window::Lifetime, max: u64::MAX };
        let limits = Limits::new(vec![limit]).unwrap();
        for loads_per_customer in [1, 2, 3, 7, 1_000, 20_000] {
            let mut table = LoadTable::default();
            for n in 0..20_000_u32 {
                let customer = n / loads_per_customer;
                let time = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(n.into());
                let text = AttemptText {
                    id: n.to_string().into(),
                    customer_id: customer.to_string().into(),
                    load_amount: "$1".into(),
                    time: time.to_rfc3339().into(),
                };
                let identity = Key::of(u128::from(customer).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
                assert!(table.decide((&limits).into(), identity, &LoadAttempt::check(text).unwrap()).is_accepted());
                let (loads, customers) = (u64::from(n) + 1, u64::from(customer) + 1);
                let allowed = empty + CUSTOMER_BYTES_MAX * customers + LOAD_BYTES_MAX * loads;
                let taken = table.allocated_bytes() as u64;
                assert!(taken <= allowed, "{taken} of {allowed} bytes for {loads} loads of {customers} customers");
            }
        }
    }
}
