//! Customers' own limits in memory.

use std::collections::BTreeMap;

use super::MemoryStore;
use crate::deciding::{Cause, StoreError};
use crate::domain::ChangeRecord;
#[cfg(feature = "cli")]
use crate::erasing::CustomerItem;
use crate::limits::{
    AnswerStore, ChangePage, CustomerLimits, KeptAnswer, LimitPointer, LimitStore, LimitWrite, ReportedLimit,
    RequestKey, StoredLimit, VersionedLimit,
};

/// The table of customers' own limits.
#[derive(Debug, Default)]
pub(super) struct LimitTable {
    customers: BTreeMap<String, CustomerLimits>,
    pointers: BTreeMap<String, LimitPointer>,
    /// By the limit and the version.
    changes: BTreeMap<(String, u64), ChangeRecord>,
    answers: BTreeMap<RequestKey, KeptAnswer>,
}

impl LimitTable {
    /// Returns a customer's limits.
    pub(super) fn of(&self, user_id: &str) -> Option<&CustomerLimits> {
        self.customers.get(user_id)
    }

    /// Keeps an answer, if its key is free. Returns false if it is not.
    pub(super) fn keep(&mut self, answer: &KeptAnswer) -> bool {
        let is_free = self.is_free(answer);
        if is_free {
            self.answers.insert(answer.key.clone(), answer.clone());
        }
        is_free
    }

    /// Returns true if no answer is kept under the same key, or if it has expired.
    fn is_free(&self, answer: &KeptAnswer) -> bool {
        self.answers.get(&answer.key).is_none_or(|kept| kept.expires_at() <= answer.answered_at)
    }

    /// Returns a customer's pointers and changes. As in the other stores, an item names its customer: a change through its
    /// definition.
    #[cfg(feature = "cli")]
    pub(super) fn items_of(&self, user_id: &str) -> Vec<CustomerItem> {
        let pointers = self.pointers.iter().filter(|(_, pointer)| pointer.user_id == user_id);
        let pointers = pointers.map(|(limit_id, _)| CustomerItem::Pointer { limit_id: limit_id.clone() });
        let changes = self.changes.iter().filter(|(_, change)| change.after.user_id == user_id);
        let changes = changes
            .map(|((limit_id, version), _)| CustomerItem::Change { limit_id: limit_id.clone(), version: *version });
        pointers.chain(changes).collect()
    }

    #[cfg(feature = "cli")]
    pub(super) fn delete_pointer(&mut self, limit_id: &str) {
        self.pointers.remove(limit_id);
    }

    #[cfg(feature = "cli")]
    pub(super) fn delete_change(&mut self, limit_id: &str, version: u64) {
        self.changes.remove(&(limit_id.to_owned(), version));
    }

    #[cfg(feature = "cli")]
    pub(super) fn delete_customer(&mut self, user_id: &str) {
        self.customers.remove(user_id);
    }

    fn version(&self, user_id: &str) -> u64 {
        self.customers.get(user_id).map_or(0, |customer| customer.version)
    }
}

impl LimitStore for MemoryStore {
    async fn read(&self, limit_id: &str, user_id: &str) -> Result<StoredLimit, StoreError> {
        let tables = self.tables();
        let customer = tables.limits.customers.get(user_id).cloned().unwrap_or_default();
        Ok(StoredLimit { pointer: tables.limits.pointers.get(limit_id).cloned(), customer })
    }

    async fn read_pointer(&self, limit_id: &str) -> Result<Option<LimitPointer>, StoreError> {
        Ok(self.tables().limits.pointers.get(limit_id).cloned())
    }

    async fn write(&self, write: &LimitWrite) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let table = &mut tables.limits;
        let conflict = |what| Err(StoreError::Conflict(Cause::new(what)));
        if let Some(pointer) = &write.pointer
            && table.pointers.get(&write.limit_id) != pointer.before.as_ref()
        {
            return conflict("the limit has been changed by another writer");
        }
        if let Some(customer) = &write.customer {
            if table.version(&write.user_id) != customer.read_version {
                return conflict("the customer's limits have been changed by another writer");
            }
            if customer.answer.as_ref().is_some_and(|answer| !table.is_free(answer)) {
                return conflict("an answer is kept under the same key");
            }
            table.customers.insert(write.user_id.clone(), customer.after.clone());
            table.changes.insert((write.limit_id.clone(), customer.change.version), customer.change.clone());
            table.answers.extend(customer.answer.clone().map(|answer| (answer.key.clone(), answer)));
        }
        if let Some(pointer) = &write.pointer {
            table.pointers.insert(write.limit_id.clone(), pointer.after.clone());
        }
        Ok(())
    }

    async fn read_limits(&self, user_id: &str) -> Result<Vec<ReportedLimit>, StoreError> {
        let tables = self.tables();
        let limits = tables.limits.customers.get(user_id).into_iter().flat_map(|customer| &customer.limits);
        let reported = |limit_id: &String| tables.limits.pointers.get(limit_id).map_or(0, |pointer| pointer.reported);
        let reported =
            |(id, known): (&String, &VersionedLimit)| ReportedLimit { known: known.clone(), reported: reported(id) };
        Ok(limits.map(reported).collect())
    }

    async fn read_changes(&self, limit_id: &str, after: Option<u64>, max: u16) -> Result<ChangePage, StoreError> {
        let tables = self.tables();
        let first = after.map_or(0, |after| after.saturating_add(1));
        let behind = tables.limits.changes.range((limit_id.to_owned(), first)..=(limit_id.to_owned(), u64::MAX));
        let mut changes: Vec<ChangeRecord> = behind.map(|(_, change)| change.clone()).collect();
        let has_more = changes.len() > usize::from(max);
        changes.truncate(usize::from(max));
        let next = changes.last().filter(|_| has_more).map(|last| last.version);
        Ok(ChangePage { changes, next })
    }
}

impl AnswerStore for MemoryStore {
    async fn read_answer(&self, key: &RequestKey) -> Result<Option<KeptAnswer>, StoreError> {
        Ok(self.tables().limits.answers.get(key).cloned())
    }
}
