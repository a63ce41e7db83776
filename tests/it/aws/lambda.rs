//! The Lambda function as AWS runs it: the real bootstrap under an emulator of the runtime.

use std::collections::BTreeMap;

use loadgate::deciding::Received;
use loadgate::wire::can_be_body;
use serde_json::{Map, Value, json};

use crate::support::cloud::{Emulator, Fault, Fresh, Proxy, drain, fresh_names, fresh_queue, sqs};
use crate::support::{MARKS, bodies_with_marks, line};

/// A function with new tables and queues.
struct Function {
    emulator: Emulator,
    decisions: String,
    dead_letters: String,
}

impl Function {
    async fn start(fresh: &Fresh, dynamodb_url: &str, more: &[(&str, &str)]) -> Function {
        let (decisions, dead_letters) = (fresh_queue().await, fresh_queue().await);
        let mut environment = vec![
            ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_url),
            ("AWS_ENDPOINT_URL_SQS", sqs()),
            ("LOADGATE_CORRELATION_TABLE", &fresh.names.correlation),
            ("LOADGATE_LOAD_TABLE", &fresh.names.load),
            ("LOADGATE_DECISIONS_QUEUE_URL", &decisions),
            ("LOADGATE_DEAD_LETTER_QUEUE_URL", &dead_letters),
        ];
        environment.extend(more);
        let emulator = Emulator::start(&environment);
        Function { emulator, decisions, dead_letters }
    }
}

fn event(name: &str) -> String {
    std::fs::read_to_string(format!("{}/events/{name}.json", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn texts(letter: &Received) -> BTreeMap<&str, &str> {
    letter.attributes.keys().map(|name| (name.as_str(), letter.attribute(name).unwrap())).collect()
}

/// Removes instants, durations, request ids, consumed units and zeros. The rest is the same in every run.
pub fn stable(log: Vec<Value>) -> Vec<Value> {
    let keep = |line: Value| -> Value {
        let Value::Object(line) = line else { return line };
        let is_metric = line.contains_key("_aws");
        let dropped = |name: &str| match name {
            "_aws" | "timestamp" | "request_id" | "span" => true,
            _ => is_metric && (name.ends_with("_ms") || name.starts_with("consumed_")),
        };
        let zeros = [json!(0), json!([0.0])];
        let kept = line.into_iter().filter(|(name, value)| !(dropped(name) || is_metric && zeros.contains(value)));
        // The messages of the sample events were sent long ago, so their age changes with the date of the run.
        let kept = kept.map(|(name, value)| match name.as_str() {
            "oldest_unsettled_s" => (name, json!(value[0].as_f64().unwrap() > 1_000_000.0)),
            _ => (name, value),
        });
        Value::Object(kept.collect::<Map<_, _>>())
    };
    log.into_iter().map(keep).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn each_sample_event_gives_its_recorded_result() {
    let fresh = Fresh::in_dynamodb_local().await;
    let mut function = Function::start(&fresh, &fresh.url, &[]).await;
    for name in
        ["one-customer", "redelivery", "many-customers", "duplicate", "malformed-body", "mixed-group", "no-group"]
    {
        let answer = function.emulator.invoke(&event(name));
        let without_clock = |body: &str| {
            let mut decision: Value = serde_json::from_str(body).unwrap();
            assert!(decision["decided_at"].take().as_str().unwrap().ends_with('Z'));
            decision
        };
        let mut decisions: Vec<Value> =
            drain(&function.decisions).await.iter().map(|message| without_clock(&message.body)).collect();
        // The decisions of distinct customers have no order.
        decisions.sort_by_key(|decision| decision["customer_id"].as_str().unwrap().to_owned());
        let letters: Vec<Value> = drain(&function.dead_letters)
            .await
            .iter()
            .map(|letter| json!([letter.group_id, texts(letter), letter.body]))
            .collect();
        let log = stable(function.emulator.log());
        insta::assert_json_snapshot!(
            format!("lambda_{name}"),
            json!({ "answer": answer, "decisions": decisions, "dead_letters": letters, "log": log })
        );
    }
}

#[test]
fn every_sample_event_is_tested() {
    let folder = format!("{}/events", env!("CARGO_MANIFEST_DIR"));
    let this = include_str!("lambda.rs");
    for file in std::fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        if let Some(name) = name.strip_suffix(".json") {
            assert!(this.contains(&format!("\"{name}\"")), "events/{name}.json is not tested");
        }
    }
}

#[test]
#[ignore = "needs `make tools`; `make test` runs it"]
fn a_wrong_configuration_is_rejected_at_start_with_all_its_errors() {
    let mut emulator = Emulator::start(&[
        ("LOADGATE_DECISIONS_QUEUE_URL", "https://sqs.example/1/standard"),
        ("LOADGATE_CORRELATION_TTL_HOURS", "a day"),
        ("LOADGATE_LIMITS", "/no/such/limits.toml"),
    ]);
    let answer = emulator.invoke(&event("one-customer"));
    insta::assert_json_snapshot!(
        "lambda_wrong_configuration",
        json!({ "answer": answer, "log": stable(emulator.log()) })
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn a_missing_table_is_reported_at_start() {
    let fresh = Fresh::in_dynamodb_local().await;
    let absent = fresh_names().load;
    let mut function = Function::start(&fresh, &fresh.url, &[("LOADGATE_LOAD_TABLE", &absent)]).await;
    let answer = function.emulator.invoke(&event("one-customer"));
    let message = answer["errorMessage"].as_str().unwrap();
    assert!(
        message.contains(&absent) && message.contains("create the tables with `loadgate tables create`"),
        "{answer}"
    );
    let log = function.emulator.log();
    assert!(log.iter().any(|line| line["level"] == "ERROR" && line["error"] == message), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn a_missing_queue_is_reported_at_start() {
    let fresh = Fresh::embedded().await;
    let absent = format!("{}/000000000000/absent.fifo", sqs());
    let function = Function::start(&fresh, &fresh.url, &[("LOADGATE_DEAD_LETTER_QUEUE_URL", &absent)]).await;
    let message = function.emulator.invoke(&event("one-customer"))["errorMessage"].to_string();
    assert!(message.contains(&absent) && message.contains("check the queue's URL and region"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn every_log_line_has_the_request_id_and_no_body_or_amount() {
    let fresh = Fresh::embedded().await;
    let mut function = Function::start(&fresh, &fresh.url, &[]).await;
    for name in ["one-customer", "duplicate", "malformed-body", "mixed-group", "no-group"] {
        function.emulator.invoke(&event(name));
    }
    let log = function.emulator.log();
    assert!(log.len() > 10);
    for line in log {
        let request_id = line.pointer("/span/request_id").or_else(|| line.get("request_id"));
        assert_eq!(request_id.and_then(Value::as_str).map(str::len), Some(36), "{line}");
        let text = line.to_string();
        assert!(!text.contains("load_amount\\") && !text.contains('$') && !text.contains(",000"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn an_event_of_another_kind_is_reported_without_its_content() {
    let fresh = Fresh::embedded().await;
    let mut function = Function::start(&fresh, &fresh.url, &[]).await;
    for event in [r#"{"Records":"$3318.47 of Jane"}"#, r#"{"hello":"$3318.47 of Jane"}"#, r#"["$3318.47 of Jane"]"#] {
        let answer = function.emulator.invoke(event);
        assert_eq!(answer["errorType"], "EventError", "{answer}");
        let message = answer["errorMessage"].as_str().unwrap();
        assert!(message.starts_with("this is not an SQS event (line 1, column "), "{answer}");
        let log = serde_json::to_string(&function.emulator.log()).unwrap();
        assert!(
            log.contains("this is not an SQS event") && !log.contains("Jane") && !message.contains("Jane"),
            "{log}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn an_event_without_messages_names_the_remedy() {
    let fresh = Fresh::embedded().await;
    let function = Function::start(&fresh, &fresh.url, &[]).await;
    let answer = function.emulator.invoke(r#"{"hello":"world"}"#);
    let expected = "this is not an SQS event (line 1, column 17), and nothing was decided; \
                    connect the function to a FIFO queue, or invoke it with an event such as events/one-customer.json";
    assert_eq!((&answer["errorType"], &answer["errorMessage"]), (&json!("EventError"), &json!(expected)));
}

/// Maximum length of a Lambda function's name, in bytes.
const FUNCTION_NAME_MAX: usize = 64;

/// Maximum number of bytes that a batch without failures and declines logs. docs/SCALE.md states their cost.
const QUIET_BATCH_LOG_BYTES_MAX: usize = 800;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn a_quiet_batch_logs_little() {
    let fresh = Fresh::embedded().await;
    let mut function = Function::start(&fresh, &fresh.url, &[]).await;
    // Every metric gets a value once before the quiet batch.
    for name in ["one-customer", "duplicate", "malformed-body", "mixed-group", "redelivery"] {
        function.emulator.invoke(&event(name));
    }
    function.emulator.log();
    let record = |n: usize| {
        json!({
            "messageId": format!("message-{n}"),
            "body": line("1", &format!("customer-{n}"), "$1.00", "2018-12-31T00:00:00Z"),
            "attributes": { "ApproximateReceiveCount": "1", "MessageGroupId": format!("customer-{n}") },
        })
    };
    let records: Vec<Value> = (0..10).map(record).collect();
    let answer = function.emulator.invoke(&json!({ "Records": records }).to_string());
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    let log = function.emulator.log();
    // Lambda's own lines are not JSON under the emulator, so they are not counted. The emulator's function has a short
    // name, which is counted at its maximum length.
    let name_bytes = log[0]["function"].as_str().unwrap().len();
    let bytes: usize = log.iter().map(|line| line.to_string().len() + "\n".len()).sum::<usize>() - name_bytes;
    assert_eq!(log[0]["accepted"], 10);
    assert!(bytes + FUNCTION_NAME_MAX <= QUIET_BATCH_LOG_BYTES_MAX, "{bytes} bytes without the name: {log:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn no_log_level_shows_a_body_or_an_amount() {
    let fresh = Fresh::embedded().await;
    let function = Function::start(&fresh, &fresh.url, &[("AWS_LAMBDA_LOG_LEVEL", "TRACE")]).await;
    let event = event("one-customer");
    function.emulator.invoke(&event);
    let log = function.emulator.log_text();
    assert!(log.contains(r#""level":"DEBUG""#), "{log}");
    let event: Value = serde_json::from_str(&event).unwrap();
    let bodies = event["Records"].as_array().unwrap().iter().map(|record| record["body"].as_str().unwrap());
    crate::support::secrecy::assert_secret(&log, &bodies.collect::<Vec<_>>().join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn no_log_line_and_no_dead_letter_attribute_repeats_a_value_of_an_invalid_body() {
    let fresh = Fresh::embedded().await;
    let function = Function::start(&fresh, &fresh.url, &[("AWS_LAMBDA_LOG_LEVEL", "DEBUG")]).await;
    let bodies: Vec<String> = bodies_with_marks().into_iter().filter(|body| can_be_body(body)).collect();
    for some in bodies.chunks(10) {
        let record = |(n, body): (usize, &String)| {
            json!({
                "messageId": format!("message-{n}"),
                "body": body,
                "attributes": { "ApproximateReceiveCount": "1", "MessageGroupId": format!("group-{n}") },
            })
        };
        let records: Vec<Value> = some.iter().enumerate().map(record).collect();
        let answer = function.emulator.invoke(&json!({ "Records": records }).to_string());
        assert_eq!(answer["batchItemFailures"], json!([]), "{answer}");
        for letter in drain(&function.dead_letters).await {
            assert!(!MARKS.iter().any(|mark| format!("{:?}", letter.attributes).contains(mark)), "{letter:?}");
        }
    }
    let log = function.emulator.log_text();
    assert!(log.matches("invalid: sent to the dead-letter queue").count() >= bodies.len());
    let shown = log.lines().find(|line| MARKS.iter().any(|mark| line.contains(mark)));
    assert_eq!(shown, None);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn an_unreachable_dynamodb_leaves_every_message_for_redelivery() {
    let fresh = Fresh::embedded().await;
    let mut function = Function::start(&fresh, "http://127.0.0.1:9", &[]).await;
    let answer = function.emulator.invoke(&event("one-customer"));
    assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 3, "{answer}");
    let log = function.emulator.log();
    let logged = log.iter().find(|line| line["message"] == "not decided; left for redelivery").unwrap();
    assert!(
        logged["error"].as_str().unwrap().contains("no answer from DynamoDB; check that it can be reached"),
        "{logged}"
    );
    let metrics = log.iter().find(|line| line["_aws"].is_object() && line["failed"] == 3);
    assert!(metrics.is_some(), "{log:?}");
    assert!(drain(&function.decisions).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn throttled_commits_are_retried_and_then_left_for_redelivery() {
    let fresh = Fresh::embedded().await;
    let proxy = Proxy::before(&fresh.url).await;
    let mut function = Function::start(&fresh, &proxy.url, &[]).await;
    proxy.fail("TransactWriteItems", Fault::Throttle, 4);
    let answer = function.emulator.invoke(&event("one-customer"));
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    assert_eq!(drain(&function.decisions).await.len(), 3);

    proxy.fail("TransactWriteItems", Fault::Throttle, 1_000);
    let answer = function.emulator.invoke(&event("duplicate"));
    assert_ne!(answer["batchItemFailures"], json!([]), "{answer}");
    let log = function.emulator.log();
    let logged = log.iter().find(|line| line["message"] == "not decided; left for redelivery").unwrap();
    assert!(
        logged["error"].as_str().unwrap().contains("ThrottlingException: Rate of requests exceeds limits"),
        "{logged}"
    );
    assert!(drain(&function.decisions).await.is_empty());
}

#[test]
fn a_start_by_hand_explains_how_the_program_is_started() {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_decide"));
    let assert = command.env_remove("AWS_LAMBDA_RUNTIME_API").assert().code(1);
    assert.stderr(predicates::str::contains("this program is started by AWS Lambda; try it with `make invoke"));
}
