//! Every error is a problem with a code, and repeats nothing of the request.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use loadgate::adapters::{MemoryStore, new_request_id};
use loadgate::deciding::{Cause, Checked, DecisionPage, InForce, LoadToCheck, LogPage, StoreError};
use loadgate::domain::{ChangeRequest, Currency, LimitOrigin, LimitProgress, Measure, Millis, StoredDecision};
use loadgate::limits::jobs::LocalQueue;
use loadgate::limits::{Author, ChangePage, Keep, KeptAnswer, NewLimit, Precondition, RequestKey};
use loadgate::runtime::http::{
    Access, BODY_BYTES_MAX, BearerToken, LimitAnswer, LimitRequests, Reads, RequestSettings, Services, router,
};
use proptest::prelude::*;
use serde_json::json;

use super::{Answer, SetClock, ask, own_decider, router_of, router_over, settings};
use crate::deciding::long_limits::block_on;

const NOW: &str = "2026-01-06T12:00:00Z";

fn plain() -> Router {
    router_of(&own_decider(MemoryStore::default(), &SetClock::at(NOW)))
}

/// Asserts that an answer is a whole problem.
fn assert_problem(answer: &Answer, status: u16, code: &str) {
    let problem = answer.json();
    assert_eq!((answer.status.as_u16(), &problem["code"]), (status, &json!(code)), "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!((answer.header("cache-control"), answer.header("x-request-id")), ("no-store", "new-id"));
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.len() > 15 && !detail.ends_with('.'), "{detail}");
    let expected = json!({
        "type": "about:blank", "title": answer.status.canonical_reason(), "status": status, "detail": detail,
        "code": code, "requestId": "new-id",
    });
    assert_eq!(problem, expected);
}

#[tokio::test]
async fn each_fault_of_a_request_has_its_code() {
    let router = plain();
    let long = "x".repeat(129);
    let (get, post) = (Method::GET, Method::POST);
    let body = format!(r#"{{"load_amount":"{}"}}"#, "1".repeat(BODY_BYTES_MAX));
    for (method, path, body, status, code) in [
        (&get, "/", "", 404, "UNKNOWN_PATH"),
        (&get, "/nowhere", "", 404, "UNKNOWN_PATH"),
        (&get, "/user-limits", "", 405, "METHOD_NOT_ALLOWED"),
        (&get, "/user-limits/", "", 404, "UNKNOWN_PATH"),
        (&get, "/user-limits/user/", "", 404, "UNKNOWN_PATH"),
        (&get, "/user-limits/user/a/b", "", 404, "UNKNOWN_PATH"),
        (&get, "/user-limits//a", "", 404, "UNKNOWN_PATH"),
        (&get, "/customers//usage", "", 400, "BAD_ID"),
        (&get, "/customers/u/usage/", "", 404, "UNKNOWN_PATH"),
        (&get, "/customers/u", "", 404, "UNKNOWN_PATH"),
        (&Method::DELETE, "/nowhere", "", 404, "UNKNOWN_PATH"),
        (&get, "/user-limits/a%2Fb", "", 404, "UNKNOWN_LIMIT"),
        (&get, "/user-limits/user", "", 404, "UNKNOWN_LIMIT"),
        (&get, "/user-limits/..", "", 404, "UNKNOWN_LIMIT"),
        (&get, "/user-limits/%2541", "", 404, "UNKNOWN_LIMIT"),
        (&get, "/user-limits/%ff", "", 400, "BAD_ID"),
        (&get, "/user-limits/%", "", 400, "BAD_ID"),
        (&get, "/user-limits/%4", "", 400, "BAD_ID"),
        (&get, "/user-limits/%4x", "", 400, "BAD_ID"),
        (&get, &format!("/user-limits/{long}"), "", 400, "BAD_ID"),
        (&get, &format!("/user-limits/user/{long}"), "", 400, "BAD_ID"),
        (&get, &format!("/customers/{long}/usage"), "", 400, "BAD_ID"),
        (&get, &format!("/customers/{long}/decisions"), "", 400, "BAD_ID"),
        (&post, &format!("/customers/{long}/check"), r#"{"load_amount":"1"}"#, 400, "BAD_ID"),
        (&post, "/customers/u/usage", "", 405, "METHOD_NOT_ALLOWED"),
        (&get, "/customers/u/check", "", 405, "METHOD_NOT_ALLOWED"),
        (&Method::PUT, "/user-limits/l", "", 405, "METHOD_NOT_ALLOWED"),
        (&Method::OPTIONS, "/openapi.json", "", 405, "METHOD_NOT_ALLOWED"),
        (&get, "/user-limits/l?x=1", "", 400, "BAD_PARAMETER"),
        (&get, "/user-limits/user/u?limit=1", "", 400, "BAD_PARAMETER"),
        (&get, "/customers/u/usage?at=2026-01-01T00:00:00Z&at=2026-01-01T00:00:00Z", "", 400, "BAD_PARAMETER"),
        (&get, "/customers/u/usage?limit=1", "", 400, "BAD_PARAMETER"),
        (&get, "/customers/u/decisions?offset=1", "", 400, "BAD_PARAMETER"),
        (&post, "/customers/u/check?dry=1", r#"{"load_amount":"1"}"#, 400, "BAD_PARAMETER"),
        (&get, "/customers/u/usage?at=", "", 400, "BAD_AT"),
        (&get, "/customers/u/usage?at=yesterday", "", 400, "BAD_AT"),
        (&get, "/customers/u/usage?at=2026-01-01", "", 400, "BAD_AT"),
        (&get, "/customers/u/usage?at=%ff", "", 400, "BAD_AT"),
        (&get, "/customers/u/usage?at=9999-12-31T23:59:59-01:00", "", 400, "BAD_AT"),
        (&get, "/customers/u/usage?at=2026-02-30T00:00:00Z", "", 400, "BAD_AT"),
        (&get, "/customers/u/decisions?limit=", "", 400, "BAD_LIMIT"),
        (&get, "/customers/u/decisions?limit=0", "", 400, "BAD_LIMIT"),
        (&get, "/customers/u/decisions?limit=101", "", 400, "BAD_LIMIT"),
        (&get, "/customers/u/decisions?limit=-1", "", 400, "BAD_LIMIT"),
        (&get, "/customers/u/decisions?limit=99999999999999999999", "", 400, "BAD_LIMIT"),
        (&get, "/customers/u/decisions?cursor=", "", 400, "BAD_CURSOR"),
        (&get, "/customers/u/decisions?cursor=x", "", 400, "BAD_CURSOR"),
        (&get, "/customers/u/decisions?cursor=ff", "", 400, "BAD_CURSOR"),
        (&get, "/customers/u/decisions?cursor=4A", "", 400, "BAD_CURSOR"),
        (&get, &format!("/customers/u/decisions?cursor={}", "61".repeat(129)), "", 400, "BAD_CURSOR"),
        (&post, "/customers/u/check", "", 400, "NOT_JSON"),
        (&post, "/customers/u/check", "{", 400, "NOT_JSON"),
        (&post, "/customers/u/check", r#"{"load_amount":"1","load_amount":"1"}"#, 400, "NOT_JSON"),
        (&post, "/customers/u/check", r#"{"load_amount":"\ud800"}"#, 400, "NOT_JSON"),
        (&post, "/customers/u/check", r#"["1"]"#, 400, "BAD_TYPE"),
        (&post, "/customers/u/check", r#""Jane""#, 400, "BAD_TYPE"),
        (&post, "/customers/u/check", r#"{"load_amount":7654321}"#, 400, "BAD_TYPE"),
        (&post, "/customers/u/check", r#"{"load_amount":null}"#, 400, "BAD_TYPE"),
        (&post, "/customers/u/check", r#"{"load_amount":"1","time":null}"#, 400, "BAD_TYPE"),
        (&post, "/customers/u/check", r#"{"time":"2026-01-01T00:00:00Z"}"#, 400, "MISSING_FIELD"),
        (&post, "/customers/u/check", r#"{"loadAmount":"1"}"#, 400, "MISSING_FIELD"),
        (&post, "/customers/u/check", r#"{"load_amount":"-7654321"}"#, 400, "BAD_AMOUNT"),
        (&post, "/customers/u/check", r#"{"load_amount":"EUR1"}"#, 400, "BAD_AMOUNT"),
        (&post, "/customers/u/check", r#"{"load_amount":"1","time":"Jane"}"#, 400, "BAD_TIME"),
        (&post, "/customers/u/check", &body, 413, "TOO_LONG"),
    ] {
        let answer = ask(&router, method.clone(), path, body.to_owned()).await;
        assert_problem(&answer, status, code);
        assert!(!answer.text.contains("7654321") && !answer.text.contains("Jane"), "{answer:?}");
        let allow = match (status, path) {
            (405, "/user-limits/l") => "GET,HEAD,PATCH,DELETE",
            (405, "/user-limits" | "/customers/u/check") => "POST",
            (405, _) => "GET,HEAD",
            _ => "",
        };
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
        assert_eq!((answer.header("retry-after"), answer.header("www-authenticate")), ("", ""));
    }
    let answer = ask(&router, Method::POST, "/customers/u/check", vec![b'"', 0xff, b'"']).await;
    assert_problem(&answer, 400, "NOT_UTF8");
    // A body of unknown length is bounded too, and one that breaks off is no defect.
    let chunks = |chunks: Vec<Result<Vec<u8>, std::io::Error>>| Body::from_stream(futures_util::stream::iter(chunks));
    let endless = chunks((0..2_000).map(|_| Ok(vec![b' '; 1_000])).collect());
    assert_problem(&ask(&router, Method::POST, "/customers/u/check", endless).await, 413, "TOO_LONG");
    let broken = chunks(vec![Ok(b"{".to_vec()), Err(std::io::Error::other("Jane"))]);
    assert_problem(&ask(&router, Method::POST, "/customers/u/check", broken).await, 400, "BAD_REQUEST");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever a body is, and whatever a path is that HTTP allows: there is an answer, and an error is a problem.
    #[test]
    fn any_request_has_an_answer(
        body in prop_oneof![prop::collection::vec(any::<u8>(), 0..80).boxed(), "\\{\"(load_amount|time)\":\\PC{0,20}\\}".prop_map(String::into_bytes).boxed()],
        path in "(/(customers|user-limits|user|usage|check|decisions|[a-z%0-9.]{0,6})){0,4}(\\?(at|limit|cursor)=[a-z0-9%+:-]{0,25})?",
        method in prop::sample::select(vec![Method::GET, Method::POST]),
    ) {
        let path = if path.starts_with('/') { path } else { format!("/{path}") };
        block_on(async {
            let answer = ask(&plain(), method, &path, body).await;
            if answer.status != 200 {
                assert_problem(&answer, answer.status.as_u16(), answer.json()["code"].as_str().unwrap());
                assert!(answer.status.is_client_error(), "{answer:?}");
            }
        });
    }
}

#[tokio::test]
async fn a_head_request_has_the_headers_of_the_answer_alone() {
    let router = plain();
    let [head, get] = [Method::HEAD, Method::GET].map(|method| ask(&router, method, "/customers/u/usage", ""));
    let (head, get) = (head.await, get.await);
    assert_eq!((head.status, head.text.as_str(), &head.headers), (get.status, "", &get.headers));
}

#[tokio::test]
async fn a_request_keeps_its_own_id_if_it_is_short_and_plain() {
    let longest = "x".repeat(64);
    for (own, expected) in [
        (Some("3f-A_b.c=+/"), "3f-A_b.c=+/"),
        (Some(&*longest), &*longest),
        (Some(&*"x".repeat(65)), "new-id"),
        (Some(""), "new-id"),
        (Some("a b"), "new-id"),
        (Some("a\"}"), "new-id"),
        (Some("\u{e9}"), "new-id"),
        (None, "new-id"),
    ] {
        let mut request = Request::builder().uri("/nowhere");
        if let Some(own) = own {
            request = request.header("x-request-id", own.as_bytes());
        }
        let answer = Answer::of(&plain(), request.body(Body::empty()).unwrap()).await;
        assert_eq!((answer.header("x-request-id"), answer.json()["requestId"].as_str().unwrap()), (expected, expected));
    }
    let ids = [new_request_id(), new_request_id()];
    assert!(ids[0] != ids[1] && ids.iter().all(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())));
}

fn router_with(access: Access) -> Router {
    let decider = own_decider(MemoryStore::default(), &SetClock::at(NOW));
    router(Services::over(decider, super::COOLING_OFF, None::<LocalQueue>), RequestSettings { access, ..settings() })
}

#[tokio::test]
async fn reading_and_changing_need_a_token_each() {
    let token = |name: &str| Some(BearerToken::new(format!("a-token-that-{name}")));
    let (reads, writes) = (|| token("reads"), || token("writes"));
    let none = |read, write| Access { read, write, is_guarded: false };
    let (read, change) = ((Method::GET, "/user-limits/user/u"), (Method::DELETE, "/user-limits/l"));
    let check = (Method::POST, "/customers/u/check");
    for (access, (method, path), sent, status) in [
        (none(None, None), &read, "", 200),
        (none(None, None), &change, "", 404),
        (none(reads(), writes()), &read, "reads", 200),
        (none(reads(), writes()), &check, "reads", 200),
        (none(reads(), writes()), &read, "writes", 401),
        (none(reads(), writes()), &check, "writes", 401),
        (none(reads(), writes()), &change, "writes", 404),
        (none(reads(), writes()), &change, "reads", 401),
        (none(reads(), writes()), &change, "", 401),
        (none(reads(), None), &change, "reads", 403),
        (none(reads(), None), &change, "", 403),
        (none(None, writes()), &read, "", 200),
        (none(None, writes()), &change, "writes", 404),
        (none(None, writes()), &change, "", 401),
    ] {
        let request = Request::builder().method(method).uri(*path);
        let request = request.header("authorization", format!("Bearer a-token-that-{sent}"));
        let body = Body::from(r#"{"load_amount":"1"}"#);
        let answer = Answer::of(&router_with(access.clone()), request.body(body).unwrap()).await;
        assert_eq!(answer.status.as_u16(), status, "{access:?} {method} {path} with {sent:?}: {answer:?}");
    }
}

/// A browser lets each page send requests to the machine that it runs on, and adds the header `Origin` to those that may change
/// something.
#[tokio::test]
async fn a_web_page_changes_nothing_without_a_token() {
    let write = || Some(BearerToken::new("a-token-that-writes".to_owned()));
    for (access, method, path, status) in [
        (Access::default(), Method::POST, "/programs/g/plan-assignments", 403),
        (Access::default(), Method::POST, "/user-limits/l/pending/confirm", 403),
        (Access::default(), Method::DELETE, "/user-limits/l", 403),
        (Access::default(), Method::GET, "/user-limits/user/u", 200),
        (Access::default(), Method::POST, "/customers/u/check", 200),
        (Access { write: write(), ..Access::default() }, Method::DELETE, "/user-limits/l", 404),
        (Access { is_guarded: true, ..Access::default() }, Method::DELETE, "/user-limits/l", 404),
    ] {
        let request = Request::builder().method(&method).uri(path).header("origin", "http://127.0.0.1:8080");
        let request = request.header("authorization", "Bearer a-token-that-writes");
        let answer =
            Answer::of(&router_with(access), request.body(Body::from(r#"{"load_amount":"1"}"#)).unwrap()).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path} {answer:?}");
    }
}

#[tokio::test]
async fn without_a_table_of_limits_there_is_nothing_to_change() {
    let decider = super::decider(MemoryStore::default(), SetClock::at(NOW));
    let router = router(Services::over(decider, super::COOLING_OFF, None::<LocalQueue>), settings());
    let new = r#"{"userId":"u","period":"DAY","value":"100","currencyCode":"USD"}"#;
    for (method, path, body) in [
        (Method::POST, "/user-limits", new),
        (Method::PATCH, "/user-limits/l", r#"{"value":"1"}"#),
        (Method::POST, "/user-limits/l/pending/confirm", ""),
        (Method::GET, "/limit-plans", ""),
        (Method::PUT, "/programs/g/customers/u", ""),
        (Method::POST, "/programs/g/plan-assignments", "{}"),
        (Method::GET, "/jobs", ""),
    ] {
        let request = Request::builder().method(method).uri(path).header("idempotency-key", "k");
        assert_problem(&Answer::of(&router, request.body(Body::from(body)).unwrap()).await, 501, "NO_LIMIT_TABLE");
    }
    assert_problem(&ask(&router, Method::GET, "/user-limits/l", "").await, 404, "UNKNOWN_LIMIT");
    assert_problem(&ask(&router, Method::GET, "/user-limits/l/changes", "").await, 404, "UNKNOWN_LIMIT");
    assert_eq!(super::get(&router, "/user-limits/user/u").await, serde_json::json!([]));
}

#[tokio::test]
async fn every_path_needs_the_token_if_there_is_one() {
    let token = "a-token-of-16-or-more";
    let access = Access { read: Some(BearerToken::new(token.to_owned())), write: None, is_guarded: false };
    let router = router_with(access);
    let with = |values: &[&str], path: &str| {
        let request = Request::builder().uri(path);
        let request = values.iter().fold(request, |request, value| request.header("authorization", *value));
        let (router, request) = (router.clone(), request.body(Body::empty()).unwrap());
        async move { Answer::of(&router, request).await }
    };
    let right = format!("Bearer {token}");
    for path in ["/customers/u/usage", "/openapi.json", "/nowhere", "/customers/u/decisions"] {
        for wrong in [
            &[][..],
            &[""],
            &["Bearer"],
            &["Bearer "],
            &[token],
            &["Bearer a-token-of-16-or-mor"],
            &["Bearer a-token-of-16-or-more "],
            &["Bearer  a-token-of-16-or-more"],
            &["Bearer b-token-of-16-or-more"],
            &["Basic a-token-of-16-or-more"],
            &[&*right, &*right],
        ] {
            let answer = with(wrong, path).await;
            assert_problem(&answer, 401, "UNAUTHORIZED");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
    }
    for right in [&*right, &*format!("bearer {token}")] {
        assert_eq!(with(&[right], "/customers/u/usage").await.status, 200);
        assert_problem(&with(&[right], "/nowhere").await, 404, "UNKNOWN_PATH");
    }
    assert!(!format!("{:?}", BearerToken::new(token.to_owned())).contains(token));
}

/// Reads that all have the same answer.
enum Fails {
    With(StoreError),
    Never,
    /// Returns a decision that cannot be shown.
    Odd(Box<StoredDecision>),
}

impl Fails {
    async fn answer<T>(&self) -> Result<T, StoreError> {
        match self {
            Fails::With(error) => Err(error.clone()),
            Fails::Never | Fails::Odd(_) => std::future::pending().await,
        }
    }
}

type Read<'r, T> = futures_util::future::BoxFuture<'r, Result<T, StoreError>>;

impl Reads for Fails {
    fn limit<'r>(&'r self, _: &'r str) -> Read<'r, Option<LimitProgress>> {
        self.answer().boxed()
    }

    fn limits<'r>(&'r self, _: &'r str) -> Read<'r, Vec<LimitProgress>> {
        self.answer().boxed()
    }

    fn change_page<'r>(&'r self, _: &'r str, _: Option<u64>, _: u16) -> Read<'r, Option<ChangePage>> {
        self.answer().boxed()
    }

    fn run<'r>(&'r self, _: &'r str, _: Option<u64>, _: u16) -> Read<'r, Option<LogPage>> {
        self.answer().boxed()
    }

    fn usage<'r>(&'r self, _: &'r str, _: Millis) -> Read<'r, InForce> {
        self.answer().boxed()
    }

    fn decisions<'r>(&'r self, _: &'r str, _: Option<&'r str>, _: u16) -> Read<'r, DecisionPage> {
        match self {
            Fails::Odd(decision) => {
                let page = DecisionPage { decisions: vec![(**decision).clone()], next: None };
                async move { Ok(page) }.boxed()
            }
            Fails::With(_) | Fails::Never => self.answer().boxed(),
        }
    }

    fn check<'r>(&'r self, _: &'r LoadToCheck) -> Read<'r, Checked> {
        self.answer().boxed()
    }

    fn measures<'r>(&'r self, _: &'r LimitOrigin) -> Read<'r, BTreeMap<String, Measure>> {
        async move { Ok(BTreeMap::new()) }.boxed()
    }

    fn currency(&self) -> Currency {
        Currency::USD
    }

    fn now(&self) -> DateTime<Utc> {
        NOW.parse().unwrap()
    }
}

impl LimitRequests for Fails {
    fn create_limit<'r>(
        &'r self,
        _: &'r NewLimit,
        _: &'r Author,
        _: Keep<'r, LimitProgress>,
    ) -> LimitAnswer<'r, LimitProgress> {
        async { Ok(self.answer().await?) }.boxed()
    }

    fn change_limit<'r>(
        &'r self,
        _: &'r str,
        _: ChangeRequest,
        _: &'r Precondition,
        _: &'r Author,
        _: Keep<'r, LimitProgress>,
    ) -> LimitAnswer<'r, LimitProgress> {
        async { Ok(self.answer().await?) }.boxed()
    }

    fn kept_answer<'r>(&'r self, _: &'r RequestKey) -> Read<'r, Option<KeptAnswer>> {
        self.answer().boxed()
    }
}

/// All requests that reach the store.
const REQUESTS: [(Method, &str); 9] = [
    (Method::DELETE, "/user-limits/l"),
    (Method::DELETE, "/user-limits/l/pending"),
    (Method::POST, "/user-limits/l/pending/confirm"),
    (Method::GET, "/user-limits/l/changes"),
    (Method::GET, "/user-limits/l"),
    (Method::GET, "/user-limits/user/u"),
    (Method::GET, "/customers/u/usage"),
    (Method::GET, "/customers/u/decisions"),
    (Method::POST, "/customers/u/check"),
];

#[tokio::test]
async fn each_failure_of_the_store_has_its_code_and_stays_in_the_log() {
    let cause = || Cause::new("table Jane, item 7654321");
    for (error, status, code, retry_after) in [
        (StoreError::Conflict(cause()), 503, "STORE_BUSY", "1"),
        (StoreError::Throttled(cause()), 503, "STORE_BUSY", "1"),
        (StoreError::Unavailable(cause()), 503, "STORE_UNAVAILABLE", "1"),
        (StoreError::Corrupt(cause()), 500, "CORRUPT_ITEM", ""),
        (StoreError::Misconfigured(cause()), 500, "MISCONFIGURED", ""),
    ] {
        for (method, path) in REQUESTS {
            let answer = ask(&router_over(Fails::With(error.clone())), method, path, r#"{"load_amount":"1"}"#).await;
            assert_problem(&answer, status, code);
            assert_eq!(answer.header("retry-after"), retry_after);
            assert!(!answer.text.contains("Jane") && !answer.text.contains("7654321"), "{answer:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_too_long_is_given_up() {
    let router = router_over(Fails::Never);
    for (method, path) in REQUESTS {
        let begun = tokio::time::Instant::now();
        let answer = ask(&router, method, path, r#"{"load_amount":"1"}"#).await;
        assert_problem(&answer, 504, "TIMEOUT");
        assert_eq!(begun.elapsed(), Duration::from_secs(5));
    }
    // A body that does not come is no exception.
    let body = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    assert_problem(&ask(&router, Method::POST, "/customers/u/check", body).await, 504, "TIMEOUT");
}

#[tokio::test]
async fn a_decision_that_cannot_be_understood_is_a_corrupt_item() {
    let decision = |load_amount: &str, time: &str| {
        let mut record = crate::support::records::record("1");
        (record.decision.load_amount, record.decision.time) = (load_amount.to_owned(), time.to_owned());
        record.decision
    };
    for (load_amount, time, code) in [
        ("$1.00", NOW, None),
        ("EUR1.00", NOW, None),
        ("EUR1,000", NOW, None),
        ("x", NOW, Some("CORRUPT_ITEM")),
        ("$1.00", "x", Some("CORRUPT_ITEM")),
    ] {
        let router = router_over(Fails::Odd(Box::new(decision(load_amount, time))));
        let answer = ask(&router, Method::GET, "/customers/u/decisions", "").await;
        assert_eq!(answer.json()["code"].as_str(), code, "{answer:?}");
    }
}
