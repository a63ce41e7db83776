//! The decision log in DynamoDB: a table of its own, whose hash key is the run. So a busy customer makes no hot partition.

use aws_sdk_dynamodb::types::AttributeValue::S;
use aws_sdk_dynamodb::types::{DeleteRequest, PutRequest, ReturnConsumedCapacity, WriteRequest};

use super::commit::write_units;
use super::error::{store_error, unbuilt};
use super::item::{Item, RUN_ID};
use super::log_item::{from_log_entry, log_key, seq_of, to_log_entry};
use super::{DynamoDb, halves, text};
use crate::deciding::{Cause, LogPage, LogReader, LogScan, LogStart, Metered, StoreError, Units};
use crate::domain::LogEntry;

impl DynamoDb {
    /// Returns the name of the table.
    pub(super) fn log_table(&self) -> Result<&str, StoreError> {
        self.tables.log.as_deref().ok_or_else(|| {
            let what =
                "no table of the decision log is named: set LOADGATE_DECISION_LOG_TABLE, or give --decision-log-table";
            StoreError::Misconfigured(Cause::new(what))
        })
    }

    /// Opens the connection, and checks that the log can be written: deletes an entry that no run has.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] if the table is missing or must not be written; another variant if that is unknown.
    pub async fn connect_log(&self) -> Result<(), StoreError> {
        if self.tables.log.is_none() {
            return Ok(());
        }
        let nothing = DeleteRequest::builder().set_key(Some(log_key("\u{1}", 0))).build().map_err(unbuilt)?;
        self.write_requests(vec![WriteRequest::builder().delete_request(nothing).build()]).await.map(drop)
    }

    pub(super) async fn put_log(&self, entries: &[&LogEntry]) -> Result<Metered<Vec<usize>>, StoreError> {
        let put = |entry: &&LogEntry| {
            let put = PutRequest::builder().set_item(Some(from_log_entry(entry))).build().map_err(unbuilt)?;
            Ok(WriteRequest::builder().put_request(put).build())
        };
        let Metered { value: left, units } =
            self.write_requests(entries.iter().map(put).collect::<Result<_, StoreError>>()?).await?;
        let keys: Vec<&Item> = left.iter().filter_map(|left| Some(left.put_request()?.item())).collect();
        let is_left = |entry: &LogEntry| keys.iter().any(|key| is_key_of(key, entry));
        let places = entries.iter().enumerate().filter(|(_, entry)| is_left(entry)).map(|(place, _)| place);
        Ok(Metered { value: places.collect(), units })
    }

    /// Writes at most 25 items. Returns the requests that DynamoDB has left out.
    async fn write_requests(&self, requests: Vec<WriteRequest>) -> Result<Metered<Vec<WriteRequest>>, StoreError> {
        let table = self.log_table()?;
        let request = self.client.batch_write_item().request_items(table, requests);
        let answer = request.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await;
        let answer = answer.map_err(|error| store_error("BatchWriteItem", table, &error))?;
        let units = write_units(answer.consumed_capacity());
        Ok(Metered { value: answer.unprocessed_items.unwrap_or_default().into_values().flatten().collect(), units })
    }
}

fn is_key_of(key: &Item, LogEntry { position, .. }: &LogEntry) -> bool {
    log_key(&position.run_id, position.seq).iter().all(|(name, value)| key.get(name) == Some(value))
}

impl LogReader for DynamoDb {
    async fn read_run(&self, run_id: &str, after: Option<u64>, max: u16) -> Result<LogPage, StoreError> {
        let table = self.log_table()?;
        let request = self
            .client
            .query()
            .table_name(table)
            .key_condition_expression("RUN_ID = :run_id")
            .expression_attribute_values(":run_id", S(run_id.to_owned()))
            .consistent_read(true)
            .limit(i32::from(max))
            .set_exclusive_start_key(after.map(|seq| log_key(run_id, seq)));
        let answer = request.send().await.map_err(|error| store_error("Query", table, &error))?;
        let entries = answer.items().iter().map(|item| to_log_entry(item, table)).collect::<Result<_, _>>()?;
        Ok(LogPage { entries, next: answer.last_evaluated_key.as_ref().and_then(seq_of) })
    }

    async fn delete_entries(&self, run_id: &str, seqs: &[u64]) -> Result<Vec<u64>, StoreError> {
        let delete = |seq: &u64| {
            let delete = DeleteRequest::builder().set_key(Some(log_key(run_id, *seq))).build().map_err(unbuilt)?;
            Ok(WriteRequest::builder().delete_request(delete).build())
        };
        let left = self.write_requests(seqs.iter().map(delete).collect::<Result<_, StoreError>>()?).await?.value;
        Ok(left.iter().filter_map(|left| seq_of(left.delete_request()?.key())).collect())
    }

    async fn scan_log(&self, start: Option<LogStart>, max: u16) -> Result<LogScan, StoreError> {
        let table = self.log_table()?;
        let request = self
            .client
            .scan()
            .table_name(table)
            .limit(i32::from(max))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .set_exclusive_start_key(start.map(|LogStart { run_id, seq }| log_key(&run_id, seq)));
        let answer = request.send().await.map_err(|error| store_error("Scan", table, &error))?;
        let entries = answer.items().iter().map(|item| to_log_entry(item, table)).collect::<Result<_, _>>()?;
        let units = Units { read_halves: halves(answer.consumed_capacity()), write_halves: 0 };
        let next = answer.last_evaluated_key.as_ref();
        let next = next.and_then(|key| Some(LogStart { run_id: text(key, RUN_ID).to_owned(), seq: seq_of(key)? }));
        Ok(LogScan { entries, next, units })
    }
}
