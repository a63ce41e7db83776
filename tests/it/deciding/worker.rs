//! What a worker promises, with everything around it failing on demand.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use loadgate::deciding::consumer::BatchReport;
use loadgate::deciding::{Cause, Clock, QueueError, Receipt, Received, Receiver};
use loadgate::runtime::worker::{Settings, Worker, WorkerObserver, WorkerStopped};

use crate::support::consumer_harness::{FakePublisher, Fault, FlakyStore, Harness, TestClock};

const VISIBILITY: Duration = Duration::from_secs(30);

/// An input queue that gives out what it is told to.
#[derive(Default)]
struct FakeReceiver {
    polls: Mutex<VecDeque<Vec<Received>>>,
    /// What was asked of it, in order.
    asked: Mutex<Vec<String>>,
    deletions_fail: Mutex<u32>,
    /// Whether it answers no poll.
    is_silent: Mutex<bool>,
}

impl Receiver for FakeReceiver {
    async fn receive(&self, max: usize, wait: Duration, _: Option<Duration>) -> Result<Vec<Received>, QueueError> {
        assert_eq!(max, 10);
        if *self.is_silent.lock().unwrap() {
            std::future::pending::<()>().await;
        }
        let next = self.polls.lock().unwrap().pop_front();
        match next {
            Some(messages) if messages.is_empty() => {
                Err(QueueError { cause: Cause::new("no answer"), is_retryable: false })
            }
            Some(messages) => Ok(messages),
            None => {
                tokio::time::sleep(wait).await;
                Ok(self.polls.lock().unwrap().pop_front().unwrap_or_default())
            }
        }
    }

    async fn delete(&self, receipts: &[Receipt]) -> Vec<Result<(), QueueError>> {
        let mut fail = self.deletions_fail.lock().unwrap();
        if *fail > 0 {
            *fail -= 1;
            return vec![Err(QueueError { cause: Cause::new("busy"), is_retryable: true }); receipts.len()];
        }
        self.note("delete", receipts);
        vec![Ok(()); receipts.len()]
    }

    async fn set_visibility(&self, receipts: &[Receipt], visibility: Duration) -> Vec<Result<(), QueueError>> {
        self.note(if visibility.is_zero() { "give back" } else { "extend" }, receipts);
        vec![Ok(()); receipts.len()]
    }
}

impl FakeReceiver {
    fn note(&self, what: &str, receipts: &[Receipt]) {
        let receipts: Vec<&str> = receipts.iter().map(|receipt| receipt.0.as_str()).collect();
        self.asked.lock().unwrap().push(format!("{what} {}", receipts.join(" ")));
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

#[derive(Default)]
struct Watch {
    working_most: Mutex<usize>,
    reports: Mutex<Vec<BatchReport>>,
    failures: Mutex<u32>,
}

impl WorkerObserver for Watch {
    fn received(&self, received: Result<usize, &QueueError>) {
        *self.failures.lock().unwrap() += u32::from(received.is_err());
    }

    fn working(&self, customers: usize) {
        let mut most = self.working_most.lock().unwrap();
        *most = customers.max(*most);
    }

    fn handled(&self, report: &BatchReport, _time: Duration) {
        self.reports.lock().unwrap().push(report.clone());
    }

    fn stopping(&self) {}
}

type TestWorker = Worker<FlakyStore, FakePublisher, TestClock, FakeReceiver>;

fn message(receipt: &str, customer: &str, id: &str) -> Received {
    let body = crate::support::line(id, customer, "$1.00", "2018-12-31T00:00:00Z");
    Received {
        message_id: format!("message of {receipt}"),
        group_id: customer.to_owned(),
        receive_count: Some(1),
        body: body.trim_end().to_owned(),
        receipt: Receipt(receipt.to_owned()),
        ..Received::default()
    }
}

fn worker(customers_in_parallel: usize, polls: &[&[Received]]) -> Arc<TestWorker> {
    let settings = Settings {
        customers_in_parallel,
        poll_wait: Duration::from_secs(5),
        visibility: VISIBILITY,
        work_timeout: Duration::from_mins(10),
        stop_timeout: Duration::from_secs(25),
    };
    let receiver = FakeReceiver::default();
    receiver.polls.lock().unwrap().extend(polls.iter().map(|poll| poll.to_vec()));
    Arc::new(Worker { consumer: Harness::new().consumer, receiver, settings })
}

async fn run(worker: &Arc<TestWorker>, time: Duration) -> (WorkerStopped, Watch, Duration) {
    let (watch, begun) = (Watch::default(), tokio::time::Instant::now());
    let stopped = Arc::clone(worker).run(&watch, tokio::time::sleep(time)).await;
    (stopped, watch, begun.elapsed().saturating_sub(time))
}

fn slow(worker: &TestWorker, customer: &str, seconds: u64) {
    worker.consumer.decider.store.fail(customer, Fault::Slow(Duration::from_secs(seconds)), 1);
}

#[tokio::test(start_paused = true)]
async fn messages_are_deleted_once_they_are_settled_and_only_then() {
    let worker = worker(4, &[&[message("r1", "a", "1"), message("r2", "b", "1"), message("r3", "a", "2")]]);
    worker.consumer.publisher.refused.lock().unwrap().insert("2".to_owned(), 100);
    let (stopped, watch, _) = run(&worker, Duration::from_mins(1)).await;
    assert_eq!(stopped, WorkerStopped::Clean);
    let mut asked = worker.receiver.asked();
    asked.retain(|asked| !asked.starts_with("extend"));
    asked.sort();
    assert_eq!(asked, ["delete r1", "delete r2"], "what is not published stays, for redelivery");
    let reports = watch.reports.lock().unwrap();
    assert_eq!(reports.iter().map(|report| (report.accepted, report.failed)).max(), Some((1, 1)));
}

#[tokio::test(start_paused = true)]
async fn no_two_batches_of_one_customer_at_once() {
    // The second poll brings the same message again, as if its visibility time-out had run out.
    let again = Received { receive_count: Some(2), receipt: Receipt("r3".to_owned()), ..message("r1", "a", "1") };
    let worker = worker(4, &[&[message("r1", "a", "1")], &[again, message("r2", "b", "1")]]);
    slow(&worker, "a", 8);
    let (_, watch, _) = run(&worker, Duration::from_secs(7)).await;
    assert_eq!(*watch.working_most.lock().unwrap(), 2, "a and b");
    assert_eq!(worker.consumer.decider.store.commits.lock().unwrap().len(), 2, "one for each customer");
    let asked = worker.receiver.asked();
    assert_eq!(asked, ["delete r2", "give back r3", "delete r1"], "the second batch of a has not begun");
}

#[tokio::test(start_paused = true)]
async fn so_many_customers_are_worked_on_at_once_and_no_more_are_received_than_that() {
    let poll: Vec<Received> = (0..10).map(|n| message(&format!("r{n}"), &format!("c{n}"), "1")).collect();
    let worker = worker(3, &[&poll, &poll]);
    (0..10).for_each(|n| slow(&worker, &format!("c{n}"), 2));
    let (_, watch, _) = run(&worker, Duration::from_secs(5)).await;
    assert_eq!(*watch.working_most.lock().unwrap(), 3);
    assert_eq!(worker.receiver.polls.lock().unwrap().len(), 1, "the second poll has to wait");
}

#[tokio::test(start_paused = true)]
async fn at_the_end_what_is_begun_is_finished_and_the_rest_is_given_back() {
    let worker = worker(1, &[&[message("r1", "a", "1"), message("r2", "b", "1"), message("r3", "b", "2")]]);
    slow(&worker, "a", 10);
    let (stopped, _, took) = run(&worker, Duration::from_secs(1)).await;
    assert_eq!(stopped, WorkerStopped::Clean);
    assert_eq!(worker.receiver.asked(), ["give back r2 r3", "delete r1"]);
    assert_eq!(Harness::published_by(&worker.consumer.publisher), ["a/1+"]);
    assert!(took < Duration::from_secs(11), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_poll_brings_at_the_end_is_given_back() {
    let worker = worker(1, &[]);
    let late = Arc::clone(&worker);
    let sent = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(900)).await;
        late.receiver.polls.lock().unwrap().push_back(vec![message("r1", "a", "1")]);
    });
    // The poll of the first second is still out.
    let (stopped, _, took) = run(&worker, Duration::from_secs(1)).await;
    sent.await.unwrap();
    assert_eq!((stopped, worker.receiver.asked()), (WorkerStopped::Clean, vec!["give back r1".to_owned()]));
    assert!(took <= Duration::from_secs(4), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn the_end_is_bounded() {
    let worker = worker(1, &[&[message("r1", "a", "1")]]);
    slow(&worker, "a", 500);
    let (stopped, _, took) = run(&worker, Duration::from_secs(1)).await;
    assert_eq!(stopped, WorkerStopped::CutShort);
    assert_eq!(took.as_secs(), 25);
    assert!(!worker.receiver.asked().contains(&"delete r1".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn what_is_held_stays_invisible_for_as_long_as_it_is_held() {
    let worker = worker(1, &[&[message("r1", "a", "1"), message("r2", "b", "1")]]);
    slow(&worker, "a", 95);
    let (stopped, _, _) = run(&worker, Duration::from_secs(100)).await;
    assert_eq!(stopped, WorkerStopped::Clean);
    let asked = worker.receiver.asked();
    for held in ["extend r1", "extend r2"] {
        assert_eq!(asked.iter().filter(|asked| *asked == held).count(), 9, "three times in 30 s: {asked:?}");
    }
    assert_eq!(worker.consumer.decider.store.commits.lock().unwrap().len(), 2, "b was not given up");
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_fails_is_repeated() {
    let worker = worker(1, &[&[message("r1", "a", "1")]]);
    *worker.receiver.deletions_fail.lock().unwrap() = 2;
    run(&worker, Duration::from_secs(2)).await;
    assert_eq!(worker.receiver.asked(), ["delete r1"]);
}

#[tokio::test(start_paused = true)]
async fn a_customer_whose_work_panics_is_left_for_redelivery_and_no_other() {
    let worker = worker(4, &[&[message("r1", "a", "1"), message("r2", "b", "1")], &[message("r3", "c", "1")]]);
    worker.consumer.decider.store.fail("a", Fault::Panic, 1);
    let (stopped, _, _) = run(&worker, Duration::from_secs(2)).await;
    assert_eq!(stopped, WorkerStopped::Clean);
    let mut asked = worker.receiver.asked();
    asked.sort();
    assert_eq!(asked, ["delete r2", "delete r3"]);
}

#[tokio::test(start_paused = true)]
async fn polling_goes_on_after_failures_and_waits_in_between() {
    let worker = worker(1, &[&[], &[], &[], &[message("r1", "a", "1")]]);
    let (_, watch, _) = run(&worker, Duration::from_millis(1300)).await;
    assert_eq!(*watch.failures.lock().unwrap(), 3);
    assert!(worker.receiver.asked().is_empty(), "0.2 s, 0.4 s and 0.8 s are not over");
    run(&worker, Duration::from_secs(1)).await;
    assert_eq!(worker.receiver.asked(), ["delete r1"]);
}

#[tokio::test(start_paused = true)]
async fn the_wait_between_polls_ends_with_the_worker() {
    let failures: [&[Received]; 9] = [&[]; 9];
    let worker = worker(1, &failures);
    // 0.2 s, 0.4 s and so on up to 6.4 s; then 10 s.
    let (stopped, watch, took) = run(&worker, Duration::from_secs(14)).await;
    assert_eq!(*watch.failures.lock().unwrap(), 7);
    assert_eq!((stopped, took), (WorkerStopped::Clean, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_poll_without_an_answer_does_not_make_an_idle_worker_fail() {
    let worker = worker(1, &[]);
    *worker.receiver.is_silent.lock().unwrap() = true;
    let (stopped, _, took) = run(&worker, Duration::from_secs(1)).await;
    assert_eq!((stopped, took.as_secs()), (WorkerStopped::Clean, 25));
}

#[tokio::test(start_paused = true)]
async fn work_has_its_own_deadline() {
    let worker = worker(1, &[&[message("r1", "a", "1")], &[message("r2", "b", "1")]]);
    slow(&worker, "a", 10_000);
    let before = worker.consumer.decider.clock.now();
    let (stopped, watch, _) = run(&worker, Duration::from_mins(11)).await;
    assert_eq!(stopped, WorkerStopped::Clean);
    assert_eq!(watch.reports.lock().unwrap().iter().map(|report| report.failed).sum::<u64>(), 1);
    assert_eq!(worker.receiver.asked().last().unwrap(), "delete r2", "the next customer had its turn");
    assert!(worker.consumer.decider.clock.now() - before < TimeDelta::minutes(12));
}
