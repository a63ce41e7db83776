//! An SQS event: whatever it contains, each of its messages is settled or reported, and no customer exceeds a limit.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use chrono::{DateTime, TimeDelta, Utc};
use loadgate::adapters::MemoryStore;
use loadgate::deciding::consumer::{BatchReport, Consumer};
use loadgate::deciding::{Cause, Clock, DeadLetter, Decider, PlanCache, Publisher, QueueError, SEND_MAX};
use loadgate::domain::{Cents, Currency, Day, EventKey, Limits, LoadAttempt, StoredDecision, Week, parse_time};
use loadgate::runtime::lambda::handle;
use loadgate::wire::read_attempt;

use super::decision;

/// Maximum time of an invocation.
const TIMEOUT: TimeDelta = TimeDelta::seconds(30);

/// Minimum length of a wait for a deadline. Such a wait never ends, because no time passes here.
const DEADLINE_WAIT_MIN: Duration = Duration::from_secs(20);

/// Maximum number of polls until the consumer is done. It never waits for anything, but many futures at once yield.
const POLLS_MAX: u32 = 1_000_000;

/// Handles the bytes as an event twice: while the queues refuse some messages, and again when they accept all.
pub fn check(bytes: &[u8]) -> bool {
    let Ok(event) = serde_json::from_slice::<SqsEvent>(bytes) else { return false };
    let consumer = consumer();
    let is_taken = handle_event(&consumer, &event);
    consumer.publisher.are_up.store(true, Relaxed);
    assert_eq!(handle_event(&consumer, &event), is_taken, "the same event again is answered otherwise");
    if is_taken {
        let published = consumer.publisher.published.into_inner().unwrap_or_else(PoisonError::into_inner);
        let expected: BTreeSet<EventKey> = event.records.iter().filter_map(attempted).collect();
        assert_eq!(published.keys().cloned().collect::<BTreeSet<_>>(), expected, "decided and published");
        check_limits(published.into_values().map(|(decision, _)| decision));
    }
    is_taken
}

fn consumer() -> Consumer<MemoryStore, FakePublisher, StillClock> {
    let decider = Decider {
        store: MemoryStore::default(),
        clock: StillClock,
        limits: Limits::default(),
        plans: PlanCache::default(),
        has_limit_table: false,
        currency: Currency::USD,
        correlation_ttl: TimeDelta::hours(24),
        log: None,
    };
    Consumer { decider, publisher: FakePublisher::default() }
}

/// Handles the event. Checks that the response, the counts, and the messages that the queues received agree. Returns
/// true if the event was accepted.
fn handle_event(consumer: &Consumer<MemoryStore, FakePublisher, StillClock>, event: &SqsEvent) -> bool {
    let queues = &consumer.publisher;
    for count in [&queues.sent, &queues.letters, &queues.refused] {
        count.store(0, Relaxed);
    }
    let ids: Vec<&str> = event.records.iter().map(|record| record.message_id.as_deref().unwrap_or_default()).collect();
    let handled = block_on(handle(consumer, event.clone(), StillClock.now() + TIMEOUT));
    assert_eq!(handled.is_ok(), !ids.contains(&""), "exactly an event with a message without id is refused");
    let Ok((response, report)) = handled else { return false };
    let BatchReport { accepted, declined, ignored, invalid, redelivered, failed, .. } = report;
    for failure in &response.batch_item_failures {
        let id = failure.item_identifier.as_str();
        assert!(!id.is_empty() && ids.contains(&id), "{id:?} is no message of the event");
    }
    assert_eq!(response.batch_item_failures.len() as u64, failed, "{report:?}");
    assert_eq!(accepted + declined + ignored + invalid + redelivered + failed, ids.len() as u64, "{report:?}");
    assert_eq!(accepted + declined + redelivered, queues.sent.load(Relaxed), "{report:?}");
    assert_eq!(invalid, queues.letters.load(Relaxed), "{report:?}");
    assert!(report.publish_failures <= queues.refused.load(Relaxed), "{report:?}");
    assert!(report.declined_by_reason.values().all(|count| *count <= declined), "{report:?}");
    if queues.are_up.load(Relaxed) {
        let groupless = event.records.iter().filter(|record| group(record).is_none()).count();
        assert_eq!(failed, groupless as u64, "with queues that take all, only a message without group fails");
    }
    true
}

fn group(record: &SqsMessage) -> Option<&String> {
    record.attributes.get("MessageGroupId").filter(|group| !group.is_empty())
}

/// Returns the event of a message's attempt, if the attempt is valid.
fn attempted(record: &SqsMessage) -> Option<EventKey> {
    let text = read_attempt(record.body.as_deref().unwrap_or_default().as_bytes()).ok()?;
    let attempt = LoadAttempt::check_grouped(text, group(record)?, Currency::USD).ok()?;
    let [customer_id, event_id] = [attempt.customer_id.as_str(), attempt.id.as_str()].map(str::to_owned);
    Some(EventKey { customer_id, event_id })
}

/// Checks the limits from the published decisions alone: $5,000 and 3 loads a day, $20,000 a week.
fn check_limits(decisions: impl Iterator<Item = StoredDecision>) {
    let mut days = BTreeMap::<(String, Day), (u64, u32)>::new();
    let mut weeks = BTreeMap::<(String, Week), u64>::new();
    for StoredDecision { key, load_amount, time, .. } in decisions.filter(|decision| decision.verdict.is_accepted()) {
        let cents = Cents::parse(&load_amount).expect("an amount").get();
        let day = Day::of(parse_time(&time).expect("a time"));
        let (day_cents, loads) = days.entry((key.customer_id.clone(), day)).or_default();
        (*day_cents, *loads) = (*day_cents + cents, *loads + 1);
        *weeks.entry((key.customer_id, day.week())).or_default() += cents;
    }
    assert!(days.values().all(|(cents, loads)| *cents <= 5_000_00 && *loads <= 3), "{days:?}");
    assert!(weeks.values().all(|cents| *cents <= 20_000_00), "{weeks:?}");
}

/// Queues that refuse the messages of groups with a `!` while they are down.
#[derive(Default)]
struct FakePublisher {
    are_up: AtomicBool,
    /// All published decisions, each with its message. A decision that is published again has the same message to the
    /// byte.
    published: Mutex<BTreeMap<EventKey, (StoredDecision, String)>>,
    sent: AtomicU64,
    letters: AtomicU64,
    refused: AtomicU64,
}

impl FakePublisher {
    fn take(&self, group_id: &str, taken: &AtomicU64) -> Result<(), QueueError> {
        if group_id.contains('!') && !self.are_up.load(Relaxed) {
            self.refused.fetch_add(1, Relaxed);
            return Err(QueueError { cause: Cause::new("down"), is_retryable: group_id.contains("!!") });
        }
        taken.fetch_add(1, Relaxed);
        Ok(())
    }

    fn publish_one(&self, decision: &StoredDecision) -> Result<(), QueueError> {
        let message = decision::message(decision);
        self.take(&decision.key.customer_id, &self.sent)?;
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        let first = published.entry(decision.key.clone()).or_insert_with(|| (decision.clone(), message.clone()));
        assert_eq!(first.1, message, "published again, it is another message");
        Ok(())
    }
}

impl Publisher for FakePublisher {
    async fn publish(&self, decisions: &[&StoredDecision]) -> Vec<Result<(), QueueError>> {
        let customers: BTreeSet<&str> = decisions.iter().map(|decision| decision.key.customer_id.as_str()).collect();
        assert!(customers.len() == decisions.len() && decisions.len() <= SEND_MAX, "{decisions:?}");
        decisions.iter().map(|decision| self.publish_one(decision)).collect()
    }

    async fn dead_letter(&self, letter: &DeadLetter) -> Result<(), QueueError> {
        assert!(!letter.message_id.is_empty() && !letter.group_id.is_empty(), "{letter:?}");
        self.take(&letter.group_id, &self.letters)
    }
}

/// A clock that does not advance: nothing expires, and no wait takes time.
#[derive(Clone, Copy)]
pub struct StillClock;

impl Clock for StillClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_607_200, 123_456_789).expect("an instant")
    }

    async fn sleep(&self, duration: Duration) {
        if duration >= DEADLINE_WAIT_MIN {
            std::future::pending::<()>().await;
        }
    }
}

/// Polls a future until it is done. Nothing wakes it, because nothing here waits.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let (mut future, mut context) = (pin!(future), Context::from_waker(Waker::noop()));
    for _ in 0..POLLS_MAX {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("the consumer does not end")
}
