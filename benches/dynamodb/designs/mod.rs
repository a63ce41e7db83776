//! The compared designs: loadgate's own, and three others that keep the same records and usage.
//!
//! Each design has its cheapest form: it reads only what it needs, at the weakest sufficient consistency, and a
//! decline changes no usage. All designs decide by the same rule, and differ only in reads and writes.

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
use loadgate::deciding::{Clock, Delivery, Outcome, Plan, Planner, Snapshot};
use loadgate::domain::{EventKey, LimitOrigin, Limits};

pub(crate) use self::consumer::Loadgate;
pub(crate) use self::idempotency::Idempotency;
pub(crate) use self::read_then_write::ReadThenWrite;
pub(crate) use self::transaction::Transaction;

/// Time for which an event is remembered.
const TTL: TimeDelta = TimeDelta::hours(24);

const TOTAL: ReturnConsumedCapacity = ReturnConsumedCapacity::Total;

/// A published decision: the event, and true if it was accepted.
pub(crate) type Decision = (EventKey, bool);

/// A way to decide a batch of one customer's messages.
pub(crate) trait Design {
    /// Settles the batch, and returns the decisions that it publishes.
    async fn handle(&self, batch: &[Delivery]) -> Result<Vec<Decision>>;
}

/// The tables of one design.
pub(crate) struct Store {
    client: Client,
    names: TableNames,
    limits: Limits,
}

impl Store {
    /// Creates the tables of a design. Their names begin with `name`.
    pub(crate) async fn create(name: &str, url: &str) -> Result<Store> {
        let (sdk, limits) = (aws::load(Some(url)).await, Limits::default());
        let names = TableNames {
            correlation: format!("{name}-records"),
            load: format!("{name}-usage"),
            limit: None,
            log: None,
        };
        Tables::new(&sdk, names.clone()).create().await.map_err(Error::other)?;
        Ok(Store { client: Client::new(&sdk), names, limits })
    }

    /// Returns loadgate's own store over the same tables.
    pub(crate) async fn of_loadgate(&self, url: &str) -> DynamoDb {
        DynamoDb::new(&aws::load(Some(url)).await, self.names.clone())
    }

    /// Plans one delivery from its own record and row alone. A redelivery counts as a first delivery, because only
    /// loadgate makes its record pending.
    fn plan(&self, delivery: &Delivery, snapshot: &Snapshot) -> Result<Plan> {
        let mut delivery = delivery.clone();
        delivery.source.is_redelivery = false;
        let deliveries = [delivery];
        let mut planner = Planner::new(snapshot, false, TTL, SystemClock.now());
        match planner.stored(&deliveries) {
            outcomes if outcomes.is_empty() => {
                planner.decide(&deliveries, (&self.limits).into(), &LimitOrigin::Deployment, None).map_err(Error::other)
            }
            outcomes => Ok(Plan { outcomes, has_stored: true, commit: None }),
        }
    }

    /// Reads the event's record and, if there is none, the week's row.
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

/// Returns the decisions that a plan of one delivery publishes.
fn published(plan: &Plan) -> Vec<Decision> {
    let records = plan.outcomes.iter().filter_map(Outcome::record);
    records.map(|record| (record.decision.key.clone(), record.decision.verdict.is_accepted())).collect()
}
