//! A customer's accepted loads, one by one: they answer every window.

use super::{Cents, Limit, LoadTotal, Measure, Millis, Span, Window};

/// A customer's accepted loads, in the order of their times.
///
/// A load takes 24 bytes. Adding the latest one takes constant time on average; a late one moves all later ones. A
/// total takes the time of a binary search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcceptedLoads {
    loads: Vec<AcceptedLoad>,
}

/// An accepted load. It is packed, because loads like it make up most of a replay's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(Rust, packed)]
struct AcceptedLoad {
    at: Millis,
    /// The sum of all amounts up to and with this load, in cents.
    sum: u128,
}

const _: () = assert!(size_of::<AcceptedLoad>() == 24, "what the type's text says");

impl AcceptedLoads {
    /// Adds a load.
    pub fn add(&mut self, at: Millis, amount: Cents) {
        let place = self.before(at.plus(1));
        let sum = self.sum_before(place).saturating_add(u128::from(amount.get()));
        if self.loads.len() == self.loads.capacity() {
            // A vector's own growth would begin with four, which most customers never have.
            self.loads.reserve_exact(self.loads.len().div_ceil(2).max(1));
        }
        self.loads.insert(place, AcceptedLoad { at, sum });
        for load in self.loads.iter_mut().skip(place.saturating_add(1)) {
            load.sum = load.sum.saturating_add(u128::from(amount.get()));
        }
    }

    /// Returns the number of loads.
    pub const fn len(&self) -> usize {
        self.loads.len()
    }

    /// Returns true when there are none.
    pub const fn is_empty(&self) -> bool {
        self.loads.is_empty()
    }

    /// Returns the time of the latest load.
    pub fn latest(&self) -> Option<Millis> {
        self.loads.last().map(|load| load.at)
    }

    /// Returns the loads, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Millis, Cents)> {
        let befores = std::iter::once(0).chain(self.loads.iter().map(|load| load.sum));
        let amount = |(load, before): (&AcceptedLoad, u128)| u64::try_from({ load.sum }.saturating_sub(before));
        let loads = self.loads.iter().zip(befores);
        loads.map(move |(load, before)| (load.at, Cents::new(amount((load, before)).unwrap_or(u64::MAX))))
    }

    /// Removes the earliest load.
    pub fn remove_first(&mut self) -> Option<(Millis, Cents)> {
        let first = self.iter().next()?;
        let rest = self.loads.iter().skip(1);
        let without = |load: &AcceptedLoad| AcceptedLoad {
            at: load.at,
            sum: { load.sum }.saturating_sub(u128::from(first.1.get())),
        };
        self.loads = rest.map(without).collect();
        Some(first)
    }

    /// Returns the times from the first instant up to the last one, without the first and with the last.
    pub(super) fn times_between(&self, after: Millis, last: Millis) -> impl Iterator<Item = Millis> {
        let times = self.loads.get(self.before(after.plus(1))..self.before(last.plus(1)));
        times.unwrap_or_default().iter().map(|load| load.at)
    }

    /// Returns true when a load is later than this instant.
    pub(super) fn has_later(&self, instant: Millis) -> bool {
        self.before(instant.plus(1)) < self.len()
    }

    /// Returns the total of a limit's window around an instant: cents or loads. `span` must be the span of the window that
    /// holds the instant, if the window has a single one.
    pub fn used(&self, limit: &Limit, at: Millis, span: Option<Span>) -> u64 {
        match (&limit.window, span) {
            (Window::Rolling(hours), _) => self.largest_total(limit.measure, hours.milliseconds(), at),
            (_, Some(span)) => self.total(limit.measure, span),
            (_, None) => 0,
        }
    }

    /// Returns the total of the loads in a span.
    pub(super) fn load_total(&self, span: Span) -> LoadTotal {
        LoadTotal {
            amount: Cents::new(self.total(Measure::Amount, span)),
            count: u32::try_from(self.total(Measure::Count, span)).unwrap_or(u32::MAX),
        }
    }

    /// Returns the total of the loads in a span: cents or loads.
    pub fn total(&self, measure: Measure, span: Span) -> u64 {
        self.between(measure, self.before(span.start), self.before(span.end))
    }

    /// Returns the largest total of any span of this length, in milliseconds, that holds the instant.
    pub fn largest_total(&self, measure: Measure, length_ms: i64, holding: Millis) -> u64 {
        let first = self.before(holding.plus(length_ms.saturating_neg()).plus(1));
        let later = self.before(holding.plus(1));
        let is_latest = later == self.loads.len();
        if is_latest {
            return self.between(measure, first, later);
        }
        // A span with the largest total begins with a load, or with the instant itself.
        let begins = self.loads.get(first..later).unwrap_or_default().iter().map(|load| load.at);
        let spans = begins.chain([holding]).map(|start| Span { start, end: start.plus(length_ms) });
        spans.map(|span| self.total(measure, span)).max().unwrap_or_default()
    }

    /// Returns its allocated memory, in bytes.
    pub fn allocated_bytes(&self) -> usize {
        self.loads.capacity().saturating_mul(size_of::<AcceptedLoad>())
    }

    /// Returns the number of loads before an instant.
    fn before(&self, instant: Millis) -> usize {
        let is_before = |load: &AcceptedLoad| { load.at } < instant;
        // Attempts arrive in the order of their times, so the answer is most often: all. Of a long window, it is often: none.
        if self.loads.last().is_none_or(is_before) {
            return self.loads.len();
        }
        if !self.loads.first().is_some_and(is_before) {
            return 0;
        }
        // Other windows begin near the latest load, so that steps from there, each twice as long as the one before, read less
        // memory than a binary search.
        let (mut end, mut step) = (self.loads.len(), 1_usize);
        while let Some(place) = end.checked_sub(step)
            && !self.loads.get(place).is_some_and(is_before)
        {
            (end, step) = (place, step.saturating_mul(2));
        }
        let begin = end.saturating_sub(step);
        let between = self.loads.get(begin..end).unwrap_or_default();
        begin.saturating_add(between.partition_point(is_before))
    }

    fn sum_before(&self, place: usize) -> u128 {
        place.checked_sub(1).and_then(|last| self.loads.get(last)).map_or(0, |load| load.sum)
    }

    fn between(&self, measure: Measure, first: usize, end: usize) -> u64 {
        let total = match measure {
            Measure::Amount => u64::try_from(self.sum_before(end).saturating_sub(self.sum_before(first))).ok(),
            Measure::Count => u64::try_from(end.saturating_sub(first)).ok(),
        };
        total.unwrap_or(u64::MAX)
    }
}
