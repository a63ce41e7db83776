//! Assignment jobs over HTTP, over every store.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use loadgate::domain::{ChunkResult, CustomerFailure, JobCounts, JobFailure, JobState, Millis};
use loadgate::limits::jobs::{JobWorker, LocalQueue, run_job};
use loadgate::runtime::http::{Services, router};
use serde_json::{Value, json};

use super::{Answer, ApiStore, COOLING_OFF, SetClock, ask, get, own_decider, settings};
use crate::limits::jobs::{enroll, job, link_by_hand, plan, put_plans};
use crate::support::stores::on_every_store;

on_every_store![
    a_job_is_started_followed_and_listed,
    failures_are_listed_in_pages,
    a_job_is_cancelled_once,
    a_repeated_cancellation_gets_the_first_answer,
    a_repeated_request_starts_one_job
];

const NOW: &str = "2426-01-06T12:00:00Z";

/// Returns a router over a store with a programme of three customers, and the queue of its jobs.
async fn over<S: ApiStore>(store: &S) -> (Router, LocalQueue, SetClock) {
    put_plans(store, 2).await;
    store.write_program("gold", &loadgate::limits::Program::default()).await.unwrap();
    for customer in ["a", "b", "c"] {
        enroll(store, customer, Some("gold")).await;
    }
    let (clock, queue) = (SetClock::at(NOW), LocalQueue::default());
    let services = Services::over(own_decider(store.clone(), &clock), COOLING_OFF, Some(queue.clone()));
    (router(services, settings()), queue, clock)
}

async fn post(router: &Router, path: &str, body: &Value) -> Answer {
    let request = Request::builder().method(Method::POST).uri(path).header("x-loadgate-by", "ann");
    Answer::of(router, request.body(Body::from(body.to_string())).unwrap()).await
}

fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (status, &json!(code)), "{answer:?}");
}

async fn a_job_is_started_followed_and_listed(store: impl ApiStore) {
    let (router, queue, clock) = over(&store).await;
    link_by_hand(&store, "a", Some(plan(2))).await;
    assert_eq!(get(&router, "/jobs").await, json!({"jobs": [], "nextCursor": null}));
    let path = "/programs/gold/plan-assignments";
    let wanted = json!({"planId": "standard", "version": 2});
    let started = post(&router, path, &wanted).await;
    let number = started.json()["jobId"].as_str().unwrap().to_owned();
    let place = format!("/jobs/{number}");
    assert_eq!((started.status.as_u16(), started.header("location")), (202, &*place));
    let expected = json!({
        "jobId": number, "programId": "gold", "planId": "standard", "version": 2, "dryRun": false, "state": "ENUMERATING",
        "total": null, "linked": 0, "alreadyLinked": 0, "superseded": 0, "failed": 0, "chunksDone": 0, "chunksTotal": null,
        "startedAt": "2426-01-06T12:00:00.000Z", "startedBy": "ann", "finishedAt": null, "code": null, "reason": null,
    });
    assert_eq!(started.json(), expected);
    assert_eq!(get(&router, &place).await, expected);
    let worker = JobWorker::new(store.clone(), queue, clock.clone());
    run_job(&worker, number.parse().unwrap(), |_| {}).await.unwrap();
    let done = get(&router, &place).await;
    let mut expected = expected;
    for (field, value) in [
        ("state", json!("DONE")),
        ("total", json!(3)),
        ("linked", json!(2)),
        ("alreadyLinked", json!(1)),
        ("chunksDone", json!(1)),
        ("chunksTotal", json!(1)),
        ("finishedAt", json!("2426-01-06T12:00:00.000Z")),
    ] {
        expected[field] = value;
    }
    assert_eq!(done, expected);
    assert_eq!(
        get(&router, &format!("{place}/failures")).await,
        json!({"jobId": number, "failures": [], "nextCursor": null})
    );
    let dry = post(&router, path, &json!({"planId": "standard", "version": 1, "dryRun": true})).await.json();
    assert_eq!(dry["dryRun"], true);
    let first = get(&router, "/jobs?limit=1").await;
    assert_eq!(first["jobs"], json!([dry]));
    let cursor = first["nextCursor"].as_str().unwrap();
    assert_eq!(
        get(&router, &format!("/jobs?limit=2&cursor={cursor}")).await,
        json!({"jobs": [done], "nextCursor": null})
    );

    refused(&post(&router, "/programs/x/plan-assignments", &wanted).await, 404, "UNKNOWN_PROGRAM");
    refused(&post(&router, path, &json!({"planId": "standard", "version": 3})).await, 404, "UNKNOWN_PLAN");
    refused(&post(&router, path, &json!({"planId": "standard"})).await, 400, "MISSING_FIELD");
    refused(&post(&router, path, &json!({"planId": "standard", "version": 1, "dryRun": "no"})).await, 400, "BAD_TYPE");
    for unknown in ["/jobs/999999", "/jobs/x", "/jobs/01", "/jobs/999999/failures"] {
        refused(&ask(&router, Method::GET, unknown, "").await, 404, "UNKNOWN_JOB");
    }
    refused(&ask(&router, Method::GET, "/jobs?cursor=zz", "").await, 400, "BAD_CURSOR");
}

async fn failures_are_listed_in_pages(store: impl ApiStore) {
    let (router, _, _) = over(&store).await;
    store.put_job(&job(9, 1), None).await.unwrap();
    for chunk in 0..5 {
        let failure = JobFailure { code: "THROTTLED".to_owned(), reason: "no capacity".to_owned() };
        let failures = vec![CustomerFailure { customer_id: format!("c-{chunk}"), failure }];
        let counts = JobCounts { failed: 1, ..JobCounts::default() };
        store.put_result(9, &ChunkResult { chunk, counts, failures, done_at: Millis::new(1) }).await.unwrap();
    }
    let (mut path, mut listed) = ("/jobs/9/failures?limit=2".to_owned(), vec![]);
    loop {
        let page = get(&router, &path).await;
        listed.extend(page["failures"].as_array().unwrap().clone());
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("/jobs/9/failures?limit=2&cursor={cursor}");
    }
    let expected =
        (0..5).map(|n| json!({"customerId": format!("c-{n}"), "code": "THROTTLED", "reason": "no capacity"}));
    assert_eq!(listed, expected.collect::<Vec<_>>());
}

async fn a_job_is_cancelled_once(store: impl ApiStore) {
    let (router, queue, clock) = over(&store).await;
    let started =
        post(&router, "/programs/gold/plan-assignments", &json!({"planId": "standard", "version": 1})).await.json();
    let place = format!("/jobs/{}", started["jobId"].as_str().unwrap());
    let cancelled = post(&router, &format!("{place}/cancel"), &json!({})).await;
    assert_eq!((cancelled.status.as_u16(), &cancelled.json()["state"]), (200, &json!("CANCELED")));
    assert_eq!(get(&router, &place).await, cancelled.json());
    refused(&post(&router, &format!("{place}/cancel"), &json!({})).await, 409, "JOB_ENDED");
    refused(&post(&router, "/jobs/999999/cancel", &json!({})).await, 404, "UNKNOWN_JOB");
    let worker = JobWorker::new(store.clone(), queue, clock.clone());
    let ended = run_job(&worker, started["jobId"].as_str().unwrap().parse().unwrap(), |_| {}).await.unwrap();
    assert_eq!((ended.state(), ended.counts), (JobState::Canceled, JobCounts::default()));
}

async fn a_repeated_cancellation_gets_the_first_answer(store: impl ApiStore) {
    let (router, _, _) = over(&store).await;
    let begin = async || {
        let wanted = json!({"planId": "standard", "version": 1});
        post(&router, "/programs/gold/plan-assignments", &wanted).await.json()["jobId"].as_str().unwrap().to_owned()
    };
    let cancel = async |job: &str| {
        let request = Request::builder().method(Method::POST).uri(format!("/jobs/{job}/cancel"));
        let request = request.header("idempotency-key", "k").body(axum::body::Body::empty());
        Answer::of(&router, request.unwrap()).await
    };
    let (one, other) = (begin().await, begin().await);
    let first = cancel(&one).await;
    assert_eq!((first.status.as_u16(), &first.json()["state"]), (200, &json!("CANCELED")));
    assert_eq!(cancel(&one).await.text, first.text);
    assert_eq!(get(&router, &format!("/jobs/{one}")).await, first.json());
    refused(&cancel(&other).await, 422, "KEY_REUSED");
    assert_eq!(get(&router, &format!("/jobs/{other}")).await["state"], "ENUMERATING");
}

async fn a_repeated_request_starts_one_job(store: impl ApiStore) {
    let (router, _, _) = over(&store).await;
    let send = async |key: &str, version: u64| {
        let body = json!({"planId": "standard", "version": version}).to_string();
        let request = Request::builder().method(Method::POST).uri("/programs/gold/plan-assignments");
        Answer::of(&router, request.header("idempotency-key", key).body(Body::from(body)).unwrap()).await
    };
    let first = send("k-1", 1).await;
    assert_eq!(first.status.as_u16(), 202, "{first:?}");
    let (again, header) = (send("k-1", 1).await, |answer: &Answer| answer.header("location").to_owned());
    assert_eq!((again.status, again.json(), header(&again)), (first.status, first.json(), header(&first)));
    refused(&send("k-1", 2).await, 422, "KEY_REUSED");
    assert_ne!(send("k-2", 1).await.json()["jobId"], first.json()["jobId"]);
    assert_eq!(get(&router, "/jobs").await["jobs"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn without_a_queue_no_job_is_started() {
    let store = loadgate::adapters::MemoryStore::default();
    drop(over(&store).await);
    let services = Services::over(own_decider(store, &SetClock::at(NOW)), COOLING_OFF, None::<LocalQueue>);
    let router = router(services, settings());
    let refusal = post(&router, "/programs/gold/plan-assignments", &json!({"planId": "standard", "version": 1})).await;
    refused(&refusal, 501, "NO_QUEUE");
    assert_eq!(get(&router, "/jobs").await["jobs"], json!([]));
}
