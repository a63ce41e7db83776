//! Cost of decisions: capacity units as DynamoDB reports them, and round trips as a proxy counts them.

use std::collections::BTreeMap;

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use chrono::TimeDelta;
use loadgate::adapters::dynamodb::DynamoDb;
use loadgate::adapters::{SystemClock, new_run_id};
use loadgate::deciding::consumer::{BatchReport, Consumer};
use loadgate::deciding::{
    Clock, Consistency, DeadLetter, Decider, DecisionLog, LogReader, Lookup, Publisher, QueueError, Store,
};
use loadgate::domain::{EventKey, StoredDecision};
use loadgate::runtime::lambda::handle;

use crate::support::cloud::{Fault, Fresh, Proxy};
use crate::support::consumer_harness::{message, raw, received};
use crate::support::{decider, line};

/// Queues that accept every message.
pub struct AcceptAll;

impl Publisher for AcceptAll {
    async fn publish(&self, decisions: &[&StoredDecision]) -> Vec<Result<(), QueueError>> {
        vec![Ok(()); decisions.len()]
    }

    async fn dead_letter(&self, _letter: &DeadLetter) -> Result<(), QueueError> {
        Ok(())
    }
}

/// A consumer over real tables, behind a proxy.
pub struct Metered {
    pub consumer: Consumer<DynamoDb, AcceptAll, SystemClock>,
    pub proxy: Proxy,
    pub fresh: Fresh,
}

impl Metered {
    pub async fn over(fresh: Fresh) -> Metered {
        let proxy = Proxy::before(&fresh.url).await;
        let store = fresh.through(&proxy.url).await;
        let correlation_ttl = TimeDelta::hours(24);
        let decider = Decider { correlation_ttl, ..decider(store, SystemClock) };
        Metered { consumer: Consumer { decider, publisher: AcceptAll }, proxy, fresh }
    }

    pub async fn handle(&self, records: Vec<SqsMessage>) -> (usize, BatchReport) {
        let mut event = SqsEvent::default();
        event.records = records;
        let (response, report) =
            handle(&self.consumer, event, SystemClock.now() + TimeDelta::seconds(30)).await.unwrap();
        (response.batch_item_failures.len(), report)
    }

    /// Handles a batch, which must succeed completely. Returns its write units, in halves, and its requests by
    /// operation.
    async fn cost(&self, records: Vec<SqsMessage>) -> (u64, BTreeMap<String, u64>) {
        self.proxy.counts();
        let (failed, report) = self.handle(records).await;
        assert_eq!(failed, 0);
        (report.units.write_halves, self.proxy.counts())
    }
}

fn round_trips(counts: &[(&str, u64)]) -> BTreeMap<String, u64> {
    counts.iter().map(|(operation, count)| ((*operation).to_owned(), *count)).collect()
}

/// Units that a store reports for a transaction. DynamoDB Local reports two units for each table, regardless of the
/// number of items.
#[derive(Clone, Copy, PartialEq)]
pub enum Units {
    OfItems,
    OfTables,
}

async fn costs(metered: Metered, reported: Units) {
    let units = |of_items: u64, tables: u64| if reported == Units::OfItems { 2 * of_items } else { 2 * 2 * tables };
    let two = round_trips(&[("BatchGetItem", 1), ("TransactWriteItems", 1)]);
    let lone = metered.cost(vec![message("m", "lone", "1", "$1")]).await;
    assert_eq!(lone, (units(4, 2), two.clone()), "a lone decision: 4 units, two round trips");

    // Ten loads of ten days in two weeks: two rows change.
    let day = |n: u32| line(&n.to_string(), "ten", "$1", &format!("2000-01-{:02}T00:00:00Z", n + 5));
    let ten = (0..10).map(|n| raw(&format!("m{n}"), "ten", day(n).trim_end())).collect();
    assert_eq!(metered.cost(ten).await, (units(24, 2), two.clone()), "ten decisions: 24 units");
    let ten = (0..10).map(|n| message(&format!("m{n}"), "eleven", &n.to_string(), "$1"));
    assert_eq!(metered.cost(ten.collect()).await, (units(22, 2), two.clone()), "ten decisions of one week: 22 units");

    let longest = "x".repeat(128);
    let longest_ids = metered.cost(vec![message(&"m".repeat(100), &longest, &longest, "$90071992547409.91")]).await;
    let put = round_trips(&[("BatchGetItem", 1), ("PutItem", 1)]);
    assert_eq!(longest_ids, (2, put), "a lone decline of the longest ids: its record is one unit large");
    let declined = (0..3).map(|n| message(&format!("d{n}"), "declined", &n.to_string(), "$5000.01"));
    assert_eq!(metered.cost(declined.collect()).await, (units(6, 1), two.clone()), "three declines: 2 units each");

    let batch = (0..10).map(|n| message(&format!("m{n}"), &format!("customer {n}").replace(' ', "-"), "1", "$1"));
    let (halves, requests) = metered.cost(batch.collect()).await;
    assert_eq!((halves, requests), (units(40, 20), round_trips(&[("BatchGetItem", 1), ("TransactWriteItems", 10)])));

    let duplicate = metered.cost(vec![message("other", "lone", "1", "$1")]).await;
    assert_eq!(duplicate, (0, round_trips(&[("BatchGetItem", 1)])));
    let redelivery = metered.cost(vec![received(message("m", "lone", "1", "$1"), 2)]).await;
    assert_eq!(redelivery, (2 * 2, round_trips(&[("BatchGetItem", 1), ("UpdateItem", 2)])));
}

/// The log adds one request to a batch and one write unit to a decision, whatever the ids. Its entries and the records
/// have room in one unit.
async fn log_costs(fresh: Fresh, reported: Units) {
    let mut metered = Metered::over(fresh).await;
    metered.consumer.decider.log = Some(DecisionLog { retention: Some(TimeDelta::days(90)), new_run_id });
    let longest = "x".repeat(128);
    let message_id = "01234567-89ab-cdef-0123-456789abcdef";
    let amount = "$90071992547409.91";
    let (halves, counts) = metered.cost(vec![message(message_id, &longest, &longest, amount)]).await;
    assert_eq!(counts, round_trips(&[("BatchGetItem", 1), ("PutItem", 1), ("BatchWriteItem", 1)]));
    assert_eq!(halves, 2 + 2, "a lone decline of the longest ids: one unit for its record, one for its entry");

    // One customer: on a slow machine, the commits of several end too far apart to share a request.
    let batch = (0..10).map(|n| message(&format!("m{n}"), "ten", &n.to_string(), "$1"));
    let (halves, requests) = metered.cost(batch.collect()).await;
    let decisions = if reported == Units::OfItems { 2 * 22 } else { 2 * 2 * 2 };
    assert_eq!(halves, decisions + 2 * 10, "one unit more for each decision");
    let trips = [("BatchGetItem", 1), ("TransactWriteItems", 1), ("BatchWriteItem", 1)];
    assert_eq!(requests, round_trips(&trips), "one request more for the batch");
}

#[tokio::test]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn cost_of_the_log_in_dynamodb_local() {
    log_costs(Fresh::with_limits_in_dynamodb_local().await, Units::OfTables).await;
}

#[tokio::test]
async fn cost_of_the_log_in_the_embedded_store() {
    log_costs(Fresh::embedded_with_limits().await, Units::OfItems).await;
}

#[tokio::test]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn cost_of_decisions_in_dynamodb_local() {
    costs(Metered::over(Fresh::in_dynamodb_local().await).await, Units::OfTables).await;
}

#[tokio::test]
async fn cost_of_decisions_in_the_embedded_store() {
    costs(Metered::over(Fresh::embedded().await).await, Units::OfItems).await;
}

/// Faults of commits: the customer, the fault, and the number of times in a row.
const LOSSES: [(&str, Fault, usize); 5] = [
    ("lost-request", Fault::LoseRequest, 1),
    // More often than the client repeats a request, so another round must find the outcome.
    ("all-requests-lost", Fault::LoseRequest, 4),
    ("lost-answer", Fault::LoseAnswer, 1),
    ("all-answers-lost", Fault::LoseAnswer, 4),
    ("throttled", Fault::Throttle, 2),
];

#[tokio::test]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn a_lost_answer_of_a_commit_changes_nothing() {
    let metered = Metered::over(Fresh::in_dynamodb_local().await).await;
    let late = ("late", Fault::Delay(std::time::Duration::from_millis(1600)), 1);
    for (customer, fault, times) in LOSSES.into_iter().chain([late]) {
        metered.proxy.counts();
        metered.proxy.fail("TransactWriteItems", fault, times);
        let batch = vec![
            message(&format!("{customer}-1"), customer, "1", "$3000"),
            message(&format!("{customer}-2"), customer, "2", "$3000"),
        ];
        let (failed, report) = metered.handle(batch).await;
        assert_eq!(failed, 0, "{customer}");
        assert_eq!((report.accepted, report.declined, report.redelivered), (1, 1, 0), "{customer}: {report:?}");
        // The client repeats the request under the same token, so DynamoDB applies it once and confirms it twice.
        // When the client has used up its repetitions, another round finds the outcome.
        let rounds = if times > 3 { 2 } else { 1 };
        assert_eq!(metered.proxy.counts()["BatchGetItem"], rounds, "{customer}");
        let (_, again) = metered
            .handle(vec![message("other", customer, "3", "$2000.00"), message("another", customer, "4", "$0.01")])
            .await;
        assert_eq!((again.accepted, again.declined), (1, 1), "{customer}: $3,000.00 were used, once");
    }
    assert!(!metered.fresh.names.load.is_empty());
}

#[tokio::test]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn declines_with_lost_answers_are_recognised() {
    let metered = Metered::over(Fresh::in_dynamodb_local().await).await;
    for (customer, fault, times) in LOSSES {
        metered.proxy.fail("PutItem", fault, times);
        let decline = |n: u32| message(&format!("{customer}-{n}"), customer, &n.to_string(), "$5000.01");
        let batch: Vec<_> = (0..3).map(decline).collect();
        let (failed, report) = metered.handle(batch.clone()).await;
        assert_eq!((failed, report.declined, report.redelivered), (0, 3, 0), "{customer}: {report:?}");
        let (failed, report) = metered.handle(batch).await;
        assert_eq!((failed, report.declined, report.redelivered), (0, 0, 3), "{customer}: {report:?}");
    }
}

#[tokio::test]
async fn a_lost_or_throttled_read_is_read_again() {
    let metered = Metered::over(Fresh::embedded().await).await;
    for (customer, fault) in [("a", Fault::LoseRequest), ("b", Fault::LoseAnswer), ("c", Fault::Throttle)] {
        metered.proxy.fail("BatchGetItem", fault, 4);
        let (failed, report) = metered.handle(vec![message(customer, customer, "1", "$1")]).await;
        assert_eq!((failed, report.accepted), (0, 1), "{fault:?}");
    }
}

#[tokio::test]
async fn an_eventual_read_costs_half_a_unit_and_a_strong_read_one() {
    let fresh = Fresh::embedded().await;
    let metered = Metered::over(fresh).await;
    let batch = vec![message("m1", "a", "1", "$1"), message("m2", "a", "2", "$1")];
    metered.handle(batch.clone()).await;
    let (_, report) = metered.handle(batch.clone()).await;
    assert_eq!(report.units.read_halves, 2 + 2, "two records eventually consistent, one row strongly");
    let lookup = Lookup {
        events: ["1", "2"].map(|id| EventKey { customer_id: "a".to_owned(), event_id: id.to_owned() }).into(),
        ..Lookup::default()
    };
    let strong = metered.fresh.store.read(&lookup, Consistency::Strong).await.unwrap();
    assert_eq!(strong.units.read_halves, 2 * 2, "two records strongly consistent");
}

#[tokio::test]
async fn unprocessed_keys_are_read_again_and_affect_only_their_customer() {
    let metered = Metered::over(Fresh::embedded().await).await;
    metered.proxy.fail("BatchGetItem", Fault::LeaveOut("a"), 2);
    let batch = vec![message("m1", "a", "1", "$1"), message("m2", "b", "1", "$1")];
    let (failed, report) = metered.handle(batch).await;
    assert_eq!((failed, report.accepted, metered.proxy.counts()["BatchGetItem"]), (0, 2, 3));

    metered.proxy.fail("BatchGetItem", Fault::LeaveOut("c"), 1_000);
    let batch = vec![message("m3", "c", "1", "$1"), message("m4", "d", "1", "$1")];
    let (failed, report) = metered.handle(batch).await;
    assert_eq!((failed, report.accepted), (1, 1));
}

#[tokio::test]
async fn unprocessed_entries_of_the_log_are_written_again_and_affect_only_their_customer() {
    let mut metered = Metered::over(Fresh::embedded_with_limits().await).await;
    metered.consumer.decider.log = Some(DecisionLog { retention: Some(TimeDelta::days(90)), new_run_id });
    for (times, failed) in [(1, 0), (1_000, 1)] {
        metered.proxy.fail("BatchWriteItem", Fault::LeaveOut("a"), times);
        let event = times.to_string();
        let batch = ["a", "b"].map(|customer| message(&format!("{customer}{event}"), customer, &event, "$1"));
        let (left, report) = metered.handle(batch.to_vec()).await;
        assert_eq!((left, report.accepted), (failed, 2));
        let page = metered.fresh.store.read_run(&report.run_id.unwrap(), None, 10).await.unwrap();
        let mut customers: Vec<&str> =
            page.entries.iter().map(|entry| entry.decision.key.customer_id.as_str()).collect();
        customers.sort_unstable();
        assert_eq!(customers, ["a", "b"][failed..]);
    }
}
