//! `loadgate worker` as its users run it: a process over real queues and a real DynamoDB.

use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin_cmd;

use crate::cloud::{Fresh, Queues, Worker, drain, environment};
use crate::end_to_end::{by_customer, sendable};

/// How long the worker may take for a file.
const DRAIN_MAX: Duration = Duration::from_mins(2);

fn send(file: &str, queue_url: &str) {
    let sent = cargo_bin_cmd!("loadgate").args(["send", file, "--queue-url", queue_url]).output().unwrap();
    assert!(matches!(sent.status.code(), Some(0 | 3)), "{}", String::from_utf8_lossy(&sent.stderr));
}

/// The decisions and the rejects of the file replay.
fn replayed(file: &str, folder: &std::path::Path) -> (Vec<String>, Vec<(String, String)>) {
    let rejects = folder.join("rejects.jsonl");
    let arguments = ["replay", "--explain", "--summary", "none", file, "--rejects", rejects.to_str().unwrap()];
    let decisions = cargo_bin_cmd!("loadgate").args(arguments).output().unwrap().stdout;
    let rejects = std::fs::read_to_string(rejects).unwrap();
    let mut rejects: Vec<_> = rejects.lines().filter_map(sendable).collect();
    rejects.sort();
    (String::from_utf8(decisions).unwrap().lines().map(str::to_owned).collect(), rejects)
}

async fn drain_until(url: &str, count: usize) -> Vec<loadgate::app::Received> {
    let (begun, mut all) = (Instant::now(), Vec::new());
    while all.len() < count {
        all.extend(drain(url).await);
        assert!(begun.elapsed() < DRAIN_MAX, "{} of {count} messages", all.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_through_a_worker_gives_the_decisions_of_the_file_replay() {
    let (fresh, queues) = (Fresh::in_dynamodb_local().await, Queues::fresh(30, 5).await);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/events/sample.jsonl");
    let folder = tempfile::tempdir().unwrap();
    let (expected, rejects) = replayed(file, folder.path());

    let mut worker = Worker::start(&environment(&queues, &fresh.names, &fresh.url));
    worker.wait_until_ready();
    assert_eq!(worker.get("/healthz"), Some((200, "ok\n".to_owned())));
    send(file, &queues.input);
    let decisions = drain_until(&queues.decisions, expected.len()).await;
    let bodies: Vec<String> = decisions.into_iter().map(|message| message.body).collect();
    assert_eq!(by_customer(&bodies), by_customer(&expected));
    let mut letters: Vec<_> = drain_until(&queues.dead_letters, rejects.len()).await;
    let mut codes: Vec<_> = letters.drain(..).map(|letter| (letter.attributes["code"].clone(), letter.body)).collect();
    codes.sort();
    assert_eq!(codes, rejects);

    let (_, metrics) = worker.get("/metrics").unwrap();
    let count = |name: &str| -> usize {
        let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("loadgate_{name} ")));
        line.unwrap_or_else(|| panic!("no {name}: {metrics}")).parse().unwrap()
    };
    assert_eq!(count("accepted") + count("declined"), expected.len());
    assert_eq!((count("invalid"), count("failed"), count("receive_failures")), (rejects.len(), 0, 0));
    assert!(metrics.contains("# TYPE loadgate_handle_ms histogram"), "{metrics}");

    worker.signal("TERM");
    assert!(worker.wait().success(), "{}", worker.log());
    assert!(drain(&queues.input).await.is_empty(), "everything was deleted");
    assert!(drain(&queues.decisions).await.is_empty(), "nothing came twice");
}
