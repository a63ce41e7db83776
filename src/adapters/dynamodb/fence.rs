//! Fences, and the reads that need them.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::operation::transact_get_items::TransactGetItemsError;
use aws_sdk_dynamodb::types::AttributeValue::{self, M, N, S};
use aws_sdk_dynamodb::types::{Get, ReturnConsumedCapacity, TransactGetItem};
use chrono::DateTime;

use super::commit::of_reasons;
use super::error::{store_error, unbuilt};
use super::item::{AMOUNT, COUNT, CUSTOMER_ID, DATE, Item, Reader, item, number, to_row, usage_key, week_of};
use super::{DynamoDb, halves};
use crate::deciding::{AllRows, Cause, Fence, FencedLookup, FencedSnapshot, StoreError, Units, UsageKey};
use crate::domain::{Cents, LoadTotal, Millis};

/// `DATE` of a fence. Every other row has a date there.
const FENCE: &str = "FENCE";
/// The instant at which the fence was created: epoch seconds.
const CREATED_AT: &str = "CREATED_AT";
const ROW_CHANGES: &str = "ROW_CHANGES";
/// Totals of windows without an end, by their first instants: epoch milliseconds, or [`ALWAYS`].
const TOTALS: &str = "TOTALS";
/// Name of the total of all time.
const ALWAYS: &str = "ALWAYS";

/// Update of a fence.
pub const SET_FENCE: &str =
    "SET VERSION = :next, CREATED_AT = :created_at, ROW_CHANGES = :row_changes, TOTALS = :totals";

pub fn fence_key(customer_id: &str) -> Item {
    item([(CUSTOMER_ID, S(customer_id.to_owned())), (DATE, S(FENCE.to_owned()))])
}

/// Returns true for the key, or the item, of a fence.
pub fn is_fence(item: &Item) -> bool {
    item.get(DATE).and_then(|date| date.as_s().ok()).is_some_and(|date| date == FENCE)
}

/// Returns the values of [`SET_FENCE`].
pub fn fence_values(after: &Fence) -> Item {
    item([
        (":next", N(after.version.to_string())),
        (":created_at", N(after.created_at.timestamp().to_string())),
        (":row_changes", N(after.row_changes.to_string())),
        (":totals", M(after.totals.iter().map(|(since, total)| (name(*since), from_total(*total))).collect())),
    ])
}

/// Reads a fence from an item of this table.
///
/// # Errors
/// [`StoreError::Corrupt`] with the first attribute that is missing or invalid.
pub fn to_fence(item: &Item, table: &str) -> Result<Fence, StoreError> {
    let reader = Reader { item, table, keys: [CUSTOMER_ID, DATE] };
    Ok(Fence {
        version: reader.version()?,
        created_at: reader.get(CREATED_AT, |value| DateTime::from_timestamp(number(value)?, 0))?,
        row_changes: reader.get(ROW_CHANGES, number)?,
        totals: reader.get(TOTALS, to_totals)?,
    })
}

fn name(since: Millis) -> String {
    if since == Millis::FIRST { ALWAYS.to_owned() } else { since.get().to_string() }
}

fn from_total(total: LoadTotal) -> AttributeValue {
    M(item([(AMOUNT, N(total.amount.get().to_string())), (COUNT, N(total.count.to_string()))]))
}

fn to_totals(value: &AttributeValue) -> Option<BTreeMap<Millis, LoadTotal>> {
    let total = |(name, total): (&String, &AttributeValue)| {
        let since = if name == ALWAYS { Millis::FIRST } else { Millis::new(name.parse().ok()?) };
        let total = total.as_m().ok()?;
        let (amount, count) = (number(total.get(AMOUNT)?)?, number(total.get(COUNT)?)?);
        Some((since, LoadTotal { amount: Cents::new(amount), count }))
    };
    value.as_m().ok()?.iter().map(total).collect()
}

impl DynamoDb {
    /// Reads a fence and rows in one transaction.
    pub(super) async fn get_fenced(&self, lookup: &FencedLookup) -> Result<FencedSnapshot, StoreError> {
        let table = &self.tables.load;
        let customer_id = || lookup.customer_id.clone();
        let rows = lookup.weeks.iter().map(|week| usage_key(&UsageKey { customer_id: customer_id(), week: *week }));
        let gets = std::iter::once(fence_key(&lookup.customer_id)).chain(rows).map(|key| {
            let get = Get::builder().table_name(table).set_key(Some(key)).build().map_err(unbuilt)?;
            Ok(TransactGetItem::builder().get(get).build())
        });
        let request = self.client.transact_get_items().set_transact_items(Some(gets.collect::<Result<_, _>>()?));
        let answer = request.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await;
        let answer = answer.map_err(|error| match error.as_service_error() {
            Some(TransactGetItemsError::TransactionCanceledException(cancelled)) => {
                of_reasons("TransactGetItems", cancelled.cancellation_reasons(), table)
            }
            _ => store_error("TransactGetItems", table, &error),
        })?;
        let units = Units { read_halves: halves(answer.consumed_capacity()), write_halves: 0 };
        let mut snapshot = FencedSnapshot { units, ..FencedSnapshot::default() };
        for item in answer.responses.unwrap_or_default().into_iter().filter_map(|response| response.item) {
            if is_fence(&item) {
                snapshot.fence = to_fence(&item, table)?;
            } else {
                let row = to_row(&item, table)?;
                snapshot.rows.extend(week_of(&item).map(|week| (week, row)));
            }
        }
        Ok(snapshot)
    }

    /// Reads all rows of a customer, page by page.
    pub(super) async fn query_rows(&self, customer_id: &str) -> Result<AllRows, StoreError> {
        let table = &self.tables.load;
        let request = self
            .client
            .query()
            .table_name(table)
            .key_condition_expression("CUSTOMER_ID = :customer_id")
            .expression_attribute_values(":customer_id", S(customer_id.to_owned()))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let mut pages = request.into_paginator().send();
        let mut all = AllRows::default();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| store_error("Query", table, &error))?;
            all.units.read_halves += halves(page.consumed_capacity());
            for item in page.items().iter().filter(|item| !is_fence(item)) {
                let row = to_row(item, table)?;
                let week = week_of(item).ok_or_else(|| unknown_row(customer_id, table))?;
                all.rows.insert(week, row);
            }
        }
        Ok(all)
    }
}

/// Returns the error for a row that is no week and no fence.
fn unknown_row(customer_id: &str, table: &str) -> StoreError {
    StoreError::Corrupt(Cause::new(format!(
        "{DATE} of an item {CUSTOMER_ID} '{customer_id}' in table {table} is neither the Monday of a week nor {FENCE}: correct \
         the item by hand"
    )))
}
