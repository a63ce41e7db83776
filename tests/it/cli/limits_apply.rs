//! `loadgate limits apply` as a process: exit codes, report, rejects; repeated and interrupted runs.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use assert_cmd::cargo::{cargo_bin, cargo_bin_cmd};
use flate2::Compression;
use flate2::write::GzEncoder;
use loadgate::limits::{LimitBook, LimitStore};
use loadgate::runtime::limit_events::apply_limit_events;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};

use crate::support::cloud::Fresh;
use crate::support::command::{folder, loadgate};

fn created(number: u64, limit_id: &str, user_id: &str) -> String {
    let payload = json!({
        "userId": user_id, "userLimitId": limit_id, "type": "DEPOSIT", "period": "DAY", "currencyCode": "USD",
        "value": "100", "status": "ACTIVE", "activeFrom": 0
    });
    event("USER_LIMIT_CREATED", number, &payload)
}

fn progressed(number: u64, limit_id: &str, user_id: &str, amount: u64) -> String {
    let payload =
        json!({"userId": user_id, "userLimitId": limit_id, "amount": amount.to_string(), "previousProgress": "0"});
    event("USER_LIMIT_PROGRESS_CHANGED", number, &payload)
}

fn event(kind: &str, number: u64, payload: &Value) -> String {
    let event = json!({"type": kind, "sequenceNumber": number, "createdAt": 1_000, "payload": payload});
    event.to_string() + "\n"
}

/// Returns the command over the tables of a test.
fn apply(fresh: &Fresh) -> assert_cmd::Command {
    let mut command = cargo_bin_cmd!("loadgate");
    command.args(["limits", "apply"]).args(table_args(fresh)).env_clear().env("PATH", "");
    command
}

fn table_args(fresh: &Fresh) -> [&str; 4] {
    ["--endpoint-url", &fresh.url, "--limit-table", fresh.names.limit.as_deref().unwrap()]
}

/// Returns the counts of a report in JSON: events, changed, outdated, ignored and invalid ones.
fn counts(stderr: &[u8]) -> [u64; 5] {
    let text = String::from_utf8_lossy(stderr);
    let report: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    ["events", "changed", "outdated", "ignored", "invalid"].map(|name| report[name].as_u64().unwrap())
}

fn write(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("events.jsonl");
    std::fs::write(&path, text).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_applied_reported_and_rejected() {
    let (fresh, folder) = (Fresh::embedded_with_limits().await, tempfile::tempdir().unwrap());
    let lines = [
        created(1, "l-1", "u-1"),
        "Jane 7654321\n".to_owned(),
        "\r\n".to_owned(),
        progressed(2, "l-1", "u-1", 30),
        created(1, "l-1", "u-1"),
        created(9, "l-1", "u-2"),
        format!("{{\"Jane\": \"{}\"}}\n", "x".repeat(300_000)),
        event("LIMIT_USER_CREATED", 3, &json!({})),
        created(1, "l-2", "u-2"),
    ];
    let (input, rejects) = (write(folder.path(), &lines.concat()), folder.path().join("rejects.jsonl"));
    let run = || {
        let mut command = apply(&fresh);
        command.arg(&input).arg("--rejects").arg(&rejects).args(["--summary", "json"]);
        command.assert().code(3).stdout("").get_output().stderr.clone()
    };
    let stderr = run();
    assert_eq!(counts(&stderr), [8, 3, 1, 1, 3]);
    let stderr = String::from_utf8(stderr).unwrap();
    assert!(stderr.contains("line 2: NOT_JSON: ") && stderr.contains("line 6: BAD_ID: userLimitId is the id of"));
    assert!(!stderr.contains("Jane") && !stderr.contains("7654321") && !stderr.contains("u-2"), "{stderr}");
    let told = || -> Vec<Value> {
        let rejects = std::fs::read_to_string(&rejects).unwrap();
        rejects.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let first = told();
    let heads: Vec<_> = first.iter().map(|it| (&it["source"], &it["line"], it["code"].as_str().unwrap())).collect();
    let source = &json!("customer-limits");
    let expected = [(source, &json!(2), "NOT_JSON"), (source, &json!(6), "BAD_ID"), (source, &json!(7), "TOO_LONG")];
    assert_eq!(heads, expected);
    assert_eq!(first[1]["raw"].as_str().unwrap(), lines[5].trim_end());

    // Again: nothing changes, and the same lines are invalid.
    let before = fresh.store.read("l-1", "u-1").await.unwrap();
    assert_eq!(counts(&run()), [8, 0, 4, 1, 3]);
    assert_eq!(told(), first);
    assert_eq!(fresh.store.read("l-1", "u-1").await.unwrap(), before);
    assert_eq!(fresh.store.read_limits("u-1").await.unwrap()[0].reported, 30_00);
    let text = apply(&fresh).arg(&input).assert().code(3);
    text.stderr(contains("outdated").and(contains("events per second")));
}

#[test]
fn a_file_is_applied_to_a_store_in_a_file() {
    let (folder, attempts) = folder();
    let store = format!("sqlite:{}", folder.path().join("store.db").display());
    let lines = [created(1, "l-1", "u-1"), progressed(2, "l-1", "u-1", 30)].concat();
    let mut zipped = GzEncoder::new(Vec::new(), Compression::default());
    zipped.write_all(lines.as_bytes()).unwrap();
    let apply = |input: Vec<u8>| {
        let mut command = loadgate(&["limits", "apply", "--summary", "json", "--store", &store]);
        let output = command.env_clear().env("PATH", "").write_stdin(input).assert().code(0);
        counts(&output.get_output().stderr)
    };
    assert_eq!(apply(zipped.finish().unwrap()), [2, 2, 0, 0, 0]);
    assert_eq!(apply(lines.into_bytes()), [2, 0, 2, 0, 0]);
    // It is the file of `replay --store`.
    let mut replay = loadgate(&["replay", "--store", &store, "--limit-table", "LimitTable"]);
    replay.arg(attempts).assert().code(0).stdout(contains("\"accepted\":true"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_cannot_begin_says_why() {
    let (fresh, folder) = (Fresh::embedded_with_limits().await, tempfile::tempdir().unwrap());
    let input = write(folder.path(), &created(1, "l", "u"));
    let path = input.to_str().unwrap();
    let mut nameless = loadgate(&["limits", "apply", path, "--endpoint-url", &fresh.url]);
    let nameless = nameless.env_clear().env("PATH", "").assert().code(2);
    nameless.stderr(contains("give --limit-table, or set LOADGATE_LIMIT_TABLE"));
    let fails = |arguments: &[&str], code: i32, why: &str| {
        apply(&fresh).args(arguments).assert().code(code).stdout("").stderr(contains(why));
    };
    fails(&[path, "--rejects", path], 2, "the rejects would overwrite the input");
    fails(&[path, "--rejects", "-"], 2, "--rejects takes a file");
    fails(&[path, "--store", "postgres"], 2, "neither `dynamodb` nor `sqlite:PATH`");
    fails(&[path, "--store", "sqlite:x.db"], 2, "--endpoint-url says where DynamoDB is");
    fails(&[folder.path().to_str().unwrap()], 1, "is a directory; give a file of limit events");
    let elsewhere = |url: &str, why: &str| {
        let arguments = ["limits", "apply", path, "--limit-table", "no-such-table", "--endpoint-url", url];
        loadgate(&arguments).env_clear().env("PATH", "").assert().code(1).stderr(contains(why));
    };
    elsewhere(&fresh.url, "create the tables with `loadgate tables create`");
    elsewhere("http://127.0.0.1:9", "no answer from DynamoDB");
    assert_eq!(fresh.store.read_limits("u").await.unwrap(), []);
    assert_eq!(std::fs::read_to_string(&input).unwrap(), created(1, "l", "u"));
}

/// Returns events of many customers. Some claim a limit that another one has.
fn many(customers: u64) -> String {
    let mut lines = String::new();
    for number in 1..=4 {
        for customer in 0..customers {
            let user_id = format!("u-{customer}");
            lines += &created(number * 2, &format!("l-{customer}"), &user_id);
            lines += &created(number * 2, &format!("l-{}", customer / 2), &user_id);
            lines += &progressed(number * 2 + 1, &format!("l-{customer}"), &user_id, number);
        }
    }
    lines
}

/// Returns the book that the events leave, and the counts of their effects.
fn expected(lines: &str) -> (LimitBook, [u64; 5]) {
    let mut book = LimitBook::default();
    let counts = apply_limit_events::<Vec<u8>>(lines.as_bytes(), &mut book, None, |_, _| {}).unwrap();
    (book, [counts.events(), counts.changed, counts.outdated, counts.ignored, counts.invalid])
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_do_not_depend_on_timing() {
    let lines = many(40);
    let (book, expected) = expected(&lines);
    for _ in 0..3 {
        let fresh = Fresh::embedded_with_limits().await;
        let output = apply(&fresh).args(["--summary", "json"]).write_stdin(lines.clone()).assert().code(3);
        assert_eq!(counts(&output.get_output().stderr), expected);
        assert_state(&fresh, &book, 40).await;
    }
}

async fn assert_state(fresh: &Fresh, book: &LimitBook, customers: u64) {
    for customer in 0..customers {
        let user_id = format!("u-{customer}");
        let stored = fresh.store.read_limits(&user_id).await.unwrap();
        let expected: Vec<_> = book.definitions().filter(|limit| limit.user_id == user_id).collect();
        assert_eq!(stored.iter().map(|stored| &stored.known.limit).collect::<Vec<_>>(), expected);
        assert!(stored.iter().all(|it| book.get(&it.known.limit.limit_id).unwrap().reported == it.reported));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_can_be_repeated() {
    let (fresh, folder) = (Fresh::embedded_with_limits().await, tempfile::tempdir().unwrap());
    let lines = many(60);
    let (book, expected) = expected(&lines);
    let input = write(folder.path(), &lines);
    for limit in [0, 20, 45] {
        let mut run = Command::new(cargo_bin!("loadgate"))
            .args(["limits", "apply"])
            .arg(&input)
            .args(table_args(&fresh))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let [limit_id, user_id] = [format!("l-{limit}"), format!("u-{limit}")];
        while fresh.store.read(&limit_id, &user_id).await.unwrap().pointer.is_none() {
            assert!(run.try_wait().unwrap().is_none(), "it ended before {limit_id} was stored");
        }
        run.kill().unwrap();
        run.wait().unwrap();
    }
    let run = || {
        let mut command = apply(&fresh);
        let output = command.arg(&input).args(["--summary", "json"]).assert().code(3);
        counts(&output.get_output().stderr)
    };
    let [events, changed, outdated, ignored, invalid] = run();
    assert_eq!([events, ignored, invalid], [expected[0], expected[3], expected[4]]);
    assert!(changed < expected[1] && changed + outdated == expected[1] + expected[2], "{changed} {outdated}");
    assert_state(&fresh, &book, 60).await;
    assert_eq!(run(), [events, 0, changed + outdated, ignored, invalid]);
    assert_state(&fresh, &book, 60).await;
}
