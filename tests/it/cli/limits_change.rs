//! `loadgate limits set`, `remove`, `withdraw`, `confirm` and `changes`.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::command::loadgate;
use crate::support::line;

/// Runs a command over a store in a file. Returns the exit code, the JSON of each line, and standard error.
fn run(folder: &TempDir, arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, Vec<Value>, String) {
    let store = format!("sqlite:{}", folder.path().join("store").display());
    let mut command = loadgate(&[&["limits"], arguments, &["--store", &store]].concat());
    let ended = command.env_remove("USER").envs(environment.iter().copied()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let lines = text(ended.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (ended.status.code(), lines, text(ended.stderr))
}

/// Returns the only line of a command that succeeds.
fn limit(folder: &TempDir, arguments: &[&str]) -> Value {
    let (code, mut lines, errors) = run(folder, arguments, &[("USER", "alice")]);
    assert_eq!((code, lines.len()), (Some(0), 1), "{arguments:?} {errors}");
    lines.remove(0)
}

/// Decides one load, and returns true if it is accepted.
fn accepted(folder: &TempDir, id: &str, amount: &str, time: &str) -> bool {
    let store = format!("sqlite:{}", folder.path().join("store").display());
    let input = folder.path().join(format!("{id}.jsonl"));
    std::fs::write(&input, line(id, "u", amount, time)).unwrap();
    let ended = loadgate(&["replay", input.to_str().unwrap(), "--store", &store]).output().unwrap();
    String::from_utf8(ended.stdout).unwrap().contains("true")
}

#[test]
fn a_limit_is_created_lowered_and_raised_after_the_wait() {
    let folder = tempfile::tempdir().unwrap();
    let created = limit(&folder, &["set", "--user-id", "u", "--period", "CALENDAR_DAY", "--value", "100"]);
    let id = created["limitId"].as_str().unwrap();
    assert_eq!(
        (&created["value"], &created["version"], &created["enforced"]),
        (&json!("100.00"), &json!(1), &json!(true))
    );
    // A load after the limit's first instant, and before the end of any wait.
    let now = created["activeFrom"].as_str().unwrap().to_owned();
    assert!(!accepted(&folder, "1", "$100.01", &now));
    let lowered = limit(&folder, &["set", id, "--value", "50.5", "--if-version", "1"]);
    assert_eq!((&lowered["value"], &lowered["version"]), (&json!("50.50"), &json!(2)));
    assert!(!accepted(&folder, "2", "$50.51", &now));
    let pending = limit(&folder, &["set", id, "--value", "200"]);
    assert_eq!((&pending["value"], &pending["pending"]["value"]), (&json!("50.50"), &json!("200.00")));
    assert!(!accepted(&folder, "3", "$60", "2990-01-01T00:00:00Z"), "a load dated ahead does not skip the wait");
    assert_eq!(limit(&folder, &["withdraw", id])["pending"], json!(null));
    let at_once = limit(&folder, &["set", id, "--value", "200", "--increase-delay-hours", "0"]);
    assert_eq!((&at_once["value"], &at_once["pending"]), (&json!("200.00"), &json!(null)));
    assert!(accepted(&folder, "4", "$200", "2990-01-01T00:00:00Z"));

    let (code, changes, _) = run(&folder, &["changes", id], &[]);
    let kinds: Vec<&str> = changes.iter().map(|change| change["kind"].as_str().unwrap()).collect();
    assert_eq!(code, Some(0));
    assert_eq!(kinds, ["CREATED", "LOWERED", "INCREASE_REQUESTED", "WITHDRAWN", "INCREASE_REQUESTED"]);
    assert!(changes.iter().all(|change| change["changedBy"] == "alice"), "{changes:?}");
}

#[test]
fn a_removal_that_needs_a_confirmation_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let created = limit(&folder, &["set", "--user-id", "u", "--period", "DAY", "--value", "1"]);
    let id = created["limitId"].as_str().unwrap();
    let strict = [("LOADGATE_INCREASE_NEEDS_CONFIRMATION", "true"), ("LOADGATE_INCREASE_DELAY_HOURS", "0")];
    let (code, removing, _) = run(&folder, &["remove", id, "--by", "bob"], &strict);
    assert_eq!((code, &removing[0]["status"]), (Some(0), &json!("ACTIVE")));
    assert_eq!(removing[0]["pending"]["needsConfirmation"], true);
    // A variable that is set to nothing counts as not set.
    let unset = ["LOADGATE_INCREASE_NEEDS_CONFIRMATION", "LOADGATE_INCREASE_DELAY_HOURS", "LOADGATE_CURRENCY"];
    let (code, confirmed, _) = run(&folder, &["confirm", id], &unset.map(|name| (name, "")));
    assert_eq!(
        (code, &confirmed[0]["status"], &confirmed[0]["enforced"]),
        (Some(0), &json!("CANCELED"), &json!(false))
    );
    assert!(accepted(&folder, "1", "$2", "2990-01-01T00:00:00Z"));
    let (_, changes, _) = run(&folder, &["changes", id], &[]);
    let by: Vec<&str> = changes.iter().map(|change| change["changedBy"].as_str().unwrap()).collect();
    assert_eq!(by, ["alice", "bob", "unknown user"]);
}

#[test]
fn a_refused_change_says_why_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let created = limit(&folder, &["set", "--user-id", "u", "--period", "DAY", "--value", "1"]);
    let id = created["limitId"].as_str().unwrap();
    for (arguments, expected) in [
        (&["set", id, "--value", "2", "--if-version", "7"][..], "read it again"),
        (&["set", "nobody-s", "--value", "2"], "there is no limit with this id"),
        (&["remove", "nobody-s"], "there is no limit with this id"),
        (&["changes", "nobody-s"], "there is no limit with this id"),
        (&["withdraw", id], "no pending change"),
        (&["confirm", id], "no pending change"),
    ] {
        let (code, lines, errors) = run(&folder, arguments, &[]);
        assert_eq!((code, lines), (Some(1), vec![]), "{arguments:?} {errors}");
        assert!(errors.contains(expected), "{arguments:?} {errors}");
    }
    for (arguments, expected) in [
        (&["set", id, "--value", "1.005"][..], "is not an amount"),
        (&["set", id, "--user-id", "u", "--period", "DAY", "--value", "1"], "cannot be used with"),
        (&["set", "--user-id", "u", "--value", "1"], "--period"),
        (&["set", "--user-id", "u", "--period", "HOUR", "--value", "1"], "CALENDAR_MONTH"),
        (&["set", "--value", "1"], "required"),
        (&["set", "--user-id", "u", "--period", "DAY", "--value", "1", "--if-version", "7"], "cannot be used with"),
        (&["remove", id, "--if-new"], "--if-new"),
        (
            &["remove", id, "--increase-delay-hours", "8785"],
            "LOADGATE_INCREASE_DELAY_HOURS: '8785' is not a whole number",
        ),
        (&["remove", id, "--increase-needs-confirmation", "yes"], "neither true nor false"),
        (&["remove", id, "--currency", "usd"], "LOADGATE_CURRENCY: 'usd' is not the code of a currency"),
        (&["set", id], "--value"),
    ] {
        let (code, lines, errors) = run(&folder, arguments, &[]);
        assert_eq!((code, lines), (Some(2), vec![]), "{arguments:?} {errors}");
        assert!(errors.contains(expected), "{arguments:?} {errors}");
    }
    assert_eq!(run(&folder, &["show", "u"], &[]).1, [created]);
}
