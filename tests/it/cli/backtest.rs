//! `loadgate backtest` as a user runs it: options, outputs and exit codes.

use std::io::Write;
use std::path::{Path, PathBuf};

use predicates::prelude::*;
use predicates::str::{contains, is_empty, starts_with};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::command::{folder, loadgate, names};
use crate::support::line;

const LOWER: &str = "[[limit]]\ncode = \"LOW\"\nmeasure = \"amount\"\nwindow = \"day\"\nmax = \"100.00\"\n";

/// Creates a folder with `attempts.jsonl` and `low.toml`.
fn prepared() -> (TempDir, PathBuf, PathBuf) {
    let (folder, input) = folder();
    let low = folder.path().join("low.toml");
    std::fs::write(&low, LOWER).unwrap();
    (folder, input, low)
}

fn candidate(name: &str, path: &Path) -> String {
    format!("--candidate={name}={}", path.display())
}

#[test]
fn the_report_goes_to_standard_output_as_text() {
    let (folder, input, low) = prepared();
    let ended = loadgate(&["backtest", &candidate("low", &low)]).arg(&input).assert().code(0).stderr(is_empty());
    ended
        .stdout(starts_with("2 attempts decided, 0 ignored (already decided), 0 invalid\namounts in USD\n\nbase\n"))
        .stdout(contains("flips to accepted                       1                   0.01  customers: 1"))
        .stdout(contains("flips to declined                       1               5,000.00  customers: 1"))
        .stdout(contains("line 2: 2 of 7, 0.01 at 2000-01-01T00:00:01Z: DAILY_AMOUNT"));
    assert_eq!(names(folder.path()), ["attempts.jsonl", "low.toml"]);
}

#[test]
fn page_and_json_appear_whole() {
    let (folder, input, low) = prepared();
    let [page, json] = ["report.html", "report.json"].map(|name| folder.path().join(name));
    let mut command = loadgate(&["backtest", &candidate("low", &low), "--report"]);
    command.arg(&page).arg("--json").args([&json, &input]).assert().code(0).stdout(starts_with("2 attempts decided"));
    assert!(std::fs::read_to_string(&page).unwrap().starts_with("<!DOCTYPE html>"));
    let report: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(report["candidates"][0]["name"], "low");
    assert_eq!(names(folder.path()), ["attempts.jsonl", "low.toml", "report.html", "report.json"]);
    let mut command = loadgate(&["backtest", &candidate("low", &low), "--json", "-"]);
    command.arg(&input).assert().code(0).stdout(std::fs::read_to_string(&json).unwrap());
}

/// The real programs agree: the figures of a backtest are the counts of replays with each limits file.
#[test]
fn figures_are_those_of_replays_with_the_same_files() {
    let (folder, _, low) = prepared();
    let input = folder.path().join("generated.jsonl");
    loadgate(&["generate", "--attempts", "5000", "--customers", "50", "-o"]).arg(&input).assert().code(0);
    let output = loadgate(&["backtest", "--json", "-", &candidate("low", &low)]).arg(&input).assert().code(3);
    let report: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    let decisions = |limits: Option<&Path>| -> Vec<bool> {
        let mut replay = loadgate(&["replay", "--summary", "none"]);
        if let Some(limits) = limits {
            replay.arg("--limits").arg(limits);
        }
        let decisions = replay.arg(&input).output().unwrap().stdout;
        let lines = decisions.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice::<Value>(line).unwrap()["accepted"].as_bool().unwrap()).collect()
    };
    let (base, candidate) = (decisions(None), decisions(Some(&low)));
    let count =
        |wanted: [bool; 2]| base.iter().zip(&candidate).filter(|(one, other)| [**one, **other] == wanted).count();
    let flips = &report["candidates"][0]["flips"];
    assert_eq!(flips["to_accepted"]["count"], count([false, true]));
    assert_eq!(flips["to_declined"]["count"], count([true, false]));
    assert!(count([false, true]) > 0 && count([true, false]) > 0);
    assert_eq!(report["base"]["accepted"]["count"], base.iter().filter(|accepted| **accepted).count());
    assert_eq!(report["candidates"][0]["accepted"]["count"], candidate.iter().filter(|accepted| **accepted).count());
}

#[test]
fn own_limits_of_customers_apply_under_base_and_candidates_alike() {
    let (folder, input, low) = prepared();
    let attempts = [line("1", "7", "$50.00", "2022-03-23T10:00:00Z"), line("2", "8", "$50.00", "2022-03-23T10:00:00Z")];
    std::fs::write(&input, attempts.concat()).unwrap();
    let events = folder.path().join("events.jsonl");
    let event = r#"{"type":"USER_LIMIT_CREATED","sequenceNumber":1,"createdAt":1647943200000,"payload":{"userId":"7","userLimitId":"a","type":"DEPOSIT","period":"DAY","currencyCode":"USD","value":"40","status":"ACTIVE","activeFrom":1647943200000}}"#;
    std::fs::write(&events, event).unwrap();
    let mut command = loadgate(&["backtest", "--json", "-", &candidate("low", &low), "--customer-limits"]);
    let output = command.args([&events, &input]).assert().code(0).stderr(contains("1 events applied"));
    let report: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    for table in [&report["base"], &report["candidates"][0]] {
        assert_eq!(table["declined"]["count"], 1, "{table}");
        let reasons = table["declined_by_reason"].as_array().unwrap();
        assert_eq!(reasons.last().unwrap()["code"], "CUSTOMER_DAY");
    }
    assert_eq!(report["candidates"][0]["flipped_customers"], 0);
}

#[test]
fn invalid_lines_are_kept_and_exit_with_3_as_in_a_replay() {
    let (folder, input, low) = prepared();
    std::fs::write(&input, "oops\n".to_owned() + &line("1", "7", "$1", "2022-03-23T10:00:00Z")).unwrap();
    let [ours, replays] = ["ours", "replays"].map(|name| folder.path().join(name));
    let mut command = loadgate(&["backtest", &candidate("low", &low), "--rejects"]);
    command.args([&ours, &input]).assert().code(3).stderr(contains("line 1: NOT_JSON"));
    loadgate(&["replay", "--rejects"]).args([&replays, &input]).assert().code(3);
    assert_eq!(std::fs::read(ours).unwrap(), std::fs::read(replays).unwrap());
}

#[test]
fn compressed_input_is_read_from_standard_input() {
    let (_folder, input, low) = prepared();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&std::fs::read(input).unwrap()).unwrap();
    let mut command = loadgate(&["backtest", &candidate("low", &low), "-"]);
    command.write_stdin(encoder.finish().unwrap()).assert().code(0).stdout(starts_with("2 attempts decided"));
}

#[test]
fn a_wrong_command_line_is_explained_before_anything_is_read() {
    let (folder, input, low) = prepared();
    let (low, missing) = (low.display().to_string(), folder.path().join("missing.toml").display().to_string());
    let candidate = |text: &str| format!("--candidate={text}");
    for (args, problem) in [
        (vec![], "--candidate"),
        (vec![candidate("low")], "write NAME=FILE"),
        (vec![candidate("low=")], "write NAME=FILE"),
        (vec![candidate(&format!("={low}"))], "the name of candidate 1 must be 1 to 64 printable characters"),
        (vec![candidate(&format!("base={low}"))], "candidate 1 must not be called base"),
        (vec![candidate(&format!("a={low}")), candidate(&format!("a={low}"))], "candidates 1 and 2 have the same name"),
        (vec![candidate(&format!("a={}", input.display()))], "limits file"),
        (vec![candidate(&format!("a={low}")), "--report=-".to_owned()], "--report takes a file"),
        (vec![candidate(&format!("a={low}")), "--rejects=-".to_owned()], "--rejects takes a file"),
        (vec![candidate(&format!("a={low}")), "--customer-limits=-".to_owned()], "--customer-limits takes a file"),
        (
            vec![candidate(&format!("a={low}")), format!("--report={low}")],
            "the page would overwrite the limits file of candidate 1",
        ),
        (
            vec![candidate(&format!("a={low}")), format!("--json={}", input.display())],
            "the JSON would overwrite the input",
        ),
        (
            vec![candidate(&format!("a={low}")), format!("--json={missing}"), format!("--report={missing}")],
            "would go to one file",
        ),
    ] {
        loadgate(&["backtest"]).args(&args).arg(&input).assert().code(2).stdout(is_empty()).stderr(contains(problem));
    }
    let mut command = loadgate(&["backtest", &candidate(&format!("a={missing}"))]);
    command.arg(&input).assert().code(1).stdout(is_empty()).stderr(contains("could not read the limits file"));
    assert_eq!(names(folder.path()), ["attempts.jsonl", "low.toml"], "nothing was written");
}

#[test]
fn ids_cannot_control_the_terminal() {
    let (_folder, input, low) = prepared();
    std::fs::write(&input, line("\u{1b}[2J", "\u{202e}\u{7}", "$200", "2022-03-23T10:00:00Z")).unwrap();
    let ended = loadgate(&["backtest", &candidate("low", &low)]).arg(&input).assert().code(0);
    ended
        .stdout(contains("line 1: \\u{1b}[2J of \\u{202e}\\u{7}, 200.00"))
        .stdout(contains("\u{1b}").or(contains("\u{202e}")).or(contains("\u{7}")).not());
}

#[test]
fn a_backtest_that_fails_leaves_no_report() {
    let (folder, input, low) = prepared();
    let mut truncated = zstd::encode_all(&*std::fs::read(&input).unwrap(), 3).unwrap();
    truncated.truncate(20);
    std::fs::write(&input, truncated).unwrap();
    let page = folder.path().join("report.html");
    let mut command = loadgate(&["backtest", &candidate("low", &low), "--report"]);
    command.args([&page, &input]).assert().code(1).stdout(is_empty()).stderr(contains("backtesting '"));
    assert_eq!(names(folder.path()), ["attempts.jsonl", "low.toml"]);
}
