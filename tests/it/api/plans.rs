//! Plans, links and programmes over every store.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use loadgate::adapters::MemoryStore;
use loadgate::deciding::{DEFAULT_PLAN_KEPT, Decider};
use serde_json::{Value, json};

use super::{Answer, ApiStore, SetClock, ask, get, load, own_decider, post, router_of};
use crate::support::stores::on_every_store;

on_every_store![
    a_plan_is_put_versioned_and_read,
    a_link_is_put_read_and_removed,
    a_programme_s_default_plan_applies_to_its_customers,
    usage_checks_and_decisions_say_where_a_limit_comes_from,
    of_two_changes_from_one_state_the_second_is_refused,
    odd_ids_name_their_own_things,
];

/// A Tuesday in the far future, because DynamoDB Local deletes expired records within seconds.
const NOW: &str = "2426-01-06T12:00:00Z";

async fn send(router: &Router, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let request = Request::builder().method(method).uri(path);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    Answer::of(router, request.body(Body::from(body.to_owned())).unwrap()).await
}

async fn put(router: &Router, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    send(router, Method::PUT, path, headers, &body.to_string()).await
}

fn day(max: &str) -> Value {
    json!({"limit": [{"code": "DAY", "measure": "amount", "window": "day", "max": max}]})
}

fn plan(plan_id: &str, version: u64) -> Value {
    json!({"planId": plan_id, "version": version})
}

fn over<S: ApiStore>(store: S) -> (Decider<S, SetClock>, SetClock, Router) {
    let clock = SetClock::at(NOW);
    let decider = own_decider(store, &clock);
    let router = router_of(&decider);
    (decider, clock, router)
}

/// Asserts the status and the code of a problem.
fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (status, &json!(code)), "{answer:?}");
}

/// Asserts the status and the `ETag` of an answer, and returns its JSON.
fn done(answer: &Answer, status: u16, etag: u64) -> Value {
    assert_eq!((answer.status.as_u16(), answer.header("etag")), (status, &*format!("\"{etag}\"")), "{answer:?}");
    answer.json()
}

async fn a_plan_is_put_versioned_and_read(store: impl ApiStore) {
    let (_, _, router) = over(store);
    let path = "/limit-plans/standard";
    assert_eq!(get(&router, "/limit-plans").await, json!({"plans": [], "nextCursor": null}));
    refused(&ask(&router, Method::GET, path, "").await, 404, "UNKNOWN_PLAN");
    refused(&put(&router, path, &[("if-match", "\"1\"")], &day("1.00")).await, 412, "PRECONDITION_FAILED");
    let by = ("x-loadgate-by", "ann");
    let first = done(&put(&router, path, &[by, ("if-none-match", "*")], &day("100.00")).await, 201, 1);
    let expected = json!({
        "planId": "standard", "version": 1, "limit": day("100.00")["limit"], "createdAt": "2426-01-06T12:00:00.000Z",
        "createdBy": "ann",
    });
    assert_eq!(first, expected);
    refused(&put(&router, path, &[("if-none-match", "*")], &day("100.00")).await, 412, "PRECONDITION_FAILED");
    assert_eq!(
        done(&put(&router, path, &[], &day("0100.0")).await, 200, 1),
        first,
        "the same limits, written otherwise"
    );
    let toml = "[[limit]] # other limits\ncode='DAY'\nmeasure='amount'\nwindow='day'\nmax='200.00'\n";
    let toml = send(&router, Method::PUT, path, &[("content-type", "application/toml; charset=utf-8")], toml).await;
    let second = done(&toml, 200, 2);
    assert_eq!((&second["limit"], &second["createdBy"]), (&day("200.00")["limit"], &json!("api")));
    for stale in ["\"1\"", "\"3\", \"4\""] {
        refused(&put(&router, path, &[("if-match", stale)], &day("300.00")).await, 412, "PRECONDITION_FAILED");
    }
    for (version, present) in [(3, "\"1\", \"2\""), (4, "*")] {
        let max = format!("{version}00.00");
        done(&put(&router, path, &[("if-match", present)], &day(&max)).await, 200, version);
    }
    assert_eq!(get(&router, "/limit-plans/standard/versions/1").await, first);
    assert_eq!(get(&router, "/limit-plans/standard/versions/2").await, second);
    assert_eq!(get(&router, path).await["version"], 4);
    for unknown in ["5", "0", "01", "x", "18446744073709551616"] {
        let answer = ask(&router, Method::GET, &format!("/limit-plans/standard/versions/{unknown}"), "").await;
        refused(&answer, 404, "UNKNOWN_PLAN");
    }
    put(&router, "/limit-plans/other", &[], &day("1.00")).await;
    let page = get(&router, "/limit-plans?limit=1").await;
    assert_eq!(page["plans"], json!([plan("other", 1)]));
    let cursor = page["nextCursor"].as_str().unwrap();
    let rest = get(&router, &format!("/limit-plans?cursor={cursor}")).await;
    assert_eq!(rest, json!({"plans": [plan("standard", 4)], "nextCursor": null}));
}

async fn a_link_is_put_read_and_removed(store: impl ApiStore) {
    let (_, _, router) = over(store);
    let path = "/customers/u/plan";
    put(&router, "/limit-plans/p", &[], &day("1.00")).await;
    put(&router, "/limit-plans/p", &[], &day("2.00")).await;
    refused(&ask(&router, Method::GET, path, "").await, 404, "UNKNOWN_LINK");
    refused(&ask(&router, Method::DELETE, path, "").await, 404, "UNKNOWN_LINK");
    refused(&put(&router, path, &[], &plan("p", 3)).await, 404, "UNKNOWN_PLAN");
    refused(&put(&router, path, &[], &plan("q", 1)).await, 404, "UNKNOWN_PLAN");
    refused(&put(&router, path, &[("if-match", "*")], &plan("p", 1)).await, 412, "PRECONDITION_FAILED");
    let link = put(&router, path, &[("if-none-match", "*"), ("x-loadgate-by", "ann")], &plan("p", 1)).await;
    let number = link.json()["linkNumber"].as_u64().unwrap();
    let expected = json!({
        "customerId": "u", "planId": "p", "version": 1, "linkNumber": number, "linkedAt": "2426-01-06T12:00:00.000Z",
        "linkedBy": "ann",
    });
    assert_eq!(done(&link, 200, number), expected);
    assert_eq!(done(&ask(&router, Method::GET, path, "").await, 200, number), expected);
    refused(&put(&router, path, &[("if-none-match", "*")], &plan("p", 2)).await, 412, "PRECONDITION_FAILED");
    let etag = format!("\"{number}\"");
    let second = put(&router, path, &[("if-match", &etag)], &plan("p", 2)).await;
    let second_number = second.json()["linkNumber"].as_u64().unwrap();
    assert!(second_number > number, "{second:?}");
    refused(&put(&router, path, &[("if-match", &etag)], &plan("p", 1)).await, 412, "PRECONDITION_FAILED");
    refused(&send(&router, Method::DELETE, path, &[("if-match", &etag)], "").await, 412, "PRECONDITION_FAILED");
    let removed = ask(&router, Method::DELETE, path, "").await;
    assert_eq!((removed.status.as_u16(), removed.text.as_str()), (204, ""));
    refused(&ask(&router, Method::GET, path, "").await, 404, "UNKNOWN_LINK");
    let again = put(&router, path, &[("if-none-match", "*")], &plan("p", 1)).await;
    assert!(again.json()["linkNumber"].as_u64().unwrap() > second_number + 1, "the unlink had a number: {again:?}");
}

async fn a_programme_s_default_plan_applies_to_its_customers(store: impl ApiStore) {
    let (decider, clock, router) = over(store);
    let path = "/programs/gold/default-plan";
    put(&router, "/limit-plans/p", &[], &day("10.00")).await;
    refused(&ask(&router, Method::GET, path, "").await, 404, "UNKNOWN_PROGRAM");
    let enrolled = put(&router, "/programs/gold/customers/u", &[], &Value::Null).await;
    let expected = json!({"programId": "gold", "customerId": "u", "previousProgramId": null});
    assert_eq!((enrolled.status.as_u16(), enrolled.json()), (200, expected));
    let none = json!({"programId": "gold", "planId": null, "version": null, "programVersion": 1});
    assert_eq!(done(&ask(&router, Method::GET, path, "").await, 200, 1), none);
    assert!(load(&decider, "u", "1", "$11.00", NOW).await, "the programme has no plan");
    refused(&put(&router, path, &[], &plan("p", 2)).await, 404, "UNKNOWN_PLAN");
    refused(&put(&router, path, &[("if-match", "\"2\"")], &plan("p", 1)).await, 412, "PRECONDITION_FAILED");
    refused(&put(&router, path, &[("if-none-match", "*")], &plan("p", 1)).await, 412, "PRECONDITION_FAILED");
    let default = json!({"programId": "gold", "planId": "p", "version": 1, "programVersion": 2});
    assert_eq!(done(&put(&router, path, &[("if-match", "\"1\"")], &plan("p", 1)).await, 200, 2), default);
    assert_eq!(done(&put(&router, path, &[], &plan("p", 1)).await, 200, 2), default, "the same plan changes nothing");
    clock.pass(DEFAULT_PLAN_KEPT);
    assert!(!load(&decider, "u", "2", "$0.01", NOW).await, "$11.00 are used");
    assert!(load(&decider, "v", "1", "$11.00", NOW).await, "a customer of no programme");
    let moved = put(&router, "/programs/silver/customers/u", &[], &Value::Null).await.json();
    assert_eq!(moved["previousProgramId"], "gold");
    let again = put(&router, "/programs/silver/customers/u", &[], &Value::Null).await.json();
    assert_eq!(again["previousProgramId"], "silver");
    assert!(load(&decider, "u", "3", "$1.00", NOW).await);
    for (program, customer) in [("gold", "u"), ("silver", "v"), ("silver", "u"), ("silver", "u")] {
        let removed = ask(&router, Method::DELETE, &format!("/programs/{program}/customers/{customer}"), "").await;
        assert_eq!((removed.status.as_u16(), removed.text.as_str()), (204, ""));
    }
    let enrolled = put(&router, "/programs/gold/customers/u", &[], &Value::Null).await.json();
    assert_eq!(enrolled["previousProgramId"], Value::Null, "it was removed from silver");
}

async fn usage_checks_and_decisions_say_where_a_limit_comes_from(store: impl ApiStore) {
    let (decider, _, router) = over(store);
    put(&router, "/limit-plans/p", &[], &day("10.00")).await;
    let count = json!({"limit": [{"code": "MANY", "measure": "count", "window": "day", "max": 5}]});
    put(&router, "/limit-plans/q", &[], &count).await;
    put(&router, "/programs/gold/default-plan", &[], &plan("p", 1)).await;
    put(&router, "/programs/gold/customers/u", &[], &Value::Null).await;
    assert!(load(&decider, "u", "1", "$1.00", NOW).await);
    let of_program = json!({"kind": "program", "programId": "gold", "planId": "p", "version": 1});
    let of_plan = json!({"kind": "plan", "planId": "q", "version": 1});
    let usage = get(&router, "/customers/u/usage").await;
    assert_eq!((&usage["usage"][0]["origin"], &usage["usage"][1]), (&of_program, &Value::Null));
    put(&router, "/customers/u/plan", &[], &plan("q", 1)).await;
    assert!(load(&decider, "u", "2", "$20.00", NOW).await);
    let usage = get(&router, "/customers/u/usage").await;
    let many = json!({
        "code": "MANY", "measure": "count", "limit": 5, "used": 2, "remaining": 3,
        "resetsAt": "2426-01-07T00:00:00.000Z", "limitId": null, "mode": "live", "origin": of_plan,
    });
    assert_eq!(usage["usage"], json!([many]));
    let checked = post(&router, "/customers/u/check", r#"{"load_amount":"$1"}"#.to_owned()).await;
    assert_eq!((&checked["usage"][0]["origin"], &checked["usage"][0]["used"]), (&of_plan, &json!(3)));
    // Decisions keep the limits that they were made under.
    let decisions = get(&router, "/customers/u/decisions").await;
    let usage = |place: usize| decisions["decisions"][place]["usage"][0].clone();
    assert_eq!((&usage(0)["origin"], &usage(0)["measure"]), (&of_program, &json!("amount")));
    assert_eq!((&usage(0)["used"], &usage(0)["limit"]), (&json!("1.00"), &json!("10.00")));
    assert_eq!(usage(1), many);
}

async fn of_two_changes_from_one_state_the_second_is_refused(store: impl ApiStore) {
    let (_, _, router) = over(store);
    put(&router, "/limit-plans/p", &[], &day("1.00")).await;
    put(&router, "/customers/u/plan", &[], &plan("p", 1)).await;
    put(&router, "/programs/gold/default-plan", &[], &plan("p", 1)).await;
    for path in ["/limit-plans/p", "/customers/u/plan", "/programs/gold/default-plan"] {
        let read = ask(&router, Method::GET, path, "").await;
        let etag = [("if-match", read.header("etag"))];
        let bodies = match path {
            "/limit-plans/p" => [day("2.00"), day("3.00")],
            _ => [plan("p", 2), plan("p", 1)],
        };
        let first = put(&router, path, &etag, &bodies[0]).await;
        assert_eq!(first.status.as_u16(), 200, "{first:?}");
        refused(&put(&router, path, &etag, &bodies[1]).await, 412, "PRECONDITION_FAILED");
        assert_eq!(ask(&router, Method::GET, path, "").await.text, first.text, "the second has changed nothing");
    }
}

async fn odd_ids_name_their_own_things(store: impl ApiStore) {
    let (_, _, router) = over(store);
    let odd = ["a%2Fb", "a", "%2E%2E", "versions", "b%252F", "%C3%A9", "plan%2Fa"];
    for (number, id) in (1..).zip(odd) {
        done(&put(&router, &format!("/limit-plans/{id}"), &[], &day(&format!("{number}.00"))).await, 201, 1);
        put(&router, &format!("/programs/{id}/customers/{id}"), &[], &Value::Null).await;
    }
    for (number, id) in (1..).zip(odd) {
        let known = get(&router, &format!("/limit-plans/{id}")).await;
        assert_eq!(known["limit"][0]["max"], format!("{number}.00"), "{id}");
        let again = put(&router, &format!("/programs/{id}/customers/{id}"), &[], &Value::Null).await.json();
        assert_eq!(again["previousProgramId"], again["programId"], "{id}");
    }
}

#[tokio::test]
async fn each_fault_of_a_change_has_its_code() {
    let (_, _, router) = over(MemoryStore::default());
    put(&router, "/limit-plans/p", &[], &day("1.00")).await;
    let long = "x".repeat(129);
    let (p, link) = ("/limit-plans/p", "/customers/u/plan");
    let limits = day("2.00").to_string();
    let reference = plan("p", 1).to_string();
    let json = [("content-type", "application/json")];
    for (path, header, body, status, code) in [
        (p, ("if-match", "7"), &*limits, 400, "BAD_PRECONDITION"),
        (p, ("if-match", "W/\"7\""), &limits, 400, "BAD_PRECONDITION"),
        (p, ("if-match", "\"07\""), &limits, 400, "BAD_PRECONDITION"),
        (p, ("if-match", "\"-7\""), &limits, 400, "BAD_PRECONDITION"),
        (p, ("if-match", "\"7\",*"), &limits, 400, "BAD_PRECONDITION"),
        (p, ("if-match", ""), &limits, 400, "BAD_PRECONDITION"),
        (p, ("if-none-match", "\"7\""), &limits, 400, "BAD_PRECONDITION"),
        (p, ("x-loadgate-by", ""), &limits, 400, "BAD_VALUE"),
        (p, ("x-loadgate-by", "a\tb"), &limits, 400, "BAD_VALUE"),
        (p, ("x-loadgate-by", &long), &limits, 400, "BAD_VALUE"),
        (p, json[0], r#"{"limit":[]}"#, 422, "EMPTY_PLAN"),
        (p, json[0], "{}", 422, "EMPTY_PLAN"),
        (p, ("content-type", "application/toml"), "", 422, "EMPTY_PLAN"),
        (p, ("content-type", "application/toml"), "Jane", 400, "BAD_VALUE"),
        (p, ("content-type", "application/toml"), &limits, 400, "BAD_VALUE"),
        (p, json[0], "", 400, "BAD_VALUE"),
        (p, json[0], r#"{"limit":[{"code":"Jane 7654321"}]}"#, 400, "BAD_VALUE"),
        (p, json[0], r#"{"Jane":7654321}"#, 400, "BAD_VALUE"),
        (link, json[0], "", 400, "NOT_JSON"),
        (link, json[0], r#"{"planId":"p","planId":"p","version":1}"#, 400, "NOT_JSON"),
        (link, json[0], r#"["Jane"]"#, 400, "BAD_TYPE"),
        (link, json[0], r#"{"version":1}"#, 400, "MISSING_FIELD"),
        (link, json[0], r#"{"planId":"p"}"#, 400, "MISSING_FIELD"),
        (link, json[0], r#"{"planId":7654321,"version":1}"#, 400, "BAD_TYPE"),
        (link, json[0], r#"{"planId":"","version":1}"#, 400, "BAD_ID"),
        (link, json[0], &format!(r#"{{"planId":"{long}","version":1}}"#), 400, "BAD_ID"),
        (link, json[0], r#"{"planId":"p","version":"1"}"#, 400, "BAD_TYPE"),
        (link, json[0], r#"{"planId":"p","version":0}"#, 400, "BAD_VALUE"),
        (link, json[0], r#"{"planId":"p","version":1.5}"#, 400, "BAD_VALUE"),
        (link, json[0], r#"{"planId":"Jane","version":1}"#, 404, "UNKNOWN_PLAN"),
        (&format!("/limit-plans/{long}"), json[0], &limits, 400, "BAD_ID"),
        (&format!("/customers/{long}/plan"), json[0], &reference, 400, "BAD_ID"),
        (&format!("/programs/{long}/customers/u"), json[0], "", 400, "BAD_ID"),
        (&format!("/programs/g/customers/{long}"), json[0], "", 400, "BAD_ID"),
        ("/programs/g/customers/%ff", json[0], "", 400, "BAD_ID"),
        ("/limit-plans/p?x=1", json[0], &limits, 400, "BAD_PARAMETER"),
        ("/customers/u/plan?x=1", json[0], &reference, 400, "BAD_PARAMETER"),
    ] {
        let answer = send(&router, Method::PUT, path, &[header], body).await;
        refused(&answer, status, code);
        assert!(!answer.text.contains("7654321") && !answer.text.contains("Jane"), "{answer:?}");
    }
    let both = [("if-match", "*"), ("if-none-match", "*")];
    refused(&send(&router, Method::PUT, p, &both, &limits).await, 400, "BAD_PRECONDITION");
    let two = [("x-loadgate-by", "a"), ("x-loadgate-by", "b")];
    refused(&send(&router, Method::PUT, p, &two, &limits).await, 400, "BAD_VALUE");
    for answer in [get(&router, p).await, get(&router, "/limit-plans").await["plans"][0].clone()] {
        assert_eq!(answer["version"], 1, "nothing was changed");
    }
}

#[tokio::test]
async fn the_place_of_a_fault_in_a_plan_is_named() {
    let (_, _, router) = over(MemoryStore::default());
    let body = "{\"limit\":[\n{\"code\":\"DAY\",\"measure\":\"amount\",\"window\":\"day\",\"max\":\"1\"},\n\
                {\"code\":\"MONTH\",\"measure\":\"amount\",\"window\":\"month\",\"max\":5}]}";
    let answer = send(&router, Method::PUT, "/limit-plans/p", &[], body).await;
    let detail = "line 3: limit 2, max: must be dollars in a string, like \"5000.00\", not an integer";
    assert_eq!(answer.json()["detail"], detail);
}
