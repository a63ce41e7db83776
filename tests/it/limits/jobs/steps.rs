//! Single steps of jobs: what a worker does with one delivery.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use loadgate::adapters::MemoryStore;
use loadgate::deciding::consumer::Deadline;
use loadgate::deciding::{Clock, QueueError};
use loadgate::domain::{Job, JobCounts, JobMessage, JobState, JobTask, Millis};
use loadgate::limits::jobs::{
    Canceled, FINISH_DELAY_MAX, FINISH_DELAY_MIN, FIRST_DELAY, HandledJobs, JobDelivery, JobQueue, JobReader,
    JobStarter, JobStore, JobWorker, LocalQueue, NewJob, ORPHAN_AGE, PAGE_CUSTOMERS_MAX, RECEIVES_MAX, StartError,
    run_job,
};
use loadgate::limits::{Author, LinkStore, Program, ProgramStore};
use loadgate::wire::{job_message, parse_job_message};

use super::world::World;
use super::{enroll, job, link_by_hand, plan, put_plans};
use crate::limits::stream::world::PausedClock;

/// A queue that keeps all that is sent.
#[derive(Clone, Default)]
struct KeptQueue(Arc<Mutex<VecDeque<(JobMessage, Duration)>>>);

impl KeptQueue {
    fn take(&self) -> Vec<(JobMessage, Duration)> {
        self.0.lock().unwrap().drain(..).collect()
    }
}

impl JobQueue for KeptQueue {
    async fn send(&self, messages: &[JobMessage], delay: Duration) -> Result<(), QueueError> {
        self.0.lock().unwrap().extend(messages.iter().map(|message| (message.clone(), delay)));
        Ok(())
    }
}

type TestWorker<S> = JobWorker<S, KeptQueue, PausedClock>;

fn worker<S: JobStore>(store: S) -> TestWorker<S> {
    JobWorker::new(store, KeptQueue::default(), PausedClock::new())
}

fn message(number: u64, task: JobTask) -> JobMessage {
    JobMessage { number, task }
}

fn chunk(chunk: u32, customers: &[&str]) -> JobTask {
    JobTask::Chunk { chunk, customers: customers.iter().map(|id| (*id).to_owned()).collect() }
}

async fn deliver<S: JobStore>(worker: &TestWorker<S>, message: JobMessage, receive_count: u64) -> HandledJobs {
    let now = worker.clock.now();
    let delivery = JobDelivery { message: Some(message), receive_count, sent_at: Some(now) };
    worker.handle(&[delivery], Deadline::before(now + TimeDelta::minutes(1), now)).await
}

/// Returns a store with a programme of so many customers and three plan versions.
async fn filled(customers: usize) -> MemoryStore {
    let store = MemoryStore::default();
    put_plans(&store, 3).await;
    store.write_program("gold", &Program::default()).await.unwrap();
    for number in 0..customers {
        enroll(&store, &format!("c-{number:04}"), Some("gold")).await;
    }
    store
}

fn new_job() -> NewJob {
    NewJob { program_id: "gold".to_owned(), plan: plan(1), is_dry_run: false, by: Author("ann".to_owned()) }
}

#[tokio::test(start_paused = true)]
async fn a_job_sends_its_first_message_and_then_exists() {
    let (store, queue, clock) = (filled(1).await, KeptQueue::default(), PausedClock::new());
    let before = link_by_hand(&store, "c-0000", Some(plan(2))).await;
    let starter = JobStarter { store: store.clone(), queue: queue.clone(), clock };
    let begun = starter.start(new_job(), &|_| None).await.unwrap();
    assert!(begun.number > before, "links and jobs share a counter");
    let expected = Job { started_by: "ann".to_owned(), started_at: begun.started_at, ..job(begun.number, 1) };
    assert_eq!(begun, expected);
    assert_eq!(store.read_job(begun.number).await.unwrap(), Some(expected));
    assert_eq!(queue.take(), [(message(begun.number, JobTask::Page(0)), FIRST_DELAY)]);
}

#[tokio::test(start_paused = true)]
async fn a_job_of_an_unknown_programme_or_plan_is_not_started() {
    let (store, queue) = (filled(1).await, KeptQueue::default());
    let starter = JobStarter { store: store.clone(), queue: queue.clone(), clock: PausedClock::new() };
    let unknown = starter.start(NewJob { program_id: "nobody".to_owned(), ..new_job() }, &|_| None).await;
    assert!(matches!(unknown, Err(StartError::UnknownProgram)), "{unknown:?}");
    let unknown = starter.start(NewJob { plan: plan(4), ..new_job() }, &|_| None).await;
    assert!(matches!(unknown, Err(StartError::UnknownPlan)), "{unknown:?}");
    assert!(queue.take().is_empty() && store.read_jobs(None, 1).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_message_without_its_job_waits_and_is_then_dropped() {
    let worker = worker(MemoryStore::default());
    for (age, is_dropped) in
        [(Duration::ZERO, false), (ORPHAN_AGE.saturating_sub(Duration::from_secs(1)), false), (ORPHAN_AGE, true)]
    {
        let now = worker.clock.now();
        let task = Some(message(9, JobTask::Page(0)));
        let delivery = JobDelivery { message: task, receive_count: 1, sent_at: Some(now - age) };
        let handled = worker.handle(&[delivery], Deadline::before(now + TimeDelta::minutes(1), now)).await;
        assert_eq!((handled.failed.is_empty(), handled.report.dropped), (is_dropped, u64::from(is_dropped)), "{age:?}");
    }
    let no_message = JobDelivery { message: None, receive_count: 1, sent_at: None };
    let now = worker.clock.now();
    let handled = worker.handle(&[no_message], Deadline::before(now + TimeDelta::minutes(1), now)).await;
    assert_eq!(handled.failed, [0], "it becomes a dead letter");
}

#[tokio::test(start_paused = true)]
async fn pages_follow_one_another_and_a_repeated_one_sends_the_same() {
    let store = filled(PAGE_CUSTOMERS_MAX + 30).await;
    let worker = worker(store.clone());
    store.put_job(&job(1, 1), None).await.unwrap();
    assert!(deliver(&worker, message(1, JobTask::Page(0)), 1).await.failed.is_empty());
    let first = worker.queue.take();
    assert_eq!(first.len(), 21);
    assert_eq!(first[20].0, message(1, JobTask::Page(1)));
    let sizes: Vec<usize> = first[..20]
        .iter()
        .map(|(message, _)| match &message.task {
            JobTask::Chunk { customers, .. } => customers.len(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(sizes, [25; 20]);
    // A crash before the next page: the same again, although customers have come and gone.
    enroll(&store, "0-new", Some("gold")).await;
    enroll(&store, "c-0001", None).await;
    assert!(deliver(&worker, message(1, JobTask::Page(0)), 2).await.failed.is_empty());
    assert_eq!(worker.queue.take(), first);
    // The last page makes the job run.
    assert!(deliver(&worker, message(1, JobTask::Page(1)), 1).await.failed.is_empty());
    let last = worker.queue.take();
    assert_eq!(last.last().unwrap(), &(message(1, JobTask::Finish), FINISH_DELAY_MIN));
    let running = store.read_job(1).await.unwrap().unwrap();
    assert_eq!(running.state, JobState::Running);
    let size = running.size.unwrap();
    assert_eq!(u64::from(size.chunks), size.customers.div_ceil(25));
    // A page whose successor is saved has sent its chunks; the last one only repeats the end.
    assert!(deliver(&worker, message(1, JobTask::Page(0)), 3).await.failed.is_empty());
    assert_eq!(worker.queue.take(), []);
    assert!(deliver(&worker, message(1, JobTask::Page(1)), 2).await.failed.is_empty());
    assert_eq!(worker.queue.take().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_programme_without_customers_is_done_at_once() {
    let store = filled(0).await;
    let worker = worker(store.clone());
    store.put_job(&job(1, 1), None).await.unwrap();
    deliver(&worker, message(1, JobTask::Page(0)), 1).await;
    let reader = JobReader { store: &store, clock: &worker.clock };
    let shown = reader.get(1).await.unwrap().unwrap();
    assert_eq!((shown.job.state, shown.state()), (JobState::Running, JobState::Done));
    let at = shown.finished_at();
    deliver(&worker, message(1, JobTask::Finish), 1).await;
    let stored = reader.get(1).await.unwrap().unwrap();
    assert_eq!((stored.job.state, stored.finished_at(), stored.counts.total()), (JobState::Done, at, 0));
}

#[tokio::test(start_paused = true)]
async fn a_page_without_the_page_before_fails_the_job() {
    let store = filled(1).await;
    let worker = worker(store.clone());
    store.put_job(&job(1, 1), None).await.unwrap();
    assert!(deliver(&worker, message(1, JobTask::Page(3)), 1).await.failed.is_empty());
    let failed = store.read_job(1).await.unwrap().unwrap();
    assert_eq!(failed.state, JobState::Failed);
    let failure = failed.failure.unwrap();
    assert_eq!(failure.code, "CORRUPT_ITEM");
    assert!(failure.reason.contains("page 2 of job 1 is missing"), "{}", failure.reason);
    // No chunk links anybody after that.
    deliver(&worker, message(1, chunk(0, &["c-0000"])), 1).await;
    assert_eq!(store.link("c-0000").await.unwrap().number, 0);
}

#[tokio::test(start_paused = true)]
async fn the_end_is_looked_for_again_after_a_tenth_of_the_jobs_age() {
    let store = filled(1).await;
    let worker = worker(store.clone());
    store.put_job(&Job { started_at: Millis::of(worker.clock.now()), ..job(1, 1) }, None).await.unwrap();
    deliver(&worker, message(1, JobTask::Page(0)), 1).await;
    worker.queue.take();
    for (age_s, delay) in [
        (0, FINISH_DELAY_MIN),
        (149, FINISH_DELAY_MIN),
        (600, Duration::from_mins(1)),
        (3600, Duration::from_mins(6)),
        (1_000_000, FINISH_DELAY_MAX),
    ] {
        let begun = Duration::from_millis(
            u64::try_from((Millis::of(worker.clock.now()).get()) - crate::limits::store::NOW_MS).unwrap(),
        );
        tokio::time::sleep(Duration::from_secs(age_s).saturating_sub(begun)).await;
        deliver(&worker, message(1, JobTask::Finish), 1).await;
        let sent = worker.queue.take();
        assert_eq!(sent.len(), 1);
        let difference = sent[0].1.abs_diff(delay);
        assert!(difference < Duration::from_secs(1), "{age_s} s: {sent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_counts_and_changes_nothing() {
    let store = filled(4).await;
    let worker = worker(store.clone());
    link_by_hand(&store, "c-0000", Some(plan(1))).await;
    let number = store.draw_number().await.unwrap();
    let later = link_by_hand(&store, "c-0001", Some(plan(2))).await;
    enroll(&store, "c-0002", None).await;
    store.put_job(&Job { is_dry_run: true, ..job(number, 1) }, None).await.unwrap();
    let customers = ["c-0000", "c-0001", "c-0002", "c-0003"];
    let handled = deliver(&worker, message(number, chunk(0, &customers)), 1).await;
    assert_eq!(handled.report.customers, JobCounts { linked: 1, already_linked: 1, superseded: 2, failed: 0 });
    let numbers = futures_util::future::join_all(customers.map(|customer| store.link(customer))).await;
    let numbers: Vec<u64> = numbers.into_iter().map(|link| link.unwrap().number).collect();
    assert_eq!(numbers, [1, later, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_chunk_counts_what_was_made_and_links_nobody() {
    let store = filled(3).await;
    let worker = worker(store.clone());
    store.put_job(&job(5, 1), None).await.unwrap();
    store.link_by_job("c-0000", &job(5, 1), Millis::new(1)).await.unwrap();
    let reader = JobReader { store: &store, clock: &worker.clock };
    assert!(matches!(reader.cancel(5).await.unwrap(), Some(Canceled::Now(_))));
    assert!(matches!(reader.cancel(5).await.unwrap(), Some(Canceled::Ended(_))), "once only");
    assert_eq!(reader.cancel(6).await.unwrap(), None);
    for place in [0, 1] {
        let customers = [["c-0000", "c-0001"], ["c-0002", "c-0002"]][place];
        let handled = deliver(&worker, message(5, chunk(u32::try_from(place).unwrap(), &customers)), 1).await;
        assert!(handled.failed.is_empty());
    }
    let shown = reader.get(5).await.unwrap().unwrap();
    assert_eq!((shown.counts, shown.chunks_done), (JobCounts { linked: 1, ..JobCounts::default() }, 1));
    assert_eq!(store.link("c-0001").await.unwrap().number, 0);
}

/// A store that never has capacity for one customer, and that never answers the link of another one.
async fn throttled_world() -> World {
    let world = World::new(1, 0, None);
    put_plans(&world.inner, 1).await;
    for customer in ["good", "bad", "muted"] {
        enroll(&world.inner, customer, Some("gold")).await;
    }
    world.refuse("bad");
    world.mute("muted");
    world.inner.put_job(&job(1, 1), None).await.unwrap();
    world
}

#[tokio::test(start_paused = true)]
async fn a_throttled_customer_fails_the_chunk_and_at_the_last_delivery_only_itself() {
    let world = throttled_world().await;
    let worker = worker(world.clone());
    let task = || message(1, chunk(0, &["good", "bad", "muted"]));
    for receive_count in 1..RECEIVES_MAX {
        let handled = deliver(&worker, task(), receive_count).await;
        assert_eq!((&handled.failed[..], handled.report.chunks), (&[0][..], 0));
        assert!(handled.report.throttled > 1, "it was tried again");
        assert!(world.inner.read_results(1, None).await.unwrap().results.is_empty());
    }
    let handled = deliver(&worker, task(), RECEIVES_MAX).await;
    assert!(handled.failed.is_empty());
    assert_eq!(handled.report.customers, JobCounts { linked: 2, failed: 1, ..JobCounts::default() });
    let reader = JobReader { store: &world.inner, clock: &worker.clock };
    let failures = reader.failures(1, None, 10).await.unwrap();
    let [failure] = &failures.failures[..] else { panic!("{failures:?}") };
    assert_eq!((failure.customer_id.as_str(), failure.failure.code.as_str()), ("bad", "THROTTLED"));
}

#[tokio::test(start_paused = true)]
async fn what_the_deadline_leaves_out_is_failed_and_at_the_last_delivery_recorded() {
    let world = throttled_world().await;
    let worker = worker(world.clone());
    for (receive_count, failed) in [(1, 1), (RECEIVES_MAX, 0)] {
        let now = worker.clock.now();
        let task = message(1, chunk(0, &["bad", "muted", "good"]));
        let delivery = JobDelivery { message: Some(task), receive_count, sent_at: Some(now) };
        // Too short for all tries.
        let handled = worker.handle(&[delivery], Deadline::before(now + TimeDelta::seconds(3), now)).await;
        assert!(worker.clock.now() < now + TimeDelta::seconds(3));
        assert_eq!(handled.failed.len(), failed);
    }
    let reader = JobReader { store: &world.inner, clock: &worker.clock };
    let progress = reader.get(1).await.unwrap().unwrap();
    assert_eq!(progress.counts, JobCounts { linked: 2, failed: 1, ..JobCounts::default() }, "each as it is");
    let failures = reader.failures(1, None, 10).await.unwrap().failures;
    let [failure] = &failures[..] else { panic!("{failures:?}") };
    assert_eq!((failure.customer_id.as_str(), failure.failure.code.as_str()), ("bad", "NO_TIME"));
    let now = worker.clock.now();
    let late = JobDelivery { message: Some(message(1, JobTask::Finish)), receive_count: 1, sent_at: None };
    let report = worker.handle(&[late.clone(), late], Deadline { begin_until: now, answer_by: now }).await;
    assert_eq!(report.failed, [0, 1], "nothing is begun after the deadline");
}

#[tokio::test(start_paused = true)]
async fn failures_are_listed_by_chunk_in_pages() {
    let store = filled(1).await;
    let clock = PausedClock::new();
    for chunk in 0..130 {
        let failures = (0..chunk % 3).map(|number| loadgate::domain::CustomerFailure {
            customer_id: format!("{chunk}-{number}"),
            failure: loadgate::domain::JobFailure { code: "THROTTLED".to_owned(), reason: "no capacity".to_owned() },
        });
        let counts = JobCounts { failed: u64::from(chunk % 3), ..JobCounts::default() };
        let result =
            loadgate::domain::ChunkResult { chunk, counts, failures: failures.collect(), done_at: Millis::new(1) };
        store.put_result(1, &result).await.unwrap();
    }
    let reader = JobReader { store: &store, clock: &clock };
    let (mut listed, mut after, mut pages) = (vec![], None, 0);
    loop {
        let page = reader.failures(1, after, 10).await.unwrap();
        assert!(page.failures.len() <= 11);
        listed.extend(page.failures.into_iter().map(|failure| failure.customer_id));
        (after, pages) = (page.next, pages + 1);
        if after.is_none() {
            break;
        }
    }
    let expected = (0..130_u32).flat_map(|chunk| (0..chunk % 3).map(move |number| format!("{chunk}-{number}")));
    assert_eq!(listed, expected.collect::<Vec<_>>());
    assert!(pages > 5);
}

#[tokio::test(start_paused = true)]
async fn a_whole_job_runs_in_one_process() {
    let store = filled(1100).await;
    link_by_hand(&store, "c-0007", Some(plan(1))).await;
    let queue = LocalQueue::default();
    let clock = PausedClock::new();
    let job =
        JobStarter { store: store.clone(), queue: queue.clone(), clock }.start(new_job(), &|_| None).await.unwrap();
    let worker = JobWorker::new(store.clone(), queue, clock);
    let ended = run_job(&worker, job.number, |_| {}).await.unwrap();
    assert_eq!(ended.state(), JobState::Done);
    assert_eq!(ended.counts, JobCounts { linked: 1099, already_linked: 1, ..JobCounts::default() });
    assert_eq!(ended.job.size.unwrap().chunks, 44);
    let again = JobStarter { store: store.clone(), queue: worker.queue.clone(), clock }
        .start(new_job(), &|_| None)
        .await
        .unwrap();
    let ended = run_job(&worker, again.number, |_| {}).await.unwrap();
    assert_eq!(ended.counts, JobCounts { already_linked: 1100, ..JobCounts::default() });
}

#[test]
fn messages_are_read_as_they_are_written() {
    let odd = ["a\"b\\", "\u{1}\u{7f}", "\u{fffe}\u{ffff}", "ä/€"].map(str::to_owned).to_vec();
    for task in [JobTask::Page(7), JobTask::Chunk { chunk: 3, customers: odd }, JobTask::Finish] {
        let message = message(42, task);
        let json = job_message(&message);
        assert_eq!(parse_job_message(&json), Some(message));
        // What SQS takes in a body (the SQS API reference, `SendMessage`).
        let is_taken =
            |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        assert!(json.chars().all(is_taken), "{json:?}");
    }
    assert_eq!(job_message(&message(42, JobTask::Page(0))), r#"{"jobId":"42","page":0}"#);
    assert_eq!(job_message(&message(42, JobTask::Finish)), r#"{"jobId":"42","finish":true}"#);
    assert_eq!(job_message(&message(42, chunk(1, &["a"]))), r#"{"jobId":"42","chunk":1,"customers":["a"]}"#);
    let many = format!(r#"{{"jobId":"1","chunk":0,"customers":[{}"a"]}}"#, "\"a\",".repeat(25));
    for wrong in [
        "",
        "{}",
        r#"{"jobId":"1"}"#,
        r#"{"jobId":1,"page":0}"#,
        r#"{"jobId":"01","page":0}"#,
        r#"{"jobId":"+1","page":0}"#,
        r#"{"jobId":"","page":0}"#,
        r#"{"jobId":"1","page":-1}"#,
        r#"{"jobId":"1","page":0,"finish":true}"#,
        r#"{"jobId":"1","chunk":0}"#,
        r#"{"jobId":"1","finish":false}"#,
        &many,
    ] {
        assert_eq!(parse_job_message(wrong), None, "{wrong}");
    }
}
