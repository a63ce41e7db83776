//! Reading records and rows with `BatchGetItem`.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::{KeysAndAttributes, ReturnConsumedCapacity};
use futures_util::future::try_join_all;

use super::error::store_error;
use super::item::{CUSTOMER_ID, DATE, EVENT_ID, Item, event_key, to_record, to_row, usage_key};
use super::{DynamoDb, halves};
use crate::app::{Cause, Consistency, Lookup, Snapshot, StoreError, UsageKey};
use crate::domain::EventKey;

/// The most keys in one request (the DynamoDB API reference, `BatchGetItem`).
const KEYS_MAX: usize = 100;

/// How often keys are asked for that DynamoDB has left out.
const ATTEMPTS_MAX: u32 = 5;

/// How long to wait before asking for left-out keys; each further time twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(20);

pub async fn read(store: &DynamoDb, lookup: &Lookup, records: Consistency) -> Result<Snapshot, StoreError> {
    let events = lookup.events.iter().map(|key| (&store.tables.correlation, event_key(key)));
    let weeks = lookup.weeks.iter().map(|key| (&store.tables.load, usage_key(key)));
    let keys: Vec<(&String, Item)> = events.chain(weeks).collect();
    let requests = keys.chunks(KEYS_MAX).map(|keys| store.get_all(keys, records));
    let mut snapshot = Snapshot::default();
    for gotten in try_join_all(requests).await? {
        store.sort(gotten, lookup, &mut snapshot);
    }
    Ok(snapshot)
}

/// What one request has come to.
#[derive(Default)]
struct Gotten {
    /// Items, each with its table.
    items: Vec<(String, Item)>,
    /// Keys that DynamoDB has left out every time, each with its table.
    left_out: Vec<(String, Item)>,
    read_halves: u64,
}

impl DynamoDb {
    /// Gets one request's items, and asks again for those that DynamoDB leaves out.
    async fn get_all(&self, keys: &[(&String, Item)], records: Consistency) -> Result<Gotten, StoreError> {
        let mut gotten = Gotten::default();
        let mut unprocessed = self.request(keys, records);
        for attempt in 0..ATTEMPTS_MAX {
            if attempt > 0 {
                tokio::time::sleep(FIRST_WAIT * (1 << (attempt - 1))).await;
            }
            let request = self.client.batch_get_item().set_request_items(Some(unprocessed));
            let answer = request.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await;
            let answer = answer.map_err(|error| store_error("BatchGetItem", &self.both(), &error))?;
            gotten.read_halves += halves(answer.consumed_capacity());
            gotten.items.extend(by_table(answer.responses.unwrap_or_default()));
            unprocessed = answer.unprocessed_keys.unwrap_or_default();
            if unprocessed.is_empty() {
                break;
            }
        }
        let left_out = unprocessed.into_iter().map(|(table, keys)| (table, keys.keys)).collect();
        gotten.left_out.extend(by_table(left_out));
        Ok(gotten)
    }

    fn request(&self, keys: &[(&String, Item)], records: Consistency) -> HashMap<String, KeysAndAttributes> {
        let mut tables = HashMap::<&String, Vec<Item>>::new();
        for (table, key) in keys {
            tables.entry(table).or_default().push(key.clone());
        }
        let request = |(table, keys): (&String, Vec<Item>)| {
            let is_strong = records == Consistency::Strong || *table == self.tables.load;
            let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(is_strong).build();
            // It can only fail without keys.
            Some((table.clone(), keys.ok()?))
        };
        tables.into_iter().filter_map(request).collect()
    }

    /// Puts what was got into the snapshot, under the keys by which it was asked for. What DynamoDB left out is trouble of
    /// its own customer only.
    fn sort(&self, gotten: Gotten, lookup: &Lookup, snapshot: &mut Snapshot) {
        snapshot.units.read_halves += gotten.read_halves;
        for (table, item) in gotten.items {
            if table == self.tables.correlation {
                snapshot.records.insert(event_of(&item), to_record(&item, &table));
            } else if let Some(key) = week_of(&item, lookup) {
                snapshot.usage.insert(key.clone(), to_row(&item, &table));
            }
        }
        for (table, key) in gotten.left_out {
            let what = format!("BatchGetItem on {table}: DynamoDB left out a key {ATTEMPTS_MAX} times");
            let error = StoreError::Throttled(Cause::new(what));
            if table == self.tables.correlation {
                snapshot.records.insert(event_of(&key), Err(error));
            } else if let Some(key) = week_of(&key, lookup) {
                snapshot.usage.insert(key.clone(), Err(error));
            }
        }
    }
}

fn by_table(items: HashMap<String, Vec<Item>>) -> impl Iterator<Item = (String, Item)> {
    items.into_iter().flat_map(|(table, items)| items.into_iter().map(move |item| (table.clone(), item)))
}

fn event_of(item: &Item) -> EventKey {
    EventKey { customer_id: text(item, CUSTOMER_ID).to_owned(), event_id: text(item, EVENT_ID).to_owned() }
}

fn week_of<'l>(item: &Item, lookup: &'l Lookup) -> Option<&'l UsageKey> {
    let (customer_id, date) = (text(item, CUSTOMER_ID), text(item, DATE));
    lookup.weeks.iter().find(|key| key.customer_id == customer_id && key.week.monday().to_string() == date)
}

fn text<'i>(item: &'i Item, name: &str) -> &'i str {
    item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}
