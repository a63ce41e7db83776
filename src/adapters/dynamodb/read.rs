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

/// A key to be looked up.
#[derive(Clone, Copy)]
enum Key<'l> {
    Event(&'l EventKey),
    Week(&'l UsageKey),
}

pub async fn read(store: &DynamoDb, lookup: &Lookup, records: Consistency) -> Result<Snapshot, StoreError> {
    let keys: Vec<Key<'_>> = lookup.events.iter().map(Key::Event).chain(lookup.weeks.iter().map(Key::Week)).collect();
    let requests = keys.chunks(KEYS_MAX).map(|keys| store.get_all(keys, records));
    let mut snapshot = Snapshot::default();
    for (items, read_halves) in try_join_all(requests).await? {
        snapshot.units.read_halves += read_halves;
        store.sort(items, lookup, &mut snapshot);
    }
    Ok(snapshot)
}

/// Items by table.
type Items = Vec<(String, Item)>;

impl DynamoDb {
    /// Gets one request's items, and asks again for those that DynamoDB leaves out.
    async fn get_all(&self, keys: &[Key<'_>], records: Consistency) -> Result<(Items, u64), StoreError> {
        let (mut items, mut read_halves) = (Items::new(), 0);
        let mut unprocessed = self.request(keys, records);
        for attempt in 1..=ATTEMPTS_MAX {
            let request = self.client.batch_get_item().set_request_items(Some(unprocessed));
            let answer = request.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await;
            let answer = answer.map_err(|error| store_error("BatchGetItem", &self.both(), error))?;
            read_halves += halves(answer.consumed_capacity());
            let responses = answer.responses.unwrap_or_default();
            items.extend(
                responses
                    .into_iter()
                    .flat_map(|(table, found)| found.into_iter().map(move |item| (table.clone(), item))),
            );
            unprocessed = answer.unprocessed_keys.unwrap_or_default();
            if unprocessed.is_empty() {
                return Ok((items, read_halves));
            }
            tokio::time::sleep(FIRST_WAIT * (1 << attempt)).await;
        }
        let what = format!("BatchGetItem on {}: DynamoDB left out keys {ATTEMPTS_MAX} times", self.both());
        Err(StoreError::Throttled(Cause::new(what)))
    }

    fn request(&self, keys: &[Key<'_>], records: Consistency) -> HashMap<String, KeysAndAttributes> {
        let events =
            keys.iter().filter_map(|key| if let Key::Event(event) = key { Some(event_key(event)) } else { None });
        let weeks = keys.iter().filter_map(|key| if let Key::Week(week) = key { Some(usage_key(week)) } else { None });
        let is_strong = records == Consistency::Strong;
        let tables = [
            (&self.tables.correlation, events.collect::<Vec<_>>(), is_strong),
            (&self.tables.load, weeks.collect(), true),
        ];
        let requests =
            tables.into_iter().filter(|(_, keys, _)| !keys.is_empty()).filter_map(|(table, keys, is_strong)| {
                let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(is_strong).build();
                // It can only fail without keys.
                Some((table.clone(), keys.ok()?))
            });
        requests.collect()
    }

    /// Sorts items into the snapshot, under the keys by which they were asked for.
    fn sort(&self, items: Items, lookup: &Lookup, snapshot: &mut Snapshot) {
        let part = |item: &Item, name| item.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default();
        for (table, item) in items {
            let customer_id = part(&item, CUSTOMER_ID);
            if table == self.tables.correlation {
                let key = EventKey { customer_id, event_id: part(&item, EVENT_ID) };
                snapshot.records.insert(key, to_record(&item, &table));
            } else {
                let date = part(&item, DATE);
                let is_asked =
                    |key: &&UsageKey| key.customer_id == customer_id && key.week.monday().to_string() == date;
                if let Some(key) = lookup.weeks.iter().find(is_asked) {
                    snapshot.usage.insert(key.clone(), to_row(&item, &table));
                }
            }
        }
    }
}
