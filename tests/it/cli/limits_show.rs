//! The sample of customers' own limits: in memory, through a store, and shown.

use assert_cmd::cargo::cargo_bin_cmd;
use serde_json::{Value, json};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/events/sample.jsonl");
const EVENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/events/customer-limits.jsonl");

/// Runs the command. Returns its exit code and its standard output.
fn loadgate(arguments: &[&str]) -> (Option<i32>, String) {
    let ended = cargo_bin_cmd!("loadgate").args(arguments).output().unwrap();
    (ended.status.code(), String::from_utf8(ended.stdout).unwrap())
}

#[test]
fn the_sample_s_limits_are_the_same_in_memory_and_in_a_store_and_are_shown_with_their_usage() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("store").display());
    let in_memory = loadgate(&["replay", SAMPLE, "--explain", "--customer-limits", EVENTS]);
    assert_eq!(in_memory.0, Some(3), "some lines of the sample are invalid");
    for code in ["DAY", "CALENDAR_WEEK", "CALENDAR_MONTH", "INDEFINITE", "INSTANCE"] {
        assert!(in_memory.1.contains(&format!("\"CUSTOMER_{code}\"")), "{code} declines something");
    }
    assert!(!in_memory.1.contains("CUSTOMER_WEEK"), "a limit of bets is not enforced");

    let (shown, nothing) = loadgate(&["limits", "show", "3", "--store", &store]);
    assert_eq!((shown, nothing.as_str()), (Some(0), ""));
    assert_eq!(loadgate(&["limits", "apply", EVENTS, "--store", &store]).0, Some(0));
    let in_store = loadgate(&["replay", SAMPLE, "--explain", "--store", &store]);
    assert_eq!(in_store, in_memory);
    assert_eq!(loadgate(&["replay", SAMPLE, "--explain", "--store", &store]), in_memory, "a repeated run");

    let shown = |customer: &str| -> Vec<Value> {
        let (code, lines) = loadgate(&["limits", "show", customer, "--store", &store]);
        assert_eq!(code, Some(0));
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let all = shown("3").remove(0);
    let accepted = accepted_cents("3", &in_memory.1);
    let left = 12_000_50 - accepted;
    assert_eq!(
        all,
        json!({
            "limitId": "limit-3-all", "userId": "3", "brandId": "000000000000000000000001", "type": "DEPOSIT",
            "period": "INDEFINITE", "currencyCode": "USD", "status": "ACTIVE", "enforced": true, "value": "12000.50",
            "progress": format!("{}.{:02}", accepted / 100, accepted % 100),
            "remaining": format!("{}.{:02}", left / 100, left % 100),
            "windowStart": "2018-12-24T00:00:00.000Z", "nextResetTime": null,
            "activeFrom": "2018-12-24T00:00:00.000Z", "activeUntil": null, "reportedProgress": "0.00", "pending": null, "version": 1,
        })
    );
    let limits = shown("9");
    assert_eq!((limits.len(), &limits[0]["value"]), (1, &json!("3500.00")), "the event with the highest number counts");
    assert_eq!(limits[0]["progress"], "0.00", "nothing was loaded today");
    let not_enforced = shown("1").remove(0);
    assert_eq!(not_enforced["limitId"], "limit-1-bets");
    assert_eq!(not_enforced["enforced"], false);
}

/// Returns the cents that were accepted for a customer from its limit's first instant on.
fn accepted_cents(customer: &str, decisions: &str) -> u64 {
    let attempts = std::fs::read(SAMPLE).unwrap();
    let attempts = attempts.split(|byte| *byte == b'\n').filter_map(|line| crate::support::oracle::read(line).ok());
    let mut seen = std::collections::BTreeSet::new();
    let decisions: Vec<Value> = decisions.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let is_accepted = |id: &str| {
        let decision = decisions.iter().find(|decision| decision["customer_id"] == customer && decision["id"] == id);
        decision.is_some_and(|decision| decision["accepted"] == true)
    };
    let own = attempts.filter(|attempt| attempt.customer_id == customer && seen.insert(attempt.id.clone()));
    own.filter(|attempt| is_accepted(&attempt.id)).map(|attempt| attempt.cents).sum()
}
