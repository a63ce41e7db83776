//! Requests to the table of limits, which the stores of limits, plans, programmes and jobs share.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{KeysAndAttributes, Put, ReturnConsumedCapacity, TransactWriteItem};

use super::commit::of_reasons;
use super::error::{store_error, unbuilt};
use super::item::Item;
use super::{DynamoDb, halves};
use crate::deciding::{Cause, Metered, StoreError, Units};

/// Condition: no item has the key.
const ITEM_IS_NEW: &str = "attribute_not_exists(PK)";

impl DynamoDb {
    /// Returns the name of the table.
    pub(super) fn limit_table(&self) -> Result<&str, StoreError> {
        self.tables.limit.as_deref().ok_or_else(|| {
            let what = "no table of customers' own limits is named: set LOADGATE_LIMIT_TABLE, or give --limit-table";
            StoreError::Misconfigured(Cause::new(what))
        })
    }

    /// Reads at most [`READ_KEYS_MAX`](crate::deciding::READ_KEYS_MAX) items, strongly consistent.
    pub(super) async fn get_limit_items(&self, keys: Vec<Item>) -> Result<Metered<Vec<Item>>, StoreError> {
        let table = self.limit_table()?;
        let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
        // The request of decisions' first read: whoever may decide may send it.
        let request = self.client.batch_get_item().request_items(table, keys.map_err(unbuilt)?);
        let answer = request.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await;
        let answer = answer.map_err(|error| store_error("BatchGetItem", table, &error))?;
        let units = Units { read_halves: halves(answer.consumed_capacity()), write_halves: 0 };
        if answer.unprocessed_keys.is_some_and(|left_out| !left_out.is_empty()) {
            let what = format!("BatchGetItem on {table}: DynamoDB left out a key");
            return Err(StoreError::Throttled(Cause::new(what)));
        }
        Ok(Metered { value: answer.responses.unwrap_or_default().into_values().flatten().collect(), units })
    }

    /// Reads an item, strongly consistent.
    pub(super) async fn get_limit_item(&self, key: Item) -> Result<Metered<Option<Item>>, StoreError> {
        let Metered { value, units } = self.get_limit_items(vec![key]).await?;
        Ok(Metered { value: value.into_iter().next(), units })
    }

    /// Writes items, all or nothing.
    pub(super) async fn transact_limits(&self, actions: Vec<TransactWriteItem>) -> Result<(), StoreError> {
        let table = self.limit_table()?;
        let request = self.client.transact_write_items().set_transact_items(Some(actions));
        // The SDK gives the request a token, so that DynamoDB executes it once, however often the SDK sends it.
        let Err(error) = request.send().await else { return Ok(()) };
        Err(match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                of_reasons("TransactWriteItems", cancelled.cancellation_reasons(), table)
            }
            _ => store_error("TransactWriteItems", table, &error),
        })
    }

    /// Puts an item that never changes. Returns false if there is one already.
    pub(super) async fn put_once(&self, item: Item) -> Result<bool, StoreError> {
        let table = self.limit_table()?;
        let put = self.client.put_item().table_name(table).set_item(Some(item)).condition_expression(ITEM_IS_NEW);
        match put.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception) => {
                Ok(false)
            }
            Err(error) => Err(store_error("PutItem", table, &error)),
        }
    }
}

/// Returns the put of an item that must not exist, for a transaction.
pub(super) fn put_new(table: &str, item: Item) -> Result<TransactWriteItem, StoreError> {
    let put = Put::builder().table_name(table).set_item(Some(item)).condition_expression(ITEM_IS_NEW);
    Ok(TransactWriteItem::builder().put(put.build().map_err(unbuilt)?).build())
}
