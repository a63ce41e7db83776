//! Deletion of a customer's items.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue::{N, S};
use aws_sdk_dynamodb::types::{DeleteRequest, ReturnConsumedCapacity, WriteRequest};

use super::change_item::change_key;
use super::error::{store_error, unbuilt};
use super::fence::fence_key;
use super::item::{CUSTOMER_ID, Item, event_key, item, usage_key};
use super::limit_item::{PK, SK, customer_key, pointer_key};
use super::log_item::log_key;
use super::plan_item::roster_key;
use super::{DynamoDb, halves, text};
use crate::deciding::{StoreError, Units};
use crate::erasing::{CustomerItem, ErasableStore, LimitScan, LimitStart};

/// Condition: nobody has changed the fence since it was read. One that is gone was deleted by the same request.
const FENCE_STANDS: &str = "VERSION = :read OR attribute_not_exists(VERSION)";

/// Items of a customer in the table of limits: pointers and changes name it, and the key of a roster entry does.
const OF_CUSTOMER: &str = "CUSTOMER_ID = :customer_id OR (begins_with(PK, :roster) AND SK = :customer_id)";

const ROSTER_PREFIX: &str = "roster/";
const LIMIT_PREFIX: &str = "limit/";
const CHANGE_PREFIX: &str = "change/";

impl ErasableStore for DynamoDb {
    async fn scan_limits(
        &self,
        customer_id: &str,
        start: Option<LimitStart>,
        max: u16,
    ) -> Result<LimitScan, StoreError> {
        let table = self.limit_table()?;
        let request = self
            .client
            .scan()
            .table_name(table)
            .consistent_read(true)
            .filter_expression(OF_CUSTOMER)
            .expression_attribute_values(":customer_id", S(customer_id.to_owned()))
            .expression_attribute_values(":roster", S(ROSTER_PREFIX.to_owned()))
            .limit(i32::from(max))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .set_exclusive_start_key(start.map(|(pk, sk)| item([(PK, S(pk)), (SK, S(sk))])));
        let answer = request.send().await.map_err(|error| store_error("Scan", table, &error))?;
        let next = answer.last_evaluated_key.as_ref();
        Ok(LimitScan {
            items: answer.items().iter().filter_map(|item| customer_item(item, customer_id)).collect(),
            next: next.map(|key| (text(key, PK).to_owned(), text(key, SK).to_owned())),
            units: Units { read_halves: halves(answer.consumed_capacity()), write_halves: 0 },
        })
    }

    async fn delete_items(&self, items: &[CustomerItem]) -> Result<Vec<usize>, StoreError> {
        let places = items.iter().map(|item| self.place(item)).collect::<Result<Vec<(&str, Item)>, _>>()?;
        let mut requests = HashMap::<String, Vec<WriteRequest>>::new();
        for (table, key) in &places {
            let delete = DeleteRequest::builder().set_key(Some(key.clone())).build().map_err(unbuilt)?;
            let request = WriteRequest::builder().delete_request(delete).build();
            requests.entry((*table).to_owned()).or_default().push(request);
        }
        let answer = self.client.batch_write_item().set_request_items(Some(requests)).send().await;
        let answer = answer.map_err(|error| store_error("BatchWriteItem", &self.names(), &error))?;
        let left = answer.unprocessed_items.unwrap_or_default();
        let is_left = |(table, key): &(&str, Item)| {
            let requests = left.get(*table).into_iter().flatten();
            requests.filter_map(WriteRequest::delete_request).any(|delete| delete.key() == key)
        };
        Ok(places.iter().enumerate().filter(|(_, place)| is_left(place)).map(|(number, _)| number).collect())
    }

    async fn delete_fence(&self, customer_id: &str, version: u64) -> Result<(), StoreError> {
        let table = &self.tables.load;
        let request = self
            .client
            .delete_item()
            .table_name(table)
            .set_key(Some(fence_key(customer_id)))
            .condition_expression(FENCE_STANDS)
            .expression_attribute_values(":read", N(version.to_string()));
        request.send().await.map(drop).map_err(|error| store_error("DeleteItem", table, &error))
    }
}

impl DynamoDb {
    /// Returns the table and the key of an item.
    fn place(&self, item: &CustomerItem) -> Result<(&str, Item), StoreError> {
        Ok(match item {
            CustomerItem::LogEntry { run_id, seq } => (self.log_table()?, log_key(run_id, *seq)),
            CustomerItem::Record(key) => (&self.tables.correlation, event_key(key)),
            CustomerItem::UsageRow(key) => (&self.tables.load, usage_key(key)),
            CustomerItem::Pointer { limit_id } => (self.limit_table()?, pointer_key(limit_id)),
            CustomerItem::Change { limit_id, version } => (self.limit_table()?, change_key(limit_id, *version)),
            CustomerItem::RosterEntry { program_id, customer_id } => {
                (self.limit_table()?, roster_key(program_id, customer_id))
            }
            CustomerItem::Settings { customer_id } => (self.limit_table()?, customer_key(customer_id)),
        })
    }
}

/// Returns the meaning of an item of the table of limits that a scan has found; `None` for an item of another kind, such as a
/// plan whose id is that of the customer.
fn customer_item(item: &Item, customer_id: &str) -> Option<CustomerItem> {
    let (pk, sk) = (text(item, PK), text(item, SK));
    if let Some(roster) = pk.strip_prefix(ROSTER_PREFIX) {
        // Behind the prefix there is the number of a shard. A programme's id may contain a slash.
        let program_id = roster.split_once('/')?.1.to_owned();
        return Some(CustomerItem::RosterEntry { program_id, customer_id: customer_id.to_owned() });
    }
    let limit_id = pk.strip_prefix(LIMIT_PREFIX).filter(|_| text(item, CUSTOMER_ID) == customer_id)?.to_owned();
    match sk.strip_prefix(CHANGE_PREFIX) {
        Some(version) => Some(CustomerItem::Change { limit_id, version: version.parse().ok()? }),
        None => Some(CustomerItem::Pointer { limit_id }),
    }
}
