//! Programs that are killed with `kill -9` at random moments. They use Amazon's DynamoDB Local, behind a proxy that
//! loses requests and answers, and a real FIFO queue. In the end their decisions are those of the file replay.
//!
//! `make kills` kills hundreds of times, over thousands of attempts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin_cmd;
use loadgate::adapters::aws;
use loadgate::adapters::sqs::{SqsReceiver, queue_settings};
use loadgate::deciding::{Received, Receiver};
use serde_json::{Value, json};

use crate::support::cloud::{Bootstrap, Fresh, Proxy, Queues, Worker, drain, environment, record_count, sqs};
use crate::support::lines::{by_customer, sendable};

/// Visibility time-out. It is short, so that a message is redelivered soon after a kill.
const VISIBILITY_S: u32 = 2;

/// Number of deliveries after which a message is given up. It is greater than the number of kills.
const RECEIVE_MAX: u32 = 1000;

/// Maximum time to drain after the last kill. It allows for a busy machine.
const DRAIN_MAX: Duration = Duration::from_mins(10);

/// Limits in force: short and long windows, so that usage rows, fences and totals are at stake.
const LIMITS: &str = r#"
limit = [
    {code = "DAILY_AMOUNT", measure = "amount", window = "day", max = "5000.00"},
    {code = "DAILY_COUNT", measure = "count", window = "day", max = 3},
    {code = "TWO_DAYS", measure = "amount", window = "rolling", hours = 48, max = "7000.00"},
    {code = "MONTHLY", measure = "amount", window = "month", max = "12000.00"},
    {code = "FOR_EVER", measure = "count", window = "lifetime", max = 6},
]
"#;

/// Returns a number from the environment, such as the number of kills or attempts.
pub fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Environment of a program that is killed: its queues, its tables, and the expected results.
struct Scene {
    fresh: Fresh,
    proxy: Proxy,
    queues: Queues,
    rng: fastrand::Rng,
    kills: u64,
    folder: tempfile::TempDir,
    expected: Vec<String>,
    rejects: BTreeSet<(String, String)>,
}

impl Scene {
    async fn set(seed: u64) -> Scene {
        let (kills, attempts) = (number("KILLS", 15), number("ATTEMPTS", 300));
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (file, rejects) = (path("attempts.jsonl"), path("rejects.jsonl"));
        let (attempts, seed_text) = (attempts.to_string(), seed.to_string());
        let generate =
            ["generate", "--attempts", &attempts, "--customers", "40", "--duplicates", "8", "--start", "2018-12-24"];
        let generate = generate.into_iter().chain(["--invalid", "3"]);
        cargo_bin_cmd!("loadgate").args(generate).args(["--seed", &seed_text, "-o", &file]).assert().success();
        std::fs::write(path("limits.toml"), LIMITS).unwrap();
        let limits = path("limits.toml");
        let own = concat!(env!("CARGO_MANIFEST_DIR"), "/events/customer-limits.jsonl");
        let replay = ["replay", "--explain", "--summary", "none", "--customer-limits", own];
        let files = [&file, "--rejects", &rejects, "--limits", &limits];
        let expected = cargo_bin_cmd!("loadgate").args(replay).args(files).output().unwrap().stdout;
        for code in ["TWO_DAYS", "MONTHLY", "FOR_EVER", "CUSTOMER_"] {
            assert!(String::from_utf8_lossy(&expected).contains(code), "{code} declines nothing");
        }
        let rejects = std::fs::read_to_string(rejects).unwrap();

        let (fresh, queues) =
            (Fresh::with_limits_in_dynamodb_local().await, Queues::fresh(VISIBILITY_S, RECEIVE_MAX).await);
        let proxy = Proxy::before(&fresh.url).await;
        let apply = ["limits", "apply", own, "--endpoint-url", &fresh.url, "--limit-table"];
        cargo_bin_cmd!("loadgate").args(apply).arg(fresh.names.limit.as_ref().unwrap()).assert().success();
        let sent = cargo_bin_cmd!("loadgate").args(["send", &file, "--queue-url", &queues.input]).output().unwrap();
        assert!(matches!(sent.status.code(), Some(0 | 3)), "{}", String::from_utf8_lossy(&sent.stderr));
        Scene {
            fresh,
            proxy,
            queues,
            rng: fastrand::Rng::with_seed(seed),
            kills,
            folder,
            expected: String::from_utf8(expected).unwrap().lines().map(str::to_owned).collect(),
            rejects: rejects.lines().filter_map(sendable).collect(),
        }
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let limits = ("LOADGATE_LIMITS", LIMITS.to_owned());
        environment(&self.queues, &self.fresh.names, &self.proxy.url).into_iter().chain([limits]).collect()
    }

    async fn is_drained(&self) -> bool {
        let input = queue_settings(&aws::load(Some(sqs())).await, &self.queues.input).await;
        input.is_ok_and(|input| input.messages + input.messages_in_flight == 0)
    }

    /// Checks that every event was decided once and published in order, always in the same bytes.
    #[allow(clippy::print_stdout)]
    async fn check(&self) {
        assert!(self.proxy.lost() > 0, "nothing went wrong");
        println!("{} kills, {} requests or answers lost or late", self.kills, self.proxy.lost());
        let mut firsts = BTreeMap::<String, String>::new();
        let mut lines = Vec::new();
        for Received { deduplication_id, body, .. } in drain(&self.queues.decisions).await {
            let id = deduplication_id.unwrap();
            if let Some(first) = firsts.get(&id) {
                assert_eq!(*first, body, "a repeated decision has the same bytes");
            } else {
                firsts.insert(id, body.clone());
                lines.push(body);
            }
        }
        assert_eq!(by_customer(&lines), by_customer(&self.expected));
        assert_eq!(record_count(&self.fresh.url, &self.fresh.names.correlation).await, self.expected.len());
        let letters = drain(&self.queues.dead_letters).await.into_iter();
        let letters: BTreeSet<_> =
            letters.map(|letter| (letter.attribute("code").unwrap().to_owned(), letter.body)).collect();
        assert_eq!(letters, self.rejects);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn a_worker_killed_at_random_loses_and_repeats_no_decision() {
    let mut scene = Scene::set(11).await;
    scene.proxy.be_lossy(11, 30);
    for _ in 0..scene.kills {
        let mut worker = Worker::start(&scene.environment());
        // In some rounds the kill comes before the worker has started.
        if scene.rng.u32(..10) > 0 {
            worker.becomes_ready();
        }
        tokio::time::sleep(Duration::from_millis(scene.rng.u64(..700))).await;
        worker.kill();
    }
    scene.proxy.be_lossy(0, 0);
    let begun = Instant::now();
    let mut worker = Worker::start(&scene.environment());
    while !worker.becomes_ready() {
        assert!(begun.elapsed() < DRAIN_MAX, "the worker does not start: {}", worker.log());
        worker = Worker::start(&scene.environment());
    }
    while !scene.is_drained().await {
        assert!(begun.elapsed() < DRAIN_MAX, "not drained: {}", worker.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    worker.signal("TERM");
    assert!(worker.wait().success(), "{}", worker.log());
    scene.check().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn a_function_killed_at_random_loses_and_repeats_no_decision() {
    let mut scene = Scene::set(12).await;
    let receiver = SqsReceiver::new(&aws::load(Some(sqs())).await, scene.queues.input.clone());
    let log = scene.folder.path().join("log");
    scene.proxy.be_lossy(12, 30);
    let (mut kills, mut redelivered, begun) = (0, 0, Instant::now());
    let mut function = Bootstrap::start(&scene.environment(), &log).await;
    while !scene.is_drained().await {
        assert!(begun.elapsed() < DRAIN_MAX * 6, "not drained: {}", std::fs::read_to_string(&log).unwrap());
        let batch = receiver.receive(10, Duration::from_secs(1), None).await.unwrap();
        if batch.is_empty() {
            continue;
        }
        redelivered += batch.iter().filter(|message| message.receive_count > Some(1)).count();
        let is_killed = kills < scene.kills && scene.rng.u32(..2) == 0;
        let time_max = if is_killed { Duration::from_millis(scene.rng.u64(..120)) } else { Duration::from_secs(31) };
        if let Some(answer) = function.invoke(event(&batch), time_max).await {
            delete_settled(&receiver, &batch, &answer.unwrap()).await;
        } else {
            kills += 1;
            function.kill();
            function = Bootstrap::start(&scene.environment(), &log).await;
        }
        if kills == scene.kills {
            scene.proxy.be_lossy(0, 0);
        }
    }
    assert_eq!(kills, scene.kills, "too few attempts for so many kills");
    assert!(redelivered > 0, "no kill has interrupted any work");
    scene.check().await;
}

/// Converts messages to an event, as Lambda's event source does.
fn event(batch: &[Received]) -> String {
    let record = |message: &Received| {
        json!({
            "messageId": message.message_id,
            "receiptHandle": "x",
            "body": message.body,
            "attributes": {
                "ApproximateReceiveCount": message.receive_count.unwrap().to_string(),
                "MessageGroupId": message.group_id,
                "MessageDeduplicationId": message.deduplication_id,
            },
            "messageAttributes": {},
            "eventSource": "aws:sqs",
        })
    };
    json!({ "Records": batch.iter().map(record).collect::<Vec<_>>() }).to_string()
}

async fn delete_settled(receiver: &SqsReceiver, batch: &[Received], answer: &str) {
    let answer: Value = serde_json::from_str(answer).unwrap();
    let failures = answer["batchItemFailures"].as_array().unwrap().iter();
    let failed: BTreeSet<&str> = failures.map(|failure| failure["itemIdentifier"].as_str().unwrap()).collect();
    let settled = batch.iter().filter(|message| !failed.contains(message.message_id.as_str()));
    let receipts: Vec<_> = settled.map(|message| message.receipt.clone()).collect();
    if !receipts.is_empty() {
        assert!(receiver.delete(&receipts).await.iter().all(Result::is_ok));
    }
}
