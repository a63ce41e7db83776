//! Reading and changing over HTTP: the router over stores in memory and in DynamoDB, and every error.

mod changes;
mod check;
mod document;
mod errors;
mod gateway;
mod jobs;
mod plans;
mod races;
mod runs;
mod stores;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use lambda_http::Service as _;
use loadgate::adapters::{MemoryStore, new_run_id};
use loadgate::deciding::{Clock, Decider, DecisionLog, Delivery, Group, LogReader, MessageSource, RecordReader, Store};
use loadgate::domain::{CoolingOff, Currency, LoadAttempt};
use loadgate::limits::jobs::{JobStore, LocalQueue};
use loadgate::limits::{AnswerStore, LimitStore, LinkStore, PlanStore, Plans, ProgramStore};
use loadgate::runtime::http::{Access, LimitRequests, Reads, RequestSettings, Services, StoreJobs, router};
use loadgate::wire::read_attempt;
use serde_json::Value;

use crate::support::{decider, line};

/// A store of everything that is read and changed over HTTP.
pub trait ApiStore:
    Store
    + LimitStore
    + AnswerStore
    + LogReader
    + RecordReader
    + PlanStore
    + ProgramStore
    + LinkStore
    + JobStore
    + Clone
    + 'static
{
}

impl<S> ApiStore for S where
    S: Store
        + LimitStore
        + AnswerStore
        + LogReader
        + RecordReader
        + PlanStore
        + ProgramStore
        + LinkStore
        + JobStore
        + Clone
        + 'static
{
}

/// A clock that a test sets. Waits are short.
#[derive(Clone)]
pub struct SetClock(Arc<Mutex<DateTime<Utc>>>);

impl SetClock {
    fn at(now: &str) -> SetClock {
        SetClock(Arc::new(Mutex::new(now.parse().unwrap())))
    }

    fn pass(&self, time: TimeDelta) {
        *self.0.lock().unwrap() += time;
    }
}

impl Clock for SetClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration / 50).await;
    }
}

/// An answer.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    async fn of(router: &Router, request: Request<Body>) -> Answer {
        let (parts, body) = router.clone().call(request).await.unwrap().into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(body.to_vec()).unwrap() }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

async fn ask(router: &Router, method: Method, path: &str, body: impl Into<Body>) -> Answer {
    Answer::of(router, Request::builder().method(method).uri(path).body(body.into()).unwrap()).await
}

/// Returns the JSON of an answer with status 200.
async fn get(router: &Router, path: &str) -> Value {
    let answer = ask(router, Method::GET, path, "").await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (StatusCode::OK, "application/json"),
        "{path} {answer:?}"
    );
    answer.json()
}

async fn post(router: &Router, path: &str, body: String) -> Value {
    let answer = ask(router, Method::POST, path, body).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (StatusCode::OK, "application/json"),
        "{path} {answer:?}"
    );
    answer.json()
}

/// The rule of the tests: a day's wait.
const COOLING_OFF: CoolingOff = CoolingOff { delay_ms: 24 * 60 * 60 * 1000, needs_confirmation: false };

/// Settings without a token. New ids of requests are all the same.
fn settings() -> RequestSettings {
    RequestSettings { timeout: Duration::from_secs(5), access: Access::default(), new_id: || "new-id".to_owned() }
}

fn router_over(service: impl Reads + LimitRequests + 'static) -> Router {
    let plans = Plans { store: MemoryStore::default(), clock: SetClock::at("2026-01-06T12:00:00Z") };
    let jobs = StoreJobs { store: plans.store.clone(), queue: None::<LocalQueue>, clock: plans.clock.clone() };
    let service = Arc::new(service);
    let (reads, limits, plans, jobs) = (service.clone(), service, Arc::new(plans), Arc::new(jobs));
    let services = Services { reads, limits, plans, jobs, has_limit_table: true };
    router(services, settings())
}

/// A router over a store, and a decider over the same one.
fn router_of<S, C>(decider: &Decider<S, C>) -> Router
where
    S: ApiStore,
    C: Clock + Clone + 'static,
{
    router(Services::over(decider.clone(), COOLING_OFF, Some(LocalQueue::default())), settings())
}

/// Returns a decider with the built-in limits over a store with a table of customers' own limits.
/// Returns a decider with own limits and the log. DynamoDB Local deletes what has expired by the machine's clock, so tests on it set
/// theirs to a day that is far ahead.
fn own_decider<S>(store: S, clock: &SetClock) -> Decider<S, SetClock> {
    let log = Some(DecisionLog { retention: Some(TimeDelta::days(90)), new_run_id });
    Decider { has_limit_table: true, log, ..decider(store, clock.clone()) }
}

fn delivery(body: &str) -> Delivery {
    let written = read_attempt(body.as_bytes()).unwrap();
    let attempt = LoadAttempt::check(written.clone()).unwrap();
    let source = MessageSource { message_id: format!("message of {}", written.id), ..MessageSource::default() };
    Delivery::new(0, source, &written, attempt, Currency::USD)
}

/// Decides an attempt, and returns the message that is published.
async fn decide<S: Store, C: Clock>(decider: &Decider<S, C>, body: &str) -> Value {
    let outcomes = decider.decide_all(Group { deliveries: vec![delivery(body)], run: None }, None).await.unwrap();
    let message = loadgate::wire::decision_message(&outcomes[0].1.record().unwrap().decision);
    serde_json::from_str(&message).unwrap()
}

pub async fn load<S: Store, C: Clock>(
    decider: &Decider<S, C>,
    customer: &str,
    id: &str,
    amount: &str,
    time: &str,
) -> bool {
    decide(decider, line(id, customer, amount, time).trim_end()).await["accepted"] == true
}
