//! The shipped sample, byte for byte. The files under `events/` contain the expected decisions.

use std::collections::BTreeSet;
use std::path::Path;

use assert_cmd::cargo::cargo_bin_cmd;

use crate::support::oracle;

const SAMPLE: &[u8] = include_bytes!("../../../events/sample.jsonl");
const DECISIONS: &str = include_str!("../../../events/sample.decisions.jsonl");
const EXPLAINED: &str = include_str!("../../../events/sample.explained.jsonl");
const REJECTS: &str = include_str!("../../../events/sample.rejects.jsonl");

#[test]
fn the_generator_writes_the_sample() {
    let makefile = include_str!("../../../Makefile");
    let settings = makefile.lines().find_map(|line| line.strip_prefix("SAMPLE_SETTINGS := ")).unwrap();
    let made = cargo_bin_cmd!("loadgate").arg("generate").args(settings.split(' ')).output().unwrap();
    assert!(made.stdout == SAMPLE, "events/sample.jsonl is not what `loadgate generate {settings}` writes");
}

#[test]
fn the_sample_s_decisions_agree_with_the_oracle() {
    let (decisions, invalid) = oracle::replay(SAMPLE, &oracle::default_limits(), false);
    assert_eq!(decisions, DECISIONS);
    assert_eq!(oracle::replay(SAMPLE, &oracle::default_limits(), true).0, EXPLAINED);
    let rejects = REJECTS.lines().map(|reject| serde_json::from_str::<serde_json::Value>(reject).unwrap());
    let rejects: Vec<_> = rejects.map(|reject| (reject["line"].clone(), reject["code"].clone())).collect();
    assert_eq!(rejects, invalid.into_iter().map(|(line, code)| (line.into(), code.into())).collect::<Vec<_>>());
}

#[test]
fn replay_writes_the_sample_s_files_byte_for_byte() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("events/sample.jsonl");
    let folder = tempfile::tempdir().unwrap();
    for (threads, explain) in [("1", false), ("2", true), ("8", false)] {
        let rejects = folder.path().join("rejects.jsonl");
        let mut command = cargo_bin_cmd!("loadgate");
        command.args(["replay", "--threads", threads, "--rejects"]).arg(&rejects).arg(&sample);
        let ended = if explain { command.arg("--explain") } else { &mut command }.output().unwrap();
        assert_eq!(ended.status.code(), Some(3));
        assert_eq!(String::from_utf8(ended.stdout).unwrap(), if explain { EXPLAINED } else { DECISIONS });
        assert_eq!(std::fs::read_to_string(rejects).unwrap(), REJECTS);
    }
}

#[test]
fn the_sample_has_1000_attempts_and_reaches_every_outcome() {
    let lines = SAMPLE.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    assert_eq!(lines.count(), 1_000);
    let explained = EXPLAINED.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let mut outcomes: BTreeSet<String> = explained.map(|decision| decision["reasons"].to_string()).collect();
    let codes: Vec<&str> =
        oracle::replay(SAMPLE, &oracle::default_limits(), false).1.iter().map(|(_, code)| *code).collect();
    outcomes.extend(codes.iter().map(|code| (*code).to_owned()));
    let expected = r#"
        BAD_AMOUNT
        BAD_ID
        BAD_TIME
        BAD_TYPE
        MISSING_FIELD
        NOT_JSON
        NOT_UTF8
        ["DAILY_AMOUNT","DAILY_COUNT"]
        ["DAILY_AMOUNT","WEEKLY_AMOUNT","DAILY_COUNT"]
        ["DAILY_AMOUNT","WEEKLY_AMOUNT"]
        ["DAILY_AMOUNT"]
        ["DAILY_COUNT"]
        ["WEEKLY_AMOUNT","DAILY_COUNT"]
        ["WEEKLY_AMOUNT"]
        []"#;
    let expected: Vec<&str> = expected.split_whitespace().collect();
    assert_eq!(outcomes.into_iter().collect::<Vec<_>>(), expected);
    let ignored = 1_000 - codes.len() - DECISIONS.lines().count();
    assert!(ignored >= 10, "only {ignored} duplicates");
}
