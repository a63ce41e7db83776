//! Changes of own limits over HTTP, over every store.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use chrono::TimeDelta;
use loadgate::limits::jobs::LocalQueue;
use loadgate::runtime::http::{RequestSettings, Services, router};
use serde_json::{Value, json};

use super::{Answer, ApiStore, COOLING_OFF, SetClock, ask, get, load, own_decider, settings};
use crate::limits::{created, limit, progressed};
use crate::support::stores::on_every_store;

on_every_store![
    a_limit_is_created_lowered_raised_and_removed,
    a_repeated_request_gets_the_first_answer_byte_for_byte,
    a_change_is_based_on_a_version,
    requests_that_do_not_fit_are_refused,
    a_customer_has_at_most_32_limits,
    an_event_replaces_what_a_request_has_set,
    odd_ids_are_changed_as_themselves,
];

/// A Tuesday in the far future, because DynamoDB Local deletes expired items within seconds.
const NOW: &str = "2426-01-06T12:00:00Z";

/// Sends a request with headers.
async fn send(router: &Router, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let request = Request::builder().method(method).uri(path);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    Answer::of(router, request.body(Body::from(body.to_owned())).unwrap()).await
}

/// Returns the JSON of an answer with this status.
async fn sent(router: &Router, method: &str, path: &str, body: &str, status: u16) -> Value {
    let answer = send(router, method, path, &[("x-loadgate-by", "alice")], body).await;
    assert_eq!(answer.status.as_u16(), status, "{method} {path} {answer:?}");
    answer.json()
}

fn setup<S: ApiStore>(tables: S) -> (SetClock, Router, loadgate::deciding::Decider<S, SetClock>) {
    let clock = SetClock::at(NOW);
    let decider = own_decider(tables, &clock);
    let settings = RequestSettings { new_id: loadgate::adapters::new_request_id, ..settings() };
    let router = router(Services::over(decider.clone(), COOLING_OFF, None::<LocalQueue>), settings);
    (clock, router, decider)
}

const NEW: &str = r#"{"userId":"u","period":"DAY","value":"100","currencyCode":"USD"}"#;

async fn create(router: &Router) -> String {
    let answer = send(router, "POST", "/user-limits", &[("x-loadgate-by", "alice")], NEW).await;
    assert_eq!(answer.status.as_u16(), 201, "{answer:?}");
    answer.json()["limitId"].as_str().unwrap().to_owned()
}

async fn a_limit_is_created_lowered_raised_and_removed<S: ApiStore>(tables: S) {
    let (clock, router, decider) = setup(tables);
    assert!(load(&decider, "u", "0", "$900", "2426-01-05T12:00:00Z").await, "the customer has no limit yet");
    clock.pass(TimeDelta::hours(1));
    let answer = send(&router, "POST", "/user-limits", &[("x-loadgate-by", "alice")], NEW).await;
    let id = answer.json()["limitId"].as_str().unwrap().to_owned();
    let path = format!("/user-limits/{id}");
    assert_eq!((answer.status.as_u16(), answer.header("location")), (201, &*path));
    let mut expected = json!({
        "limitId": id, "userId": "u", "brandId": null, "type": "DEPOSIT", "period": "DAY", "currencyCode": "USD",
        "status": "ACTIVE", "enforced": true, "value": "100.00", "progress": "0.00", "remaining": "100.00",
        "windowStart": "2426-01-06T13:00:00.000Z", "nextResetTime": "2426-01-07T13:00:00.000Z",
        "activeFrom": "2426-01-06T13:00:00.000Z", "activeUntil": null, "reportedProgress": "0.00", "pending": null,
        "version": 1,
    });
    assert_eq!(answer.json(), expected);
    assert_eq!((get(&router, &path).await, answer.header("etag")), (expected.clone(), "\"1\""));

    assert!(load(&decider, "u", "1", "$60", "2426-01-06T13:30:00Z").await);
    assert!(!load(&decider, "u", "2", "$60", "2426-01-06T13:31:00Z").await, "over the new limit");
    for (name, value) in [("value", "80.00"), ("progress", "60.00"), ("remaining", "20.00")] {
        expected[name] = json!(value);
    }
    expected["version"] = json!(2);
    assert_eq!(sent(&router, "PATCH", &path, r#"{"value":"80"}"#, 200).await, expected);
    assert!(!load(&decider, "u", "3", "$20.01", "2426-01-06T13:32:00Z").await, "a lower value applies at once");
    assert_eq!(
        sent(&router, "PATCH", &path, r#"{"value":"80.0"}"#, 200).await,
        expected,
        "an equal value changes nothing"
    );

    let pending = json!({
        "value": "200.00", "requestedAt": "2426-01-06T13:00:00.000Z", "appliesAt": "2426-01-07T13:00:00.000Z",
        "needsConfirmation": false,
    });
    (expected["pending"], expected["version"]) = (pending, json!(3));
    assert_eq!(sent(&router, "PATCH", &path, r#"{"value":"200"}"#, 200).await, expected);
    assert!(
        !load(&decider, "u", "4", "$81", "2426-01-07T14:00:00Z").await,
        "a load dated ahead does not skip the wait"
    );
    clock.pass(TimeDelta::hours(24));
    let raised = get(&router, &path).await;
    assert_eq!((&raised["value"], &raised["pending"], &raised["version"]), (&json!("200.00"), &json!(null), &json!(4)));
    assert!(!load(&decider, "u", "5", "$21", "2426-01-07T12:59:59Z").await, "a late load has the limit of its time");
    assert!(load(&decider, "u", "6", "$200", "2426-01-07T14:00:00Z").await);

    let removing = sent(&router, "DELETE", &path, "", 200).await;
    assert_eq!((&removing["status"], &removing["pending"]["value"]), (&json!("ACTIVE"), &json!(null)));
    assert_eq!(removing["pending"]["appliesAt"], "2426-01-08T13:00:00.000Z");
    let kept = sent(&router, "DELETE", &format!("{path}/pending"), "", 200).await;
    assert_eq!((&kept["status"], &kept["pending"]), (&json!("ACTIVE"), &json!(null)));
    sent(&router, "DELETE", &path, "", 200).await;
    clock.pass(TimeDelta::hours(24));
    let removed = get(&router, &path).await;
    assert_eq!((&removed["status"], &removed["enforced"]), (&json!("CANCELED"), &json!(false)));
    assert!(load(&decider, "u", "7", "$900", "2426-01-08T13:00:00Z").await);
    assert_eq!(sent(&router, "PATCH", &path, r#"{"value":"1"}"#, 409).await["code"], "LIMIT_CLOSED");

    let changes = get(&router, &format!("{path}/changes")).await;
    let kinds: Vec<&str> =
        changes["changes"].as_array().unwrap().iter().map(|change| change["kind"].as_str().unwrap()).collect();
    let expected = ["CREATED", "LOWERED", "INCREASE_REQUESTED", "REMOVAL_REQUESTED", "WITHDRAWN", "REMOVAL_REQUESTED"];
    assert_eq!(kinds, expected);
    let lowered = &changes["changes"][1];
    assert_eq!((&lowered["changedBy"], &lowered["changedAt"]), (&json!("alice"), &json!("2426-01-06T13:00:00.000Z")));
    assert_eq!((&lowered["from"]["value"], &lowered["to"]["value"]), (&json!("100.00"), &json!("80.00")));
    assert_eq!(changes["changes"][0]["from"], json!(null));
    assert_eq!(changes["changes"][3]["from"]["value"], "200.00", "the raise has come into force by then");
    let versions: Vec<u64> =
        changes["changes"].as_array().unwrap().iter().map(|change| change["version"].as_u64().unwrap()).collect();
    assert!(versions.is_sorted_by(|one, next| one < next), "{versions:?}");

    let first = get(&router, &format!("{path}/changes?limit=4")).await;
    let next = first["nextCursor"].as_str().unwrap();
    let second = get(&router, &format!("{path}/changes?limit=4&cursor={next}")).await;
    assert_eq!(second["nextCursor"], json!(null));
    let paged: Vec<&Value> =
        [&first, &second].into_iter().flat_map(|page| page["changes"].as_array().unwrap()).collect();
    assert_eq!(paged, changes["changes"].as_array().unwrap().iter().collect::<Vec<_>>());
}

async fn a_repeated_request_gets_the_first_answer_byte_for_byte<S: ApiStore>(tables: S) {
    let (clock, router, decider) = setup(tables);
    let with_key =
        async |key: &str, body: &str| send(&router, "POST", "/user-limits", &[("idempotency-key", key)], body).await;
    let first = with_key("k", NEW).await;
    assert_eq!(first.status.as_u16(), 201);
    load(&decider, "u", "1", "$60", NOW).await;
    clock.pass(TimeDelta::hours(23));
    let again = with_key("k", NEW).await;
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    for header in ["location", "etag", "content-type"] {
        assert_eq!(again.header(header), first.header(header));
    }
    assert_eq!(with_key("k", &NEW.replace("100", "101")).await.json()["code"], "KEY_REUSED");
    assert_ne!(with_key("another", NEW).await.text, first.text);
    for bad in ["", &*"x".repeat(129), "\u{e9}"] {
        assert_eq!(with_key(bad, NEW).await.json()["code"], "BAD_KEY", "{bad}");
    }
    assert_eq!(get(&router, "/user-limits/user/u").await.as_array().unwrap().len(), 2);
    clock.pass(TimeDelta::hours(2));
    assert_ne!(with_key("k", NEW).await.text, first.text, "after 24 hours the key is free");
    assert_eq!(get(&router, "/user-limits/user/u").await.as_array().unwrap().len(), 3);
    // A refused request has no effect, and keeps no key.
    assert_eq!(with_key("refused", &NEW.replace("USD", "EUR")).await.status.as_u16(), 422);
    assert_eq!(with_key("refused", NEW).await.status.as_u16(), 201);
}

async fn a_change_is_based_on_a_version<S: ApiStore>(tables: S) {
    let (clock, router, _) = setup(tables);
    let path = format!("/user-limits/{}", create(&router).await);
    let set = async |if_match: &str, value: &str| {
        send(&router, "PATCH", &path, &[("if-match", if_match)], &format!(r#"{{"value":"{value}"}}"#)).await
    };
    assert_eq!(set("\"2\"", "50").await.json()["code"], "PRECONDITION_FAILED");
    assert_eq!(set("W/\"1\"", "50").await.json()["code"], "BAD_PRECONDITION");
    assert_eq!(set("1", "50").await.json()["code"], "BAD_PRECONDITION");
    let first = set("\"1\"", "50").await;
    assert_eq!((first.status.as_u16(), first.header("etag")), (200, "\"2\""));
    assert_eq!(set("\"1\"", "40").await.status.as_u16(), 412, "somebody has changed it meanwhile");
    assert_eq!(set("\"1\", \"2\"", "40").await.status.as_u16(), 200);
    assert_eq!(set("*", "60").await.header("etag"), "\"4\"");
    // Another limit of the same customer, and reported progress, do not count.
    create(&router).await;
    assert_eq!(set("\"4\"", "70").await.status.as_u16(), 200);
    clock.pass(TimeDelta::hours(24));
    let version = get(&router, &path).await["version"].as_u64().unwrap();
    assert_eq!(set(&format!("\"{}\"", version - 1), "30").await.status.as_u16(), 412, "the raise is in force now");
    let in_force = format!("\"{version}\"");
    assert_eq!(set(&in_force, "30").await.status.as_u16(), 200);
    assert_eq!(set(&in_force, "20").await.status.as_u16(), 412, "the change has made a version of its own");
    let none = send(&router, "PATCH", &path, &[("if-none-match", "*")], r#"{"value":"1"}"#).await;
    assert_eq!(none.json()["code"], "PRECONDITION_FAILED", "there is a limit");
}

async fn requests_that_do_not_fit_are_refused<S: ApiStore>(tables: S) {
    let (_, router, _) = setup(tables);
    let path = format!("/user-limits/{}", create(&router).await);
    let long = "x".repeat(129);
    for (method, path, body, status, code) in [
        ("POST", "/user-limits", "", 400, "NOT_JSON"),
        ("POST", "/user-limits", "[]", 400, "BAD_TYPE"),
        ("POST", "/user-limits", "{}", 400, "MISSING_FIELD"),
        ("POST", "/user-limits", &*NEW.replace(r#""u""#, r#""""#), 400, "BAD_ID"),
        ("POST", "/user-limits", &*NEW.replace(r#""u""#, &format!("\"{long}\"")), 400, "BAD_ID"),
        ("POST", "/user-limits", &*NEW.replace(r#""u""#, "5"), 400, "BAD_TYPE"),
        ("POST", "/user-limits", &*NEW.replace("DAY", "HOUR"), 400, "BAD_VALUE"),
        ("POST", "/user-limits", &*NEW.replace("USD", "usd"), 400, "BAD_VALUE"),
        ("POST", "/user-limits", &*NEW.replace("USD", "EUR"), 422, "OTHER_CURRENCY"),
        ("POST", "/user-limits", &*NEW.replace("100", "1.005"), 400, "BAD_AMOUNT"),
        ("POST", "/user-limits", &*NEW.replace("100", "-1"), 400, "BAD_AMOUNT"),
        ("POST", "/user-limits", &*NEW.replace('{', r#"{"value":"1","#), 400, "NOT_JSON"),
        ("POST", "/user-limits", &*NEW.replace('{', r#"{"type":"LOSS","#), 400, "UNKNOWN_FIELD"),
        ("PATCH", &*path, r#"{"value":"5","period":"WEEK"}"#, 400, "UNKNOWN_FIELD"),
        ("PATCH", &*path, r#"{"value":5}"#, 400, "BAD_TYPE"),
        ("PATCH", &*path, r#"{"Value":"5"}"#, 400, "UNKNOWN_FIELD"),
        ("PATCH", "/user-limits/none", r#"{"value":"5"}"#, 404, "UNKNOWN_LIMIT"),
        ("DELETE", "/user-limits/none", "", 404, "UNKNOWN_LIMIT"),
        ("GET", "/user-limits/none/changes", "", 404, "UNKNOWN_LIMIT"),
        ("GET", &*format!("{path}/changes?cursor=zz"), "", 400, "BAD_CURSOR"),
        ("GET", &*format!("{path}/changes?cursor=61"), "", 400, "BAD_CURSOR"),
        ("DELETE", &*format!("{path}/pending"), "", 409, "NOT_PENDING"),
        ("POST", &*format!("{path}/pending/confirm"), "", 409, "NOT_PENDING"),
        ("PUT", &*path, "", 405, "METHOD_NOT_ALLOWED"),
    ] {
        let answer = sent(&router, method, path, body, status).await;
        assert_eq!(answer["code"], code, "{method} {path} {body}");
    }
    sent(&router, "PATCH", &path, r#"{"value":"101"}"#, 200).await;
    let confirmed = sent(&router, "POST", &format!("{path}/pending/confirm"), "", 409).await;
    assert_eq!(confirmed["code"], "NEEDS_NO_CONFIRMATION");
    assert_eq!(get(&router, "/user-limits/user/u").await.as_array().unwrap().len(), 1);
}

async fn a_customer_has_at_most_32_limits<S: ApiStore>(tables: S) {
    let (_, router, _) = setup(tables);
    for _ in 0..32 {
        create(&router).await;
    }
    assert_eq!(sent(&router, "POST", "/user-limits", NEW, 409).await["code"], "TOO_MANY_LIMITS");
}

async fn an_event_replaces_what_a_request_has_set<S: ApiStore>(tables: S) {
    let (clock, router, decider) = setup(tables);
    let applier = loadgate::limits::LimitApplier { store: decider.store.clone(), clock: clock.clone() };
    applier.apply(&created(5, limit("l", "u"), None)).await.unwrap();
    let path = "/user-limits/l";
    let before = get(&router, path).await;
    sent(&router, "PATCH", path, r#"{"value":"1"}"#, 200).await;
    sent(&router, "PATCH", path, r#"{"value":"5000000"}"#, 200).await;
    // An older event changes nothing, whatever the requests did; a newer one replaces all of it.
    applier.apply(&created(4, limit("l", "u"), None)).await.unwrap();
    let lowered = get(&router, path).await;
    assert_eq!((&lowered["value"], &lowered["pending"]["value"]), (&json!("1.00"), &json!("5000000.00")));
    applier.apply(&created(6, limit("l", "u"), None)).await.unwrap();
    let replaced = get(&router, path).await;
    assert_eq!((&replaced["value"], &replaced["pending"]), (&before["value"], &json!(null)));
    // The history shows what an event has replaced: also a raise that has come into force since the last change.
    sent(&router, "PATCH", path, r#"{"value":"300"}"#, 200).await;
    clock.pass(TimeDelta::hours(24));
    applier.apply(&created(7, limit("l", "u"), None)).await.unwrap();
    let changes = get(&router, "/user-limits/l/changes").await;
    let changes = changes["changes"].as_array().unwrap();
    let by: Vec<&str> = changes.iter().map(|change| change["changedBy"].as_str().unwrap()).collect();
    assert_eq!(by, ["limit-event/5", "alice", "alice", "limit-event/6", "alice", "limit-event/7"]);
    let from = &changes[5]["from"];
    assert_eq!((&from["value"], &from["pending"]), (&json!("300.00"), &json!(null)));

    // Progress alone defines no limit.
    applier.apply(&progressed(8, "reported", "u", 1)).await.unwrap();
    for path in ["/user-limits/reported", "/user-limits/reported/changes"] {
        assert_eq!(sent(&router, "GET", path, "", 404).await["code"], "UNKNOWN_LIMIT");
    }
}

async fn odd_ids_are_changed_as_themselves<S: ApiStore>(tables: S) {
    let (clock, router, decider) = setup(tables);
    let applier = loadgate::limits::LimitApplier { store: decider.store.clone(), clock };
    let ids = [
        ("a/b", "a%2Fb"),
        ("limit", "limit"),
        ("change/1", "change%2F1"),
        ("\u{e9}", "%C3%A9"),
        ("%41", "%2541"),
        ("A", "A"),
        (" ", "%20"),
        ("user", "%75ser"),
    ];
    for (number, (id, _)) in (1..).zip(ids) {
        applier.apply(&created(number, limit(id, id), None)).await.unwrap();
    }
    for (id, encoded) in ids {
        let path = format!("/user-limits/{encoded}");
        let answer = sent(&router, "PATCH", &path, r#"{"value":"3"}"#, 200).await;
        assert_eq!((&answer["limitId"], &answer["value"]), (&json!(id), &json!("3.00")));
        let changes = get(&router, &format!("{path}/changes")).await;
        assert_eq!(changes["changes"].as_array().unwrap().len(), 2, "{id}");
    }
    assert_eq!(ask(&router, Method::GET, "/user-limits/u", "").await.status.as_u16(), 404);
}
