//! The Lambda function of assignment jobs as AWS runs it: the real program under an emulator of the runtime.

use std::path::Path;

use loadgate::domain::{JobCounts, JobState};
use loadgate::limits::LinkStore;
use loadgate::limits::jobs::JobStore;
use serde_json::{Value, json};

use super::limits_function::fresh_standard_queue;
use crate::limits::jobs::{enroll, job, link_by_hand, plan, put_plans};
use crate::support::cloud::{Emulator, Fault, Fresh, Proxy, drain, sqs};

/// A function with a new queue.
struct Function {
    emulator: Emulator,
    queue: String,
}

impl Function {
    async fn start(fresh: &Fresh, dynamodb_url: &str) -> Function {
        let queue = fresh_standard_queue().await;
        let environment = [
            ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_url),
            ("AWS_ENDPOINT_URL_SQS", sqs()),
            ("LOADGATE_LIMIT_TABLE", fresh.names.limit.as_ref().unwrap()),
            ("LOADGATE_ASSIGNMENT_QUEUE_URL", &queue),
        ];
        let emulator = Emulator::start_program(Path::new(env!("CARGO_BIN_EXE_assign")), &environment);
        Function { emulator, queue }
    }

    async fn sent(&self) -> Vec<Value> {
        let sent = drain(&self.queue).await.into_iter();
        sent.map(|message| serde_json::from_str(&message.body).unwrap()).collect()
    }
}

fn event(name: &str) -> String {
    std::fs::read_to_string(format!("{}/events/assignments/{name}.json", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Creates tables with a programme of the samples' customers, and their job.
async fn tables() -> Fresh {
    let fresh = Fresh::with_limits_in_dynamodb_local().await;
    put_plans(&fresh.store, 1).await;
    for customer in ["9", "528"] {
        enroll(&fresh.store, customer, Some("gold")).await;
    }
    link_by_hand(&fresh.store, "9", Some(plan(1))).await;
    fresh.store.put_job(&job(42, 1), None).await.unwrap();
    fresh
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn the_sample_events_perform_a_whole_job() {
    let fresh = tables().await;
    let mut function = Function::start(&fresh, &fresh.url).await;
    let settled = json!({"batchItemFailures": []});
    assert_eq!(function.emulator.invoke(&event("page")), settled);
    // The message that looks for the end comes later.
    let [chunk] = &function.sent().await[..] else { panic!("one chunk") };
    assert_eq!((&chunk["jobId"], &chunk["chunk"]), (&json!("42"), &json!(0)));
    assert_eq!(function.emulator.invoke(&event("chunk")), settled);
    let link = fresh.store.link("528").await.unwrap();
    assert_eq!((link.number, link.plan), (42, Some(plan(1))));
    assert_eq!(function.emulator.invoke(&event("finish")), settled);
    let stored = fresh.store.read_job(42).await.unwrap().unwrap();
    let counts = JobCounts { linked: 1, already_linked: 1, ..JobCounts::default() };
    assert_eq!((stored.state, stored.counts), (JobState::Done, Some(counts)));
    let metrics: Vec<Value> = function.emulator.log().into_iter().filter(|line| line.get("_aws").is_some()).collect();
    let sum = |name: &str| metrics.iter().filter_map(|line| line[name].as_u64()).sum::<u64>();
    assert_eq!(["job_pages", "job_chunks", "customers_linked", "customers_already_linked"].map(sum), [1, 1, 1, 1]);
    let samples = std::fs::read_dir(format!("{}/events/assignments", env!("CARGO_MANIFEST_DIR"))).unwrap();
    assert_eq!(samples.count(), 3, "a sample is not tested");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn a_step_that_fails_is_reported_and_the_error_is_logged() {
    let fresh = tables().await;
    let proxy = Proxy::before(&fresh.url).await;
    let mut function = Function::start(&fresh, &proxy.url).await;
    proxy.fail("UpdateItem", Fault::Throttle, 400);
    let answer = function.emulator.invoke(&event("chunk"));
    assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 1, "{answer}");
    let log = function.emulator.log();
    let failed = log.iter().find(|line| line["level"] == "ERROR").unwrap();
    assert_eq!(
        (&failed["job_id"], &failed["step"], &failed["receive_count"]),
        (&json!(42), &json!("chunk 0"), &json!(1))
    );
    assert!(failed["error"].as_str().unwrap().contains(fresh.names.limit.as_ref().unwrap()), "{failed}");
    assert!(!failed.to_string().contains("528"), "no customer: {failed}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn a_function_without_its_settings_names_them() {
    let mut emulator = Emulator::start_program(Path::new(env!("CARGO_BIN_EXE_assign")), &[]);
    emulator.invoke(&event("finish"));
    let log = emulator.log();
    let error = log.iter().find_map(|line| line["error"].as_str()).unwrap();
    assert!(
        error.contains("LOADGATE_LIMIT_TABLE: is missing")
            && error.contains("LOADGATE_ASSIGNMENT_QUEUE_URL: is missing")
    );
}
