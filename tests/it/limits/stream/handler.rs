//! One invocation: which records are applied, which become letters, and which number is reported.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use chrono::TimeDelta;
use loadgate::deciding::Clock;
use loadgate::limits::{LimitReport, LimitStore};
use loadgate::runtime::kinesis::{StreamEventError, handle, read_event};
use serde_json::{Value, json};

use super::world::{TestConsumer, Trouble, consumer};
use crate::limits::event;
use crate::support::stream::{kinesis_event, record, sequence_number};

/// Maximum time of an invocation.
const TIMEOUT: TimeDelta = TimeDelta::seconds(60);

/// Handles a batch. Returns the reported sequence numbers, and the report.
async fn invoke(consumer: &TestConsumer, records: &[Value]) -> (Vec<String>, LimitReport) {
    let end = consumer.applier.clock.now() + TIMEOUT;
    let (response, report) = handle(consumer, kinesis_event(records), end).await.unwrap();
    let failures = response.batch_item_failures.into_iter();
    (failures.map(|failure| failure.item_identifier.unwrap()).collect(), report)
}

fn created(number: u64, user_id: &str, limit_id: &str) -> String {
    event(&json!({"sequenceNumber": number, "payload.userId": user_id, "payload.userLimitId": limit_id}))
}

fn progressed(number: u64, user_id: &str, limit_id: &str, amount: &str) -> String {
    let payload = json!({"userId": user_id, "userLimitId": limit_id, "amount": amount, "previousProgress": "0"});
    event(&json!({"sequenceNumber": number, "type": "USER_LIMIT_PROGRESS_CHANGED", "payload": payload}))
}

fn records(events: &[String]) -> Vec<Value> {
    events.iter().enumerate().map(|(number, event)| record(number, event.as_bytes())).collect()
}

async fn reported(consumer: &TestConsumer, user_id: &str) -> Vec<u64> {
    let limits = consumer.applier.store.inner.read_limits(user_id).await.unwrap();
    limits.into_iter().map(|limit| limit.reported).collect()
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_event_is_counted_and_nothing_is_reported() {
    let consumer = consumer(1, 0);
    let events = [
        created(3, "u-1", "l-1"),
        progressed(4, "u-1", "l-1", "200"),
        created(3, "u-1", "l-1"),
        event(&json!({"type": "LIMIT_USER_CREATED"})),
        "oops".to_owned(),
        created(1, "u-2", "l-1"),
    ];
    let (reported_numbers, report) = invoke(&consumer, &records(&events)).await;
    assert_eq!(reported_numbers, [""; 0]);
    let LimitReport { changed, outdated, ignored, invalid, failed, .. } = report;
    assert_eq!((changed, outdated, ignored, invalid, failed), (2, 1, 1, 2, 0));
    // The last one claims the limit of another customer.
    assert_eq!(consumer.letters.codes(), ["NOT_JSON", "BAD_ID"]);
    assert_eq!(reported(&consumer, "u-1").await, [200_00]);
}

#[tokio::test(start_paused = true)]
async fn a_letter_has_the_record_whole_with_its_place_and_reason() {
    let consumer = consumer(1, 0);
    let (empty, binary) = (Vec::new(), vec![0xff, 0, 7]);
    let whole = vec![b'x'; 700 * 1024];
    let larger = vec![b'x'; 700 * 1024 + 1];
    let data = [empty, binary, whole, larger];
    let records: Vec<Value> = data.iter().enumerate().map(|(number, data)| record(number, data)).collect();
    assert_eq!(invoke(&consumer, &records).await.0, [""; 0]);
    let letters = consumer.letters.all();
    let expected = [("NOT_JSON", 0), ("NOT_UTF8", 3), ("TOO_LONG", 700 * 1024), ("TOO_LONG", 256 * 1024)];
    for (number, ((letter, data), (code, bytes))) in letters.iter().zip(&data).zip(expected).enumerate() {
        assert_eq!((letter.code.as_str(), &letter.data[..]), (code, &data[..bytes]));
        let attributes = &letter.attributes;
        assert_eq!(attributes["code"], code);
        assert!(attributes["reason"].ends_with(|last: char| last.is_alphanumeric() || last == ')'), "{attributes:?}");
        assert_eq!(attributes["shard_id"], "shardId-000000000006");
        assert_eq!(attributes["sequence_number"], sequence_number(number));
        assert_eq!(attributes["record_bytes"], data.len().to_string());
    }
    assert_eq!(letters.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn the_first_failure_of_the_store_is_reported_and_others_are_applied() {
    for trouble in [Trouble::Throttled, Trouble::Refused] {
        let consumer = consumer(1, 0);
        consumer.applier.store.troubles.lock().unwrap().insert("u-2".to_owned(), trouble);
        let events = [
            created(1, "u-1", "l-1"),
            "before".to_owned(),
            created(1, "u-2", "l-2"),
            "behind".to_owned(),
            progressed(2, "u-1", "l-1", "5"),
            progressed(2, "u-2", "l-2", "6"),
        ];
        let (numbers, report) = invoke(&consumer, &records(&events)).await;
        assert_eq!(numbers, [sequence_number(2)]);
        assert_eq!((report.changed, report.invalid, report.failed), (2, 1, 2));
        // The second event of the customer is not tried after the first has failed for want of capacity.
        let tries = if trouble == Trouble::Throttled { 10 } else { 2 };
        assert_eq!(consumer.applier.store.met.swap(0, Relaxed), tries);
        // The letter behind the failed record goes when the stream repeats from there.
        assert_eq!(consumer.letters.all()[0].data, b"before");
        assert_eq!(consumer.letters.codes().len(), 1);
        assert_eq!(reported(&consumer, "u-1").await, [5_00]);

        consumer.applier.store.troubles.lock().unwrap().clear();
        let (numbers, report) = invoke(&consumer, &records(&events)[2..]).await;
        assert_eq!((numbers.len(), report.changed, report.outdated, report.failed), (0, 2, 1, 0));
        assert_eq!(reported(&consumer, "u-2").await, [6_00]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_corrupt_item_of_one_customer_does_not_hold_up_the_shard() {
    let consumer = consumer(1, 0);
    consumer.applier.store.troubles.lock().unwrap().insert("u-2".to_owned(), Trouble::Corrupt);
    let events = [created(1, "u-2", "l-2"), created(1, "u-1", "l-1"), progressed(2, "u-2", "l-2", "6")];
    let (numbers, report) = invoke(&consumer, &records(&events)).await;
    assert_eq!((numbers.len(), report.changed, report.invalid, report.failed), (0, 1, 2, 0));
    assert_eq!(consumer.letters.codes(), ["CORRUPT_ITEM", "CORRUPT_ITEM"]);
    // Once the item is mended, the letters can be applied in any order.
    consumer.applier.store.troubles.lock().unwrap().clear();
    let mut letters: Vec<Value> = consumer.letters.all().iter().map(|letter| record(0, &letter.data)).collect();
    letters.reverse();
    assert_eq!(invoke(&consumer, &letters).await.1.changed, 2);
    assert_eq!(reported(&consumer, "u-2").await, [6_00]);
}

#[tokio::test(start_paused = true)]
async fn a_letter_that_is_not_sent_is_reported_with_all_behind_it() {
    let consumer = consumer(1, 0);
    let events = ["one".to_owned(), created(1, "u-1", "l-1"), "two".to_owned(), "three".to_owned()];
    *consumer.letters.room.lock().unwrap() = Some(1);
    let (numbers, report) = invoke(&consumer, &records(&events)).await;
    assert_eq!(numbers, [sequence_number(2)]);
    assert_eq!((report.changed, report.invalid, report.failed), (1, 1, 2));
    *consumer.letters.room.lock().unwrap() = None;
    assert_eq!(invoke(&consumer, &records(&events)[2..]).await.0, [""; 0]);
    assert_eq!(
        consumer.letters.all().iter().map(|it| &it.data[..]).collect::<Vec<_>>(),
        [b"one", b"two", &b"three"[..]]
    );
}

#[tokio::test(start_paused = true)]
async fn the_time_out_is_respected_and_what_was_applied_is_kept() {
    let mut consumer = consumer(1, 0);
    consumer.applier.store.troubles.lock().unwrap().insert("u-2".to_owned(), Trouble::Hangs);
    // A read and a write take 20 s, so that two of the three are made before the time is up.
    consumer.applier.store.request_time = Duration::from_secs(10);
    let events = [
        progressed(1, "u-1", "l-1", "1"),
        progressed(2, "u-1", "l-1", "2"),
        progressed(3, "u-1", "l-1", "3"),
        created(1, "u-2", "l-2"),
        "behind".to_owned(),
    ];
    let begun = consumer.applier.clock.now();
    let (numbers, report) = invoke(&consumer, &records(&events)).await;
    assert!(consumer.applier.clock.now() - begun < TIMEOUT);
    assert_eq!(numbers, [sequence_number(2)]);
    assert_eq!((report.changed, report.failed, report.invalid), (2, 2, 0));
    // The next invocation goes on from there. The time was up while the third was being applied.
    let (numbers, report) = invoke(&consumer, &records(&events)[2..]).await;
    assert_eq!((numbers, report.changed + report.outdated), (vec![sequence_number(3)], 1));
    assert_eq!(reported(&consumer, "u-1").await, [0; 0], "nobody has created the limit");
}

#[tokio::test(start_paused = true)]
async fn the_gap_between_reported_and_own_progress_is_measured() {
    let consumer = consumer(1, 0);
    let events = [created(1, "u-1", "l-1"), progressed(2, "u-1", "l-1", "123.45")];
    assert_eq!(invoke(&consumer, &records(&events)).await.1.progress_gap, 123_45);
    // A limit that is not enforced has the reported progress as its own.
    let session = event(
        &json!({"sequenceNumber": 5, "payload.type": "SESSION", "payload.userId": "u-3", "payload.userLimitId": "l-3"}),
    );
    let events = [session, progressed(6, "u-3", "l-3", "7")];
    assert_eq!(invoke(&consumer, &records(&events)).await.1.progress_gap, 0);
    // Without a report that is taken, there is nothing to compare.
    assert_eq!(invoke(&consumer, &records(&events)).await.1.progress_gap, 0);
}

#[test]
fn an_event_that_is_not_from_kinesis_is_refused() {
    let not_kinesis = read_event(r#"{"Records": [{"messageId": "1", "body": "secret"}]}"#).unwrap_err();
    assert!(matches!(not_kinesis, StreamEventError::NotKinesis { line: 1, .. }), "{not_kinesis:?}");
    assert!(!not_kinesis.to_string().contains("secret"));
    assert!(read_event("[]").is_err());
    assert!(read_event(r#"{"Records": []}"#).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_record_without_a_number_fails_the_batch_before_anything_is_changed() {
    let consumer = consumer(1, 0);
    let mut records = records(&[created(1, "u-1", "l-1"), created(2, "u-1", "l-2")]);
    records[1]["kinesis"]["sequenceNumber"] = json!("");
    let end = consumer.applier.clock.now() + TIMEOUT;
    let error = handle(&consumer, kinesis_event(&records), end).await.unwrap_err();
    assert_eq!(error, StreamEventError::NoSequenceNumber { number: 2 });
    assert!(reported(&consumer, "u-1").await.is_empty());
}
