//! The Lambda function on the stream as AWS runs it: the real program under an emulator of the runtime.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use aws_sdk_sqs::types::QueueAttributeName;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use loadgate::limits::LimitStore;
use loadgate::wire::parse_limit_event;
use serde_json::{Value, json};

use super::lambda::stable;
use crate::support::cloud::{Emulator, Fault, Fresh, Proxy, drain, fresh_names, fresh_queue_with, sqs};

/// Returns the URL of a standard queue that no other test uses.
pub async fn fresh_standard_queue() -> String {
    fresh_queue_with(&[(QueueAttributeName::DelaySeconds, "0")]).await
}

/// A function with new tables and a new queue.
struct Function {
    emulator: Emulator,
    letters: String,
}

impl Function {
    async fn start(fresh: &Fresh, dynamodb_url: &str, more: &[(&str, &str)]) -> Function {
        let letters = fresh_standard_queue().await;
        let mut environment = vec![
            ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_url),
            ("AWS_ENDPOINT_URL_SQS", sqs()),
            ("LOADGATE_CORRELATION_TABLE", &fresh.names.correlation),
            ("LOADGATE_LOAD_TABLE", &fresh.names.load),
            ("LOADGATE_LIMIT_TABLE", fresh.names.limit.as_ref().unwrap()),
            ("LOADGATE_LIMIT_DEAD_LETTER_QUEUE_URL", &letters),
        ];
        environment.extend(more);
        let emulator = Emulator::start_program(Path::new(env!("CARGO_BIN_EXE_limits")), &environment);
        Function { emulator, letters }
    }
}

fn event(name: &str) -> String {
    std::fs::read_to_string(format!("{}/events/kinesis/{name}.json", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn data(event: &str) -> Vec<Vec<u8>> {
    let event: Value = serde_json::from_str(event).unwrap();
    let records = event["Records"].as_array().unwrap();
    records.iter().map(|record| STANDARD.decode(record["kinesis"]["data"].as_str().unwrap()).unwrap()).collect()
}

/// Returns the limits that a store has of the customers of an event, and the marks of the limits that the event names.
async fn stored(fresh: &Fresh, event: &str) -> Value {
    let changes = data(event).iter().filter_map(|data| parse_limit_event(data).ok()?.change).collect::<Vec<_>>();
    let ids: BTreeSet<(&str, &str)> = changes.iter().map(|change| (change.user_id(), change.limit_id())).collect();
    let (mut limits, mut marks) = (BTreeMap::new(), BTreeMap::new());
    for (user_id, limit_id) in ids {
        let known = fresh.store.read_limits(user_id).await.unwrap();
        let known = known.into_iter().map(|known| {
            let (limit, reported) = (known.known.limit, known.reported);
            json!([limit.limit_id, limit.period.name(), limit.value.get(), limit.status.name(), reported])
        });
        limits.insert(user_id.to_owned(), known.collect::<Vec<_>>());
        let pointer = LimitStore::read(&fresh.store, limit_id, user_id).await.unwrap().pointer.unwrap();
        let (definition, progress) = (pointer.definition_mark, pointer.progress_mark);
        marks.insert(limit_id.to_owned(), json!([pointer.user_id, definition, progress, pointer.reported]));
    }
    json!({ "limits": limits, "marks": marks })
}

async fn letters(url: &str) -> Vec<Value> {
    let letters = drain(url).await.into_iter().map(|letter| {
        let attributes: BTreeMap<&str, &str> =
            letter.attributes.keys().map(|name| (name.as_str(), letter.attribute(name).unwrap())).collect();
        json!([attributes, letter.body])
    });
    // A standard queue has no order.
    let mut letters: Vec<Value> = letters.collect();
    letters.sort_by_key(|letter| letter[0]["sequence_number"].as_str().unwrap().to_owned());
    letters
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn each_sample_event_gives_its_recorded_result() {
    let fresh = Fresh::with_limits_in_dynamodb_local().await;
    let mut function = Function::start(&fresh, &fresh.url, &[]).await;
    let names = ["created", "progress", "reset", "reordered", "repeated", "unknown-type", "malformed", "many-users"];
    for name in names {
        let event = event(name);
        let answer = function.emulator.invoke(&event);
        let log = stable(function.emulator.log());
        insta::assert_json_snapshot!(
            format!("limits_{name}"),
            json!({
                "answer": answer,
                "stored": stored(&fresh, &event).await,
                "dead_letters": letters(&function.letters).await,
                "log": log,
            })
        );
    }
    let samples = std::fs::read_dir(format!("{}/events/kinesis", env!("CARGO_MANIFEST_DIR"))).unwrap();
    assert_eq!(samples.count(), names.len(), "a sample is not tested");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn a_store_without_an_answer_is_reported_from_the_first_record_on() {
    let fresh = Fresh::embedded_with_limits().await;
    let proxy = Proxy::before(&fresh.url).await;
    let mut function = Function::start(&fresh, &proxy.url, &[]).await;
    let created = event("created");
    function.emulator.invoke(&event("reordered"));
    proxy.fail("BatchGetItem", Fault::LoseRequest, 1_000);
    let answer = function.emulator.invoke(&created);
    let event: Value = serde_json::from_str(&created).unwrap();
    let first = &event["Records"][0]["kinesis"]["sequenceNumber"];
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": first}]}));
    let log = function.emulator.log();
    let line = log.iter().find(|line| line["message"] == "limit events not applied; the stream repeats them").unwrap();
    assert_eq!((&line["level"], &line["sequence_number"], &line["records"]), (&json!("ERROR"), first, &json!(2)));
    assert!(line["error"].as_str().unwrap().contains("BatchGetItem on"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn throttles_and_lost_answers_are_mended_within_the_invocation() {
    let fresh = Fresh::embedded_with_limits().await;
    let proxy = Proxy::before(&fresh.url).await;
    let function = Function::start(&fresh, &proxy.url, &[]).await;
    for (operation, fault) in [
        ("BatchGetItem", Fault::Throttle),
        ("TransactWriteItems", Fault::LoseAnswer),
        ("TransactWriteItems", Fault::Throttle),
        ("UpdateItem", Fault::LoseAnswer),
    ] {
        proxy.fail(operation, fault, 1);
    }
    assert_eq!(function.emulator.invoke(&event("many-users")), json!({"batchItemFailures": []}));
    let stored = stored(&fresh, &event("many-users")).await;
    for number in 60..70 {
        assert_eq!(stored["limits"][format!("u-{number}")][0][4], 25_00, "{stored}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn each_kind_of_event_takes_its_requests() {
    let fresh = Fresh::embedded_with_limits().await;
    let proxy = Proxy::before(&fresh.url).await;
    let function = Function::start(&fresh, &proxy.url, &[]).await;
    function.emulator.invoke(r#"{"Records": []}"#);
    let requests = |name: &str| {
        proxy.counts();
        function.emulator.invoke(&event(name));
        let counts = proxy.counts();
        ["BatchGetItem", "TransactWriteItems", "UpdateItem", "TransactGetItems"].map(|name| counts.get(name).copied())
    };
    // Two definitions: a read and a transaction each.
    assert_eq!(requests("created"), [Some(2), Some(2), None, None]);
    // Three reports: a read and an update each. The comparison of progress reads the customer's limits, their pointers and
    // the usage: of the customer of the last report that was taken, which has limits.
    assert_eq!(requests("progress"), [Some(5), None, Some(3), Some(1)]);
    // Repeated events are read only.
    assert_eq!(requests("progress"), [Some(3), None, None, None]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn no_log_has_anything_of_a_record() {
    let fresh = Fresh::embedded_with_limits().await;
    let function = Function::start(&fresh, &fresh.url, &[("AWS_LAMBDA_LOG_LEVEL", "DEBUG")]).await;
    function.emulator.invoke(&event("malformed"));
    let log = function.emulator.log_text();
    for secret in ["FORTNIGHT", "l-50", "u-5", "1e3", "not a limit event"] {
        // A whole word: the hexadecimal digits of an id may have the short ones in them.
        let word = regex::Regex::new(&format!(r"\b{secret}\b")).unwrap();
        assert!(!word.is_match(&log), "the log has {secret}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn a_wrong_configuration_is_rejected_at_start_with_all_its_errors() {
    let limits = Path::new(env!("CARGO_BIN_EXE_limits"));
    let mut emulator = Emulator::start_program(
        limits,
        &[("LOADGATE_LIMIT_DEAD_LETTER_QUEUE_URL", "https://sqs.example/1/letters.fifo"), ("LOADGATE_CURRENCY", "usd")],
    );
    let answer = emulator.invoke(&event("created"));
    insta::assert_json_snapshot!(
        "limits_wrong_configuration",
        json!({ "answer": answer, "log": stable(emulator.log()) })
    );
    let fresh = Fresh::embedded_with_limits().await;
    let absent_table = fresh_names().load;
    let function = Function::start(&fresh, &fresh.url, &[("LOADGATE_LIMIT_TABLE", &absent_table)]).await;
    let message = function.emulator.invoke(&event("created"))["errorMessage"].to_string();
    assert!(message.contains(&absent_table) && message.contains("loadgate tables create"), "{message}");
    let absent_queue = format!("{}/000000000000/absent", sqs());
    let queue = ("LOADGATE_LIMIT_DEAD_LETTER_QUEUE_URL", absent_queue.as_str());
    let function = Function::start(&fresh, &fresh.url, &[queue]).await;
    let message = function.emulator.invoke(&event("created"))["errorMessage"].to_string();
    assert!(message.contains(&absent_queue) && message.contains("check the queue's URL"), "{message}");
}
