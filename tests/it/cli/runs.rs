//! The decision log of a replay, as processes: shown, exported, replayed again, and deleted.

use assert_cmd::cargo::cargo_bin_cmd;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/events/sample.jsonl");
const DECISIONS: &str = include_str!("../../../events/sample.decisions.jsonl");

/// A store in a file, with a decision log.
struct Store {
    folder: tempfile::TempDir,
}

impl Store {
    fn new() -> Store {
        Store { folder: tempfile::tempdir().unwrap() }
    }

    fn command(&self, arguments: &[&str]) -> assert_cmd::Command {
        let mut command = cargo_bin_cmd!("loadgate");
        let store = format!("sqlite:{}", self.folder.path().join("store.db").display());
        command.args(arguments).args(["--store", &store, "--decision-log-table", "Log"]).env_clear().env("PATH", "");
        command
    }

    /// Replays a file. Returns the decisions, and the id of the run.
    fn replay(&self, arguments: &[&str]) -> (String, Option<String>) {
        let replay = [&["replay", "--summary", "json"], arguments].concat();
        let output = self.command(&replay).output().unwrap();
        let summary: Value = serde_json::from_slice(
            output.stderr.split(|byte| *byte == b'\n').find(|line| line.starts_with(b"{\"attempts\"")).unwrap(),
        )
        .unwrap();
        (String::from_utf8(output.stdout).unwrap(), summary["run_id"].as_str().map(str::to_owned))
    }

    fn show(&self, run_id: &str) -> Vec<Value> {
        let output = self.command(&["runs", "show", run_id]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines = String::from_utf8(output.stdout).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[test]
fn a_replay_is_logged_under_its_run_and_a_repeated_one_adds_nothing() {
    let store = Store::new();
    let logged = ["--decision-log-days", "30", SAMPLE];
    let (decisions, run_id) = store.replay(&logged);
    assert_eq!(decisions, DECISIONS, "the log changes no decision");
    let run_id = run_id.unwrap();
    let entries = store.show(&run_id);
    let ids = |text: &str| -> Vec<String> {
        text.lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let shown: Vec<String> = entries.iter().map(|entry| entry["decision"]["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(shown, ids(DECISIONS), "all of them, in the order of the file");
    assert!(entries.iter().all(|entry| entry["decision"]["run_id"] == run_id.as_str()));

    let (again, other) = store.replay(&logged);
    assert_eq!(again, DECISIONS);
    assert!(store.show(&other.unwrap()).is_empty(), "each decision stays under the run that made it");
    assert_eq!(store.show(&run_id), entries);
    store.command(&["runs", "delete", &run_id]).assert().success().stderr(contains("1 logged").not());
    assert!(store.show(&run_id).is_empty());
}

#[test]
fn exported_attempts_give_the_same_decisions_again() {
    let store = Store::new();
    let begun = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now());
    store.replay(&["--decision-log-days", "30", SAMPLE]);
    let (from, to) = (begun - chrono::TimeDelta::minutes(1), begun + chrono::TimeDelta::minutes(30));
    let file = store.folder.path().join("exported.jsonl");
    let (from, to, path) = (from.to_rfc3339(), to.to_rfc3339(), file.to_str().unwrap());
    let export = store.command(&["runs", "export", "--from", &from, "--to", &to, "-o", path]).output().unwrap();
    let said = String::from_utf8_lossy(&export.stderr).into_owned();
    assert!(export.status.success() && said.contains("at most 100 read units a second"), "{said}");
    let replayed = cargo_bin_cmd!("loadgate").args(["replay", "--summary", "none", path]).output().unwrap();
    let mut lines: Vec<&str> = DECISIONS.lines().collect();
    let replayed = String::from_utf8(replayed.stdout).unwrap();
    let mut exported: Vec<&str> = replayed.lines().collect();
    assert!(!exported.is_empty());
    lines.sort_unstable();
    exported.sort_unstable();
    assert_eq!(exported, lines);

    let (early, later) = ("2001-01-01T00:00:00Z", "2001-01-02T00:00:00Z");
    store.command(&["runs", "export", "--from", early, "--to", later]).assert().success().stdout("");
    store
        .command(&["runs", "export", "--from", &to, "--to", &from])
        .assert()
        .code(2)
        .stderr(contains("--from must be before --to"));
    store.command(&["runs", "export", "--from", "yesterday", "--to", &to]).assert().code(2);
}

#[test]
fn without_a_table_of_the_log_nothing_is_begun() {
    let mut command = cargo_bin_cmd!("loadgate");
    let command = command.args(["runs", "show", "x", "--store", "sqlite:never.db"]).env_clear();
    command.assert().code(2).stderr(contains("give --decision-log-table, or set LOADGATE_DECISION_LOG_TABLE"));
    let mut replay = cargo_bin_cmd!("loadgate");
    let replay = replay.args(["replay", "--store", "sqlite:never.db", "--decision-log-days", "1", SAMPLE]).env_clear();
    replay.assert().code(2).stderr(contains("no table of the decision log is named"));
}

#[test]
fn a_shadow_limit_is_explained_and_counted_and_changes_no_decision() {
    let folder = tempfile::tempdir().unwrap();
    let limits = folder.path().join("limits.toml");
    let base = include_str!("../../../limits.toml");
    let shadow = "[[limit]]\ncode = \"TWO_A_DAY\"\nmeasure = \"count\"\nwindow = \"day\"\nmax = 2\nmode = \"shadow\"\n\
                  [[limit]]\ncode = \"MONTHLY\"\nmeasure = \"amount\"\nwindow = \"month\"\nmax = \"5000.00\"\nmode = \"shadow\"\n";
    std::fs::write(&limits, format!("{base}\n{shadow}")).unwrap();
    let mut replay = cargo_bin_cmd!("loadgate");
    replay.args(["replay", "--explain", "--summary", "json", "--limits", limits.to_str().unwrap(), SAMPLE]);
    let output = replay.output().unwrap();
    let summary = String::from_utf8(output.stderr).unwrap();
    let summary: Value =
        serde_json::from_str(summary.lines().find(|line| line.starts_with("{\"attempts\"")).unwrap()).unwrap();
    let decisions = String::from_utf8(output.stdout).unwrap();
    let explained = include_str!("../../../events/sample.explained.jsonl");
    let (mut two_a_day, mut monthly) = (0, 0);
    for (line, plain) in decisions.lines().zip(explained.lines()) {
        let mut decision: Value = serde_json::from_str(line).unwrap();
        let shadow = decision.as_object_mut().unwrap().remove("shadow").unwrap_or_else(|| Value::Array(vec![]));
        assert_eq!(decision, serde_json::from_str::<Value>(plain).unwrap());
        two_a_day += u64::from(shadow.as_array().unwrap().contains(&"TWO_A_DAY".into()));
        monthly += u64::from(shadow.as_array().unwrap().contains(&"MONTHLY".into()));
    }
    assert!(two_a_day > 0 && monthly > 0);
    assert_eq!(summary["shadow_declined"], serde_json::json!({"TWO_A_DAY": two_a_day, "MONTHLY": monthly}));
}
