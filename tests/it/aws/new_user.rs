//! Walk of a new user, in a stack that is deployed from `template.yaml`: limit events on the stream, loads on the queue,
//! limits, usage and decisions over HTTP.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin_cmd;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::cloud::{Stack, tool};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/events/customer-limits.jsonl");

/// Maximum time in which a record or a message has its effect.
const EFFECT_MAX: Duration = Duration::from_mins(1);

/// Puts limit events on the stack's stream.
fn put_limits(stack: &Stack, file: &str) {
    let mut put = Command::new(tool("venv").join("bin/python"));
    put.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/stack")).args(["put-limits", file]);
    let output = put.args(["--state", &stack.endpoints.state_directory]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Sends a request with curl. Returns status and body.
fn curl(arguments: &[&str], url: &str) -> (u16, String) {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--noproxy", "*", "--write-out", "\n%{http_code}"]).args(arguments).arg(url);
    let output = curl.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}

const SIGNED: [&str; 4] = ["--user", "local:local", "--aws-sigv4", "aws:amz:us-east-1:execute-api"];

/// Reads a document that exists.
fn get(url: &str) -> Value {
    let (status, body) = curl(&SIGNED, url);
    assert_eq!(status, 200, "{url}: {body}");
    serde_json::from_str(&body).unwrap()
}

/// Repeats a request until its answer is as expected.
fn wait_for<T>(what: &str, mut get: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = get() {
            return found;
        }
        assert!(begun.elapsed() < EFFECT_MAX, "{what}: not within {EFFECT_MAX:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn receive(queue_url: &str, count: usize) -> Vec<Value> {
    let mut received = vec![];
    wait_for("a message", || {
        let mut command = cargo_bin_cmd!("loadgate");
        command.args(["receive", "--attributes", "--wait", "1", "--queue-url", queue_url]).env_remove("AWS_PROFILE");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines = String::from_utf8(output.stdout).unwrap();
        received.extend(lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        (received.len() >= count).then_some(())
    });
    received
}

#[test]
#[ignore = "needs `make tools`; `make test` runs it"]
fn a_new_users_limit_arrives_on_the_stream_declines_a_load_and_is_read_over_http() {
    let stack = Stack::up();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(&path, text).unwrap();
        path
    };
    let api = &stack.endpoints.api_url;

    put_limits(&stack, SAMPLE);
    // The sample has three definitions of this limit, and the one with the highest number is not the last.
    let limit = wait_for("the limit", || {
        let (status, body) = curl(&SIGNED, &format!("{api}/user-limits/limit-9-day"));
        let limit: Value = serde_json::from_str(&body).unwrap();
        (status == 200 && limit["value"] == "3500.00" && limit["reportedProgress"] == "0.00").then_some(limit)
    });
    assert_eq!((&limit["userId"], &limit["enforced"]), (&json!("9"), &json!(true)), "{limit}");
    let all = get(&format!("{api}/user-limits/user/1"));
    let ids: Vec<&Value> = all.as_array().unwrap().iter().map(|limit| &limit["limitId"]).collect();
    assert_eq!(ids, ["limit-1-bets", "limit-1-month"]);

    let loads = [("a", "$3,000.00", "07"), ("b", "$600.00", "08")].map(|(id, amount, hour)| {
        let time = format!("2018-12-26T{hour}:00:00Z");
        json!({"id": id, "customer_id": "9", "load_amount": amount, "time": time}).to_string() + "\n"
    });
    let send = ["send", &file("loads.jsonl", &loads.concat()), "--queue-url", &stack.endpoints.input_queue_url];
    assert!(cargo_bin_cmd!("loadgate").args(send).output().unwrap().status.success());
    let decisions = receive(&stack.endpoints.decisions_queue_url, 2);
    let declined: Value = serde_json::from_str(decisions[1]["body"].as_str().unwrap()).unwrap();
    assert_eq!((&declined["id"], &declined["reasons"]), (&json!("b"), &json!(["CUSTOMER_DAY"])), "{declined}");
    let own = |usage: &Value| {
        let own = usage.as_array().unwrap().iter().find(|usage| usage["code"] == "CUSTOMER_DAY");
        own.unwrap_or_else(|| panic!("no own limit: {usage}")).clone()
    };
    assert_eq!(own(&declined["usage"])["limit_id"], "limit-9-day");

    let usage = own(&get(&format!("{api}/customers/9/usage?at=2018-12-26T12:00:00Z"))["usage"]);
    let expected = json!({"limitId": "limit-9-day", "mode": "live", "origin": {"kind": "own"}, "limit": "3500.00", "used": "3000.00",
        "remaining": "500.00", "resetsAt": "2018-12-27T06:00:00.000Z"});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&usage[name], value, "{name}: {usage}");
    }
    let decided = get(&format!("{api}/customers/9/decisions"));
    let decided: Vec<_> =
        decided["decisions"].as_array().unwrap().iter().map(|it| (&it["eventId"], &it["accepted"])).collect();
    assert_eq!(decided, [(&json!("a"), &json!(true)), (&json!("b"), &json!(false))]);
    for (amount, accepted, reasons) in [("$500.00", true, json!([])), ("$500.01", false, json!(["CUSTOMER_DAY"]))] {
        let body = json!({"load_amount": amount, "time": "2018-12-26T12:00:00Z"}).to_string();
        let arguments = [&SIGNED[..], &["--header", "content-type: application/json", "--data", &body]].concat();
        let (status, answer) = curl(&arguments, &format!("{api}/customers/9/check"));
        assert_eq!(status, 200, "{answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!((&answer["accepted"], &answer["reasons"]), (&json!(accepted), &reasons), "{amount}: {answer}");
    }
    assert_eq!(get(&format!("{api}/openapi.json"))["openapi"], "3.1.0");

    // MiniStack demands a signature, and does not look at it.
    assert_eq!(curl(&[], &format!("{api}/user-limits/limit-9-day")).0, 403, "without a signature");
    assert_eq!(curl(&SIGNED, &format!("{api}/user-limits/nobody")).0, 404);
    assert_eq!(curl(&SIGNED, &format!("{api}/limits")).0, 404, "a route that the template does not have");

    let malformed = r#"{"type":"USER_LIMIT_CREATED","sequenceNumber":1,"createdAt":1,"payload":{"userId":"9"}}"#;
    put_limits(&stack, &file("malformed.jsonl", malformed));
    let letters = receive(&stack.endpoints.limit_dead_letter_queue_url, 1);
    let record = STANDARD.decode(letters[0]["body"].as_str().unwrap()).unwrap();
    assert_eq!(String::from_utf8(record).unwrap(), malformed);
    let attributes = &letters[0]["attributes"];
    assert_eq!(attributes["code"], "MISSING_FIELD", "{attributes}");
    assert!(attributes["shard_id"].as_str().unwrap().starts_with("shardId-"), "{attributes}");
}
