//! Manifests of replays, in the table of correlation records. They are deleted together with the records of their
//! lines.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue::{N, S};
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use chrono::{DateTime, Utc};

use super::DynamoDb;
use super::error::store_error;
use super::item::{CUSTOMER_ID, EVENT_ID, EXPIRES_AT, Item, Reader, item, number};
use crate::deciding::StoreError;
use crate::replay::{Entered, Manifest, ManifestEntry};

const LINE_COUNT: &str = "LINE_COUNT";
const DIGEST: &str = "DIGEST";

/// Length of the prefix before a run's name in the key. A customer's id has at most 128 bytes, so no customer has such
/// a key.
const PREFIX_BYTES: usize = 129;

/// Condition: no entry in force begins at this line, or the same entry does.
const ENTRY_IS_NEW_OR_SAME: &str =
    "attribute_not_exists(EVENT_ID) OR EXPIRES_AT <= :now OR (LINE_COUNT = :line_count AND DIGEST = :digest)";

const SET_ENTRY: &str = "SET LINE_COUNT = :line_count, DIGEST = :digest, EXPIRES_AT = :expires_at";

impl Manifest for DynamoDb {
    async fn enter(
        &self,
        entry: &ManifestEntry,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<Entered, StoreError> {
        let table = &self.tables.correlation;
        let request = self
            .client
            .update_item()
            .table_name(table)
            .set_key(Some(key(&entry.run, entry.first_line)))
            .update_expression(SET_ENTRY)
            .condition_expression(ENTRY_IS_NEW_OR_SAME)
            .expression_attribute_values(":now", N(now.timestamp().to_string()))
            .expression_attribute_values(":line_count", N(entry.line_count.to_string()))
            .expression_attribute_values(":digest", S(entry.digest.clone()))
            .expression_attribute_values(":expires_at", N(expires_at.timestamp().to_string()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = request.send().await else { return Ok(Entered::Kept) };
        let stored = match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => failed.item(),
            _ => None,
        };
        match stored {
            Some(stored) => Ok(Entered::Other(to_entry(stored, &entry.run, entry.first_line, table)?)),
            None => Err(store_error("UpdateItem", table, &error)),
        }
    }

    async fn find(&self, run: &str, first_line: u64, now: DateTime<Utc>) -> Result<Option<ManifestEntry>, StoreError> {
        let table = &self.tables.correlation;
        let request =
            self.client.get_item().table_name(table).set_key(Some(key(run, first_line))).consistent_read(true);
        let answer = request.send().await.map_err(|error| store_error("GetItem", table, &error))?;
        let Some(stored) = answer.item else { return Ok(None) };
        let expires_at_s = reader(&stored, table).get(EXPIRES_AT, number::<i64>)?;
        let is_in_force = now.timestamp() < expires_at_s;
        is_in_force.then(|| to_entry(&stored, run, first_line, table)).transpose()
    }
}

fn key(run: &str, first_line: u64) -> Item {
    let customer_id = format!("{:.<PREFIX_BYTES$}{run}", "replay run ");
    item([(CUSTOMER_ID, S(customer_id)), (EVENT_ID, S(format!("{first_line:020}")))])
}

fn to_entry(stored: &Item, run: &str, first_line: u64, table: &str) -> Result<ManifestEntry, StoreError> {
    let reader = reader(stored, table);
    let line_count = reader.get(LINE_COUNT, |value| number(value).filter(|count| *count > 0))?;
    Ok(ManifestEntry { run: run.to_owned(), first_line, line_count, digest: reader.string(DIGEST)? })
}

const fn reader<'i>(item: &'i Item, table: &'i str) -> Reader<'i> {
    Reader { item, table, keys: [CUSTOMER_ID, EVENT_ID] }
}
