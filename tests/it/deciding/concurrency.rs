//! Several consumers over the same tables at once, with the same events. This happens when a consumer's time has run
//! out, and when producers send every event twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use chrono::TimeDelta;
use futures_util::future::join_all;
use loadgate::adapters::SystemClock;
use loadgate::deciding::consumer::Consumer;
use loadgate::deciding::{Clock, DeadLetter, Publisher, QueueError};
use loadgate::domain::{Cents, EventKey, StoredDecision};
use loadgate::runtime::lambda::handle;

use crate::support::cloud::Fresh;
use crate::support::consumer_harness::{raw, received};
use crate::support::{decider, line};

const CUSTOMERS: usize = 3;
const EVENTS: usize = 40;

/// Distances between a consumer's messages in the order of events. They share no factor with the number of events, so
/// that every event occurs.
const STRIDES: [usize; 4] = [1, 7, 11, 13];

/// Queues that record all published decisions.
#[derive(Default)]
struct Published(Mutex<Vec<StoredDecision>>);

impl Publisher for &Published {
    async fn publish(&self, decisions: &[&StoredDecision]) -> Vec<Result<(), QueueError>> {
        self.0.lock().unwrap().extend(decisions.iter().map(|decision| (*decision).clone()));
        vec![Ok(()); decisions.len()]
    }

    async fn dead_letter(&self, letter: &DeadLetter) -> Result<(), QueueError> {
        panic!("{letter:?}");
    }
}

/// Returns one consumer's messages: all events, in an order of its own.
fn messages(consumer: usize) -> Vec<SqsMessage> {
    let event = |n: usize| {
        let n = (n * STRIDES[consumer]) % (CUSTOMERS * EVENTS);
        let (customer, id) = (format!("c{}", n % CUSTOMERS), n.to_string());
        let time = format!("2018-12-{}T00:00:00Z", 27 + n % 5);
        raw(&format!("{consumer}-{id}"), &customer, line(&id, &customer, "$1700.00", &time).trim_end())
    };
    let mut order: Vec<SqsMessage> = (0..CUSTOMERS * EVENTS).map(event).collect();
    order.rotate_left(consumer * 7);
    order
}

async fn contend(fresh: Fresh) {
    let published = Published::default();
    let consume = |consumer: usize| {
        let (store, published) = (fresh.store.clone(), &published);
        async move {
            let decider = decider(store, SystemClock);
            let consumer = (Consumer { decider, publisher: published }, messages(consumer));
            for batch in consumer.1.chunks(10) {
                let mut waiting = batch.to_vec();
                for delivery in 1.. {
                    let mut event = SqsEvent::default();
                    event.records = waiting.iter().cloned().map(|message| received(message, delivery)).collect();
                    let end = SystemClock.now() + TimeDelta::seconds(30);
                    let (response, _) = handle(&consumer.0, event, end).await.unwrap();
                    let failed: BTreeSet<String> =
                        response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
                    waiting.retain(|message| failed.contains(message.message_id.as_ref().unwrap()));
                    if waiting.is_empty() {
                        break;
                    }
                }
            }
        }
    };
    join_all((0..STRIDES.len()).map(consume)).await;

    let mut decisions = BTreeMap::<EventKey, StoredDecision>::new();
    for decision in published.0.into_inner().unwrap() {
        let before = decisions.insert(decision.key.clone(), decision.clone());
        assert!(before.is_none_or(|before| before == decision), "published twice, and not the same");
    }
    assert_eq!(decisions.len(), CUSTOMERS * EVENTS, "every event is decided and published");
    assert_eq!(fresh.record_count().await, CUSTOMERS * EVENTS);
    for customer in 0..CUSTOMERS {
        let accepted = || {
            decisions
                .values()
                .filter(|decision| decision.verdict.is_accepted() && decision.key.customer_id == format!("c{customer}"))
        };
        for day in accepted().map(|decision| &decision.time[..10]).collect::<BTreeSet<_>>() {
            let loads = accepted().filter(|decision| decision.time.starts_with(day));
            let amounts: Vec<u64> = loads.map(|decision| Cents::parse(&decision.load_amount).unwrap().get()).collect();
            assert!(amounts.len() <= 3 && amounts.iter().sum::<u64>() <= 5_000_00, "{day}: {amounts:?}");
            assert_eq!(
                amounts.len(),
                2,
                "no load is declined without need: two loads of $1,700.00 are within $5,000.00"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn no_limit_is_exceeded_and_no_event_is_decided_twice_in_dynamodb_local() {
    contend(Fresh::in_dynamodb_local().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_limit_is_exceeded_and_no_event_is_decided_twice_in_the_embedded_store() {
    contend(Fresh::embedded().await).await;
}
