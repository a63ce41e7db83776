//! Writing with conditions.
//!
//! ```text
//!             decided_at                 EXPIRES_AT               deleted by TTL, up to days later
//! event  ---------|---------------------------|------------------------------|------------------>
//!  new put:   allowed        refused          |  allowed: expired is absent  |     allowed
//! ```

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::AttributeValue::{self, Bool, N, S};
use aws_sdk_dynamodb::types::{CancellationReason, Put, ReturnConsumedCapacity, TransactWriteItem, Update};
use chrono::{DateTime, Utc};

use super::error::{of_kind, store_error};
use super::item::{event_key, from_days, from_record, usage_key};
use super::{DynamoDb, halves};
use crate::app::{Cause, Commit, CorrelationRecord, StoreError, Units, UsageChange, UsageKey, digest_hex};
use crate::config::TableNames;

/// The length of a token. DynamoDB takes 36 characters at most; 128 bits tell commits apart.
const TOKEN_BYTES: usize = 32;

/// The event has no record that is still in force.
const EVENT_IS_NEW: &str = "attribute_not_exists(EVENT_ID) OR EXPIRES_AT <= :now";

/// The week has no row yet.
const ROW_IS_NEW: &str = "attribute_not_exists(VERSION)";

/// Nobody has changed the row since it was read.
const ROW_STANDS: &str = "VERSION = :read";

/// The row after the change. Attributes that loadgate does not know stay.
const SET_USAGE: &str = "SET VERSION = :next, DAYS = :days";

/// The record is still that of the same message: not a later one, written after it expired.
const RECORD_STANDS: &str = "MESSAGE_ID = :message_id";

const MARK: &str = "SET EXPIRES_AT = :expires_at, UNPUBLISHED = :unpublished";
const UNMARK: &str = "SET EXPIRES_AT = :expires_at REMOVE UNPUBLISHED";

pub async fn commit(store: &DynamoDb, commit: &Commit) -> Result<Units, StoreError> {
    if commit.usage.is_empty() { store.put_each(commit).await } else { store.transact(commit).await }
}

pub async fn remark(store: &DynamoDb, record: &CorrelationRecord) -> Result<Units, StoreError> {
    let mut request = store
        .client
        .update_item()
        .table_name(&store.tables.correlation)
        .set_key(Some(event_key(&record.decision.key)))
        .condition_expression(RECORD_STANDS)
        .update_expression(if record.is_unpublished { MARK } else { UNMARK })
        .expression_attribute_values(":message_id", S(record.message_id.clone()))
        .expression_attribute_values(":expires_at", epoch_seconds(record.expires_at))
        .return_consumed_capacity(ReturnConsumedCapacity::Total);
    if record.is_unpublished {
        request = request.expression_attribute_values(":unpublished", Bool(true));
    }
    let answer = request.send().await;
    let answer = answer.map_err(|error| store_error("UpdateItem", &store.tables.correlation, &error))?;
    Ok(Units { write_halves: halves(answer.consumed_capacity()), read_halves: 0 })
}

impl DynamoDb {
    /// Puts records of declines one after another: one unit for each instead of a transaction's two. Usage only grows, so that
    /// a decline stays right whatever the row has become since it was read. In order, because side by side a later one
    /// could stand without an earlier one.
    async fn put_each(&self, commit: &Commit) -> Result<Units, StoreError> {
        let mut units = Units::default();
        for record in &commit.records {
            units += self.put_one(record, commit).await?;
        }
        Ok(units)
    }

    async fn put_one(&self, record: &CorrelationRecord, commit: &Commit) -> Result<Units, StoreError> {
        let table = &self.tables.correlation;
        let put = self
            .client
            .put_item()
            .table_name(table)
            .set_item(Some(from_record(record)))
            .condition_expression(EVENT_IS_NEW)
            .expression_attribute_values(":now", epoch_seconds(commit.now))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let answer = put.send().await.map_err(|error| store_error("PutItem", table, &error))?;
        Ok(Units { write_halves: halves(answer.consumed_capacity()), read_halves: 0 })
    }

    /// Writes records and the rows that they change: all of it or nothing.
    async fn transact(&self, commit: &Commit) -> Result<Units, StoreError> {
        let puts = commit.records.iter().map(|record| self.put(record, commit));
        let updates = commit.usage.iter().map(|change| self.update(change, commit));
        let actions = puts.chain(updates).collect::<Result<Vec<_>, _>>()?;
        let request = self.client.transact_write_items().set_transact_items(Some(actions));
        let request =
            request.client_request_token(self.token(commit)).return_consumed_capacity(ReturnConsumedCapacity::Total);
        match request.send().await {
            Ok(answer) => Ok(Units { write_halves: halves(answer.consumed_capacity()), read_halves: 0 }),
            Err(error) => Err(match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    of_reasons(cancelled.cancellation_reasons(), &self.both())
                }
                _ => store_error("TransactWriteItems", &self.both(), &error),
            }),
        }
    }

    /// A name for exactly this commit: the same again is the same name, and DynamoDB does it only once. It knows tokens by
    /// account, so the tables are part of it.
    fn token(&self, commit: &Commit) -> String {
        let TableNames { correlation, load } = &self.tables;
        let mut parts = vec![correlation.clone(), load.clone(), commit.customer_id.clone()];
        for record in &commit.records {
            let decided_at_ms = record.decision.decided_at.timestamp_millis().to_string();
            parts.extend([record.decision.key.event_id.clone(), record.message_id.clone(), decided_at_ms]);
        }
        for change in &commit.usage {
            parts.extend([change.week.monday().to_string(), change.before.version.to_string()]);
        }
        let mut token = digest_hex(&parts.iter().map(String::as_bytes).collect::<Vec<_>>());
        token.truncate(TOKEN_BYTES);
        token
    }

    fn put(&self, record: &CorrelationRecord, commit: &Commit) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.tables.correlation)
            .set_item(Some(from_record(record)))
            .condition_expression(EVENT_IS_NEW)
            .expression_attribute_values(":now", epoch_seconds(commit.now));
        Ok(TransactWriteItem::builder().put(put.build().map_err(incomplete)?).build())
    }

    fn update(&self, change: &UsageChange, commit: &Commit) -> Result<TransactWriteItem, StoreError> {
        let key = UsageKey { customer_id: commit.customer_id.clone(), week: change.week };
        let read = change.before.version;
        let update = Update::builder()
            .table_name(&self.tables.load)
            .set_key(Some(usage_key(&key)))
            .update_expression(SET_USAGE)
            .expression_attribute_values(":next", N((read + 1).to_string()))
            .expression_attribute_values(":days", from_days(&change.after));
        let update = match read {
            0 => update.condition_expression(ROW_IS_NEW),
            _ => update.condition_expression(ROW_STANDS).expression_attribute_values(":read", N(read.to_string())),
        };
        Ok(TransactWriteItem::builder().update(update.build().map_err(incomplete)?).build())
    }
}

fn epoch_seconds(instant: DateTime<Utc>) -> AttributeValue {
    N(instant.timestamp().to_string())
}

/// The worst of the reasons why a transaction was cancelled: what may pass by itself counts only if nothing else does.
fn of_reasons(reasons: &[CancellationReason], tables: &str) -> StoreError {
    let mut codes: Vec<&str> =
        reasons.iter().filter_map(CancellationReason::code).filter(|code| *code != "None").collect();
    codes.dedup();
    let cause = || Cause::new(format!("TransactWriteItems on {tables} was cancelled: {}", codes.join(", ")));
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

/// The SDK wants a field that is always set here.
fn incomplete(error: aws_sdk_dynamodb::error::BuildError) -> StoreError {
    StoreError::Unavailable(Cause::with("the request could not be built", error))
}
