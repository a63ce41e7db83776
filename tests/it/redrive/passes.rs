//! Promises of a redrive, with queues, a store and an archive that fail on demand.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::Mutex;
use std::time::Duration;

use chrono::TimeDelta;
use loadgate::deciding::{
    Attribute, Cause, Clock, Commit, CorrelationRecord, Outgoing, Publication, QueueError, Receipt, Received, Receiver,
    Sender, Store,
};
use loadgate::domain::LoadError;
use loadgate::redrive::{Archive, Cause as Why, Mode, Redrive, RedriveReport, Redriver};

use crate::support::consumer_harness::{FakePublisher, FlakyStore, Harness, TestClock};
use crate::support::line;
use crate::support::records::{put, record};

/// A dead-letter queue whose groups are locked while some of their messages are in flight.
#[derive(Default)]
struct DeadLetters {
    letters: Mutex<VecDeque<Received>>,
    out: Mutex<BTreeSet<String>>,
    /// Receipts of the deleted messages.
    deleted: Mutex<Vec<String>>,
    /// Number of receives after which all messages become visible again.
    visible_again_every: Mutex<Option<usize>>,
    receives: Mutex<usize>,
}

impl Receiver for DeadLetters {
    async fn receive(&self, max: usize, _: Duration, _: Option<Duration>) -> Result<Vec<Received>, QueueError> {
        let nth = {
            let mut receives = self.receives.lock().unwrap();
            *receives += 1;
            *receives
        };
        if self.visible_again_every.lock().unwrap().is_some_and(|every| nth.is_multiple_of(every)) {
            // A queue first returns the messages that have not been received for the longest time.
            let mut letters = self.letters.lock().unwrap();
            let out = std::mem::take(&mut *self.out.lock().unwrap());
            let (returned, rest): (Vec<_>, Vec<_>) =
                letters.drain(..).partition(|letter| out.contains(&letter.receipt.0));
            letters.extend(rest.into_iter().chain(returned));
        }
        let (letters, mut out) = (self.letters.lock().unwrap(), self.out.lock().unwrap());
        let locked: BTreeSet<&str> = letters
            .iter()
            .filter(|letter| out.contains(&letter.receipt.0))
            .map(|letter| letter.group_id.as_str())
            .collect();
        let free = letters.iter().filter(|letter| !locked.contains(letter.group_id.as_str()));
        let received: Vec<Received> = free.take(max).cloned().collect();
        out.extend(received.iter().map(|letter| letter.receipt.0.clone()));
        Ok(received)
    }

    async fn delete(&self, receipts: &[Receipt]) -> Vec<Result<(), QueueError>> {
        for receipt in receipts {
            self.letters.lock().unwrap().retain(|letter| letter.receipt != *receipt);
            self.out.lock().unwrap().remove(&receipt.0);
            self.deleted.lock().unwrap().push(receipt.0.clone());
        }
        vec![Ok(()); receipts.len()]
    }

    async fn set_visibility(&self, receipts: &[Receipt], visibility: Duration) -> Vec<Result<(), QueueError>> {
        assert_eq!(visibility, Duration::ZERO);
        self.out.lock().unwrap().retain(|out| receipts.iter().all(|receipt| receipt.0 != *out));
        vec![Ok(()); receipts.len()]
    }
}

/// An input queue that refuses some messages, by their deduplication ids, a number of times.
#[derive(Default)]
struct Input {
    sent: Mutex<Vec<Outgoing>>,
    refused: Mutex<BTreeMap<String, u32>>,
}

impl Sender for Input {
    async fn send(&self, messages: Vec<Outgoing>) -> Result<(), QueueError> {
        for message in messages {
            if let Some(left) = self.refused.lock().unwrap().get_mut(&message.deduplication_id)
                && *left > 0
            {
                *left -= 1;
                return Err(QueueError { cause: Cause::new("busy"), is_retryable: true });
            }
            self.sent.lock().unwrap().push(message);
        }
        Ok(())
    }
}

/// An archive of message ids, which fails while it is full.
#[derive(Default)]
struct MemoryArchive {
    kept: Vec<String>,
    is_full: bool,
}

impl Archive for MemoryArchive {
    fn keep(&mut self, letters: &[(&Received, &LoadError)]) -> io::Result<()> {
        if self.is_full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.kept.extend(letters.iter().map(|(letter, _)| letter.message_id.clone()));
        Ok(())
    }
}

type TestRedrive = Redrive<FlakyStore, FakePublisher, TestClock, Input, DeadLetters>;

fn letter(id: &str, customer: &str, body: &str) -> Received {
    Received {
        message_id: id.to_owned(),
        group_id: customer.to_owned(),
        deduplication_id: Some(format!("deduplication id of {id}")),
        body: body.trim_end().to_owned(),
        receipt: Receipt(format!("receipt of {id}")),
        ..Received::default()
    }
}

fn attempt(id: &str, customer: &str) -> Received {
    letter(id, customer, &line(id, customer, "$1.00", "2018-12-31T00:00:00Z"))
}

fn redrive(letters: Vec<Received>) -> TestRedrive {
    let consumer = Harness::new().consumer;
    let redriver = Redriver {
        store: consumer.decider.store,
        publisher: consumer.publisher,
        clock: consumer.decider.clock,
        input: Input::default(),
        currency: consumer.decider.currency,
        has_log: true,
    };
    let queue = DeadLetters { letters: Mutex::new(letters.into()), ..DeadLetters::default() };
    Redrive { redriver, letters: queue, letters_max: 1_000 }
}

async fn go(redrive: &TestRedrive) -> RedriveReport {
    let (report, ended) = redrive.run(Mode::Go(None), |_| true).await;
    ended.unwrap();
    report
}

fn sent(redrive: &TestRedrive) -> Vec<String> {
    redrive.redriver.input.sent.lock().unwrap().iter().map(|message| message.deduplication_id.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_failure_stops_its_customer_and_no_other() {
    let redrive = redrive(["1", "2", "3"].map(|id| attempt(id, "a")).into_iter().chain([attempt("4", "b")]).collect());
    redrive.redriver.input.refused.lock().unwrap().insert("2".to_owned(), 1);
    let report = go(&redrive).await;
    assert_eq!(sent(&redrive), ["1", "4"], "3 is not sent before 2");
    assert_eq!((report.done, report.failed, report.failures.as_slice()), (2, 1, &["2: busy".to_owned()][..]));
    // A message that is refused once succeeds in the next redrive: all messages were returned, and are in order.
    go(&redrive).await;
    assert_eq!(sent(&redrive), ["1", "4", "2", "3"]);
    assert!(redrive.letters.letters.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stopped_customer_stays_stopped_in_the_next_batch() {
    let redrive = redrive((0..25).map(|n| attempt(&format!("{n:02}"), "a")).collect());
    redrive.redriver.input.refused.lock().unwrap().insert("03".to_owned(), 1);
    let report = go(&redrive).await;
    assert_eq!(sent(&redrive), ["00", "01", "02"]);
    assert_eq!((report.done, report.failed), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn a_message_s_own_decision_is_published_even_if_its_record_has_expired() {
    let redrive = redrive(vec![letter("m1", "528", &line("1", "528", "$1.00", "2018-12-31T00:00:00Z"))]);
    let own = CorrelationRecord { message_id: "m1".to_owned(), ..record("1") };
    let now = redrive.redriver.clock.now();
    let expired = CorrelationRecord { expires_at: now - TimeDelta::hours(1), ..own };
    let commit = Commit { now: now - TimeDelta::hours(25), ..put(expired) };
    redrive.redriver.store.commit(&commit).await.unwrap();
    let report = go(&redrive).await;
    assert_eq!(report.by_cause.keys().collect::<Vec<_>>(), [&Why::NotPublished]);
    assert!(sent(&redrive).is_empty(), "the event would count twice if it were decided again");
    assert_eq!(redrive.redriver.publisher.published.lock().unwrap().len(), 1);
    assert_eq!(redrive.redriver.store.log_requests.lock().unwrap().len(), 1, "its decision is logged too");
    let kept = redrive.redriver.store.record("528", "1").await.unwrap();
    assert!(kept.expires_at > now + TimeDelta::days(15), "its duplicates may be dead letters too");
}

#[tokio::test(start_paused = true)]
async fn a_decision_of_the_log_is_not_settled_without_the_log() {
    let mut redrive = redrive(vec![letter("m1", "528", &line("1", "528", "$1.00", "2018-12-31T00:00:00Z"))]);
    let pending = CorrelationRecord { publication: Publication::Pending, ..record("1") };
    redrive.redriver.store.commit(&put(pending)).await.unwrap();
    redrive.redriver.has_log = false;
    assert_eq!(go(&redrive).await.failed, 1);
    redrive.redriver.has_log = true;
    redrive.redriver.store.left_out_of_log.lock().unwrap().insert("528".to_owned(), 10);
    assert_eq!(go(&redrive).await.failed, 1);
    assert!(redrive.redriver.store.record("528", "1").await.unwrap().is_pending());
    assert_eq!(go(&redrive).await.done, 1);
}

#[tokio::test(start_paused = true)]
async fn a_pending_record_is_confirmed_only_after_its_decision_is_published() {
    let redrive = redrive(vec![letter("m1", "528", &line("1", "528", "$1.00", "2018-12-31T00:00:00Z"))]);
    let pending = CorrelationRecord { publication: Publication::Pending, ..record("1") };
    redrive.redriver.store.commit(&put(pending)).await.unwrap();
    redrive.redriver.publisher.refused.lock().unwrap().insert("1".to_owned(), 3);
    assert_eq!(go(&redrive).await.failed, 1);
    assert!(redrive.redriver.store.record("528", "1").await.unwrap().is_pending());
    assert!(redrive.letters.deleted.lock().unwrap().is_empty());
    assert_eq!(go(&redrive).await.done, 1);
    assert!(!redrive.redriver.store.record("528", "1").await.unwrap().is_pending());
    assert_eq!(Harness::published_by(&redrive.redriver.publisher).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn invalid_dead_letters_are_deleted_only_after_they_are_archived() {
    let redrive = redrive(vec![letter("1", "a", "no attempt"), attempt("2", "a")]);
    let mut archive = MemoryArchive { is_full: true, ..MemoryArchive::default() };
    let (report, ended) = redrive.run(Mode::Go(Some(&mut archive)), |_| true).await;
    assert!(ended.unwrap_err().to_string().contains("stay in the queue"));
    assert_eq!((report.done, report.archived), (1, 0), "valid messages are settled nevertheless");
    archive.is_full = false;
    let (report, ended) = redrive.run(Mode::Go(Some(&mut archive)), |_| true).await;
    ended.unwrap();
    assert_eq!((report.done, report.archived, archive.kept.as_slice()), (1, 1, &["1".to_owned()][..]));
}

#[tokio::test(start_paused = true)]
async fn a_listing_reports_full_groups_and_a_redrive_reaches_the_messages_behind_them() {
    let letters: Vec<Received> =
        (0..10).map(|n| letter(&n.to_string(), "a", "no attempt")).chain([attempt("x", "a")]).collect();
    let (report, _) = redrive(letters.clone()).run(Mode::List, |_| true).await;
    assert_eq!((report.seen, report.is_complete, report.full_groups), (10, true, 1), "x is behind them");

    let redrive_1 = redrive(letters.clone());
    let mut archive = MemoryArchive::default();
    let (report, _) = redrive_1.run(Mode::Go(Some(&mut archive)), |_| true).await;
    assert_eq!((report.done, report.full_groups, sent(&redrive_1)), (11, 0, vec!["x".to_owned()]));

    let redrive_2 = redrive(letters);
    let report = go(&redrive_2).await;
    assert_eq!((report.seen, report.done, report.regrouped, report.full_groups), (11, 1, 10, 0));
    assert_eq!(sent(&redrive_2), ["x"], "invalid dead letters without an archive hide no message either");
    let moved = redrive_2.redriver.publisher.letters.lock().unwrap();
    assert!(moved.iter().all(|letter| letter.own_group_id() == letter.message_id && letter.group_id == "a"));
}

#[tokio::test(start_paused = true)]
async fn messages_beyond_the_first_answer_are_seen() {
    // Eight messages of one customer and two of another fill the first answer, and lock the messages behind them.
    let invalid = (0..8).map(|n| letter(&format!("a{n}"), "a", "no attempt"));
    let others = (0..2).map(|n| letter(&format!("b{n}"), "b", "no attempt"));
    let good = (2..7).map(|n| attempt(&format!("b{n}"), "b"));
    let letters: Vec<Received> = invalid.chain(others).chain(good).collect();
    let (report, ended) = redrive(letters.clone()).run(Mode::List, |_| true).await;
    ended.unwrap();
    assert_eq!((report.seen, report.is_complete, report.full_groups), (15, true, 0));
    let redrive = redrive(letters);
    assert_eq!(go(&redrive).await.done, 5);
    assert_eq!(sent(&redrive), ["b2", "b3", "b4", "b5", "b6"]);
}

#[tokio::test(start_paused = true)]
async fn invalid_dead_letters_at_the_head_of_many_customers_delay_no_message() {
    let customers = 26;
    let head = (0..customers).map(|n| letter(&format!("x{n:02}"), &format!("c{n:02}"), "no attempt"));
    let good = (0..customers).flat_map(|n| (0..2).map(move |m| attempt(&format!("{n:02}/{m}"), &format!("c{n:02}"))));
    let letters: Vec<Received> = head.chain(good).collect();
    let (report, _) = redrive(letters.clone()).run(Mode::List, |_| true).await;
    assert_eq!((report.seen, report.is_complete), (78, true));
    let redrive = redrive(letters);
    assert_eq!(go(&redrive).await.done, 52);
    let mut sent = sent(&redrive);
    sent.sort();
    assert_eq!(sent.len(), 52);
}

#[tokio::test(start_paused = true)]
async fn an_invalid_dead_letter_without_room_for_more_attributes_keeps_its_place() {
    let mut crowded = letter("1", "a", "no attempt");
    crowded.attributes = (0..7).map(|n| (n.to_string(), Attribute::text("x"))).collect();
    let report = go(&redrive(vec![crowded, attempt("2", "a")])).await;
    assert_eq!((report.done, report.regrouped, report.failed), (1, 0, 0), "it keeps all its attributes");
}

#[tokio::test(start_paused = true)]
async fn a_listing_is_complete_even_if_messages_become_visible_again_meanwhile() {
    for every in [2, 3, 6] {
        let letters = (0..50).map(|n| letter(&n.to_string(), &format!("c{n}"), "no attempt"));
        let redrive = redrive(letters.collect());
        *redrive.letters.visible_again_every.lock().unwrap() = Some(every);
        let (report, ended) = redrive.run(Mode::List, |_| true).await;
        ended.unwrap();
        assert_eq!((report.seen, report.is_complete), (50, true), "every {every}");
        let receives = *redrive.letters.receives.lock().unwrap();
        assert!(receives < 60, "at most one for each dead letter: {receives}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_is_cut_short_is_incomplete() {
    // The first pass ends after two receives: a full answer and an empty one. A second pass would see the messages
    // that had no room in the first answer.
    let letters = (0..8).map(|n| letter(&format!("a{n}"), "a", "no attempt"));
    let redrive = redrive(letters.chain((0..7).map(|n| attempt(&format!("b{n}"), "b"))).collect());
    let may_continue = |_: &RedriveReport| *redrive.letters.receives.lock().unwrap() < 2;
    let (report, ended) = redrive.run(Mode::List, may_continue).await;
    ended.unwrap();
    assert_eq!((report.seen, report.is_complete), (10, false));
}

#[tokio::test(start_paused = true)]
async fn a_redrive_stops_on_request_and_returns_all_messages() {
    let redrive = redrive((0..50).map(|n| letter(&n.to_string(), &format!("c{n}"), "no attempt")).collect());
    let (report, ended) = redrive.run(Mode::Go(None), |report| report.seen < 20).await;
    ended.unwrap();
    assert_eq!((report.seen, report.is_complete), (20, false));
    assert!(redrive.letters.out.lock().unwrap().is_empty());
}
