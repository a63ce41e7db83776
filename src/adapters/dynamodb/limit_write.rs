//! Conditional writes of customers' own limits.

use aws_sdk_dynamodb::types::AttributeValue::{N, S};
use aws_sdk_dynamodb::types::{TransactWriteItem, Update};

use super::DynamoDb;
use super::answer_item::put_answer;
use super::change_item::change_item;
use super::error::{store_error, unbuilt};
use super::item::{Item, item};
use super::limit_item::{customer_key, from_limits, pointer_key};
use super::limit_table::put_new;
use crate::deciding::StoreError;
use crate::limits::{CustomerWrite, LimitPointer, LimitWrite, PointerWrite};

/// Condition: nobody has named the limit.
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
    /// Writes a limit's pointer alone.
    pub(super) async fn write_pointer(
        &self,
        table: &str,
        limit_id: &str,
        write: &PointerWrite,
    ) -> Result<(), StoreError> {
        let request = self
            .client
            .update_item()
            .table_name(table)
            .set_key(Some(pointer_key(limit_id)))
            .update_expression(set_pointer(&write.after))
            .condition_expression(pointer_condition(write.before.as_ref()))
            .set_expression_attribute_values(Some(pointer_values(write)));
        request.send().await.map(drop).map_err(|error| store_error("UpdateItem", table, &error))
    }

    /// Writes a customer's limits with the record of the change, the limit's pointer if it changes, and the answer if it is
    /// kept: all or nothing.
    pub(super) async fn write_customer(
        &self,
        table: &str,
        write: &LimitWrite,
        pointer: Option<&PointerWrite>,
        customer: &CustomerWrite,
    ) -> Result<(), StoreError> {
        let mut actions = vec![
            update_customer(table, &write.user_id, customer)?,
            put_new(table, change_item(&write.limit_id, &write.user_id, &customer.change))?,
        ];
        if let Some(pointer) = pointer {
            actions.push(update_pointer(table, &write.limit_id, pointer)?);
        }
        if let Some(answer) = &customer.answer {
            actions.push(put_answer(table, answer)?);
        }
        self.transact_limits(actions).await
    }
}

fn update_pointer(table: &str, limit_id: &str, write: &PointerWrite) -> Result<TransactWriteItem, StoreError> {
    let update = Update::builder()
        .table_name(table)
        .set_key(Some(pointer_key(limit_id)))
        .update_expression(set_pointer(&write.after))
        .condition_expression(pointer_condition(write.before.as_ref()))
        .set_expression_attribute_values(Some(pointer_values(write)));
    Ok(TransactWriteItem::builder().update(update.build().map_err(unbuilt)?).build())
}

fn update_customer(table: &str, user_id: &str, write: &CustomerWrite) -> Result<TransactWriteItem, StoreError> {
    let (read, after) = (write.read_version, &write.after);
    let mut update = Update::builder()
        .table_name(table)
        .set_key(Some(customer_key(user_id)))
        .update_expression(SET_LIMITS)
        .condition_expression(if read == 0 { CUSTOMER_IS_NEW } else { CUSTOMER_STANDS })
        .expression_attribute_values(":version", N(after.version.to_string()))
        .expression_attribute_values(":limits", from_limits(&after.limits));
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
fn pointer_values(write: &PointerWrite) -> Item {
    let PointerWrite { before, after } = write;
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
