//! Isolation of customers in the real programs. One customer's requests to DynamoDB and SQS hang, and the decisions of
//! all other customers are published nevertheless.

use std::time::{Duration, Instant};

use loadgate::adapters::aws;
use loadgate::adapters::sqs::SqsSender;
use loadgate::deciding::{Outgoing, Sender};
use serde_json::{Value, json};

use crate::support::cloud::{Bootstrap, Fresh, Proxy, Queues, Reaches, Worker, drain, environment, sqs};
use crate::support::line;

/// Number of requests that hang before all other decisions are published: a shared one, and the slow customer's own.
/// The client retries neither of them within a second.
const HUNG_MAX: usize = 2;

/// Maximum number of times that a scene is played. On a busy machine a client may retry a request before the other
/// customers' requests are sent.
const TRIES_MAX: usize = 4;

/// Number of batches whose requests are counted.
const ROUNDS: u32 = 12;

/// Maximum time for an invocation, and for a decision to arrive.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// Kinds of requests that hang, with their operations.
const HANGS: [(&str, &[&str], Reaches); 7] = [
    ("reads", &["BatchGetItem"], Reaches::Nothing),
    ("commits", &["PutItem", "TransactWriteItems"], Reaches::Nothing),
    ("answers to commits", &["PutItem", "TransactWriteItems"], Reaches::Server),
    ("publication changes", &["UpdateItem"], Reaches::Nothing),
    ("sends", &["SendMessage", "SendMessageBatch"], Reaches::Nothing),
    ("answers to sends", &["SendMessage", "SendMessageBatch"], Reaches::Server),
    ("sends and publication changes", &["SendMessage", "SendMessageBatch", "UpdateItem"], Reaches::Nothing),
];

/// Customer whose requests hang.
const SLOW: &str = "slow";

/// New tables and queues, with a proxy before each server.
struct Scene {
    fresh: Fresh,
    queues: Queues,
    dynamodb: Proxy,
    sqs: Proxy,
}

impl Scene {
    async fn set() -> Scene {
        let (fresh, queues) = (Fresh::embedded().await, Queues::fresh(180, 10).await);
        let (dynamodb, sqs) = (Proxy::before(&fresh.url).await, Proxy::before(sqs()).await);
        Scene { fresh, queues, dynamodb, sqs }
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = environment(&self.queues, &self.fresh.names, &self.dynamodb.url);
        // A worker uses the endpoint in its queues' URLs.
        for (_, value) in &mut environment {
            *value = value.replace(sqs(), &self.sqs.url);
        }
        environment
    }

    fn hang(&self, operations: &'static [&'static str], reaches: Reaches) {
        self.dynamodb.hang(operations, SLOW, reaches);
        self.sqs.hang(operations, SLOW, reaches);
    }

    fn let_go(&self) {
        self.dynamodb.let_go();
        self.sqs.let_go();
    }

    /// Waits until all other decisions have been sent, and the slow customer's requests hang. Returns the decisions,
    /// and the number of requests that hung until then.
    async fn others_are_published(&self, kind: &str, count: usize, log: impl Fn() -> String) -> (Vec<String>, usize) {
        let (begun, mut published) = (Instant::now(), Vec::new());
        while published.len() < count || self.dynamodb.hung() + self.sqs.hung() == 0 {
            let decisions = drain(&self.queues.decisions).await;
            published.extend(
                decisions.into_iter().filter(|decision| decision.group_id != SLOW).map(|decision| decision.body),
            );
            assert!(begun.elapsed() < WAIT_MAX, "{kind}: {published:?}: {}", log());
        }
        (published, self.dynamodb.hung() + self.sqs.hung())
    }
}

fn attempt(customer: &str, id: &str) -> String {
    line(id, customer, "$1.00", "2018-12-31T00:00:00Z").trim_end().to_owned()
}

/// Builds a record of the event with which Lambda invokes the function.
fn record(customer: &str, id: &str, deliveries: u32) -> Value {
    json!({
        "messageId": format!("{customer}-{id}"),
        "body": attempt(customer, id),
        "attributes": { "ApproximateReceiveCount": deliveries.to_string(), "MessageGroupId": customer },
    })
}

fn ids(decisions: &[String]) -> Vec<String> {
    let id = |decision: &String| {
        let decision: Value = serde_json::from_str(decision).unwrap();
        format!("{}-{}", decision["customer_id"].as_str().unwrap(), decision["id"].as_str().unwrap())
    };
    let mut ids: Vec<String> = decisions.iter().map(id).collect();
    ids.sort();
    ids
}

/// Lets a function handle a batch of the slow customer and others while requests of one kind hang. Returns the number
/// of requests that hung until all other decisions were published.
async fn play_function(kind: &str, operations: &'static [&'static str], reaches: Reaches) -> usize {
    let scene = Scene::set().await;
    let folder = tempfile::tempdir().unwrap();
    let mut function = Bootstrap::start(&scene.environment(), &folder.path().join("log")).await;
    let first = json!({ "Records": [record(SLOW, "1", 1)] }).to_string();
    function.invoke(first, WAIT_MAX).await.unwrap().unwrap();
    assert_eq!(drain(&scene.queues.decisions).await.len(), 1);

    scene.hang(operations, reaches);
    let mut records = vec![record(SLOW, "1", 2), record(SLOW, "2", 1)];
    records.extend(["1", "2", "3"].map(|id| record("quick", id, 1)));
    records.extend(["b", "c", "d"].map(|customer| record(customer, "1", 1)));
    let answer = function.invoke(json!({ "Records": records }).to_string(), WAIT_MAX);
    let observed = async {
        let others = scene.others_are_published(kind, 6, String::new).await;
        scene.let_go();
        others
    };
    let (answer, (others, hung)) = tokio::join!(answer, observed);
    assert_eq!(ids(&others), ["b-1", "c-1", "d-1", "quick-1", "quick-2", "quick-3"], "{kind}");
    let answer: Value = serde_json::from_str(&answer.unwrap().unwrap()).unwrap();
    for failed in answer["batchItemFailures"].as_array().unwrap() {
        assert!(failed["itemIdentifier"].as_str().unwrap().starts_with(SLOW), "{kind}: {answer}");
    }
    hung
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn the_function_publishes_the_other_customers_decisions_and_reports_only_the_slow_customer() {
    for (kind, operations, reaches) in HANGS {
        let mut hung = Vec::new();
        while hung.iter().all(|hung| *hung > HUNG_MAX) {
            assert!(hung.len() < TRIES_MAX, "{kind}: the other customers waited for requests that hang: {hung:?}");
            hung.push(play_function(kind, operations, reaches).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn the_worker_publishes_the_other_customers_decisions() {
    let scene = Scene::set().await;
    let mut worker = Worker::start(&scene.environment());
    worker.wait_until_ready();
    let sender = SqsSender::new(&aws::load(Some(sqs())).await, scene.queues.input.clone());
    for (n, (kind, operations, reaches)) in
        HANGS.into_iter().filter(|(kind, ..)| *kind != "publication changes").enumerate()
    {
        scene.hang(operations, reaches);
        let sent = [(SLOW, 0), ("b", 0), ("b", 1), ("c", 0)].map(|(customer, second)| {
            let id = format!("{n}-{second}");
            Outgoing {
                group_id: customer.to_owned(),
                deduplication_id: format!("{customer}-{id}"),
                body: attempt(customer, &id),
            }
        });
        sender.send(sent.to_vec()).await.unwrap();
        let (others, _) = scene.others_are_published(kind, 3, || worker.log()).await;
        assert_eq!(
            ids(&others),
            ["b", "b", "c"].into_iter().zip([0, 1, 0]).map(|(c, s)| format!("{c}-{n}-{s}")).collect::<Vec<_>>(),
            "{kind}"
        );
        scene.let_go();
        let begun = Instant::now();
        while worker.decided() < 4 * (n as u64 + 1) {
            assert!(begun.elapsed() < WAIT_MAX, "{kind}: {}", worker.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    worker.signal("TERM");
    assert!(worker.wait().success(), "{}", worker.log());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn ten_healthy_customers_share_one_read_and_at_most_two_sends() {
    let scene = Scene::set().await;
    let folder = tempfile::tempdir().unwrap();
    let mut function = Bootstrap::start(&scene.environment(), &folder.path().join("log")).await;
    let mut requests = Vec::new();
    for round in 0..ROUNDS {
        let records: Vec<Value> = (0..10).map(|customer| record(&format!("{round}-{customer}"), "1", 1)).collect();
        let answer = function.invoke(json!({ "Records": records }).to_string(), WAIT_MAX).await.unwrap().unwrap();
        assert_eq!(answer, r#"{"batchItemFailures":[]}"#);
        assert_eq!(drain(&scene.queues.decisions).await.len(), 10);
        let (dynamodb, sqs) = (scene.dynamodb.counts(), scene.sqs.counts());
        // The start of the function also reads a record.
        if round > 0 {
            let reads = dynamodb["BatchGetItem"];
            assert_eq!(json!(dynamodb), json!({ "BatchGetItem": reads, "TransactWriteItems": 10 }));
            assert!(sqs.keys().eq(["SendMessageBatch"]), "{sqs:?}");
            requests.push((reads, sqs["SendMessageBatch"]));
        }
    }
    // On a busy machine a shared request may be repeated for each customer, and one decision may be sent before the
    // others. So one such round is enough.
    assert!(requests.iter().any(|(reads, sends)| *reads == 1 && *sends <= 2), "{requests:?}");
}
