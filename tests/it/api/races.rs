//! Requests that are repeated while the first one is under way: the first one takes effect between two steps of the second.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use chrono::TimeDelta;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use loadgate::adapters::MemoryStore;
use loadgate::domain::{ChangeRequest, CoolingOff, LimitProgress};
use loadgate::limits::jobs::LocalQueue;
use loadgate::limits::{Author, Keep, KeptAnswer, NewLimit, RequestKey};
use loadgate::runtime::http::{LimitAnswer, LimitRequests, Precondition, RequestSettings, Services, router};

use super::{Answer, COOLING_OFF, SetClock, own_decider, settings};

/// A Tuesday.
const NOW: &str = "2026-01-06T12:00:00Z";

const NEW: &str = r#"{"userId":"u","period":"DAY","value":"100","currencyCode":"USD"}"#;

/// Limits that let another request take effect after a request was found to have no kept answer, and before its change.
struct Overtaken {
    limits: Arc<dyn LimitRequests>,
    first: Mutex<Option<BoxFuture<'static, Answer>>>,
}

impl Overtaken {
    async fn overtake(&self) {
        let first = self.first.lock().unwrap().take();
        if let Some(first) = first {
            let answer = first.await;
            assert!(answer.status.is_success(), "{answer:?}");
        }
    }
}

impl LimitRequests for Overtaken {
    fn create_limit<'r>(
        &'r self,
        new: &'r NewLimit,
        by: &'r Author,
        keep: Keep<'r, LimitProgress>,
    ) -> LimitAnswer<'r, LimitProgress> {
        async move {
            self.overtake().await;
            self.limits.create_limit(new, by, keep).await
        }
        .boxed()
    }

    fn change_limit<'r>(
        &'r self,
        limit_id: &'r str,
        request: ChangeRequest,
        base: &'r Precondition,
        by: &'r Author,
        keep: Keep<'r, LimitProgress>,
    ) -> LimitAnswer<'r, LimitProgress> {
        async move {
            self.overtake().await;
            self.limits.change_limit(limit_id, request, base, by, keep).await
        }
        .boxed()
    }

    fn kept_answer<'r>(
        &'r self,
        key: &'r RequestKey,
    ) -> BoxFuture<'r, Result<Option<KeptAnswer>, loadgate::deciding::StoreError>> {
        self.limits.kept_answer(key)
    }
}

fn request(path: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let request = Request::builder().method("POST").uri(path);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Body::from(body.to_owned())).unwrap()
}

fn services(store: &MemoryStore, clock: &SetClock, rule: CoolingOff) -> Services {
    Services::over(own_decider(store.clone(), clock), rule, Some(LocalQueue::default()))
}

fn over(services: Services) -> Router {
    router(services, RequestSettings { new_id: loadgate::adapters::new_request_id, ..settings() })
}

/// Sends a request with a key twice; the first one takes effect in the middle of the second one. Returns the second answer.
async fn repeated(services: &Services, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let headers: Vec<_> = headers.iter().copied().chain([("idempotency-key", "k")]).collect();
    let (plain, first) = (over(services.clone()), request(path, &headers, body));
    let first = async move { Answer::of(&plain, first).await }.boxed();
    let limits = Overtaken { limits: services.limits.clone(), first: Mutex::new(Some(first)) };
    let overtaken = over(Services { limits: Arc::new(limits), ..services.clone() });
    Answer::of(&overtaken, request(path, &headers, body)).await
}

#[tokio::test]
async fn a_creation_that_is_repeated_meanwhile_makes_one_limit() {
    for others in [0, 31] {
        let (store, clock) = (MemoryStore::default(), SetClock::at(NOW));
        let services = services(&store, &clock, COOLING_OFF);
        let router = over(services.clone());
        for _ in 0..others {
            assert_eq!(Answer::of(&router, request("/user-limits", &[], NEW)).await.status.as_u16(), 201);
        }
        let second = repeated(&services, "/user-limits", &[], NEW).await;
        assert_eq!(second.status.as_u16(), 201, "{others} others: {second:?}");
        let limits = super::get(&router, "/user-limits/user/u").await;
        assert_eq!(limits.as_array().unwrap().len(), others + 1);
        let path = second.header("location").to_owned();
        assert_eq!(super::get(&router, &path).await, second.json());
    }
}

#[tokio::test]
async fn a_confirmation_that_is_repeated_meanwhile_gets_the_first_answer() {
    let rule = CoolingOff { needs_confirmation: true, ..COOLING_OFF };
    for headers in [&[][..], &[("if-match", "\"2\"")]] {
        let (store, clock) = (MemoryStore::default(), SetClock::at(NOW));
        let services = services(&store, &clock, rule);
        let router = over(services.clone());
        let path = Answer::of(&router, request("/user-limits", &[], NEW)).await.header("location").to_owned();
        let raise = Request::builder().method("PATCH").uri(&path).body(Body::from(r#"{"value":"200"}"#)).unwrap();
        assert_eq!(Answer::of(&router, raise).await.header("etag"), "\"2\"");
        clock.pass(TimeDelta::hours(24));
        let second = repeated(&services, &format!("{path}/pending/confirm"), headers, "").await;
        assert_eq!(second.status.as_u16(), 200, "{headers:?} {second:?}");
        assert_eq!(second.json()["value"], "200.00");
        let changes = super::get(&router, &format!("{path}/changes")).await;
        assert_eq!(changes["changes"].as_array().unwrap().len(), 3);
        // A later one has nothing to confirm.
        let later = Answer::of(&router, request(&format!("{path}/pending/confirm"), &[], "")).await;
        assert_eq!(later.json()["code"], "NOT_PENDING");
    }
}
