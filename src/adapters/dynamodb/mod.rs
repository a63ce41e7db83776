//! Store in DynamoDB: two tables, one read and one conditional transaction.

mod commit;
mod error;
mod item;
#[cfg(feature = "cli")]
mod manifest;
mod read;
#[cfg(feature = "cli")]
pub mod tables;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::ConsumedCapacity;
use chrono::DateTime;
use futures_util::future::try_join_all;

use crate::config::TableNames;
use crate::deciding::{
    Commit, Consistency, CorrelationRecord, Lookup, PublicationChange, Snapshot, Store, StoreError, Units, UsageKey,
    Writes,
};
use crate::domain::{Day, EventKey};
pub use item::{Item, from_days, from_record, to_record, to_row};
use item::{event_key, usage_key};
use read::KEYS_MAX;

/// A store in DynamoDB.
#[derive(Clone, Debug)]
pub struct DynamoDb {
    client: Client,
    tables: TableNames,
}

impl DynamoDb {
    /// Creates a store in these tables.
    pub fn new(config: &SdkConfig, tables: TableNames) -> DynamoDb {
        DynamoDb { client: Client::new(config), tables }
    }

    /// Opens the connection, and checks that both tables can be read, with a key that no event has.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] if a table is missing or must not be read; another variant if that is unknown.
    pub async fn connect(&self) -> Result<(), StoreError> {
        let customer_id = "\u{1}".to_owned();
        let event = EventKey { customer_id: customer_id.clone(), event_id: customer_id.clone() };
        let week = UsageKey { customer_id, week: Day::of(DateTime::UNIX_EPOCH).week() };
        let lookup = Lookup { events: [event].into(), weeks: [week].into() };
        self.read(&lookup, Consistency::Eventual).await.map(drop)
    }

    /// Returns the names of both tables, for error messages.
    fn both(&self) -> String {
        format!("{} and {}", self.tables.correlation, self.tables.load)
    }
}

impl Store for DynamoDb {
    async fn read(&self, lookup: &Lookup, records: Consistency) -> Result<Snapshot, StoreError> {
        let events = lookup.events.iter().map(|key| (&self.tables.correlation, event_key(key)));
        let weeks = lookup.weeks.iter().map(|key| (&self.tables.load, usage_key(key)));
        let keys: Vec<(&String, Item)> = events.chain(weeks).collect();
        let requests = keys.chunks(KEYS_MAX).map(|keys| self.get(keys, records));
        let mut snapshot = Snapshot::default();
        for gotten in try_join_all(requests).await? {
            self.sort(gotten, lookup, &mut snapshot);
        }
        Ok(snapshot)
    }

    async fn commit(&self, commit: &Commit) -> Result<Units, StoreError> {
        match &commit.writes {
            Writes::Record(record) => self.put(record, commit).await,
            Writes::Transaction { .. } => self.transact(commit).await,
        }
    }

    async fn set_publication(&self, record: &CorrelationRecord) -> Result<PublicationChange, StoreError> {
        self.update_publication(record).await
    }
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
