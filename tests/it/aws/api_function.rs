//! The Lambda function behind an API Gateway, as AWS runs it: the real bootstrap under an emulator of the runtime.

use std::path::Path;

use loadgate::adapters::SystemClock;
use loadgate::deciding::Decider;
use loadgate::domain::{Cents, Millis, OwnLimit, OwnPeriod};
use loadgate::limits::LimitApplier;
use serde_json::{Value, json};

use crate::api::load;
use crate::limits::{created, limit};
use crate::support::cloud::{Emulator, Fault, Fresh, Proxy};
use crate::support::decider;
use crate::support::secrecy::assert_secret;

/// Starts the function over these tables.
fn start(fresh: &Fresh, dynamodb_url: &str, more: &[(&str, &str)]) -> Emulator {
    let mut environment = vec![
        ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_url),
        ("LOADGATE_CORRELATION_TABLE", &fresh.names.correlation),
        ("LOADGATE_LOAD_TABLE", &fresh.names.load),
    ];
    environment.extend(fresh.names.limit.as_deref().map(|name| ("LOADGATE_LIMIT_TABLE", name)));
    environment.extend(more);
    Emulator::start_program(Path::new(env!("CARGO_BIN_EXE_api")), &environment)
}

fn event(name: &str) -> String {
    std::fs::read_to_string(format!("{}/events/api/{name}.json", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Returns the answer, with its body as JSON and without the present instant.
fn stable(mut answer: Value) -> Value {
    let body = answer["body"].as_str().unwrap_or_else(|| panic!("{answer}"));
    let mut body: Value = serde_json::from_str(body).unwrap();
    if let Some(checked_at) = body.get_mut("checkedAt") {
        assert!(checked_at.take().as_str().unwrap().ends_with('Z'));
    }
    answer["body"] = body;
    answer
}

async fn filled() -> Fresh {
    let fresh = Fresh::with_limits_in_dynamodb_local().await;
    let decider = Decider { has_limit_table: true, ..decider(fresh.store.clone(), SystemClock) };
    assert!(load(&decider, "528", "1", "$3318.47", "2018-12-31T10:00:00Z").await);
    let applier = LimitApplier { store: fresh.store.clone(), clock: SystemClock };
    let all = OwnLimit {
        period: OwnPeriod::Indefinite,
        value: Cents::new(5_000_00),
        active_from: Millis::new(1_546_214_400_000),
        ..limit("l-1", "528")
    };
    applier.apply(&created(1, all, Some(10_00))).await.unwrap();
    fresh
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn each_sample_request_gives_its_recorded_answer() {
    let fresh = filled().await;
    let mut function = start(&fresh, &fresh.url, &[("AWS_LAMBDA_LOG_LEVEL", "DEBUG")]);
    let names = ["limit", "usage", "check", "unknown-route"];
    for name in names {
        let answer = stable(function.invoke(&event(name)));
        insta::assert_json_snapshot!(format!("api_{name}"), answer);
    }
    let folder = std::fs::read_dir(format!("{}/events/api", env!("CARGO_MANIFEST_DIR"))).unwrap();
    assert_eq!(folder.count(), names.len(), "each sample is tested");
    // Nothing of a request is in the log but its id, its method and its route.
    let log = function.log();
    let answered: Vec<&Value> = log.iter().filter(|line| line["message"] == "answered").collect();
    assert_eq!(answered.len(), names.len(), "{log:?}");
    assert_eq!(answered[0]["route"], "/user-limits/{limitId}");
    assert!(answered.iter().all(|line| line["span"]["request_id"] == "JKJaXmPLvHcESHA="), "{answered:?}");
    let body: Value = serde_json::from_str(&event("check")).unwrap();
    assert_secret(&function.log_text(), body["body"].as_str().unwrap());
    assert!(!function.log_text().contains("/customers/528"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn another_event_is_reported_without_its_content() {
    let fresh = filled().await;
    let mut function = start(&fresh, &fresh.url, &[]);
    for other in [r#"{"Records":"Jane"}"#, r#""Jane""#] {
        let answer = function.invoke(other);
        assert_eq!(answer["errorType"], "EventError", "{answer}");
        assert!(answer["errorMessage"].as_str().unwrap().contains("events/api/usage.json"), "{answer}");
    }
    let log = function.log();
    assert!(log.iter().any(|line| line["message"] == "the event cannot be answered"), "{log:?}");
    assert!(!function.log_text().contains("Jane"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn a_wrong_configuration_and_a_missing_table_are_reported_at_start() {
    let fresh = filled().await;
    let wrong = [("LOADGATE_LIMITS", "/no/such/limits.toml"), ("LOADGATE_CURRENCY", "dollars")];
    let answer = start(&fresh, &fresh.url, &wrong).invoke(&event("usage"));
    let message = answer["errorMessage"].as_str().unwrap();
    assert!(message.contains("2 mistakes") && message.contains("LOADGATE_CURRENCY: 'dollars'"), "{message}");
    for table in ["LOADGATE_CORRELATION_TABLE", "LOADGATE_LOAD_TABLE", "LOADGATE_LIMIT_TABLE"] {
        let answer = start(&fresh, &fresh.url, &[(table, "absent-table")]).invoke(&event("usage"));
        let message = answer["errorMessage"].as_str().unwrap();
        assert!(message.contains("absent-table") && message.contains("loadgate tables create"), "{table}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn tables_that_fail_are_named_in_the_log_alone() {
    let fresh = filled().await;
    let proxy = Proxy::before(&fresh.url).await;
    let mut function = start(&fresh, &proxy.url, &[]);
    assert_eq!(function.invoke(&event("usage"))["statusCode"], 200);
    proxy.fail("BatchGetItem", Fault::Throttle, 1_000);
    let answer = stable(function.invoke(&event("usage")));
    assert_eq!((&answer["statusCode"], &answer["body"]["code"]), (&json!(503), &json!("STORE_BUSY")));
    assert_eq!(answer["headers"]["retry-after"], "1");
    let log = function.log();
    let logged = log.iter().find(|line| line["message"] == "not answered").unwrap();
    assert_eq!((&logged["code"], &logged["level"]), (&json!("STORE_BUSY"), &json!("ERROR")));
    let error = logged["error"].as_str().unwrap();
    assert!(error.contains("ThrottlingException") && error.contains(&fresh.names.load), "{error}");
    assert!(!answer["body"].to_string().contains(&fresh.names.load));
    assert_eq!(start(&fresh, &fresh.url, &[]).invoke(&event("usage"))["statusCode"], 200);
}
