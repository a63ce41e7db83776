//! Requests of an API Gateway.

use loadgate::adapters::MemoryStore;
use loadgate::domain::OwnLimit;
use loadgate::limits::LimitApplier;
use loadgate::runtime::http::gateway::{handle, read_event};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{SetClock, own_decider, router_of};
use crate::deciding::long_limits::block_on;
use crate::limits::{created, limit};

const NOW: &str = "2026-01-06T12:00:00Z";

/// Returns the event of a request, as a gateway would send it that has matched this route.
fn event(route: &str, path: &str) -> Value {
    let method = route.split_once(' ').map_or("GET", |(method, _)| method);
    json!({
        "version": "2.0", "routeKey": route, "rawPath": path, "rawQueryString": "", "isBase64Encoded": false,
        "headers": {"host": "x.execute-api.us-east-1.amazonaws.com", "x-forwarded-proto": "https"},
        "requestContext": {
            "accountId": "1", "apiId": "x", "domainName": "x.execute-api.us-east-1.amazonaws.com", "domainPrefix": "x",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "x"},
            "requestId": "JKJaXmPLvHcESHA=", "routeKey": route, "stage": "$default",
            "time": "06/Jan/2026:12:00:00 +0000", "timeEpoch": 1_767_700_800_000_i64,
        },
    })
}

/// Answers an event. The customers' limits have ids that could be read as one another.
async fn answer(event: &Value) -> (u64, Value) {
    let clock = SetClock::at(NOW);
    let decider = own_decider(MemoryStore::default(), &clock);
    let applier = LimitApplier { store: decider.store.clone(), clock };
    for id in ["A", "%41", "user", "a b", "\u{e9}", "..", ".", "bob", "l-1", "user/bob", "?", "a+b"] {
        let mine = OwnLimit { user_id: format!("owner of {id}"), ..limit(id, "") };
        applier.apply(&created(1, mine, None)).await.unwrap();
    }
    applier.apply(&created(1, limit("of bob", "bob"), None)).await.unwrap();
    let event = read_event(&event.to_string()).unwrap();
    let answer = handle(router_of(&decider), event, lambda_http::Context::default()).await.unwrap();
    let answer = serde_json::to_value(answer).unwrap();
    assert_eq!(answer["headers"]["x-request-id"], "JKJaXmPLvHcESHA=", "{answer}");
    assert_eq!(answer["isBase64Encoded"], false);
    (answer["statusCode"].as_u64().unwrap(), serde_json::from_str(answer["body"].as_str().unwrap()).unwrap())
}

/// Answers an event without any data.
async fn answer_empty(event: &Value) -> (u64, Value) {
    let decider = own_decider(MemoryStore::default(), &SetClock::at(NOW));
    let event = read_event(&event.to_string()).unwrap();
    let answer = handle(router_of(&decider), event, lambda_http::Context::default()).await.unwrap();
    let answer = serde_json::to_value(answer).unwrap();
    (answer["statusCode"].as_u64().unwrap(), serde_json::from_str(answer["body"].as_str().unwrap()).unwrap())
}

#[tokio::test]
async fn decoded_paths_lead_to_the_very_id_or_nowhere() {
    const LIMIT: &str = "GET /user-limits/{limitId}";
    const USER: &str = "GET /user-limits/user/{userId}";
    for (route, path, expected) in [
        (LIMIT, "/user-limits/A", Some("A")),
        // The client has sent %2541.
        (LIMIT, "/user-limits/%41", None),
        (LIMIT, "/user-limits/%", None),
        (LIMIT, "/user-limits/?", None),
        (LIMIT, "/user-limits/A?at=x", None),
        (LIMIT, "/user-limits/A#x", None),
        (LIMIT, "/user-limits/a b", Some("a b")),
        (LIMIT, "/user-limits/a+b", Some("a+b")),
        (LIMIT, "/user-limits/\u{e9}", Some("\u{e9}")),
        (LIMIT, "/user-limits/..", Some("..")),
        (LIMIT, "/user-limits/.", Some(".")),
        (LIMIT, "/user-limits/user", Some("user")),
        // The client has sent %2F: these are not the limits of bob, nor another limit.
        (LIMIT, "/user-limits/user/bob", None),
        (LIMIT, "/user-limits/user/../l-1", None),
        (USER, "/user-limits/user/../l-1", None),
        (USER, "/user-limits/user/a/b", None),
        (LIMIT, "/user-limits//l-1", None),
        (LIMIT, "/user-limits/", None),
        (LIMIT, "/customers/A", None),
        ("$default", "/user-limits/A", Some("A")),
        ("$default", "/nowhere", None),
    ] {
        let (status, body) = answer(&event(route, path)).await;
        match expected {
            Some(id) => assert_eq!((status, &body["limitId"]), (200, &json!(id)), "{route} {path}: {body}"),
            None => assert_eq!(status, 404, "{route} {path}: {body}"),
        }
    }
    let (status, body) = answer(&event(USER, "/user-limits/user/bob")).await;
    assert_eq!((status, &body[0]["limitId"]), (200, &json!("of bob")));
}

#[tokio::test]
async fn a_stage_with_a_name_is_not_part_of_the_path() {
    for (stage, path, status) in [
        ("prod", "/prod/user-limits/A", 200),
        ("prod", "/user-limits/A", 200),
        ("prod", "/produser-limits/A", 404),
        ("prod", "/test/user-limits/A", 404),
    ] {
        let mut event = event("GET /user-limits/{limitId}", path);
        event["requestContext"]["stage"] = json!(stage);
        assert_eq!(answer(&event).await.0, status, "{stage} {path}");
    }
}

#[tokio::test]
async fn queries_bodies_and_methods_arrive() {
    let mut usage = event("GET /customers/{customerId}/usage", "/customers/u/usage");
    usage["rawQueryString"] = json!("at=2026-01-05T12:00:00%2B02:00");
    assert_eq!(answer(&usage).await.1["at"], "2026-01-05T10:00:00.000Z");
    // No byte of a query makes another one of it.
    for (query, code) in [("at=a b\"<>\u{e9}", "BAD_AT"), ("at=%zz", "BAD_AT"), ("x#y", "BAD_PARAMETER")] {
        usage["rawQueryString"] = json!(query);
        assert_eq!(answer(&usage).await.1["code"], code, "{query}");
    }
    let mut check = event("POST /customers/{customerId}/check", "/customers/u/check");
    check["body"] = json!(r#"{"load_amount":"5000.01"}"#);
    assert_eq!(answer(&check).await.1["reasons"], json!(["DAILY_AMOUNT"]));
    check["body"] = json!("eyJsb2FkX2Ftb3VudCI6IjEifQ==");
    check["isBase64Encoded"] = json!(true);
    assert_eq!(answer(&check).await.1["accepted"], true);
    check["body"] = Value::Null;
    assert_eq!(answer(&check).await.1["code"], "NOT_JSON");
    let (status, body) = answer(&event("PUT /customers/{customerId}/usage", "/customers/u/usage")).await;
    assert_eq!((status, &body["code"]), (405, &json!("METHOD_NOT_ALLOWED")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The client's id has every kind of character; the gateway has decoded it.
    #[test]
    fn an_id_is_read_as_itself_or_not_at_all(id in "[a-z%/?#.+ \\\\\"\u{e9}\u{0}4125]{1,12}|\\PC{1,40}") {
        block_on(async {
            let usage = event("GET /customers/{customerId}/usage", &format!("/customers/{id}/usage"));
            let (status, body) = answer_empty(&usage).await;
            if id.contains(['/', '?', '#', '%']) {
                assert_eq!(status, 404, "{body}");
            } else if id.len() > 128 {
                assert_eq!((status, &body["code"]), (400, &json!("BAD_ID")));
            } else {
                assert_eq!((status, &body["customerId"]), (200, &json!(id)));
            }
        });
    }
}

#[tokio::test]
async fn headers_that_make_no_uri_have_no_effect() {
    for (name, value) in
        [("host", "a b"), ("host", ""), ("host", "x/y?z#"), ("x-forwarded-proto", "://"), ("x-request-id", "mine")]
    {
        let mut event = event("GET /user-limits/{limitId}", "/user-limits/A");
        event["headers"][name] = json!(value);
        assert_eq!(answer(&event).await.0, 200, "{name}: {value}");
    }
}

#[test]
fn another_event_is_refused_without_its_content() {
    for other in
        ["", "Jane", "{}", r#"{"Records":[]}"#, r#"{"version":"1.0","rawPath":"/Jane"}"#, r#"{"version":"2.0"}"#]
    {
        let error = read_event(other).unwrap_err().to_string();
        assert!(error.contains("events/api/usage.json") && !error.contains("Jane"), "{error}");
    }
}

#[tokio::test]
async fn the_author_of_a_change_is_the_caller_whom_the_gateway_has_checked() {
    let router = router_of(&own_decider(MemoryStore::default(), &SetClock::at(NOW)));
    let arn = "arn:aws:sts::123456789012:assumed-role/operator/ann";
    for (plan, authorizer, expected) in [
        ("a", json!({"iam": {"accountId": "123456789012", "userArn": arn}}), arn),
        ("b", json!({"iam": {}}), "unknown caller of the API Gateway"),
        ("c", Value::Null, "unknown caller of the API Gateway"),
    ] {
        let mut event = event("PUT /limit-plans/{planId}", &format!("/limit-plans/{plan}"));
        event["requestContext"]["authorizer"] = authorizer;
        event["headers"]["x-loadgate-by"] = json!("somebody else");
        let limit = json!({"code": "DAY", "measure": "amount", "window": "day", "max": "1.00"});
        event["body"] = json!(json!({"limit": [limit]}).to_string());
        let event = read_event(&event.to_string()).unwrap();
        let answer = handle(router.clone(), event, lambda_http::Context::default()).await.unwrap();
        let answer = serde_json::to_value(answer).unwrap();
        assert_eq!((&answer["statusCode"], &answer["headers"]["etag"]), (&json!(201), &json!("\"1\"")), "{answer}");
        let view: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(view["createdBy"], expected);
    }
}
