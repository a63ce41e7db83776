//! Pool of waiting batches and batches in progress: never two batches in progress for one customer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{DateTime, Utc};

use crate::deciding::{Receipt, Received};

/// Messages of one customer from one poll, in order.
pub struct Batch {
    pub id: u64,
    pub messages: Vec<Received>,
    /// End of the messages' invisibility. After it the queue delivers them again, so the batch must not begin.
    invisible_until: DateTime<Utc>,
}

impl Batch {
    fn group_id(&self) -> &str {
        self.messages.first().map_or("", |message| message.group_id.as_str())
    }

    fn receipts(&self) -> Vec<Receipt> {
        self.messages.iter().map(|message| message.receipt.clone()).collect()
    }

    pub fn into_receipts(self) -> impl Iterator<Item = Receipt> {
        self.messages.into_iter().map(|message| message.receipt)
    }
}

/// A batch in progress.
struct Working {
    group_id: String,
    receipts: Vec<Receipt>,
    invisible_until: DateTime<Utc>,
}

/// Waiting batches, in order of arrival, and batches in progress.
pub struct Pool {
    customers_max: usize,
    waiting: VecDeque<Batch>,
    working: BTreeMap<u64, Working>,
    batches: u64,
}

impl Pool {
    pub const fn new(customers_max: usize) -> Pool {
        Pool { customers_max, waiting: VecDeque::new(), working: BTreeMap::new(), batches: 0 }
    }

    /// Returns the number of customers in progress.
    pub fn working(&self) -> usize {
        self.working.len()
    }

    /// Returns the number of further customers for which there is room.
    pub fn free(&self) -> usize {
        self.customers_max.saturating_sub(self.working.len() + self.waiting.len())
    }

    /// Adds the messages of one poll.
    pub fn add(&mut self, messages: Vec<Received>, invisible_until: DateTime<Utc>) {
        let mut batches: Vec<Batch> = Vec::new();
        for message in messages {
            if let Some(batch) = batches.iter_mut().find(|batch| batch.group_id() == message.group_id) {
                batch.messages.push(message);
            } else {
                self.batches += 1;
                batches.push(Batch { id: self.batches, messages: vec![message], invisible_until });
            }
        }
        self.waiting.extend(batches);
    }

    /// Drops waiting batches whose messages are visible again. Returns the number of dropped messages.
    pub fn drop_visible(&mut self, now: DateTime<Utc>) -> usize {
        let count = |waiting: &VecDeque<Batch>| waiting.iter().map(|batch| batch.messages.len()).sum::<usize>();
        let before = count(&self.waiting);
        self.waiting.retain(|batch| now < batch.invisible_until);
        before - count(&self.waiting)
    }

    /// Returns the next batch to begin: the first whose customer is not in progress.
    pub fn begin_next(&mut self) -> Option<Batch> {
        if self.working.len() >= self.customers_max {
            return None;
        }
        let busy: BTreeSet<&str> = self.working.values().map(|working| working.group_id.as_str()).collect();
        let place = self.waiting.iter().position(|batch| !busy.contains(batch.group_id()))?;
        let batch = self.waiting.remove(place)?;
        let (group_id, receipts) = (batch.group_id().to_owned(), batch.receipts());
        let working = Working { group_id, receipts, invisible_until: batch.invisible_until };
        self.working.insert(batch.id, working);
        Some(batch)
    }

    /// Removes a finished batch.
    pub fn end(&mut self, batch: u64) {
        self.working.remove(&batch);
    }

    /// Returns the receipts of all batches, waiting or in progress.
    pub fn held(&self) -> Vec<(u64, Vec<Receipt>)> {
        let waiting = self.waiting.iter().map(|batch| (batch.id, batch.receipts()));
        let working = self.working.iter().map(|(id, working)| (*id, working.receipts.clone()));
        waiting.chain(working).collect()
    }

    /// Records that a batch stays invisible until the given instant.
    pub fn extended(&mut self, batch: u64, invisible_until: DateTime<Utc>) {
        if let Some(held_until) = self.invisible_until(batch) {
            *held_until = invisible_until;
        }
    }

    /// Returns true if a batch is still held and becomes visible at or before the given instant.
    pub fn becomes_visible(&mut self, batch: u64, by: DateTime<Utc>) -> bool {
        self.invisible_until(batch).is_some_and(|held_until| *held_until <= by)
    }

    fn invisible_until(&mut self, batch: u64) -> Option<&mut DateTime<Utc>> {
        let working = self.working.get_mut(&batch).map(|working| &mut working.invisible_until);
        let waiting = self.waiting.iter_mut().find(|waiting| waiting.id == batch);
        working.or(waiting.map(|waiting| &mut waiting.invisible_until))
    }

    /// Removes and returns all waiting batches.
    pub fn take_waiting(&mut self) -> Vec<Batch> {
        std::mem::take(&mut self.waiting).into()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn only_a_batch_that_is_still_held_can_become_visible() {
        let begun = DateTime::UNIX_EPOCH;
        let at = |seconds| begun + TimeDelta::seconds(seconds);
        let message = |customer: &str| Received { group_id: customer.to_owned(), ..Received::default() };
        let mut pool = Pool::new(1);
        pool.add(vec![message("a"), message("b")], at(30));
        let working = pool.begin_next().map(|batch| batch.id);
        assert_eq!(working, Some(1));
        for batch in [1, 2] {
            assert_eq!([29, 30].map(|by| pool.becomes_visible(batch, at(by))), [false, true]);
            pool.extended(batch, at(40));
            assert_eq!([39, 40].map(|by| pool.becomes_visible(batch, at(by))), [false, true]);
        }
        pool.end(1);
        assert!(!pool.becomes_visible(1, at(50)));
    }
}
