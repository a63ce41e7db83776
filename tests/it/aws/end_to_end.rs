//! Whole path of a message, in a stack that is deployed from `template.yaml`: `loadgate send`, the input queue, the
//! event source, the real bootstrap, the tables, the decisions queue, `loadgate receive`.

use crate::support::lines::{by_customer, sendable};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin_cmd;
use serde_json::{Value, json};

use crate::support::cloud::{Endpoints, Stack, record_count};
use crate::support::secrecy::assert_secret;

/// Maximum time in which the event source handles all messages. It handles about a hundred messages a second.
const DRAIN_MAX: Duration = Duration::from_mins(5);

fn receive(queue_url: &str, attributes: bool) -> Vec<String> {
    let mut command = cargo_bin_cmd!("loadgate");
    command.args(["receive", "--wait", "2", "--queue-url", queue_url]).args(attributes.then_some("--attributes"));
    let output = command.env_remove("AWS_PROFILE").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Receives until the given number of messages have arrived, and then until no more arrive.
fn receive_all(queue_url: &str, attributes: bool, count: usize) -> Vec<String> {
    let (begun, mut all) = (Instant::now(), Vec::new());
    loop {
        let more = receive(queue_url, attributes);
        if all.len() >= count && more.is_empty() {
            return all;
        }
        all.extend(more);
        assert!(begun.elapsed() < DRAIN_MAX, "{} of {count} messages after {DRAIN_MAX:?}", all.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn every_attempt_of_a_file_is_decided_once_and_in_order() {
    let mut stack = Stack::up();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();

    // The file contains the sample, followed by a generated workload.
    let mut workload = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/events/sample.jsonl")).unwrap();
    let generate =
        ["generate", "--attempts", "2000", "--customers", "80", "--seed", "3", "--duplicates", "8", "--invalid", "4"];
    workload.extend(cargo_bin_cmd!("loadgate").args(generate).output().unwrap().stdout);
    std::fs::write(path("workload.jsonl"), &workload).unwrap();
    let limits = concat!(env!("CARGO_MANIFEST_DIR"), "/events/customer-limits.jsonl");
    let replay = ["replay", "--explain", "--summary", "none", "--customer-limits", limits];
    let files = [&path("workload.jsonl"), "--rejects", &path("rejects.jsonl")];
    let expected = cargo_bin_cmd!("loadgate").args(replay).args(files).output().unwrap().stdout;
    let expected: Vec<String> = String::from_utf8(expected).unwrap().lines().map(str::to_owned).collect();
    let rejects = std::fs::read_to_string(path("rejects.jsonl")).unwrap();
    let mut rejects: Vec<(String, String)> = rejects.lines().filter_map(sendable).collect();

    let Endpoints { dynamodb_endpoint_url, limit_table, .. } = &stack.endpoints;
    let apply = ["limits", "apply", limits, "--limit-table", limit_table, "--endpoint-url", dynamodb_endpoint_url];
    let applied = cargo_bin_cmd!("loadgate").args(apply).output().unwrap();
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));

    let command = ["send", &path("workload.jsonl"), "--queue-url", &stack.endpoints.input_queue_url];
    let sent = cargo_bin_cmd!("loadgate").args(command).output().unwrap();
    assert!(matches!(sent.status.code(), Some(0 | 3)), "{}", String::from_utf8_lossy(&sent.stderr));

    let decisions = receive_all(&stack.endpoints.decisions_queue_url, false, expected.len());
    assert_eq!(decisions.len(), expected.len(), "no decision is missing or repeated");
    assert_eq!(by_customer(&decisions), by_customer(&expected));
    let by_own_limit = decisions.iter().map(|decision| serde_json::from_str::<Value>(decision).unwrap());
    let by_own_limit = by_own_limit.filter(|decision| decision["reasons"] == json!(["CUSTOMER_DAY"]));
    let by_own_limit: Vec<Value> = by_own_limit.collect();
    assert!(!by_own_limit.is_empty(), "a customer's own limit declines some loads");
    for decision in by_own_limit {
        let own = decision["usage"].as_array().unwrap().iter().find(|usage| usage["code"] == "CUSTOMER_DAY").unwrap();
        assert_eq!(own["limit_id"], "limit-9-day");
        assert!(own["resets_at"].as_str().unwrap().ends_with("T06:00:00Z"), "{own}");
    }

    let url = ["--dead-letter-queue-url", &stack.endpoints.dead_letter_queue_url];
    let listing = cargo_bin_cmd!("loadgate")
        .args(["redrive", "--json", "--dynamodb-endpoint-url", &stack.endpoints.dynamodb_endpoint_url])
        .args(url)
        .output()
        .unwrap();
    let listing: Value = serde_json::from_slice(&listing.stdout).unwrap();
    assert_eq!(
        (&listing["letters"], &listing["not_seen"]),
        (&json!(rejects.len()), &json!(0)),
        "every dead letter is listed: {listing}"
    );

    let letters = receive_all(&stack.endpoints.dead_letter_queue_url, true, rejects.len());
    let mut letters: Vec<(String, String)> = letters.iter().map(|line| letter(line)).collect();
    letters.sort();
    rejects.sort();
    assert_eq!(letters, rejects);
    let Endpoints { dynamodb_endpoint_url, correlation_table, .. } = &stack.endpoints;
    assert_eq!(
        record_count(dynamodb_endpoint_url, correlation_table).await,
        expected.len(),
        "one record for each decided event"
    );

    let log = stack.log();
    assert!(log.lines().count() > 100, "{log}");
    assert_secret(&log, &String::from_utf8_lossy(&workload));
}

fn letter(line: &str) -> (String, String) {
    let letter: Value = serde_json::from_str(line).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&letter["attributes"]["code"]), text(&letter["body"]))
}
