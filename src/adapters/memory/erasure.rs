//! Deletion of a customer's items in memory.

use super::{MemoryStore, Tables};
use crate::deciding::{Cause, StoreError};
use crate::erasing::{CustomerItem, ErasableStore, LimitScan, LimitStart};
use crate::limits::roster_shard;

impl Tables {
    fn delete(&mut self, item: &CustomerItem) {
        match item {
            CustomerItem::LogEntry { run_id, seq } => drop(self.log.remove(&(run_id.clone(), *seq))),
            CustomerItem::Record(key) => drop(self.records.remove(key)),
            CustomerItem::UsageRow(key) => drop(self.usage.remove(key)),
            CustomerItem::Pointer { limit_id } => self.limits.delete_pointer(limit_id),
            CustomerItem::Change { limit_id, version } => self.limits.delete_change(limit_id, *version),
            CustomerItem::RosterEntry { program_id, customer_id } => {
                if let Some(roster) = self.plans.rosters.get_mut(&(program_id.clone(), roster_shard(customer_id))) {
                    roster.remove(customer_id);
                }
            }
            CustomerItem::Settings { customer_id } => {
                self.limits.delete_customer(customer_id);
                self.plans.links.remove(customer_id);
                self.plans.program_of.remove(customer_id);
                self.jobs.forget(customer_id);
            }
        }
    }
}

impl ErasableStore for MemoryStore {
    async fn scan_limits(
        &self,
        customer_id: &str,
        _start: Option<LimitStart>,
        _max: u16,
    ) -> Result<LimitScan, StoreError> {
        let tables = self.tables();
        let mut items = tables.limits.items_of(customer_id);
        let rosters = tables.plans.rosters.iter().filter(|(_, roster)| roster.contains(customer_id));
        items.extend(rosters.map(|((program_id, _), _)| CustomerItem::RosterEntry {
            program_id: program_id.clone(),
            customer_id: customer_id.to_owned(),
        }));
        Ok(LimitScan { items, ..LimitScan::default() })
    }

    async fn delete_items(&self, items: &[CustomerItem]) -> Result<Vec<usize>, StoreError> {
        let mut tables = self.tables();
        for item in items {
            tables.delete(item);
        }
        Ok(vec![])
    }

    async fn delete_fence(&self, customer_id: &str, version: u64) -> Result<(), StoreError> {
        let mut tables = self.tables();
        if tables.fences.get(customer_id).is_some_and(|fence| fence.version != version) {
            return Err(StoreError::Conflict(Cause::new("the customer's fence has been changed by another writer")));
        }
        tables.fences.remove(customer_id);
        Ok(())
    }
}
