//! Customers' own limits in memory.

use std::collections::BTreeMap;

use super::MemoryStore;
use crate::deciding::{Cause, StoreError};
use crate::limits::{CustomerLimits, LimitPointer, LimitStore, LimitWrite, ReportedLimit, StoredLimit, VersionedLimit};

/// The table of customers' own limits.
#[derive(Debug, Default)]
pub(super) struct LimitTable {
    customers: BTreeMap<String, CustomerLimits>,
    pointers: BTreeMap<String, LimitPointer>,
}

impl LimitTable {
    /// Returns a customer's limits.
    pub(super) fn of(&self, user_id: &str) -> Option<&CustomerLimits> {
        self.customers.get(user_id)
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
        let LimitWrite { limit_id, before, after, customer } = write;
        if table.pointers.get(limit_id) != before.as_ref() {
            return Err(StoreError::Conflict(Cause::new("the limit has been changed by another writer")));
        }
        if let Some(customer) = customer {
            if table.version(&after.user_id) != customer.version {
                return Err(StoreError::Conflict(Cause::new(
                    "the customer's limits have been changed by another writer",
                )));
            }
            let next = CustomerLimits { version: customer.version + 1, limits: customer.limits.clone() };
            table.customers.insert(after.user_id.clone(), next);
        }
        table.pointers.insert(limit_id.clone(), after.clone());
        Ok(())
    }

    async fn read_limits(&self, user_id: &str) -> Result<Vec<ReportedLimit>, StoreError> {
        let tables = self.tables();
        let limits = tables.limits.customers.get(user_id).into_iter().flat_map(|customer| &customer.limits);
        let reported = |limit_id: &String| tables.limits.pointers.get(limit_id).map_or(0, |pointer| pointer.reported);
        let reported = |(id, known): (&String, &VersionedLimit)| {
            let VersionedLimit { limit, version } = known.clone();
            ReportedLimit { limit, version, reported: reported(id) }
        };
        Ok(limits.map(reported).collect())
    }
}
