//! Test harness of the consumer. Every dependency can fail on demand, and the clock advances only during waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use chrono::{DateTime, TimeDelta, Utc};
use loadgate::adapters::MemoryStore;
use loadgate::deciding::consumer::{BatchReport, Consumer};
use loadgate::deciding::{
    AllRows, Cause, Clock, Commit, Consistency, CorrelationRecord, DeadLetter, FencedLookup, FencedSnapshot, Lookup,
    Metered, PublicationChange, Publisher, QueueError, Snapshot, Store, StoreError, Units,
};
use loadgate::domain::{EventKey, Limits, LogEntry, PlanVersion, StoredDecision, parse_time};
use loadgate::replay::{Entered, Manifest, ManifestEntry};
use loadgate::runtime::lambda::{EventError, handle};
use loadgate::wire::decision_message;

use crate::support::decider;

/// Maximum time of an invocation.
pub const TIMEOUT: TimeDelta = TimeDelta::seconds(30);

/// Fault of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is written, and no answer arrives.
    LostBefore,
    /// Everything is written, and no answer arrives.
    LostAfter,
    Throttled,
    Conflict,
    /// The commit is delayed by this time.
    Slow(Duration),
    /// The store panics, as it would because of a bug.
    Panic,
}

/// A clock that advances only during waits.
pub struct TestClock(Mutex<DateTime<Utc>>, tokio::time::Instant);

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap() + self.1.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

#[derive(Default)]
pub struct FlakyStore {
    pub inner: MemoryStore,
    /// Next faults of each customer's commits.
    faults: Mutex<BTreeMap<String, Vec<Fault>>>,
    /// Event with an unreadable record.
    pub corrupt: Mutex<Option<EventKey>>,
    /// True if eventually consistent reads find no record yet.
    pub is_stale: Mutex<bool>,
    /// Duration of a read.
    pub read_time: Mutex<Duration>,
    /// Number of further publication changes that fail.
    pub failing_publication_changes: Mutex<u32>,
    /// Faults of requests that enter lines in a manifest.
    pub lost_entries: Mutex<Vec<Fault>>,
    /// Customers whose publication changes hang.
    pub hanging_publication_changes: Mutex<BTreeSet<String>>,
    /// Customers whose reads hang.
    pub hanging_reads: Mutex<BTreeSet<String>>,
    /// Number of further reads that return the records of a transaction, but not its usage row.
    pub half_applied_reads: Mutex<u32>,
    /// Consistency of each read, in order.
    pub reads: Mutex<Vec<Consistency>>,
    pub commits: Mutex<Vec<Commit>>,
    /// Transactional reads, in order.
    pub fenced_reads: Mutex<Vec<FencedLookup>>,
    /// Number of reads of all rows of a customer.
    pub row_reads: Mutex<u32>,
    /// Reads of plan versions and of programmes' default plans, in order.
    pub plan_reads: Mutex<Vec<String>>,
    /// Number of further reads of them that fail.
    pub failing_plan_reads: Mutex<u32>,
    /// Requests to the decision log, each with the events that share it.
    pub log_requests: Mutex<Vec<Vec<EventKey>>>,
    /// Number of further entries of each customer that the log leaves out.
    pub left_out_of_log: Mutex<BTreeMap<String, usize>>,
    /// Customers whose requests to the log hang.
    pub hanging_log: Mutex<BTreeSet<String>>,
    /// Publication changes, in order: the event's id, and true if the record became pending.
    pub publication_changes: Mutex<Vec<(String, bool)>>,
}

impl FlakyStore {
    pub fn fail(&self, customer: &str, fault: Fault, times: usize) {
        self.faults.lock().unwrap().entry(customer.to_owned()).or_default().extend(vec![fault; times]);
    }

    pub async fn record(&self, customer: &str, id: &str) -> Option<CorrelationRecord> {
        let key = EventKey { customer_id: customer.to_owned(), event_id: id.to_owned() };
        let lookup = Lookup { events: [key.clone()].into(), ..Lookup::default() };
        let mut snapshot = self.inner.read(&lookup, Consistency::Strong).await.unwrap();
        snapshot.records.remove(&key).map(Result::unwrap)
    }
}

impl FlakyStore {
    /// Returns true if the log leaves out the customer's next entry.
    fn leaves_out(&self, customer: &str) -> bool {
        let mut left_out = self.left_out_of_log.lock().unwrap();
        let times = left_out.get_mut(customer).filter(|times| **times > 0);
        times.map(|times| *times -= 1).is_some()
    }

    fn note_plan_read(&self, read: String) -> Result<(), StoreError> {
        self.plan_reads.lock().unwrap().push(read);
        let mut failing = self.failing_plan_reads.lock().unwrap();
        if *failing == 0 {
            return Ok(());
        }
        *failing -= 1;
        Err(StoreError::Throttled(Cause::new("too fast")))
    }
}

impl Manifest for FlakyStore {
    async fn enter(
        &self,
        entry: &ManifestEntry,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<Entered, StoreError> {
        let lost = self.lost_entries.lock().unwrap().pop();
        if lost == Some(Fault::LostBefore) {
            return Err(StoreError::Unavailable(Cause::new("no answer")));
        }
        let entered = self.inner.enter(entry, now, expires_at).await;
        if lost == Some(Fault::LostAfter) { Err(StoreError::Unavailable(Cause::new("no answer"))) } else { entered }
    }

    async fn find(&self, run: &str, first_line: u64, now: DateTime<Utc>) -> Result<Option<ManifestEntry>, StoreError> {
        self.inner.find(run, first_line, now).await
    }
}

impl Store for FlakyStore {
    async fn read(&self, lookup: &Lookup, records: Consistency) -> Result<Snapshot, StoreError> {
        self.reads.lock().unwrap().push(records);
        let read_time = *self.read_time.lock().unwrap();
        tokio::time::sleep(read_time).await;
        let hangs = |key: &EventKey| self.hanging_reads.lock().unwrap().contains(&key.customer_id);
        if lookup.events.iter().any(hangs) {
            std::future::pending::<()>().await;
        }
        let mut snapshot = self.inner.read(lookup, records).await?;
        let half_applied = std::mem::take(&mut *self.half_applied_reads.lock().unwrap());
        if half_applied > 0 {
            *self.half_applied_reads.lock().unwrap() = half_applied - 1;
            snapshot.usage.clear();
        }
        if records == Consistency::Eventual && *self.is_stale.lock().unwrap() {
            snapshot.records.clear();
        }
        let corrupt = self.corrupt.lock().unwrap().clone();
        if let Some(key) = corrupt.filter(|key| lookup.events.contains(key)) {
            snapshot.records.insert(key, Err(StoreError::Corrupt(Cause::new("REASONS cannot be understood"))));
        }
        Ok(snapshot)
    }

    async fn read_fenced(&self, lookup: &FencedLookup) -> Result<FencedSnapshot, StoreError> {
        self.fenced_reads.lock().unwrap().push(lookup.clone());
        self.inner.read_fenced(lookup).await
    }

    async fn read_rows(&self, customer_id: &str) -> Result<AllRows, StoreError> {
        *self.row_reads.lock().unwrap() += 1;
        self.inner.read_rows(customer_id).await
    }

    async fn read_default_plan(&self, program_id: &str) -> Result<Metered<Option<PlanVersion>>, StoreError> {
        self.note_plan_read(program_id.to_owned())?;
        self.inner.read_default_plan(program_id).await
    }

    async fn read_plan(&self, plan: &PlanVersion) -> Result<Metered<Limits>, StoreError> {
        self.note_plan_read(format!("{} {}", plan.plan_id, plan.version))?;
        self.inner.read_plan(plan).await
    }

    async fn commit(&self, commit: &Commit) -> Result<Units, StoreError> {
        self.commits.lock().unwrap().push(commit.clone());
        let fault = {
            let mut faults = self.faults.lock().unwrap();
            faults.get_mut(&commit.customer_id).filter(|faults| !faults.is_empty()).map(|faults| faults.remove(0))
        };
        match fault {
            None => self.inner.commit(commit).await,
            Some(Fault::LostBefore) => Err(StoreError::Unavailable(Cause::new("no answer"))),
            Some(Fault::LostAfter) => {
                self.inner.commit(commit).await?;
                Err(StoreError::Unavailable(Cause::new("no answer")))
            }
            Some(Fault::Throttled) => Err(StoreError::Throttled(Cause::new("too fast"))),
            Some(Fault::Conflict) => Err(StoreError::Conflict(Cause::new("another writer"))),
            Some(Fault::Panic) => panic!("a defect, for a test"),
            Some(Fault::Slow(duration)) => {
                tokio::time::sleep(duration).await;
                self.inner.commit(commit).await
            }
        }
    }

    async fn set_publication(&self, record: &CorrelationRecord) -> Result<PublicationChange, StoreError> {
        self.publication_changes.lock().unwrap().push((record.decision.key.event_id.clone(), record.is_pending()));
        let customer_id = &record.decision.key.customer_id;
        if self.hanging_publication_changes.lock().unwrap().contains(customer_id) {
            std::future::pending::<()>().await;
        }
        let failing = std::mem::take(&mut *self.failing_publication_changes.lock().unwrap());
        if failing > 0 {
            *self.failing_publication_changes.lock().unwrap() = failing - 1;
            return Err(StoreError::Throttled(Cause::new("too fast")));
        }
        self.inner.set_publication(record).await
    }

    async fn write_log(&self, entries: &[&LogEntry]) -> Result<Metered<Vec<usize>>, StoreError> {
        let events: Vec<EventKey> = entries.iter().map(|entry| entry.decision.key.clone()).collect();
        self.log_requests.lock().unwrap().push(events);
        let customer = |entry: &LogEntry| entry.decision.key.customer_id.clone();
        if entries.iter().any(|entry| self.hanging_log.lock().unwrap().contains(&customer(entry))) {
            std::future::pending::<()>().await;
        }
        let mut left = Vec::new();
        for (place, entry) in entries.iter().enumerate() {
            if self.leaves_out(&customer(entry)) {
                left.push(place);
            } else {
                self.inner.write_log(&[entry]).await?;
            }
        }
        Ok(Metered { value: left, units: Units::default() })
    }
}

#[derive(Default)]
pub struct FakePublisher {
    /// All requests to the decisions queue, each with the events that share it.
    pub requests: Mutex<Vec<Vec<EventKey>>>,
    /// Bodies that the queue accepted, in its order.
    pub published: Mutex<Vec<String>>,
    /// Instant at which the queue accepted each customer's last decision.
    pub last_published: Mutex<BTreeMap<String, tokio::time::Instant>>,
    pub letters: Mutex<Vec<DeadLetter>>,
    /// Number of further refusals of an event's decision.
    pub refused: Mutex<BTreeMap<String, u32>>,
    pub refuse_letters: Mutex<bool>,
    /// Customers whose requests hang, including shared requests.
    pub hanging: Mutex<BTreeSet<String>>,
    /// Duration of a request.
    pub answer_time: Mutex<Duration>,
}

impl Publisher for FakePublisher {
    async fn publish(&self, decisions: &[&StoredDecision]) -> Vec<Result<(), QueueError>> {
        self.requests.lock().unwrap().push(decisions.iter().map(|decision| decision.key.clone()).collect());
        let hangs = |decision: &&StoredDecision| self.hanging.lock().unwrap().contains(&decision.key.customer_id);
        if decisions.iter().any(hangs) {
            std::future::pending::<()>().await;
        }
        let answer_time = *self.answer_time.lock().unwrap();
        tokio::time::sleep(answer_time).await;
        let answer = |decision: &&StoredDecision| {
            if let Some(left) = self.refused.lock().unwrap().get_mut(&decision.key.event_id).filter(|left| **left > 0) {
                *left -= 1;
                return Err(refusal());
            }
            let customer_id = decision.key.customer_id.clone();
            self.last_published.lock().unwrap().insert(customer_id, tokio::time::Instant::now());
            self.published.lock().unwrap().push(decision_message(decision));
            Ok(())
        };
        decisions.iter().map(answer).collect()
    }

    async fn dead_letter(&self, letter: &DeadLetter) -> Result<(), QueueError> {
        if *self.refuse_letters.lock().unwrap() {
            return Err(refusal());
        }
        self.letters.lock().unwrap().push(letter.clone());
        Ok(())
    }
}

fn refusal() -> QueueError {
    QueueError { cause: Cause::new("InternalError"), is_retryable: true }
}

pub struct Harness {
    pub consumer: Consumer<FlakyStore, FakePublisher, TestClock>,
}

impl Harness {
    pub fn new() -> Harness {
        let clock = TestClock(Mutex::new(parse_time("2026-01-05T10:00:00.123Z").unwrap()), tokio::time::Instant::now());
        let store = FlakyStore::default();
        let decider = decider(store, clock);
        Harness { consumer: Consumer { decider, publisher: FakePublisher::default() } }
    }

    pub fn store(&self) -> &FlakyStore {
        &self.consumer.decider.store
    }

    pub fn publisher(&self) -> &FakePublisher {
        &self.consumer.publisher
    }

    /// Advances the clock at once.
    pub fn pass(&self, time: TimeDelta) {
        *self.consumer.decider.clock.0.lock().unwrap() += time;
    }

    /// Handles a batch. Returns the failed messages and the report.
    pub async fn handle(&self, records: Vec<SqsMessage>) -> (Vec<String>, BatchReport) {
        self.try_handle(records).await.unwrap()
    }

    pub async fn try_handle(&self, records: Vec<SqsMessage>) -> Result<(Vec<String>, BatchReport), EventError> {
        let mut event = SqsEvent::default();
        event.records = records;
        let end = self.consumer.decider.clock.now() + TIMEOUT;
        let (response, report) = handle(&self.consumer, event, end).await?;
        // Two batches never begin at the same instant.
        self.pass(TimeDelta::milliseconds(1));
        let failed = response.batch_item_failures.into_iter().map(|failure| failure.item_identifier);
        Ok((failed.collect(), report))
    }

    /// Returns the time from `begun` to the publication of a customer's last decision.
    pub fn published_after(&self, begun: tokio::time::Instant, customer: &str) -> Duration {
        self.publisher().last_published.lock().unwrap()[customer] - begun
    }

    /// Returns the ids of a customer's events whose decisions were published since the last call.
    pub fn published(&self) -> Vec<String> {
        Harness::published_by(self.publisher())
    }

    /// Returns the ids of the events whose decisions this publisher has published since the last call.
    pub fn published_by(publisher: &FakePublisher) -> Vec<String> {
        let bodies = std::mem::take(&mut *publisher.published.lock().unwrap());
        let id = |body: &String| {
            let decision: serde_json::Value = serde_json::from_str(body).unwrap();
            let verdict = if decision["accepted"] == true { "+" } else { "-" };
            format!("{}/{}{verdict}", decision["customer_id"].as_str().unwrap(), decision["id"].as_str().unwrap())
        };
        bodies.iter().map(id).collect()
    }
}

/// Returns a message with an attempt, as its first delivery.
pub fn message(message_id: &str, customer: &str, id: &str, amount: &str) -> SqsMessage {
    let body = crate::support::line(id, customer, amount, "2000-01-03T00:00:00Z");
    raw(message_id, customer, body.trim_end())
}

/// Returns a message with any body, as its first delivery.
pub fn raw(message_id: &str, group: &str, body: &str) -> SqsMessage {
    let mut message = SqsMessage::default();
    message.message_id = Some(message_id.to_owned());
    message.body = Some(body.to_owned());
    message.attributes.insert("MessageGroupId".to_owned(), group.to_owned());
    message.attributes.insert("ApproximateReceiveCount".to_owned(), "1".to_owned());
    message
}

/// Returns the message as its nth delivery.
pub fn received(mut message: SqsMessage, times: u32) -> SqsMessage {
    message.attributes.insert("ApproximateReceiveCount".to_owned(), times.to_string());
    message
}
