//! The worker. Its queue, store and publisher fail on demand.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use loadgate::deciding::consumer::BatchReport;
use loadgate::deciding::{Cause, Clock, QueueError, Receipt, Received, Receiver};
use loadgate::runtime::worker::{Settings, Worker, WorkerObserver, WorkerStopped};

use crate::support::consumer_harness::{FakePublisher, Fault, FlakyStore, Harness, TestClock};

const VISIBILITY: Duration = Duration::from_secs(30);

/// An input queue that returns prepared polls.
#[derive(Default)]
struct FakeReceiver {
    polls: Mutex<VecDeque<Vec<Received>>>,
    /// Requests, in order.
    requests: Mutex<Vec<String>>,
    deletions_fail: Mutex<u32>,
    /// True if no poll gets a response.
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
        self.requests.lock().unwrap().push(format!("{what} {}", receipts.join(" ")));
    }

    fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

#[derive(Default)]
struct RecordingObserver {
    working_most: Mutex<usize>,
    reports: Mutex<Vec<BatchReport>>,
    failures: Mutex<u32>,
}

impl WorkerObserver for RecordingObserver {
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

async fn run(worker: &Arc<TestWorker>, time: Duration) -> (WorkerStopped, RecordingObserver, Duration) {
    let (observer, begun) = (RecordingObserver::default(), tokio::time::Instant::now());
    let stopped = Arc::clone(worker).run(&observer, tokio::time::sleep(time)).await;
    (stopped, observer, begun.elapsed().saturating_sub(time))
}

fn slow(worker: &TestWorker, customer: &str, seconds: u64) {
    worker.consumer.decider.store.fail(customer, Fault::Slow(Duration::from_secs(seconds)), 1);
}

#[tokio::test(start_paused = true)]
async fn only_settled_messages_are_deleted() {
    let worker = worker(4, &[&[message("r1", "a", "1"), message("r2", "b", "1"), message("r3", "a", "2")]]);
    worker.consumer.publisher.refused.lock().unwrap().insert("2".to_owned(), 100);
    let (stopped, observer, _) = run(&worker, Duration::from_mins(1)).await;
    assert_eq!(stopped, WorkerStopped::Clean);
    let mut requests = worker.receiver.requests();
    requests.retain(|request| !request.starts_with("extend"));
    requests.sort();
    assert_eq!(requests, ["delete r1", "delete r2"], "what is not published stays, for redelivery");
    let reports = observer.reports.lock().unwrap();
    assert_eq!(reports.iter().map(|report| (report.accepted, report.failed)).max(), Some((1, 1)));
}

#[tokio::test(start_paused = true)]
async fn a_customer_has_one_batch_at_a_time() {
    // The second poll brings the same message again, as if its visibility time-out had expired.
    let again = Received { receive_count: Some(2), receipt: Receipt("r3".to_owned()), ..message("r1", "a", "1") };
    let worker = worker(4, &[&[message("r1", "a", "1")], &[again, message("r2", "b", "1")]]);
    slow(&worker, "a", 8);
    let (_, observer, _) = run(&worker, Duration::from_secs(7)).await;
    assert_eq!(*observer.working_most.lock().unwrap(), 2, "a and b");
    assert_eq!(worker.consumer.decider.store.commits.lock().unwrap().len(), 2, "one for each customer");
    let requests = worker.receiver.requests();
    assert_eq!(requests, ["delete r2", "give back r3", "delete r1"], "the second batch of a has not begun");
}

#[tokio::test(start_paused = true)]
async fn parallel_customers_and_received_messages_are_bounded() {
    let poll: Vec<Received> = (0..10).map(|n| message(&format!("r{n}"), &format!("c{n}"), "1")).collect();
    let worker = worker(3, &[&poll, &poll]);
    (0..10).for_each(|n| slow(&worker, &format!("c{n}"), 2));
    let (_, observer, _) = run(&worker, Duration::from_secs(5)).await;
    assert_eq!(*observer.working_most.lock().unwrap(), 3);
    assert_eq!(worker.receiver.polls.lock().unwrap().len(), 1, "the second poll has to wait");
}

#[tokio::test(start_paused = true)]
async fn at_shutdown_begun_batches_finish_and_the_rest_is_returned() {
    let worker = worker(1, &[&[message("r1", "a", "1"), message("r2", "b", "1"), message("r3", "b", "2")]]);
    slow(&worker, "a", 10);
    let (stopped, _, took) = run(&worker, Duration::from_secs(1)).await;
    assert_eq!(stopped, WorkerStopped::Clean);
    assert_eq!(worker.receiver.requests(), ["give back r2 r3", "delete r1"]);
    assert_eq!(Harness::published_by(&worker.consumer.publisher), ["a/1+"]);
    assert!(took < Duration::from_secs(11), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn messages_polled_during_shutdown_are_returned() {
    let worker = worker(1, &[]);
    let late = Arc::clone(&worker);
    let sent = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(900)).await;
        late.receiver.polls.lock().unwrap().push_back(vec![message("r1", "a", "1")]);
    });
    // The poll of the first second is still waiting.
    let (stopped, _, took) = run(&worker, Duration::from_secs(1)).await;
    sent.await.unwrap();
    assert_eq!((stopped, worker.receiver.requests()), (WorkerStopped::Clean, vec!["give back r1".to_owned()]));
    assert!(took <= Duration::from_secs(4), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn shutdown_is_bounded() {
    let worker = worker(1, &[&[message("r1", "a", "1")]]);
    slow(&worker, "a", 500);
    let (stopped, _, took) = run(&worker, Duration::from_secs(1)).await;
    assert_eq!(stopped, WorkerStopped::CutShort);
    assert_eq!(took.as_secs(), 25);
    assert!(!worker.receiver.requests().contains(&"delete r1".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn held_messages_stay_invisible() {
    let worker = worker(1, &[&[message("r1", "a", "1"), message("r2", "b", "1")]]);
    slow(&worker, "a", 95);
    let (stopped, _, _) = run(&worker, Duration::from_secs(100)).await;
    assert_eq!(stopped, WorkerStopped::Clean);
    let requests = worker.receiver.requests();
    for held in ["extend r1", "extend r2"] {
        assert_eq!(requests.iter().filter(|request| *request == held).count(), 9, "three times in 30 s: {requests:?}");
    }
    assert_eq!(worker.consumer.decider.store.commits.lock().unwrap().len(), 2, "b was not given up");
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_fails_is_repeated() {
    let worker = worker(1, &[&[message("r1", "a", "1")]]);
    *worker.receiver.deletions_fail.lock().unwrap() = 2;
    run(&worker, Duration::from_secs(2)).await;
    assert_eq!(worker.receiver.requests(), ["delete r1"]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_leaves_only_its_customer_for_redelivery() {
    let worker = worker(4, &[&[message("r1", "a", "1"), message("r2", "b", "1")], &[message("r3", "c", "1")]]);
    worker.consumer.decider.store.fail("a", Fault::Panic, 1);
    let (stopped, _, _) = run(&worker, Duration::from_secs(2)).await;
    assert_eq!(stopped, WorkerStopped::Clean);
    let mut requests = worker.receiver.requests();
    requests.sort();
    assert_eq!(requests, ["delete r2", "delete r3"]);
}

#[tokio::test(start_paused = true)]
async fn polling_continues_after_failures_with_backoff() {
    let worker = worker(1, &[&[], &[], &[], &[message("r1", "a", "1")]]);
    let (_, observer, _) = run(&worker, Duration::from_millis(1300)).await;
    assert_eq!(*observer.failures.lock().unwrap(), 3);
    assert!(worker.receiver.requests().is_empty(), "0.2 s, 0.4 s and 0.8 s are not over");
    run(&worker, Duration::from_secs(1)).await;
    assert_eq!(worker.receiver.requests(), ["delete r1"]);
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_the_backoff_between_polls() {
    let failures: [&[Received]; 9] = [&[]; 9];
    let worker = worker(1, &failures);
    // 0.2 s, 0.4 s and so on up to 6.4 s; then 10 s.
    let (stopped, observer, took) = run(&worker, Duration::from_secs(14)).await;
    assert_eq!(*observer.failures.lock().unwrap(), 7);
    assert_eq!((stopped, took), (WorkerStopped::Clean, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_hanging_poll_does_not_fail_an_idle_worker() {
    let worker = worker(1, &[]);
    *worker.receiver.is_silent.lock().unwrap() = true;
    let (stopped, _, took) = run(&worker, Duration::from_secs(1)).await;
    assert_eq!((stopped, took.as_secs()), (WorkerStopped::Clean, 25));
}

#[tokio::test(start_paused = true)]
async fn a_batch_has_its_own_deadline() {
    let worker = worker(1, &[&[message("r1", "a", "1")], &[message("r2", "b", "1")]]);
    slow(&worker, "a", 10_000);
    let before = worker.consumer.decider.clock.now();
    let (stopped, observer, _) = run(&worker, Duration::from_mins(11)).await;
    assert_eq!(stopped, WorkerStopped::Clean);
    assert_eq!(observer.reports.lock().unwrap().iter().map(|report| report.failed).sum::<u64>(), 1);
    assert_eq!(worker.receiver.requests().last().unwrap(), "delete r2", "the next customer had its turn");
    assert!(worker.consumer.decider.clock.now() - before < TimeDelta::minutes(12));
}
