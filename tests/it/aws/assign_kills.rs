//! The function of assignment jobs, killed with `kill -9` at random moments, over Amazon's DynamoDB Local behind a proxy that
//! loses requests and answers, and over a real queue. Meanwhile people link customers, and a second job is started. In the end
//! each customer has the link with the highest number, and each job has counted every customer once.
//!
//! `make kills` kills hundreds of times.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use loadgate::adapters::sqs::{SqsJobQueue, SqsReceiver};
use loadgate::adapters::{SystemClock, aws};
use loadgate::deciding::Receiver;
use loadgate::domain::{JobProgress, JobState};
use loadgate::limits::jobs::{JobReader, JobStarter, NewJob};
use loadgate::limits::{Author, LinkStore, Program, ProgramStore};
use serde_json::{Value, json};

use super::kills::number;
use super::limits_function::fresh_standard_queue;
use crate::limits::jobs::{enroll, link_by_hand, plan, put_plans};
use crate::support::cloud::{Bootstrap, Fresh, Proxy, sqs};

/// Number of functions at the same time.
const FUNCTIONS: u64 = 3;

/// Time for which a received message is invisible: longer than a step takes, so that few are delivered twice at the same time.
const VISIBILITY: Duration = Duration::from_secs(4);

/// What the functions share.
struct Shared {
    environment: Vec<(&'static str, String)>,
    queue: String,
    /// Kills that are left.
    kills: AtomicU64,
    killed: AtomicU64,
    stop: AtomicBool,
}

/// One instance of the function, which is killed and started anew, with its event source mapping.
async fn function(shared: Arc<Shared>, seed: u64, log: std::path::PathBuf) {
    let mut rng = Rng::with_seed(seed);
    let receiver = SqsReceiver::new(&aws::load(Some(sqs())).await, shared.queue.clone());
    let program = env!("CARGO_BIN_EXE_assign");
    let mut running = Bootstrap::start_program(program, &shared.environment, &log).await;
    while !shared.stop.load(Ordering::Relaxed) {
        let Ok(messages) = receiver.receive(1, Duration::from_secs(1), Some(VISIBILITY)).await else { continue };
        let Some(message) = messages.into_iter().next() else { continue };
        let record = json!({"messageId": message.message_id, "body": message.body, "eventSource": "aws:sqs", "attributes": {
            "ApproximateReceiveCount": message.receive_count.unwrap_or(1).to_string(),
            "SentTimestamp": message.sent_at.unwrap().timestamp_millis().to_string()}});
        let is_killed = rng.bool() && shared.kills.load(Ordering::Relaxed) > 0;
        let time = if is_killed { rng.u64(0..150) } else { 60_000 };
        let event = json!({ "Records": [record] }).to_string();
        match running.invoke(event, Duration::from_millis(time)).await {
            None => {
                // Two functions may take the last one.
                let less = |kills: u64| Some(kills.saturating_sub(u64::from(is_killed)));
                let _ = shared.kills.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
                shared.killed.fetch_add(1, Ordering::Relaxed);
                running.kill();
                running = Bootstrap::start_program(program, &shared.environment, &log).await;
            }
            Some(answer) => {
                let answer: Value = serde_json::from_str(&answer.unwrap()).unwrap();
                if answer["batchItemFailures"] == json!([]) {
                    let _ = receiver.delete(&[message.receipt]).await;
                }
            }
        }
    }
}

fn environment(fresh: &Fresh, dynamodb: &str, queue: &str) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.to_owned()),
        ("AWS_ENDPOINT_URL_SQS", sqs().to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("LOADGATE_LIMIT_TABLE", fresh.names.limit.clone().unwrap()),
        ("LOADGATE_ASSIGNMENT_QUEUE_URL", queue.to_owned()),
    ]
}

async fn start(fresh: &Fresh, queue: &str, version: u64) -> u64 {
    let queue = SqsJobQueue::new(&aws::load(Some(sqs())).await, queue.to_owned());
    let starter = JobStarter { store: fresh.store.clone(), queue, clock: SystemClock };
    let new =
        NewJob { program_id: "gold".to_owned(), plan: plan(version), is_dry_run: false, by: Author("test".to_owned()) };
    starter.start(new, &|_| None).await.unwrap().number
}

/// Waits until a job has ended.
async fn ended(fresh: &Fresh, number: u64) -> JobProgress {
    let reader = JobReader { store: &fresh.store, clock: &SystemClock };
    loop {
        let job = reader.get(number).await.unwrap().unwrap();
        if job.job.state.is_final() {
            return job;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
#[allow(clippy::print_stdout)]
async fn jobs_whose_functions_are_killed_at_random_end_as_the_model_does() {
    let (kills, customers) = (number("KILLS", 15), number("ATTEMPTS", 300) + 530);
    let mut rng = Rng::with_seed(7);
    let fresh = Fresh::with_limits_in_dynamodb_local().await;
    put_plans(&fresh.store, 3).await;
    fresh.store.write_program("gold", &Program::default()).await.unwrap();
    let ids: Vec<String> = (0..customers).map(|number| format!("c-{number}")).collect();
    for id in &ids {
        enroll(&fresh.store, id, Some("gold")).await;
    }
    let (proxy, queue) = (Proxy::before(&fresh.url).await, fresh_standard_queue().await);
    proxy.be_lossy(7, 15);
    let shared = Arc::new(Shared {
        environment: environment(&fresh, &proxy.url, &queue),
        queue: queue.clone(),
        kills: AtomicU64::new(kills),
        killed: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    });
    let folder = tempfile::tempdir().unwrap();
    let functions: Vec<_> = (0..FUNCTIONS)
        .map(|seed| tokio::spawn(function(Arc::clone(&shared), seed, folder.path().join(format!("log-{seed}")))))
        .collect();
    let first = start(&fresh, &queue, 1).await;
    let (mut by_hand, mut unsure) = (BTreeMap::new(), BTreeSet::new());
    let mut second = 0;
    for round in 0..60 {
        if round == 20 {
            second = start(&fresh, &queue, 2).await;
        }
        let id = rng.choice(&ids).unwrap();
        let version = rng.bool().then_some(plan(3));
        // A job may have linked the customer between the read and the write of this link.
        let linked = std::panic::AssertUnwindSafe(link_by_hand(&fresh.store, id, version.clone()));
        if let Ok(number) = futures_util::FutureExt::catch_unwind(linked).await {
            by_hand.insert(id.clone(), (number, version));
        } else {
            // Whether it was made is not known.
            unsure.insert(id.clone());
        }
        tokio::time::sleep(Duration::from_millis(rng.u64(0..150))).await;
    }
    let both = async { [ended(&fresh, first).await, ended(&fresh, second).await] };
    let [first, second] = tokio::time::timeout(Duration::from_mins(5), both).await.unwrap_or_else(|_| {
        let log =
            |seed| std::fs::read_to_string(Path::new(folder.path()).join(format!("log-{seed}"))).unwrap_or_default();
        panic!("a job does not end: {}", log(0))
    });
    shared.stop.store(true, Ordering::Relaxed);
    for function in functions {
        function.await.unwrap();
    }
    let killed = shared.killed.load(Ordering::Relaxed);
    println!(
        "{killed} kills, {} requests or answers lost or late; {:?}, {:?}",
        proxy.lost(),
        first.counts,
        second.counts
    );
    assert!(killed > 0 && proxy.lost() > 0, "nothing went wrong");
    for job in [&first, &second] {
        assert_eq!(job.job.state, JobState::Done);
        assert_eq!(job.job.size.unwrap().customers, customers);
        assert_eq!((job.counts.total(), job.counts.failed), (customers, 0), "{job:?}");
    }
    let mut of_second = 0;
    for id in ids.iter().filter(|id| !unsure.contains(*id)) {
        let link = fresh.store.link(id).await.unwrap();
        match by_hand.get(id) {
            Some((number, version)) if *number > second.job.number => {
                assert_eq!((link.number, &link.plan), (*number, version));
            }
            _ => {
                assert_eq!((link.number, link.plan), (second.job.number, Some(plan(2))), "{id}");
                of_second += 1;
            }
        }
    }
    // A customer whose link was replaced after the job had made it counts as either.
    let made = second.counts.linked + second.counts.already_linked;
    assert!((of_second..=customers).contains(&made), "{made} of {of_second}");
}
