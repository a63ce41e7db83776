//! `loadgate worker` as users run it: a process over real queues and a real DynamoDB.

use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin_cmd;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
use aws_sdk_sqs::types::QueueAttributeName;
use loadgate::adapters::aws;
use loadgate::adapters::sqs::{SqsReceiver, SqsSender};
use loadgate::config::TableNames;
use loadgate::deciding::{Outgoing, Receiver, Sender};
use loadgate::wire::can_be_body;

use crate::support::cloud::{
    Fault, Fresh, Proxy, Queues, Reaches, Worker, drain, environment, fresh_names, fresh_queue_with, sqs,
};
use crate::support::lines::{by_customer, sendable};
use crate::support::secrecy::assert_secret;
use crate::support::{MARKS, bodies_with_marks};

/// Maximum time for the worker to process a file.
const DRAIN_MAX: Duration = Duration::from_mins(2);

fn send(file: &str, queue_url: &str) {
    let sent = cargo_bin_cmd!("loadgate").args(["send", file, "--queue-url", queue_url]).output().unwrap();
    assert!(matches!(sent.status.code(), Some(0 | 3)), "{}", String::from_utf8_lossy(&sent.stderr));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn sending_shows_its_progress() {
    let queues = Queues::fresh(30, 5).await;
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/events/sample.jsonl");
    let arguments = ["send", sample, "--queue-url", &queues.input, "--progress"];
    let shown = |when: &str| {
        let sent = cargo_bin_cmd!("loadgate").args(arguments).arg(when).output().unwrap();
        String::from_utf8_lossy(&sent.stderr).into_owned()
    };
    let (always, never) = (shown("always"), shown("never"));
    assert!(always.contains("%  ") && always.contains(" left") && always.contains(" messages sent"), "{always}");
    assert!(!never.contains('%') && never.contains(" messages sent"), "{never}");
}

/// Returns the decisions and rejects of the file replay.
fn replayed(file: &str, folder: &std::path::Path) -> (Vec<String>, Vec<(String, String)>) {
    let rejects = folder.join("rejects.jsonl");
    let arguments = ["replay", "--explain", "--summary", "none", file, "--rejects", rejects.to_str().unwrap()];
    let decisions = cargo_bin_cmd!("loadgate").args(arguments).output().unwrap().stdout;
    let rejects = std::fs::read_to_string(rejects).unwrap();
    let mut rejects: Vec<_> = rejects.lines().filter_map(sendable).collect();
    rejects.sort();
    (String::from_utf8(decisions).unwrap().lines().map(str::to_owned).collect(), rejects)
}

async fn drain_until(url: &str, count: usize) -> Vec<loadgate::deciding::Received> {
    let (begun, mut all) = (Instant::now(), Vec::new());
    while all.len() < count {
        all.extend(drain(url).await);
        assert!(begun.elapsed() < DRAIN_MAX, "{} of {count} messages", all.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn a_worker_makes_the_decisions_of_the_file_replay() {
    let (fresh, queues) = (Fresh::in_dynamodb_local().await, Queues::fresh(30, 5).await);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/events/sample.jsonl");
    let folder = tempfile::tempdir().unwrap();
    let (expected, rejects) = replayed(file, folder.path());

    let mut environment = environment(&queues, &fresh.names, &fresh.url);
    environment.push(("LOADGATE_LOG_LEVEL", "debug".to_owned()));
    let mut worker = Worker::start(&environment);
    worker.wait_until_ready();
    assert_eq!(worker.get("/healthz"), Some((200, "ok\n".to_owned())));
    send(file, &queues.input);
    let decisions = drain_until(&queues.decisions, expected.len()).await;
    let bodies: Vec<String> = decisions.into_iter().map(|message| message.body).collect();
    assert_eq!(by_customer(&bodies), by_customer(&expected));
    let mut letters: Vec<_> = drain_until(&queues.dead_letters, rejects.len()).await;
    let mut codes: Vec<_> =
        letters.drain(..).map(|letter| (letter.attribute("code").unwrap().to_owned(), letter.body)).collect();
    codes.sort();
    assert_eq!(codes, rejects);

    let (_, metrics) = worker.get("/metrics").unwrap();
    assert_eq!(worker.decided(), expected.len() as u64);
    let counts = ["invalid", "failed", "receive_failures"].map(|name| worker.count(name));
    assert_eq!(counts, [rejects.len() as u64, 0, 0]);
    assert!(metrics.contains("# TYPE loadgate_handle_ms histogram"), "{metrics}");

    worker.signal("TERM");
    assert!(worker.wait().success(), "{}", worker.log());
    assert!(drain(&queues.input).await.is_empty(), "everything was deleted");
    assert!(drain(&queues.decisions).await.is_empty(), "nothing came twice");
    let log = worker.log();
    assert!(log.contains(r#""level":"DEBUG""#) && log.contains(": ignored"), "{log}");
    assert_secret(&log, &String::from_utf8_lossy(&std::fs::read(file).unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn at_shutdown_begun_batches_finish_and_the_rest_is_returned() {
    let (fresh, queues) = (Fresh::in_dynamodb_local().await, Queues::fresh(600, 5).await);
    let proxy = Proxy::before(&fresh.url).await;
    let mut environment = environment(&queues, &fresh.names, &proxy.url);
    environment.push(("LOADGATE_CUSTOMERS_IN_PARALLEL", "1".to_owned()));
    let mut worker = Worker::start(&environment);
    worker.wait_until_ready();
    proxy.fail("TransactWriteItems", Fault::Delay(Duration::from_secs(1)), 1);
    let attempts: Vec<Outgoing> = ["a", "b", "c"].map(attempt).into();
    SqsSender::new(&aws::load(Some(sqs())).await, queues.input.clone()).send(attempts).await.unwrap();
    let begun = Instant::now();
    while !proxy.counts().contains_key("TransactWriteItems") {
        assert!(begun.elapsed() < DRAIN_MAX, "{}", worker.log());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    worker.signal("TERM");
    let mut readiness = worker.get("/readyz");
    while readiness.as_ref().is_some_and(|(status, _)| *status == 200) {
        readiness = worker.get("/readyz");
    }
    assert_eq!(readiness, Some((503, "stopping\n".to_owned())), "while it finishes");
    assert!(worker.wait().success(), "{}", worker.log());
    let decisions = drain(&queues.decisions).await;
    let returned = drain(&queues.input).await;
    assert_eq!((decisions.len(), returned.len()), (1, 2), "without waiting for ten minutes: {}", worker.log());
    assert!(returned.iter().all(|message| message.group_id != decisions[0].group_id));
    assert!(worker.log().contains(r#""message":"stopped""#), "{}", worker.log());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn messages_in_progress_stay_invisible_beyond_the_visibility_time_out() {
    let (fresh, queues) = (Fresh::in_dynamodb_local().await, Queues::fresh(2, 50).await);
    let proxy = Proxy::before(&fresh.url).await;
    let mut worker = Worker::start(&environment(&queues, &fresh.names, &proxy.url));
    worker.wait_until_ready();
    proxy.counts();
    // Each delay is shorter than a request's time-out; together they are longer than the visibility time-out.
    for operation in ["BatchGetItem", "TransactWriteItems"] {
        proxy.fail(operation, Fault::Delay(Duration::from_millis(1300)), 1);
    }
    let sdk = aws::load(Some(sqs())).await;
    SqsSender::new(&sdk, queues.input.clone()).send(vec![attempt("a")]).await.unwrap();
    while !proxy.counts().contains_key("BatchGetItem") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let other = SqsReceiver::new(&sdk, queues.input.clone());
    while worker.decided() == 0 {
        let received = other.receive(10, Duration::ZERO, None).await.unwrap();
        assert!(received.is_empty(), "another consumer has received it: {}", worker.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(drain(&queues.decisions).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn the_log_repeats_no_value_of_an_invalid_body() {
    let (fresh, queues) = (Fresh::in_dynamodb_local().await, Queues::fresh(30, 5).await);
    let mut environment = environment(&queues, &fresh.names, &fresh.url);
    environment.push(("LOADGATE_LOG_LEVEL", "debug".to_owned()));
    let mut worker = Worker::start(&environment);
    worker.wait_until_ready();
    let bodies = bodies_with_marks().into_iter().filter(|body| can_be_body(body)).enumerate();
    let messages: Vec<Outgoing> =
        bodies.map(|(n, body)| Outgoing { group_id: n.to_string(), deduplication_id: n.to_string(), body }).collect();
    let sender = SqsSender::new(&aws::load(Some(sqs())).await, queues.input.clone());
    for some in messages.chunks(10) {
        sender.send(some.to_vec()).await.unwrap();
    }
    let letters = drain_until(&queues.dead_letters, messages.len()).await;
    let repeats = |text: &str| MARKS.iter().any(|mark| text.contains(mark));
    assert!(!letters.iter().any(|letter| repeats(&format!("{:?}", letter.attributes))));
    let log = worker.log();
    assert!(log.matches("invalid: sent to the dead-letter queue").count() >= messages.len(), "{log}");
    assert_eq!(log.lines().find(|line| repeats(line)), None);
}

fn attempt(customer: &str) -> Outgoing {
    let body = crate::support::line("1", customer, "$1.00", "2018-12-31T00:00:00Z").trim_end().to_owned();
    Outgoing { group_id: customer.to_owned(), deduplication_id: customer.to_owned(), body }
}

/// Runs the worker with `--check` and a file. Returns its output.
fn check(environment: &[(&'static str, String)], file: &str) -> (String, Option<i32>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("worker.toml");
    std::fs::write(&path, file).unwrap();
    let mut command = cargo_bin_cmd!("loadgate");
    command.args(["worker", "--check", "--config", path.to_str().unwrap()]).env_clear();
    let output = command.envs(environment.iter().cloned()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8(text).unwrap(), output.status.code())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn a_check_lists_the_settings_and_their_problems() {
    let (fresh, queues) = (Fresh::in_dynamodb_local().await, Queues::fresh(180, 10).await);
    let right = environment(&queues, &fresh.names, &fresh.url);
    let (text, code) = check(&right, "customers_in_parallel = 7\nload_table = 'of the file'");
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("ok ")).count(), 5, "{text}");
    for (name, value, origin) in [
        ("LOADGATE_CUSTOMERS_IN_PARALLEL", "7", "file"),
        ("LOADGATE_LOAD_TABLE", fresh.names.load.as_str(), "environment"),
        ("LOADGATE_LISTEN", "127.0.0.1:9464", "default"),
        ("LOADGATE_LIMITS", "DAILY_AMOUNT, WEEKLY_AMOUNT, DAILY_COUNT", "default"),
        ("LOADGATE_CURRENCY", "USD", "default"),
    ] {
        assert!(text.contains(&format!("{name:32} {value}  ({origin})\n")), "{name}: {text}");
    }

    let standard = fresh_queue_with(&[(QueueAttributeName::DelaySeconds, "0")]).await;
    let name = standard.rsplit('/').next().unwrap();
    let redrive =
        format!(r#"{{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:{name}","maxReceiveCount":1}}"#);
    let input = fresh_queue_with(&[
        (QueueAttributeName::VisibilityTimeout, "5"),
        (QueueAttributeName::MessageRetentionPeriod, "345600"),
        (QueueAttributeName::RedrivePolicy, &redrive),
    ])
    .await;
    let decisions = queues.decisions.replace(".fifo", "-gone.fifo");
    let wrong = Queues { input, decisions, dead_letters: queues.dead_letters.clone() };
    let names = TableNames { load: "no-such-table".to_owned(), ..table_without_ttl(&fresh.url).await };
    let (text, code) = check(&environment(&wrong, &names, &fresh.url), "correlation_ttl_hours = 24");
    assert_eq!(code, Some(1), "{text}");
    for problem in [
        "input queue: its visibility time-out of 5 s is too short",
        "input queue: it keeps messages for 96 h, but a decided event is remembered for 24 h",
        &format!("input queue: its dead-letter queue '{name}' is not FIFO"),
        &format!("input queue: its dead-letter queue is '{name}', but invalid input goes to '"),
        "input queue: a message goes to the dead-letter queue after 1 deliveries",
        "decisions queue: GetQueueAttributes on ",
        "no-such-table: it is missing; `loadgate tables create` creates it",
        ": no time to live on EXPIRES_AT; `loadgate tables create` turns it on",
    ] {
        assert!(text.contains(problem), "{problem}: {text}");
    }
}

/// Creates a table of correlation records that is correct except for its time to live.
async fn table_without_ttl(url: &str) -> TableNames {
    let names = fresh_names();
    let client = Client::new(&aws::load(Some(url)).await);
    let mut request = client.create_table().table_name(&names.correlation).billing_mode(BillingMode::PayPerRequest);
    for (name, kind) in [("CUSTOMER_ID", KeyType::Hash), ("EVENT_ID", KeyType::Range)] {
        let key = KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
        let attribute = AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
        request = request.key_schema(key).attribute_definitions(attribute.build().unwrap());
    }
    request.send().await.unwrap();
    names
}

#[test]
fn a_wrong_configuration_is_reported_and_exits_with_2() {
    let refused = |file: &str, why: &str| {
        let (text, code) = check(&[], file);
        assert!(code == Some(2) && text.contains(why), "{text}");
    };
    refused("", "LOADGATE_INPUT_QUEUE_URL, or input_queue_url in the file: is missing");
    refused("input_queue = 1", "line 1: input_queue: unknown; the settings are input_queue_url, ");
    refused("\nlisten = 9464", "listen: '9464' is not an address with a port, such as 127.0.0.1:9464");
    refused("poll_wait_s = 21", "poll_wait_s: '21' is not a whole number from 1 to 20");
    refused("poll_wait_s = 9\nstop_timeout_s = 9", "stop_timeout_s: must be longer than the wait of a poll");
    refused("customers_in_parallel = 0", "customers_in_parallel: '0' is not a whole number from 1 to 256");
    refused("log_level = 'loud'", "log_level: 'loud' is none of ");
    refused("limits = [1]", "line 1: limits: must be a string or a whole number");
    refused("limits = 'gone.toml'", "gone.toml': could not read the limits file");
    refused("listen = ", "line 1: not TOML: ");
    refused("input_queue_url = 'https://x/q'", "input_queue_url: 'https://x/q' is not a FIFO queue");
}

#[test]
fn each_mistake_is_listed_on_its_own_line() {
    let (text, code) = check(&[], "input_queue = 1\nlimits = [1]\n");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((code, lines[0], lines.len()), (Some(2), "loadgate: the configuration has 2 mistakes:", 3), "{text}");
    assert!(lines[1].starts_with("  '") && lines[1].contains("line 1: input_queue: unknown"), "{text}");
    assert!(lines[2].starts_with("  '") && lines[2].contains("line 2: limits: must be a string"), "{text}");

    let (text, _) = check(&[], "poll_wait_s = 21\nlog_level = 'loud'");
    for wrong in ["  LOADGATE_INPUT_QUEUE_URL, or ", "  poll_wait_s: ", "  log_level: "] {
        assert!(text.lines().any(|line| line.starts_with(wrong)), "{wrong}: {text}");
    }
}

#[test]
#[ignore = "needs `make tools`; `make test` runs it"]
fn a_missing_region_is_reported_without_sdk_internals() {
    let queue = |name: &str| format!("https://sqs.eu-west-1.amazonaws.com/1/{name}.fifo");
    let queues = Queues { input: queue("a"), decisions: queue("b"), dead_letters: queue("c") };
    let mut environment = environment(&queues, &fresh_names(), "");
    environment.retain(|(name, _)| *name != "AWS_REGION" && !name.starts_with("AWS_ENDPOINT"));
    // The last source in which the SDK looks for a region: no server listens there.
    environment.push(("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9".to_owned()));
    let mut worker = Worker::start(&environment);
    assert_eq!(worker.wait().code(), Some(1));
    let log = worker.log();
    assert!(log.contains("check the endpoint's URL, the region and the credentials"), "{log}");
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(!log.contains("DispatchFailure") && !log.contains("ConnectorError"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn a_worker_without_its_queue_or_table_does_not_start() {
    let (fresh, queues) = (Fresh::in_dynamodb_local().await, Queues::fresh(30, 5).await);
    let gone = |url: &str| url.replace(".fifo", "-gone.fifo");
    let no_input = Queues { input: gone(&queues.input), ..queues };
    let no_table = TableNames { load: "no-such-table".to_owned(), ..fresh.names.clone() };
    for (names, why) in [(&fresh.names, "could not use the input queue"), (&no_table, "could not use the store")] {
        let mut worker = Worker::start(&environment(&no_input, names, &fresh.url));
        assert_eq!(worker.wait().code(), Some(1));
        assert!(worker.log().contains(why), "{}", worker.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn a_worker_without_its_queue_is_not_ready() {
    let (fresh, queues) = (Fresh::in_dynamodb_local().await, Queues::fresh(30, 5).await);
    let mut environment = environment(&queues, &fresh.names, &fresh.url);
    environment.push(("LOADGATE_POLL_WAIT_S", "1".to_owned()));
    let mut worker = Worker::start(&environment);
    worker.wait_until_ready();
    aws_sdk_sqs::Client::new(&aws::load(Some(sqs())).await)
        .delete_queue()
        .queue_url(&queues.input)
        .send()
        .await
        .unwrap();
    let begun = Instant::now();
    let why = loop {
        match worker.get("/readyz") {
            Some((503, why)) => break why,
            _ => assert!(begun.elapsed() < DRAIN_MAX, "still ready"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(why.contains("check the queue's URL and region"), "{why}");
    assert_eq!(worker.get("/healthz"), Some((200, "ok\n".to_owned())), "a restart would not help");
    assert_eq!(worker.get("/nothing").unwrap().0, 404);
    worker.signal("INT");
    assert!(worker.wait().success(), "{}", worker.log());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn idle_connections_do_not_block_the_worker() {
    let (fresh, queues) = (Fresh::in_dynamodb_local().await, Queues::fresh(30, 5).await);
    let mut worker = Worker::start_with_files(200, &environment(&queues, &fresh.names, &fresh.url));
    worker.wait_until_ready();
    let unfinished = ["GET /healthz HTTP/1.1\r\nX: ", &"x".repeat(1_000_000)].concat();
    // Each closed connection is replaced, so there are always more connections than the worker has descriptors.
    let open = |worker: &Worker| -> std::collections::VecDeque<_> {
        let beginnings = [b"".as_slice(), b"", b"", unfinished.as_bytes()];
        (0..400).map(|n| worker.connect(beginnings[n % 4])).collect()
    };
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let worker = &worker;
    let mut connections = open(worker);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                connections.pop_front();
                connections.push_back(worker.connect(b""));
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        for _ in 0..20 {
            assert_eq!(worker.get("/healthz"), Some((200, "ok\n".to_owned())), "{}", worker.log());
            assert!(worker.open_files() < 128, "descriptors stay in reserve");
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let connections = open(worker);
    let attempts: Vec<Outgoing> = (0..20).map(|n| attempt(&format!("c{n}"))).collect();
    SqsSender::new(&aws::load(Some(sqs())).await, queues.input.clone()).send(attempts).await.unwrap();
    assert_eq!(drain_until(&queues.decisions, 20).await.len(), 20);
    assert_eq!(worker.count("failed"), 0, "{}", worker.log());
    drop(connections);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn a_silent_input_queue_makes_the_worker_unready_but_does_not_delay_shutdown() {
    let (fresh, queues) = (Fresh::in_dynamodb_local().await, Queues::fresh(180, 5).await);
    let proxy = Proxy::before(sqs()).await;
    let mut environment = environment(&queues, &fresh.names, &fresh.url);
    for (_, value) in &mut environment {
        *value = value.replace(sqs(), &proxy.url);
    }
    let mut worker = Worker::start(&environment);
    worker.wait_until_ready();
    let url: &'static str = queues.input.replace(sqs(), &proxy.url).leak();
    proxy.hang(&["ReceiveMessage"], url, Reaches::Nothing);
    worker.wait_until_unready();
    worker.signal("TERM");
    assert!(worker.wait().success(), "{}", worker.log());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn extending_deleted_messages_logs_no_error() {
    let (fresh, queues) = (Fresh::embedded().await, Queues::fresh(2, 50).await);
    let proxy = Proxy::before(sqs()).await;
    let mut environment = environment(&queues, &fresh.names, &fresh.url);
    for (_, value) in &mut environment {
        *value = value.replace(sqs(), &proxy.url);
    }
    let mut worker = Worker::start(&environment);
    worker.wait_until_ready();
    // Each extension arrives after its messages have been deleted.
    proxy.fail("ChangeMessageVisibilityBatch", Fault::Late(Duration::from_millis(400)), 1_000);
    proxy.fail("SendMessageBatch", Fault::Delay(Duration::from_millis(300)), 1_000);
    let sender = SqsSender::new(&aws::load(Some(sqs())).await, queues.input.clone());
    sender.send((0..200).map(|n| attempt(&format!("c{n}"))).collect()).await.unwrap();
    drain_until(&queues.decisions, 200).await;
    assert!(proxy.counts().contains_key("ChangeMessageVisibilityBatch"));
    worker.signal("TERM");
    assert!(worker.wait().success());
    assert!(!worker.log().contains("may become visible"), "{}", worker.log());
}
