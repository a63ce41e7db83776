//! `loadgate replay` with customers' own limits.

use predicates::str::contains;
use serde_json::{Value, json};

use crate::support::command::{folder, loadgate, names};
use crate::support::line;

/// Returns an event that creates a limit of $100.00 for customer 7.
fn created(number: u64, limit_id: &str, period: &str, active_from: &str) -> String {
    let active_from = active_from.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp_millis();
    let payload = json!({
        "userId": "7", "userLimitId": limit_id, "type": "DEPOSIT", "period": period, "currencyCode": "USD",
        "value": "100", "status": "ACTIVE", "activeFrom": active_from
    });
    let event = json!({
        "type": "USER_LIMIT_CREATED", "sequenceNumber": number, "createdAt": active_from, "payload": payload
    });
    event.to_string() + "\n"
}

#[test]
fn own_limits_tighten_the_limits_of_their_customer_from_their_first_instant() {
    let (folder, input) = folder();
    let attempts = [
        line("1", "7", "$90.00", "2022-03-22T10:00:00Z"),
        line("2", "7", "$90.00", "2022-03-22T11:00:00Z"),
        line("3", "7", "$20.00", "2022-03-22T12:00:00Z"),
        line("4", "8", "$90.00", "2022-03-22T12:00:00Z"),
        // 24 hours after the first instant, the next span begins.
        line("5", "7", "$20.00", "2022-03-23T10:59:59.999Z"),
        line("6", "7", "$20.00", "2022-03-23T11:00:00Z"),
        line("7", "7", "$5000.01", "2022-03-23T12:00:00Z"),
    ];
    std::fs::write(&input, attempts.concat()).unwrap();
    let limits = folder.path().join("limits.jsonl");
    let events = [
        created(1, "b", "DAY", "2022-03-22T11:00:00Z"),
        created(2, "a", "INSTANCE", "2022-03-22T11:00:00Z"),
        created(3, "c", "DAY", "2022-03-22T11:00:00Z"),
    ];
    std::fs::write(&limits, events.concat()).unwrap();
    let replay = || {
        let mut command = loadgate(&["replay", "--explain"]);
        command.arg(&input).arg("--customer-limits").arg(&limits);
        command
    };
    let output = replay().assert().code(0).stderr(contains("3 events applied")).stderr(contains("CUSTOMER_DAY"));
    let decisions = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    let reasons = decisions.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["reasons"].to_string());
    assert_eq!(
        reasons.collect::<Vec<_>>(),
        [
            "[]",
            "[]",
            "[\"CUSTOMER_DAY\"]",
            "[]",
            "[\"CUSTOMER_DAY\"]",
            "[]",
            // The deployment's limits first, then own limits in the order of their ids, each code once.
            "[\"DAILY_AMOUNT\",\"CUSTOMER_INSTANCE\",\"CUSTOMER_DAY\"]",
        ]
    );
}

#[test]
fn invalid_events_go_to_the_rejects_and_exit_with_3() {
    let (folder, input) = folder();
    let limits = folder.path().join("limits.jsonl");
    let valid = created(1, "l", "DAY", "2022-03-22T11:00:00Z");
    std::fs::write(&limits, format!("\u{feff}{valid}\r\n{{\"type\":\"x\"}}\n{}\noops", "x".repeat(300_000))).unwrap();
    let rejects = folder.path().join("rejects.jsonl");
    let mut command = loadgate(&["replay"]);
    command.arg(&input).arg("--customer-limits").arg(&limits).arg("--rejects").arg(&rejects);
    command.assert().code(3).stderr(contains("line 3: MISSING_FIELD: the field sequenceNumber is missing"));
    let rejects = std::fs::read_to_string(rejects).unwrap();
    let rejects: Vec<Value> = rejects.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = rejects.iter().map(|reject| (&reject["source"], &reject["line"], &reject["code"])).collect();
    let source = &json!("customer-limits");
    assert_eq!(
        told,
        [
            (source, &json!(3), &json!("MISSING_FIELD")),
            (source, &json!(4), &json!("TOO_LONG")),
            (source, &json!(5), &json!("NOT_JSON"))
        ]
    );
    assert_eq!((&rejects[0]["raw"], rejects[1]["raw"].as_str().unwrap().len()), (&json!("{\"type\":\"x\"}"), 300_000));
}

#[test]
fn a_file_that_cannot_be_used_is_refused_before_anything_is_written() {
    let (folder, input) = folder();
    let missing = folder.path().join("missing.jsonl");
    let out = folder.path().join("out.jsonl");
    let replay = |limits: &std::path::Path, more: &[&str]| {
        let mut command = loadgate(&["replay"]);
        command.arg(&input).arg("--customer-limits").arg(limits).arg("--output").arg(&out).args(more);
        command.assert()
    };
    replay(&missing, &[]).code(1).stderr(contains("could not open the input"));
    replay(&input, &["--output", input.to_str().unwrap()]).code(2);
    replay("-".as_ref(), &[]).code(2).stderr(contains("--customer-limits takes a file"));
    replay(&input, &["--store", "dynamodb", "--run", "x"]).code(2).stderr(contains("give no --store"));
    assert_eq!(names(folder.path()), ["attempts.jsonl"]);
}

#[test]
fn a_limit_of_a_long_window_is_enforced_in_memory_and_through_a_store() {
    let (folder, input) = folder();
    let limits = folder.path().join("limits.toml");
    let text = "[[limit]]\ncode = \"MONTHLY\"\nmeasure = \"count\"\nwindow = \"month\"\nmax = 1\n";
    std::fs::write(&limits, text).unwrap();
    let store = format!("sqlite:{}", folder.path().join("store").display());
    let outputs = [&[][..], &["--store", &store]].map(|more| {
        let mut command = loadgate(&["replay", "--explain", "--limits"]);
        let ended = command.arg(&limits).arg(&input).args(more).assert().code(0);
        ended.stdout(contains("\"reasons\":[\"MONTHLY\"]")).get_output().stdout.clone()
    });
    assert_eq!(outputs[0], outputs[1]);
}

#[test]
fn another_currency_is_the_prefix_of_amounts_and_that_of_the_enforced_limits() {
    let (folder, input) = folder();
    let attempts = [
        line("1", "7", "EUR90.00", "2022-03-22T11:00:00Z"),
        line("2", "7", "EUR20.00", "2022-03-22T11:00:00Z"),
        line("3", "7", "$1.00", "2022-03-22T11:00:00Z"),
    ];
    std::fs::write(&input, attempts.concat()).unwrap();
    let limits = folder.path().join("limits.jsonl");
    let dollars = created(1, "l", "DAY", "2022-03-22T11:00:00Z");
    let euros = dollars.replace("\"USD\"", "\"EUR\"");
    for (events, accepted) in [(&dollars, 2), (&euros, 1)] {
        std::fs::write(&limits, events).unwrap();
        let mut command = loadgate(&["replay", "--currency", "EUR", "--customer-limits"]);
        let output = command
            .arg(&limits)
            .arg(&input)
            .assert()
            .code(3)
            .stderr(contains("line 3: BAD_AMOUNT"))
            .get_output()
            .clone();
        let decisions = String::from_utf8(output.stdout).unwrap();
        assert_eq!(decisions.matches("true").count(), accepted, "{decisions}");
    }
    loadgate(&["replay", "--currency", "euro"]).arg(&input).assert().code(2).stderr(contains("three capital letters"));
}
