//! Designs that are compared: loadgate's own, and three others that keep the same records and usage.
//!
//! Each is in the cheapest form that keeps its shape: it reads what is enough for it, no more strongly than it must, and
//! a decline changes no usage. Deciding is the same everywhere; only reading and writing differ.

mod consumer;
mod idempotency;
mod read_then_write;
mod transaction;

use std::collections::HashMap;
use std::io::{Error, Result};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue::{self, S};
use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use chrono::TimeDelta;
use loadgate::adapters::dynamodb::tables::Tables;
use loadgate::adapters::dynamodb::{DynamoDb, Item, to_record, to_row};
use loadgate::adapters::{SystemClock, aws};
use loadgate::config::TableNames;
use loadgate::deciding::{Clock, Delivery, Outcome, Plan, PlanInput, Snapshot, plan};
use loadgate::domain::{EventKey, Limits};

pub(crate) use self::consumer::Loadgate;
pub(crate) use self::idempotency::Idempotency;
pub(crate) use self::read_then_write::ReadThenWrite;
pub(crate) use self::transaction::Transaction;

/// How long an event is remembered.
const TTL: TimeDelta = TimeDelta::hours(24);

const TOTAL: ReturnConsumedCapacity = ReturnConsumedCapacity::Total;

/// An event with whether it was accepted, as it was published.
pub(crate) type Decision = (EventKey, bool);

/// A way to decide a batch of one customer's messages.
pub(crate) trait Design {
    /// Settles the batch, and says what is published for it.
    async fn handle(&self, batch: &[Delivery]) -> Result<Vec<Decision>>;
}

/// The tables of one design.
pub(crate) struct Store {
    client: Client,
    names: TableNames,
    limits: Limits,
}

impl Store {
    /// Creates them under names of their own.
    pub(crate) async fn create(name: &str, url: &str) -> Result<Store> {
        let (sdk, limits) = (aws::load(Some(url)).await, Limits::default());
        let names = TableNames { correlation: format!("{name}-records"), load: format!("{name}-usage") };
        Tables::new(&sdk, names.clone()).create().await.map_err(Error::other)?;
        Ok(Store { client: Client::new(&sdk), names, limits })
    }

    /// The same tables as loadgate sees them.
    pub(crate) async fn of_loadgate(&self, url: &str) -> DynamoDb {
        DynamoDb::new(&aws::load(Some(url)).await, self.names.clone())
    }

    /// What becomes of one delivery, by its own record and row alone. Nobody but loadgate marks what came before.
    fn plan(&self, delivery: &Delivery, snapshot: &Snapshot) -> Result<Plan> {
        let mut delivery = delivery.clone();
        delivery.source.is_redelivery = false;
        let known = PlanInput { snapshot, has_stored: false, now: SystemClock.now() };
        plan(&self.limits, TTL, &[delivery], known).map_err(Error::other)
    }

    /// The event's record and, if there is none, the week's row.
    async fn snapshot(&self, delivery: &Delivery, is_row_strong: bool) -> Result<Snapshot> {
        let mut snapshot = Snapshot::default();
        if let Some(item) = self.get(&self.names.correlation, event_key(delivery), false).await? {
            let record = to_record(&item, &self.names.correlation);
            snapshot.records.insert(delivery.event(), record);
        } else if let Some(item) = self.get(&self.names.load, week_key(delivery), is_row_strong).await? {
            snapshot.usage.insert(delivery.week(), to_row(&item, &self.names.load));
        }
        Ok(snapshot)
    }

    async fn get(&self, table: &str, key: Item, is_strong: bool) -> Result<Option<Item>> {
        let request = self.client.get_item().table_name(table).set_key(Some(key)).consistent_read(is_strong);
        Ok(request.return_consumed_capacity(TOTAL).send().await.map_err(Error::other)?.item)
    }
}

fn event_key(delivery: &Delivery) -> Item {
    key(delivery, "EVENT_ID", delivery.attempt.id.as_str())
}

fn week_key(delivery: &Delivery) -> Item {
    key(delivery, "DATE", &delivery.week().week.monday().to_string())
}

fn key(delivery: &Delivery, range: &str, value: &str) -> Item {
    let customer_id = S(delivery.customer_id().to_owned());
    HashMap::from([("CUSTOMER_ID".to_owned(), customer_id), (range.to_owned(), S(value.to_owned()))])
}

fn number(number: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(number.into().to_string())
}

/// What is published for a plan of one delivery.
fn published(plan: &Plan) -> Vec<Decision> {
    let records = plan.outcomes.iter().filter_map(Outcome::record);
    records.map(|record| (record.decision.key.clone(), record.decision.verdict.is_accepted())).collect()
}
