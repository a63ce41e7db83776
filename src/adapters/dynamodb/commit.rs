//! Conditional writes.
//!
//! ```text
//!             decided_at                 EXPIRES_AT               deleted by TTL, up to days later
//! event  ---------|---------------------------|------------------------------|------------------>
//!  new put:   allowed        refused          |  allowed: expired is absent  |     allowed
//! ```

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::AttributeValue::{self, B, N};
use aws_sdk_dynamodb::types::{
    CancellationReason, ConditionCheck, ConsumedCapacity, Put, ReturnConsumedCapacity,
    ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};

use super::error::{of_kind, store_error, unbuilt};
use super::fence::{SET_FENCE, fence_key, fence_values};
use super::item::{Item, from_days, from_record, to_record, usage_key};
use super::loads::encode_loads;
use super::{DynamoDb, halves};
use crate::config::TableNames;
use crate::deciding::{
    Cause, Commit, CorrelationRecord, FenceWrite, StoreError, Units, UsageChange, UsageCheck, UsageKey, digest_hex,
};
use crate::domain::Week;

/// Length of a token. DynamoDB accepts at most 36 characters; 128 bits distinguish commits.
const TOKEN_BYTES: usize = 32;

const OPERATION: &str = "TransactWriteItems";

/// Condition: the event has no record in force.
const EVENT_IS_NEW: &str = "attribute_not_exists(EVENT_ID) OR EXPIRES_AT <= :now";

/// Condition: the week has no row yet.
const ROW_IS_NEW: &str = "attribute_not_exists(VERSION)";

/// Condition: the row is unchanged since it was read.
const ROW_STANDS: &str = "VERSION = :read";

/// Update of the row, which does not expire. Attributes that loadgate does not know stay. A row may have an expiry from a
/// time with a retention: it goes, whoever changes the row.
const SET_USAGE: &str = "SET VERSION = :next, DAYS = :days REMOVE EXPIRES_AT";

/// Update of the row where usage is kept for a time. The time counts from the last write, so that the version of a deleted
/// row cannot start again while a commit that has read the row is under way.
const SET_EXPIRING_USAGE: &str = "SET VERSION = :next, DAYS = :days, EXPIRES_AT = :expires_at";

/// Update of the row of a customer with a fence. It does not expire: the fence counts the changes of all rows, and totals
/// of all time come from them.
const SET_FENCED_USAGE: &str =
    "SET VERSION = :next, DAYS = :days, LOADS = :loads, FENCED_CHANGES = :changes REMOVE EXPIRES_AT";

impl DynamoDb {
    /// Puts the record of a lone decline: one write unit instead of a transaction's two.
    pub(super) async fn put(&self, record: &CorrelationRecord, commit: &Commit) -> Result<Units, StoreError> {
        let table = &self.tables.correlation;
        let put = self
            .client
            .put_item()
            .table_name(table)
            .set_item(Some(from_record(record)))
            .condition_expression(EVENT_IS_NEW)
            .expression_attribute_values(":now", epoch_seconds(commit.now))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        match put.send().await {
            Ok(answer) => Ok(write_units(answer.consumed_capacity())),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(failed)) if is(failed.item(), record, table) => {
                    Ok(Units::default())
                }
                _ => Err(store_error("PutItem", table, &error)),
            },
        }
    }

    /// Writes records and the rows that they change, all or nothing.
    pub(super) async fn transact(&self, commit: &Commit) -> Result<Units, StoreError> {
        let puts = commit.records().iter().map(|record| self.transact_put(record, commit));
        let updates = commit.usage().iter().map(|change| self.transact_update(change, commit));
        let checks = commit.checks().iter().map(|check| self.transact_check(check, commit));
        let fence = commit.fence().map(|fence| self.transact_fence(fence, &commit.customer_id));
        let actions = puts.chain(updates).chain(checks).chain(fence).collect::<Result<Vec<_>, _>>()?;
        let request = self.client.transact_write_items().set_transact_items(Some(actions));
        let request =
            request.client_request_token(self.token(commit)).return_consumed_capacity(ReturnConsumedCapacity::Total);
        match request.send().await {
            Ok(answer) => Ok(write_units(answer.consumed_capacity())),
            Err(error) => match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    self.of_cancelled(cancelled.cancellation_reasons(), commit)
                }
                _ => Err(store_error(OPERATION, &self.names(), &error)),
            },
        }
    }

    /// Returns the result of a cancelled transaction. If every record is stored exactly as this commit would write it,
    /// the commit was made earlier and only its answer was lost.
    fn of_cancelled(&self, reasons: &[CancellationReason], commit: &Commit) -> Result<Units, StoreError> {
        let table = &self.tables.correlation;
        let is_stored = |(reason, record): (&CancellationReason, &CorrelationRecord)| is(reason.item(), record, table);
        let is_made = reasons.len() >= commit.records().len() && reasons.iter().zip(commit.records()).all(is_stored);
        if is_made { Ok(Units::default()) } else { Err(of_reasons(OPERATION, reasons, &self.names())) }
    }

    /// Returns a token that identifies exactly this commit, so that DynamoDB executes a repeated request only once.
    /// DynamoDB keeps tokens by account, so the tables are part of the token.
    fn token(&self, commit: &Commit) -> String {
        let TableNames { correlation, load, .. } = &self.tables;
        let mut parts = vec![correlation.clone(), load.clone(), commit.customer_id.clone()];
        for record in commit.records() {
            let decided_at_ms = record.decision.decided_at.timestamp_millis().to_string();
            parts.extend([record.decision.key.event_id.clone(), record.message_id.clone(), decided_at_ms]);
        }
        let changes = commit.usage().iter().map(|change| (change.week, change.read_version()));
        let checks = commit.checks().iter().map(|check| (check.week, check.version));
        for (week, version) in changes.chain(checks) {
            parts.extend([week.monday().to_string(), version.to_string()]);
        }
        parts.extend(commit.fence().map(|fence| fence.read_version().to_string()));
        let mut token = digest_hex(&parts.iter().map(String::as_bytes).collect::<Vec<_>>());
        token.truncate(TOKEN_BYTES);
        token
    }

    fn transact_put(&self, record: &CorrelationRecord, commit: &Commit) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.tables.correlation)
            .set_item(Some(from_record(record)))
            .condition_expression(EVENT_IS_NEW)
            .expression_attribute_values(":now", epoch_seconds(commit.now))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(TransactWriteItem::builder().put(put.build().map_err(unbuilt)?).build())
    }

    fn transact_update(&self, change: &UsageChange, commit: &Commit) -> Result<TransactWriteItem, StoreError> {
        let (read, after) = (change.read_version(), &change.after);
        let is_fenced = commit.fence().is_some();
        // A row of a customer with a fence may still be changed by a writer that has read the customer before its fence.
        let retention = self.usage_retention.filter(|_| !is_fenced && after.fenced_changes == 0);
        let set = match (is_fenced, retention) {
            (true, _) => SET_FENCED_USAGE,
            (false, Some(_)) => SET_EXPIRING_USAGE,
            (false, None) => SET_USAGE,
        };
        let mut update = Update::builder()
            .table_name(&self.tables.load)
            .set_key(Some(row_key(commit, change.week)))
            .update_expression(set)
            .condition_expression(row_condition(read))
            .set_expression_attribute_values(row_values(read))
            .expression_attribute_values(":next", N(after.version.to_string()))
            .expression_attribute_values(":days", from_days(&after.usage));
        if is_fenced {
            update = update
                .expression_attribute_values(":loads", B(encode_loads(change.week, &after.loads).into()))
                .expression_attribute_values(":changes", N(after.fenced_changes.to_string()));
        }
        if let Some(retention) = retention {
            let expires_at = usage_expiry(change.week, commit.now, retention);
            update = update.expression_attribute_values(":expires_at", epoch_seconds(expires_at));
        }
        Ok(TransactWriteItem::builder().update(update.build().map_err(unbuilt)?).build())
    }

    fn transact_fence(&self, fence: &FenceWrite, customer_id: &str) -> Result<TransactWriteItem, StoreError> {
        let (key, read) = (Some(fence_key(customer_id)), fence.read_version());
        let FenceWrite::Change(after) = fence else {
            return self.condition_check(key, read);
        };
        let mut values = fence_values(after);
        values.extend(row_values(read).unwrap_or_default());
        let update = Update::builder()
            .table_name(&self.tables.load)
            .set_key(key)
            .update_expression(SET_FENCE)
            .condition_expression(row_condition(read))
            .set_expression_attribute_values(Some(values));
        Ok(TransactWriteItem::builder().update(update.build().map_err(unbuilt)?).build())
    }

    fn transact_check(&self, check: &UsageCheck, commit: &Commit) -> Result<TransactWriteItem, StoreError> {
        self.condition_check(Some(row_key(commit, check.week)), check.version)
    }

    fn condition_check(&self, key: Option<Item>, version: u64) -> Result<TransactWriteItem, StoreError> {
        let check = ConditionCheck::builder()
            .table_name(&self.tables.load)
            .set_key(key)
            .condition_expression(row_condition(version))
            .set_expression_attribute_values(row_values(version));
        Ok(TransactWriteItem::builder().condition_check(check.build().map_err(unbuilt)?).build())
    }
}

/// Returns the key of a row.
fn row_key(commit: &Commit, week: Week) -> Item {
    usage_key(&UsageKey { customer_id: commit.customer_id.clone(), week })
}

/// Returns the instant at which a row may be deleted that is written now.
fn usage_expiry(week: Week, now: DateTime<Utc>, retention: TimeDelta) -> DateTime<Utc> {
    let end =
        week.next().monday().date().map_or(DateTime::<Utc>::MAX_UTC, |date| date.and_time(NaiveTime::MIN).and_utc());
    end.max(now).checked_add_signed(retention).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Returns the condition that a row still has the version that was read.
const fn row_condition(version: u64) -> &'static str {
    if version == 0 { ROW_IS_NEW } else { ROW_STANDS }
}

fn row_values(version: u64) -> Option<Item> {
    (version > 0).then(|| Item::from([(":read".to_owned(), N(version.to_string()))]))
}

/// Returns true if the item that prevented a record's write equals that record.
fn is(item: Option<&Item>, record: &CorrelationRecord, table: &str) -> bool {
    item.is_some_and(|item| to_record(item, table).is_ok_and(|stored| stored == *record))
}

pub(super) fn write_units<'c>(capacities: impl IntoIterator<Item = &'c ConsumedCapacity>) -> Units {
    Units { write_halves: halves(capacities), read_halves: 0 }
}

pub(super) fn epoch_seconds(instant: DateTime<Utc>) -> AttributeValue {
    N(instant.timestamp().to_string())
}

/// Returns the most severe reason for a cancelled transaction. A transient reason counts only if there is no other.
pub(super) fn of_reasons(operation: &str, reasons: &[CancellationReason], tables: &str) -> StoreError {
    let mut codes: Vec<&str> =
        reasons.iter().filter_map(CancellationReason::code).filter(|code| *code != "None").collect();
    codes.dedup();
    let cause = || Cause::new(format!("{operation} on {tables} was cancelled: {}", codes.join(", ")));
    let worst = codes.iter().map(|code| of_kind(code, cause())).max_by_key(weight);
    worst.unwrap_or_else(|| StoreError::Conflict(cause()))
}

const fn weight(error: &StoreError) -> u8 {
    match error {
        StoreError::Conflict(_) => 0,
        StoreError::Throttled(_) => 1,
        StoreError::Unavailable(_) => 2,
        StoreError::Corrupt(_) | StoreError::Misconfigured(_) => 3,
    }
}
