//! Store of customers' own limits. `limit_write.rs` has the writes.

use std::collections::HashMap;

use futures_util::future::try_join_all;

use super::item::Item;
use super::limit_item::{LIMITS, PK, customer_key, pointer_key, to_customer_limits, to_pointer};
use super::{DynamoDb, text};
use crate::deciding::{Cause, READ_KEYS_MAX, StoreError};
use crate::limits::{ChangePage, LimitPointer, LimitStore, LimitWrite, ReportedLimit, StoredLimit};

impl DynamoDb {
    /// Opens the connection, and checks that the table of customers' own limits can be read, with a key that no limit has.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] if no such table is named, or it is missing or must not be read; another variant if
    /// that is unknown.
    pub async fn connect_limits(&self) -> Result<(), StoreError> {
        self.read("", "").await.map(drop)
    }
}

impl LimitStore for DynamoDb {
    async fn read(&self, limit_id: &str, user_id: &str) -> Result<StoredLimit, StoreError> {
        let table = self.limit_table()?;
        let (pointer, customer) = (pointer_key(limit_id), customer_key(user_id));
        let mut stored = StoredLimit::default();
        for item in self.get_limit_items(vec![pointer.clone(), customer]).await?.value {
            if item.get(PK) == pointer.get(PK) {
                stored.pointer = Some(to_pointer(&item, table)?);
            } else {
                stored.customer = to_customer_limits(&item, table)?;
            }
        }
        Ok(stored)
    }

    async fn read_pointer(&self, limit_id: &str) -> Result<Option<LimitPointer>, StoreError> {
        let table = self.limit_table()?;
        let item = self.get_limit_item(pointer_key(limit_id)).await?.value;
        item.map(|item| to_pointer(&item, table)).transpose()
    }

    async fn write(&self, write: &LimitWrite) -> Result<(), StoreError> {
        let table = self.limit_table()?;
        match (&write.pointer, &write.customer) {
            (pointer, Some(customer)) => self.write_customer(table, write, pointer.as_ref(), customer).await,
            (Some(pointer), None) => self.write_pointer(table, &write.limit_id, pointer).await,
            (None, None) => Ok(()),
        }
    }

    async fn read_limits(&self, user_id: &str) -> Result<Vec<ReportedLimit>, StoreError> {
        let table = self.limit_table()?;
        let item = self.get_limit_item(customer_key(user_id)).await?.value;
        let Some(item) = item else { return Ok(vec![]) };
        let customer = to_customer_limits(&item, table)?;
        let keys: Vec<Item> = customer.limits.keys().map(|limit_id| pointer_key(limit_id)).collect();
        // The pointers are read after the item: each limit of the item has one by then.
        let requests = keys.chunks(READ_KEYS_MAX).map(|keys| self.get_limit_items(keys.to_vec()));
        let mut pointers = HashMap::new();
        for item in try_join_all(requests).await?.into_iter().flat_map(|read| read.value) {
            pointers.insert(text(&item, PK).to_owned(), to_pointer(&item, table)?);
        }
        let reported = |(limit_id, known): (String, _)| {
            let pointer = pointers.get(text(&pointer_key(&limit_id), PK));
            let pointer = pointer.ok_or_else(|| no_pointer(&limit_id, user_id, table))?;
            Ok(ReportedLimit { known, reported: pointer.reported })
        };
        customer.limits.into_iter().map(reported).collect()
    }

    async fn read_changes(&self, limit_id: &str, after: Option<u64>, max: u16) -> Result<ChangePage, StoreError> {
        self.query_changes(self.limit_table()?, limit_id, after, max).await
    }
}

fn no_pointer(limit_id: &str, user_id: &str, table: &str) -> StoreError {
    StoreError::Corrupt(Cause::new(format!(
        "the item PK 'limit/{limit_id}', SK 'limit' in table {table} is missing, although {LIMITS} of the item PK \
         'customer/{user_id}', SK 'limits' has the limit: restore it, or remove the limit, by hand"
    )))
}
