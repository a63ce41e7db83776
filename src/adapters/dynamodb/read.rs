//! Reads of records and rows with `BatchGetItem`.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{KeysAndAttributes, ReturnConsumedCapacity};

use super::error::{store_error, unbuilt};
use super::item::{CUSTOMER_ID, DATE, EVENT_ID, Item, to_record, to_row};
use super::{DynamoDb, halves};
use crate::deciding::{Cause, Consistency, Lookup, Snapshot, StoreError, UsageKey};
use crate::domain::EventKey;

/// Maximum number of keys in one request (the DynamoDB API reference, `BatchGetItem`).
pub(super) const KEYS_MAX: usize = 100;

/// Answer to one request.
pub(super) struct Gotten {
    /// Items, each with its table.
    items: Vec<(String, Item)>,
    /// Unprocessed keys, each with its table. They fail only their own customers, so that no other customer waits for
    /// another request.
    left_out: Vec<(String, Item)>,
    read_halves: u64,
}

impl DynamoDb {
    pub(super) async fn get(&self, keys: &[(&String, Item)], records: Consistency) -> Result<Gotten, StoreError> {
        let request = self.client.batch_get_item().set_request_items(Some(self.request(keys, records)?));
        let answer = request.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await;
        let answer = answer.map_err(|error| store_error("BatchGetItem", &self.both(), &error))?;
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
            let is_strong = records == Consistency::Strong || *table == self.tables.load;
            let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(is_strong).build();
            Ok((table.clone(), keys.map_err(unbuilt)?))
        };
        tables.into_iter().map(request).collect()
    }

    /// Puts the items of an answer into the snapshot, under the requested keys. Unprocessed keys fail only their own
    /// customers.
    pub(super) fn sort(&self, gotten: Gotten, lookup: &Lookup, snapshot: &mut Snapshot) {
        snapshot.units.read_halves += gotten.read_halves;
        for (table, item) in gotten.items {
            if table == self.tables.correlation {
                snapshot.records.insert(event_of(&item), to_record(&item, &table));
            } else if let Some(key) = week_of(&item, lookup) {
                snapshot.usage.insert(key.clone(), to_row(&item, &table));
            }
        }
        for (table, key) in gotten.left_out {
            let what = format!("BatchGetItem on {table}: DynamoDB left out a key");
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
