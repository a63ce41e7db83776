//! A Kinesis stream: records, and an event source mapping.
//!
//! The mapping is our own, by the Lambda developer guide ("Using Lambda to process records from Amazon Kinesis Data
//! Streams"): `MiniStack`'s takes a partial failure for success.

use aws_lambda_events::event::kinesis::KinesisEvent;
use aws_lambda_events::event::streams::KinesisEventResponse;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;
use loadgate::wire::parse_limit_event;
use serde_json::{Value, json};

use crate::limits::event;
use crate::limits::store::NOW_MS;

/// One lane of a shard: the records of some partition keys, in order. A shard has as many as its mapping's
/// parallelization factor.
#[derive(Default)]
pub struct Lane {
    records: Vec<Value>,
    /// The first record that is not done.
    next: usize,
    /// The size of the next batch, after a failure of the whole function.
    bisected: Option<usize>,
}

impl Lane {
    /// Returns the next batch of at most so many records.
    pub fn batch(&self, size: usize) -> &[Value] {
        let size = self.bisected.unwrap_or(size).min(self.records.len() - self.next);
        &self.records[self.next..self.next + size]
    }

    /// Moves on after a batch of so many records. `None` is an invocation that failed, or was killed.
    pub fn settle(&mut self, count: usize, answer: Option<KinesisEventResponse>) {
        let Some(answer) = answer else {
            self.bisected = Some((count / 2).max(1));
            return;
        };
        self.bisected = None;
        let number = |record: &Value| record["kinesis"]["sequenceNumber"].as_str().unwrap().to_owned();
        let batch: Vec<String> = self.records[self.next..self.next + count].iter().map(number).collect();
        let places = answer.batch_item_failures.into_iter().map(|failure| {
            let number = failure.item_identifier.unwrap_or_default();
            // An identifier that is empty or unknown fails the whole batch.
            batch.iter().position(|known| *known == number).unwrap_or(0)
        });
        self.next += places.min().unwrap_or(count);
    }

    pub fn is_done(&self) -> bool {
        self.next == self.records.len()
    }
}

/// Returns the records of a run, some of them invalid, repeated and in any order, and the ids of the limits.
pub fn draw(rng: &mut Rng, users: u32, events_max: u64) -> (Vec<String>, Vec<(String, String)>) {
    let users = (0..users).map(|user| format!("u{user}"));
    let ids: Vec<(String, String)> =
        users.flat_map(|user| (0..3).map(move |nth| (user.clone(), format!("{user}-l{nth}")))).collect();
    let events = (1..=rng.u64(events_max / 6..events_max)).map(|number| draw_event(rng, number, &ids));
    let mut events: Vec<String> = events.collect();
    for _ in 0..events.len() / 3 {
        events.push(rng.choice(&events).unwrap().clone());
    }
    rng.shuffle(&mut events);
    (events, ids)
}

fn draw_event(rng: &mut Rng, number: u64, ids: &[(String, String)]) -> String {
    let (user_id, limit_id) = rng.choice(ids).unwrap();
    let amount = rng.u32(0..100).to_string();
    match rng.u32(0..10) {
        0..4 => {
            let status = *rng.choice(&["ACTIVE", "CANCELED"]).unwrap();
            event(&json!({
                "sequenceNumber": number, "createdAt": NOW_MS, "payload.userId": user_id, "payload.userLimitId": limit_id,
                "payload.value": amount, "payload.status": status,
                "payload.progress": if rng.bool() { json!(amount) } else { Value::Null },
            }))
        }
        4..7 => {
            let payload =
                json!({"userId": user_id, "userLimitId": limit_id, "amount": amount, "previousProgress": "1"});
            event(&json!({"sequenceNumber": number, "type": "USER_LIMIT_PROGRESS_CHANGED", "payload": payload}))
        }
        7 => {
            let payload = json!({"userId": user_id, "userLimitId": limit_id});
            event(&json!({"sequenceNumber": number, "type": "USER_LIMIT_RESET", "payload": payload}))
        }
        8 => event(&json!({"sequenceNumber": number, "type": "LIMIT_USER_CREATED"})),
        _ => format!("invalid {number}"),
    }
}

/// Returns the partition key of a record: producers use the user.
fn key(text: &str) -> usize {
    let event = parse_limit_event(text.as_bytes()).ok().and_then(|event| event.change);
    event.map_or(0, |change| change.user_id()[1..].parse().unwrap())
}

/// Distributes the records of a shard to lanes, by their partition keys.
pub fn lanes(events: &[String], count: usize) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = (0..count).map(|_| Lane::default()).collect();
    for (number, text) in events.iter().enumerate() {
        lanes[key(text) % count].records.push(record(number, text.as_bytes()));
    }
    lanes
}

/// Returns a record of an event, with its number in the shard.
pub fn record(number: usize, data: &[u8]) -> Value {
    let sequence_number = sequence_number(number);
    json!({
        "kinesis": {
            "kinesisSchemaVersion": "1.0", "partitionKey": "u", "sequenceNumber": sequence_number,
            "data": STANDARD.encode(data), "approximateArrivalTimestamp": 1_647_946_091.25,
        },
        "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventName": "aws:kinesis:record", "awsRegion": "us-east-1",
        "eventID": format!("shardId-000000000006:{sequence_number}"),
        "eventSourceARN": "arn:aws:kinesis:us-east-1:123456789012:stream/limits",
    })
}

/// Returns the sequence number of a record. Numbers of a shard have 56 digits and gaps.
pub fn sequence_number(number: usize) -> String {
    format!("4959033827149025660855969253836157109555384{:013}", number * 7)
}

pub fn kinesis_event(records: &[Value]) -> KinesisEvent {
    serde_json::from_value(json!({ "Records": records })).unwrap()
}

#[test]
fn the_mapping_repeats_from_the_lowest_failure() {
    let answer = |identifiers: &[&str]| {
        let mut answer = KinesisEventResponse::default();
        answer.set_failures(identifiers.iter().copied());
        Some(answer)
    };
    let numbers = |place| sequence_number(place);
    let lane = || Lane { records: (0..5).map(|number| record(number, b"x")).collect(), next: 1, bisected: None };
    for (identifiers, next) in [
        (vec![], 4),
        (vec![numbers(3), numbers(2)], 2),
        (vec![numbers(3)], 3),
        (vec![String::new(), numbers(3)], 1),
        (vec!["unknown".to_owned()], 1),
    ] {
        let mut lane = lane();
        lane.settle(3, answer(&identifiers.iter().map(String::as_str).collect::<Vec<_>>()));
        assert_eq!(lane.next, next, "{identifiers:?}");
    }
    let mut lane = lane();
    lane.settle(4, None);
    assert_eq!((lane.next, lane.batch(4).len()), (1, 2));
}
