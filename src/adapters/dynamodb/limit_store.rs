//! Store of customers' own limits: conditional writes of a limit's pointer, alone or together with its customer's item.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::AttributeValue::{N, S};
use aws_sdk_dynamodb::types::{KeysAndAttributes, TransactWriteItem, Update};
use futures_util::future::try_join_all;

use super::commit::of_reasons;
use super::error::{store_error, unbuilt};
use super::item::{Item, item};
use super::limit_item::{LIMITS, PK, customer_key, from_limits, pointer_key, to_customer_limits, to_pointer};
use super::{DynamoDb, text};
use crate::deciding::{Cause, READ_KEYS_MAX, StoreError};
use crate::limits::{CustomerLimits, LimitPointer, LimitStore, LimitWrite, ReportedLimit, StoredLimit, VersionedLimit};

/// Condition: no event has named the limit.
const POINTER_IS_NEW: &str = "attribute_not_exists(PK)";

/// Conditions: no other event has advanced a mark since it was read.
const DEFINITION_STANDS: &str = "DEFINITION_MARK = :read_definition_mark";
const DEFINITION_IS_NEW: &str = "attribute_not_exists(DEFINITION_MARK)";
const PROGRESS_STANDS: &str = "PROGRESS_MARK = :read_progress_mark";
const PROGRESS_IS_NEW: &str = "attribute_not_exists(PROGRESS_MARK)";

/// Condition: the customer has no limits yet.
const CUSTOMER_IS_NEW: &str = "attribute_not_exists(VERSION)";

/// Condition: the customer's limits are unchanged since they were read.
const CUSTOMER_STANDS: &str = "VERSION = :read_version";

/// Update of a pointer, with the parts for a definition and for a report. Attributes that loadgate does not know stay.
const SET_CUSTOMER: &str = "SET CUSTOMER_ID = :customer_id";
const SET_DEFINITION: &str = ", DEFINITION_MARK = :definition_mark";
const SET_PROGRESS: &str = ", PROGRESS_MARK = :progress_mark, REPORTED = :reported";

/// Update of a customer's item. Attributes that loadgate does not know stay.
const SET_LIMITS: &str = "SET VERSION = :version, LIMITS = :limits";

impl DynamoDb {
    /// Opens the connection, and checks that the table of customers' own limits can be read, with a key that no limit has.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] if no such table is named, or it is missing or must not be read; another variant if
    /// that is unknown.
    pub async fn connect_limits(&self) -> Result<(), StoreError> {
        self.read("", "").await.map(drop)
    }

    /// Returns the table of customers' own limits.
    pub(super) fn limit_table(&self) -> Result<&str, StoreError> {
        self.tables.limit.as_deref().ok_or_else(|| {
            let what = "no table of customers' own limits is named: set LOADGATE_LIMIT_TABLE, or give --limit-table";
            StoreError::Misconfigured(Cause::new(what))
        })
    }

    /// Reads items with these keys, strongly consistent.
    async fn get_limit_items(&self, table: &str, keys: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
        let request = self.client.batch_get_item().request_items(table, keys.map_err(unbuilt)?);
        let answer = request.send().await.map_err(|error| store_error("BatchGetItem", table, &error))?;
        if answer.unprocessed_keys.is_some_and(|left_out| !left_out.is_empty()) {
            let what = format!("BatchGetItem on {table}: DynamoDB left out a key");
            return Err(StoreError::Throttled(Cause::new(what)));
        }
        Ok(answer.responses.unwrap_or_default().into_values().flatten().collect())
    }

    /// Writes a limit's pointer alone.
    async fn write_pointer(&self, table: &str, write: &LimitWrite) -> Result<(), StoreError> {
        let request = self
            .client
            .update_item()
            .table_name(table)
            .set_key(Some(pointer_key(&write.limit_id)))
            .update_expression(set_pointer(&write.after))
            .condition_expression(pointer_condition(write.before.as_ref()))
            .set_expression_attribute_values(Some(pointer_values(write)));
        request.send().await.map(drop).map_err(|error| store_error("UpdateItem", table, &error))
    }

    /// Writes a limit's pointer and its customer's item, all or nothing.
    async fn write_both(&self, table: &str, write: &LimitWrite, customer: &CustomerLimits) -> Result<(), StoreError> {
        let actions = [update_pointer(table, write)?, update_customer(table, &write.after.user_id, customer)?];
        let request = self.client.transact_write_items().set_transact_items(Some(actions.to_vec()));
        // The SDK gives the request a token, so that DynamoDB executes it once, however often the SDK sends it.
        let Err(error) = request.send().await else { return Ok(()) };
        Err(match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                of_reasons("TransactWriteItems", cancelled.cancellation_reasons(), table)
            }
            _ => store_error("TransactWriteItems", table, &error),
        })
    }
}

impl LimitStore for DynamoDb {
    async fn read(&self, limit_id: &str, user_id: &str) -> Result<StoredLimit, StoreError> {
        let table = self.limit_table()?;
        let (pointer, customer) = (pointer_key(limit_id), customer_key(user_id));
        let mut stored = StoredLimit::default();
        for item in self.get_limit_items(table, vec![pointer.clone(), customer]).await? {
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
        let request =
            self.client.get_item().table_name(table).set_key(Some(pointer_key(limit_id))).consistent_read(true);
        let answer = request.send().await.map_err(|error| store_error("GetItem", table, &error))?;
        answer.item.map(|item| to_pointer(&item, table)).transpose()
    }

    async fn write(&self, write: &LimitWrite) -> Result<(), StoreError> {
        let table = self.limit_table()?;
        match &write.customer {
            Some(customer) => self.write_both(table, write, customer).await,
            None => self.write_pointer(table, write).await,
        }
    }

    async fn read_limits(&self, user_id: &str) -> Result<Vec<ReportedLimit>, StoreError> {
        let table = self.limit_table()?;
        let items = self.get_limit_items(table, vec![customer_key(user_id)]).await?;
        let Some(item) = items.first() else { return Ok(vec![]) };
        let customer = to_customer_limits(item, table)?;
        let keys: Vec<Item> = customer.limits.keys().map(|limit_id| pointer_key(limit_id)).collect();
        // The pointers are read after the item: each limit of the item has one by then.
        let requests = keys.chunks(READ_KEYS_MAX).map(|keys| self.get_limit_items(table, keys.to_vec()));
        let mut pointers = HashMap::new();
        for item in try_join_all(requests).await?.concat() {
            pointers.insert(text(&item, PK).to_owned(), to_pointer(&item, table)?);
        }
        let reported = |(limit_id, VersionedLimit { limit, version }): (String, _)| {
            let pointer = pointers.get(text(&pointer_key(&limit_id), PK));
            let pointer = pointer.ok_or_else(|| no_pointer(&limit_id, user_id, table))?;
            Ok(ReportedLimit { limit, version, reported: pointer.reported })
        };
        customer.limits.into_iter().map(reported).collect()
    }
}

fn no_pointer(limit_id: &str, user_id: &str, table: &str) -> StoreError {
    StoreError::Corrupt(Cause::new(format!(
        "the item PK 'limit/{limit_id}', SK 'limit' in table {table} is missing, although {LIMITS} of the item PK \
         'customer/{user_id}', SK 'limits' has the limit: restore it, or remove the limit, by hand"
    )))
}

fn update_pointer(table: &str, write: &LimitWrite) -> Result<TransactWriteItem, StoreError> {
    let update = Update::builder()
        .table_name(table)
        .set_key(Some(pointer_key(&write.limit_id)))
        .update_expression(set_pointer(&write.after))
        .condition_expression(pointer_condition(write.before.as_ref()))
        .set_expression_attribute_values(Some(pointer_values(write)));
    Ok(TransactWriteItem::builder().update(update.build().map_err(unbuilt)?).build())
}

fn update_customer(table: &str, user_id: &str, customer: &CustomerLimits) -> Result<TransactWriteItem, StoreError> {
    let read = customer.version;
    let mut update = Update::builder()
        .table_name(table)
        .set_key(Some(customer_key(user_id)))
        .update_expression(SET_LIMITS)
        .condition_expression(if read == 0 { CUSTOMER_IS_NEW } else { CUSTOMER_STANDS })
        .expression_attribute_values(":version", N((read + 1).to_string()))
        .expression_attribute_values(":limits", from_limits(&customer.limits));
    if read > 0 {
        update = update.expression_attribute_values(":read_version", N(read.to_string()));
    }
    Ok(TransactWriteItem::builder().update(update.build().map_err(unbuilt)?).build())
}

/// Returns the update of a pointer.
fn set_pointer(after: &LimitPointer) -> String {
    let definition = after.definition_mark.map(|_| SET_DEFINITION);
    let progress = after.progress_mark.map(|_| SET_PROGRESS);
    [Some(SET_CUSTOMER), definition, progress].into_iter().flatten().collect()
}

/// Returns the condition that a pointer is as it was read. Its customer never changes.
fn pointer_condition(before: Option<&LimitPointer>) -> String {
    let Some(before) = before else { return POINTER_IS_NEW.to_owned() };
    let definition = if before.definition_mark.is_some() { DEFINITION_STANDS } else { DEFINITION_IS_NEW };
    let progress = if before.progress_mark.is_some() { PROGRESS_STANDS } else { PROGRESS_IS_NEW };
    [definition, progress].join(" AND ")
}

/// Returns the values of a pointer's update and condition.
fn pointer_values(write: &LimitWrite) -> Item {
    let LimitWrite { before, after, .. } = write;
    let numbers = [
        (":definition_mark", after.definition_mark),
        (":progress_mark", after.progress_mark),
        (":reported", after.progress_mark.map(|_| after.reported)),
        (":read_definition_mark", before.as_ref().and_then(|before| before.definition_mark)),
        (":read_progress_mark", before.as_ref().and_then(|before| before.progress_mark)),
    ];
    let mut values = item([(":customer_id", S(after.user_id.clone()))]);
    values.extend(numbers.into_iter().filter_map(|(name, number)| Some((name.to_owned(), N(number?.to_string())))));
    values
}
