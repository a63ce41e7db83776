//! Query of one customer's correlation records.

use aws_sdk_dynamodb::types::AttributeValue::S;
use futures_util::future::try_join4;

use super::error::store_error;
use super::item::{EVENT_ID, event_key};
use super::{DynamoDb, text, to_record};
use crate::deciding::{LogReader, RecordPage, RecordReader, StoreError};
use crate::domain::EventKey;
use crate::limits::LimitStore;

impl DynamoDb {
    /// Opens the connection, and checks that the tables can be read by all requests of reading over HTTP, with keys that
    /// nothing has. With `has_fences`, also by those that customers with a fence need.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] if a table is missing or must not be read; another variant if that is unknown.
    pub async fn connect_reads(&self, has_fences: bool) -> Result<(), StoreError> {
        let records = self.read_records("\u{1}", None, 1);
        let pointer = async { if self.tables.limit.is_some() { self.read_pointer("").await } else { Ok(None) } };
        let run =
            async { if self.tables.log.is_some() { self.read_run("\u{1}", None, 1).await.map(drop) } else { Ok(()) } };
        // Boxed: a program's start is no place for a future of many kilobytes.
        try_join4(Box::pin(self.connect(has_fences)), Box::pin(records), Box::pin(pointer), Box::pin(run))
            .await
            .map(drop)
    }
}

impl RecordReader for DynamoDb {
    async fn read_records(&self, customer_id: &str, after: Option<&str>, max: u16) -> Result<RecordPage, StoreError> {
        let table = &self.tables.correlation;
        // The key need not be that of an item: the query begins behind its place.
        let start = after.map(|event_id| {
            event_key(&EventKey { customer_id: customer_id.to_owned(), event_id: event_id.to_owned() })
        });
        let request = self
            .client
            .query()
            .table_name(table)
            .key_condition_expression("CUSTOMER_ID = :customer_id")
            .expression_attribute_values(":customer_id", S(customer_id.to_owned()))
            .consistent_read(true)
            .limit(i32::from(max))
            .set_exclusive_start_key(start);
        let answer = request.send().await.map_err(|error| store_error("Query", table, &error))?;
        let records = answer.items().iter().map(|item| to_record(item, table)).collect::<Result<_, _>>()?;
        let next = answer.last_evaluated_key.map(|key| text(&key, EVENT_ID).to_owned());
        Ok(RecordPage { records, next })
    }
}
