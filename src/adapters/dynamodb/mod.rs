//! Store in DynamoDB: its tables, reads, and conditional transactions.

mod answer_item;
mod change_item;
mod commit;
mod decision_item;
#[cfg(feature = "cli")]
mod erasure;
mod error;
mod fence;
mod item;
mod job_item;
mod job_link;
mod job_store;
mod limit_item;
mod limit_store;
mod limit_table;
mod limit_write;
mod loads;
mod log_item;
mod log_store;
#[cfg(feature = "cli")]
mod manifest;
mod plan_item;
mod plan_store;
mod program_store;
#[cfg(feature = "http")]
mod record_query;
#[cfg(feature = "cli")]
pub mod tables;

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue::{Bool, S};
use aws_sdk_dynamodb::types::{ConsumedCapacity, KeysAndAttributes, ReturnConsumedCapacity};
use chrono::{DateTime, TimeDelta};
use futures_util::future::{try_join_all, try_join3};

use crate::config::TableNames;
use crate::deciding::{
    AllRows, Cause, Commit, Consistency, CorrelationRecord, FencedLookup, FencedSnapshot, Lookup, Metered,
    PublicationChange, READ_KEYS_MAX, Snapshot, Store, StoreError, Units, UsageKey, Writes,
};
use crate::domain::{Day, EventKey, Limits, LogEntry, PlanVersion};
use commit::{epoch_seconds, write_units};
use error::{store_error, unbuilt};
use fence::{fence_key, is_fence, to_fence};
use item::{CUSTOMER_ID, DATE, EVENT_ID, event_key, usage_key};
pub use item::{Item, from_days, from_record, to_record, to_row, week_of};
use limit_item::customer_of;
pub use limit_item::{customer_key, to_customer_limits};
pub use loads::encode_loads;
use plan_item::to_settings;

/// Condition: the record still belongs to the same message, not to a later one that was written after it expired.
const RECORD_STANDS: &str = "MESSAGE_ID = :message_id";

const SET_PENDING: &str = "SET EXPIRES_AT = :expires_at, UNPUBLISHED = :unpublished";
const SET_CONFIRMED: &str = "SET EXPIRES_AT = :expires_at REMOVE UNPUBLISHED";

/// A store in DynamoDB.
#[derive(Clone, Debug)]
pub struct DynamoDb {
    client: Client,
    tables: TableNames,
    /// Time for which a usage row is kept; `None` for ever.
    usage_retention: Option<TimeDelta>,
}

impl DynamoDb {
    /// Creates a store in these tables, which keeps usage for ever.
    pub fn new(config: &SdkConfig, tables: TableNames) -> DynamoDb {
        DynamoDb { client: Client::new(config), tables, usage_retention: None }
    }

    /// Sets the time for which usage rows are kept of customers without a fence; `None` for ever.
    #[must_use]
    pub fn keeping_usage_for(self, usage_retention: Option<TimeDelta>) -> DynamoDb {
        DynamoDb { usage_retention, ..self }
    }

    /// Opens the connection, and checks that the tables can be read, with keys that nothing has. With `has_fences`, also
    /// by the requests that customers with a fence need.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] if a table is missing or must not be read; another variant if that is unknown.
    pub async fn connect(&self, has_fences: bool) -> Result<(), StoreError> {
        let customer_id = "\u{1}".to_owned();
        let event = EventKey { customer_id: customer_id.clone(), event_id: customer_id.clone() };
        let week = UsageKey { customer_id: customer_id.clone(), week: Day::of(DateTime::UNIX_EPOCH).week() };
        let settings = self.tables.limit.iter().map(|_| customer_id.clone()).collect();
        let lookup = Lookup { events: [event].into(), weeks: [week].into(), settings, ..Lookup::default() };
        let first = self.read(&lookup, Consistency::Eventual);
        if !has_fences {
            return first.await.map(drop);
        }
        let fenced = FencedLookup { customer_id: customer_id.clone(), ..FencedLookup::default() };
        // Boxed: a program's start is no place for a future of many kilobytes.
        let (fence, rows) = (Box::pin(self.get_fenced(&fenced)), Box::pin(self.query_rows(&customer_id)));
        try_join3(first, fence, rows).await.map(drop)
    }

    /// Returns the names of the tables, for error messages.
    fn names(&self) -> String {
        self.tables.iter().collect::<Vec<_>>().join(", ")
    }
}

impl Store for DynamoDb {
    async fn read(&self, lookup: &Lookup, records: Consistency) -> Result<Snapshot, StoreError> {
        let events = lookup.events.iter().map(|key| (&self.tables.correlation, event_key(key)));
        let weeks = lookup.weeks.iter().map(|key| (&self.tables.load, usage_key(key)));
        let fences = lookup.fences.iter().map(|customer_id| (&self.tables.load, fence_key(customer_id)));
        let settings = self
            .tables
            .limit
            .iter()
            .flat_map(|table| lookup.settings.iter().map(move |customer_id| (table, customer_key(customer_id))));
        let keys: Vec<(&String, Item)> = events.chain(weeks).chain(fences).chain(settings).collect();
        let requests = keys.chunks(READ_KEYS_MAX).map(|keys| self.get(keys, records));
        let mut snapshot = Snapshot::default();
        for gotten in try_join_all(requests).await? {
            self.sort(gotten, lookup, &mut snapshot);
        }
        Ok(snapshot)
    }

    async fn read_fenced(&self, lookup: &FencedLookup) -> Result<FencedSnapshot, StoreError> {
        self.get_fenced(lookup).await
    }

    async fn read_rows(&self, customer_id: &str) -> Result<AllRows, StoreError> {
        self.query_rows(customer_id).await
    }

    async fn read_default_plan(&self, program_id: &str) -> Result<Metered<Option<PlanVersion>>, StoreError> {
        self.get_default_plan(program_id).await
    }

    async fn read_plan(&self, plan: &PlanVersion) -> Result<Metered<Limits>, StoreError> {
        self.get_plan_limits(plan).await
    }

    async fn commit(&self, commit: &Commit) -> Result<Units, StoreError> {
        match &commit.writes {
            Writes::Record(record) => self.put(record, commit).await,
            Writes::Transaction { .. } => self.transact(commit).await,
        }
    }

    async fn set_publication(&self, record: &CorrelationRecord) -> Result<PublicationChange, StoreError> {
        let mut request = self
            .client
            .update_item()
            .table_name(&self.tables.correlation)
            .set_key(Some(event_key(&record.decision.key)))
            .condition_expression(RECORD_STANDS)
            .update_expression(if record.is_pending() { SET_PENDING } else { SET_CONFIRMED })
            .expression_attribute_values(":message_id", S(record.message_id.clone()))
            .expression_attribute_values(":expires_at", epoch_seconds(record.expires_at))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        if record.is_pending() {
            request = request.expression_attribute_values(":unpublished", Bool(true));
        }
        match request.send().await {
            Ok(answer) => Ok(PublicationChange::Written(write_units(answer.consumed_capacity()))),
            // A conflict with another transaction is not such a failure: the write is retried.
            Err(error)
                if error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(PublicationChange::Superseded)
            }
            Err(error) => Err(store_error("UpdateItem", &self.tables.correlation, &error)),
        }
    }

    async fn write_log(&self, entries: &[&LogEntry]) -> Result<Metered<Vec<usize>>, StoreError> {
        self.put_log(entries).await
    }
}

/// Answer to one request.
struct Gotten {
    /// Items, each with its table.
    items: Vec<(String, Item)>,
    /// Unprocessed keys, each with its table. They fail only their own customers, so that no other customer waits for
    /// another request.
    left_out: Vec<(String, Item)>,
    read_halves: u64,
}

impl DynamoDb {
    async fn get(&self, keys: &[(&String, Item)], records: Consistency) -> Result<Gotten, StoreError> {
        let request = self.client.batch_get_item().set_request_items(Some(self.request(keys, records)?));
        let answer = request.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await;
        let answer = answer.map_err(|error| store_error("BatchGetItem", &self.names(), &error))?;
        let read_halves = halves(answer.consumed_capacity());
        let left_out = answer.unprocessed_keys.unwrap_or_default();
        let left_out = left_out.into_iter().map(|(table, keys)| (table, keys.keys)).collect();
        Ok(Gotten {
            items: by_table(answer.responses.unwrap_or_default()).collect(),
            left_out: by_table(left_out).collect(),
            read_halves,
        })
    }

    fn request(
        &self,
        keys: &[(&String, Item)],
        records: Consistency,
    ) -> Result<HashMap<String, KeysAndAttributes>, StoreError> {
        let mut tables = HashMap::<&String, Vec<Item>>::new();
        for (table, key) in keys {
            tables.entry(table).or_default().push(key.clone());
        }
        let request = |(table, keys): (&String, Vec<Item>)| {
            let is_strong = records == Consistency::Strong || *table != self.tables.correlation;
            let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(is_strong).build();
            Ok((table.clone(), keys.map_err(unbuilt)?))
        };
        tables.into_iter().map(request).collect()
    }

    /// Puts the items of an answer into the snapshot, under the requested keys. Unprocessed keys fail only their own
    /// customers.
    fn sort(&self, gotten: Gotten, lookup: &Lookup, snapshot: &mut Snapshot) {
        snapshot.units.read_halves += gotten.read_halves;
        for (table, item) in gotten.items {
            self.note(&table, &item, None, lookup, snapshot);
        }
        for (table, key) in gotten.left_out {
            let error = StoreError::Throttled(Cause::new(format!("BatchGetItem on {table}: DynamoDB left out a key")));
            self.note(&table, &key, Some(error), lookup, snapshot);
        }
    }

    /// Puts an item, or the error of a key, into the snapshot.
    fn note(&self, table: &str, item: &Item, error: Option<StoreError>, lookup: &Lookup, snapshot: &mut Snapshot) {
        if table == self.tables.correlation {
            snapshot.records.insert(event_of(item), unless(error, || to_record(item, table)));
        } else if self.tables.limit.as_deref() == Some(table) {
            let customer_id = customer_of(item).unwrap_or_default().to_owned();
            snapshot.settings.insert(customer_id, unless(error, || to_settings(item, table)));
        } else if is_fence(item) {
            let customer_id = text(item, CUSTOMER_ID).to_owned();
            snapshot.fences.insert(customer_id, unless(error, || to_fence(item, table)));
        } else if let Some(key) = wanted(item, lookup) {
            snapshot.usage.insert(key.clone(), unless(error, || to_row(item, table)));
        }
    }
}

/// Returns the error if there is one, and the parsed item otherwise.
fn unless<T>(error: Option<StoreError>, parse: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    error.map_or_else(parse, Err)
}

fn by_table(items: HashMap<String, Vec<Item>>) -> impl Iterator<Item = (String, Item)> {
    items.into_iter().flat_map(|(table, items)| items.into_iter().map(move |item| (table.clone(), item)))
}

fn event_of(item: &Item) -> EventKey {
    EventKey { customer_id: text(item, CUSTOMER_ID).to_owned(), event_id: text(item, EVENT_ID).to_owned() }
}

fn wanted<'l>(item: &Item, lookup: &'l Lookup) -> Option<&'l UsageKey> {
    let (customer_id, date) = (text(item, CUSTOMER_ID), text(item, DATE));
    lookup.weeks.iter().find(|key| key.customer_id == customer_id && key.week.monday().to_string() == date)
}

fn text<'i>(item: &'i Item, name: &str) -> &'i str {
    item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}

/// Converts DynamoDB's capacity units to half units. DynamoDB returns them as floats, but always in multiples of a
/// half.
#[allow(clippy::float_arithmetic, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn halves<'c>(capacities: impl IntoIterator<Item = &'c ConsumedCapacity>) -> u64 {
    capacities
        .into_iter()
        .filter_map(|capacity| capacity.capacity_units)
        .map(|units| (units * 2.0).round() as u64)
        .sum()
}
